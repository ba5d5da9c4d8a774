"""Half of the test of simultaneous arrival: what each of the two workers does, importable by the process that runs it."""

from __future__ import annotations

import random
from multiprocessing.synchronize import Barrier
from typing import Any

from sqlalchemy import func, select

from kentongan.domain.gate import Limits
from kentongan.domain.identity import Identity, OrganizationKind
from kentongan.services.deduplicate import Deduplicate
from kentongan.services.examine import examine
from kentongan.services.index import Index
from kentongan.services.submit import Submit
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from kentongan.storage.submissions import Submission
from matching_stories import about, sha256
from stories import NOON, as_bytes, bundle

ROUNDS = 50
EVENTS = 20
"""Events of each round: both members report all of them at once, in an order of their own."""

PATIENCE = 240.0
"""Seconds; a dozen are enough on a machine that does nothing else."""


def work(url: str, member: int, organization_id: int, together: Barrier) -> None:
    """One member's worker: in every round it submits and indexes, commits, and then looks for others."""
    database = Database(url)
    identity = Identity(organization_id, f"CERT-{member}", OrganizationKind.MEMBER)
    shuffled = random.Random(member)
    for round_number in range(ROUNDS):
        events = list(range(round_number * EVENTS, (round_number + 1) * EVENTS))
        shuffled.shuffle(events)
        objects = [obj for number in events for obj in _report(number, member)]
        examined = examine(as_bytes(bundle(*objects)), Limits())
        together.wait(PATIENCE)
        with database.writing() as session:
            Submit(session, lambda: NOON).submit(identity, examined)
            session.flush()
            submission_id = _newest(session, organization_id)
        together.wait(PATIENCE)
        with database.writing() as session:
            Index(session, lambda: NOON).run([submission_id])
            session.flush()
            incident_ids = session.scalars(select(Incident.id).where(Incident.submission_id == submission_id)).all()
        with database.writing() as session:
            Deduplicate(session, lambda: NOON).run(incident_ids)
    database.close()


def _report(number: int, member: int) -> list[dict[str, Any]]:
    files = [f"dropper {number}", f"implant {number}", f"seen by {member} in {number}"]
    return about(f"Intrusion {number} seen by {member}", victim=f"Ministry {_name(number)}", files=files)


def _name(number: int) -> str:
    """A name unlike all others."""
    digits = str(int(sha256(f"name {number}")[:8], 16))
    return "".join("bcdfgklmnp"[int(digit)] + "aeiouaeiou"[int(digit)] for digit in digits).capitalize()


def _newest(session: Any, organization_id: int) -> int:
    found = session.scalar(select(func.max(Submission.id)).where(Submission.organization_id == organization_id))
    assert isinstance(found, int)
    return found
