"""Stories of objects that are shown in part: sent and asked for at the doors, with every stage run in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from asking import Asker, Door
from kentongan.domain.gate import content_sha256
from kentongan.domain.identity import OrganizationKind
from kentongan.domain.marking import Level
from kentongan.services.correlate import Correlate
from kentongan.services.deduplicate import Deduplicate
from kentongan.services.deliver import Deliver
from kentongan.services.index import Index
from kentongan.services.match import Match
from kentongan.services.meet import Meet
from kentongan.services.stage import Clock, StageService
from kentongan.services.veil import Veil
from kentongan.storage.alerts import Delivery
from kentongan.storage.jobs import JobRow, Stage
from stories import NOON, Stix, bundle, tlp

ROAD: tuple[tuple[Stage, Callable[[Session, Clock], StageService[Any]]], ...] = (
    (Stage.INDEX, Index),
    (Stage.DEDUPLICATE, Deduplicate),
    (Stage.CORRELATE, Correlate),
    (Stage.MATCH, Match),
    (Stage.MEET, partial(Meet, veil=Veil("a secret key"))),
)


def marked(level: Level | Stix, *selectors: str) -> Stix:
    """One granular marking."""
    ref = level["id"] if isinstance(level, dict) else tlp(level)
    return {"marking_ref": ref, "selectors": list(selectors)}


def region(door: Door) -> dict[str, Asker]:
    """One reader for every relation to what LaoCERT marks."""
    return {
        "owner": door.joins("LaoCERT"),
        "member": door.joins("VNCERT"),
        "subscriber": door.joins("A bank", OrganizationKind.SUBSCRIBER),
        "coordinator": door.joins("The coordinator", OrganizationKind.COORDINATOR),
    }


def sends(door: Door, who: Asker, *objects: Stix) -> list[dict[str, Any]]:
    """Send a bundle at the door and run every stage; gives the outcomes of the receipt."""
    answer = who.ask("POST", "/submissions", json=bundle(*objects))
    assert answer.status_code == 202, answer.text
    settle(door)
    outcomes: list[dict[str, Any]] = orjson.loads(answer.data)["objects"]
    return outcomes


def asked(reader: Asker, address: str) -> Any:
    """What is answered, which must be an answer."""
    answer = reader.get(address)
    assert answer.status_code == 200, answer.text
    return orjson.loads(answer.data)


def settle(door: Door) -> None:
    """Run every stage until nothing is due."""
    with door.database.writing() as session:
        for stage, service in ROAD:
            jobs = session.scalars(select(JobRow).where(JobRow.stage == stage.value)).all()
            service(session, lambda: NOON).run([job.subject_id for job in jobs])
            for job in jobs:
                session.delete(job)
            session.flush()


def told(session: Session) -> dict[int, list[Mapping[str, Any]]]:
    """The payloads of all alerts, by organization."""
    ids = session.scalars(select(Delivery.id).order_by(Delivery.id)).all()
    found: dict[int, list[Mapping[str, Any]]] = {}
    for message in Deliver(lambda: NOON, {}, "https://kentongan.example").plan(session, ids):
        receiver = session.get_one(Delivery, message.delivery_id).organization_id
        found.setdefault(receiver, []).append(message.payload)
    return found


def seen(reader: Asker, stix_id: str) -> Stix | None:
    """The object as a reader gets it, under a hash of just this; None where there is none."""
    answer = reader.get(f"/objects/{stix_id}")
    if answer.status_code == 404:
        return None
    found: Stix = orjson.loads(answer.data)
    assert answer.headers["X-Content-Sha256"] == content_sha256(found).hex()
    return found
