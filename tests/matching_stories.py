"""What tests of matching tell their stories with: reports of events, and the stages run as the workers run them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import select

from kentongan.domain.gate import Limits
from kentongan.domain.identity import Identity
from kentongan.domain.marking import Level
from kentongan.services.correlate import Correlate
from kentongan.services.deduplicate import Deduplicate
from kentongan.services.examine import examine
from kentongan.services.index import Index
from kentongan.services.submit import Submit
from kentongan.storage import jobs
from kentongan.storage.cases import Link
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from kentongan.storage.jobs import Stage
from kentongan.storage.organizations import Organization
from stories import (
    NOON,
    Stix,
    as_bytes,
    bundle,
    file_hash,
    identity,
    incident,
    indicator,
    malware,
    organization,
    relationship,
    stamp,
)

STAGES: tuple[tuple[Stage, Any], ...] = (
    (Stage.INDEX, Index),
    (Stage.DEDUPLICATE, Deduplicate),
    (Stage.CORRELATE, Correlate),
)


def sha256(name: str) -> str:
    """A hash that nobody else has."""
    return hashlib.sha256(name.encode()).hexdigest()


def about(
    title: str,
    *,
    victim: str | None = None,
    sector: str = "energy",
    country: str = "ID",
    files: Sequence[str] = (),
    patterns: Sequence[str] = (),
    culprit: str | None = None,
    pages: Sequence[str] = (),
    happened: datetime | Literal[False] | None = None,
    description: str | None = None,
    marking: Level = Level.GREEN,
    **more: Any,
) -> list[Stix]:
    """The objects of one report. `files` are names of files, each with a hash of its own; the incident comes first."""
    when = f"{(happened or NOON).date().isoformat()}. " if happened is not False else ""
    references = [{"source_name": "article", "url": page} for page in pages]
    own = {
        "description": when + (description or ""),
        "labels": [f"country:{country}"],
        "external_references": references or None,
    }
    event = incident(title, marking=marking, **{**own, **more})
    hit = identity(victim or "Undisclosed organisation", marking=marking, sectors=[sector])
    objects = [event, hit, relationship(event, "targets", hit, marking=marking)]
    objects += [file_hash(sha256(name)) for name in files]
    objects += [indicator(pattern, marking=marking) for pattern in patterns]
    return [*objects, malware(culprit, marking=marking)] if culprit else objects


@dataclass
class Region:
    """Members that report, and a platform that runs the stages when it is told to."""

    database: Database
    now: datetime = NOON
    members: dict[str, Identity] = field(default_factory=dict)

    def member(self, name: str) -> Identity:
        """A member CERT, made when it first reports."""
        if name not in self.members:
            with self.database.writing() as session:
                self.members[name] = organization(session, name).identity()
        return self.members[name]

    def submit(self, name: str, objects: Sequence[Stix], after: timedelta = timedelta(minutes=1)) -> str:
        """`name` sends these objects some time later; gives the STIX id of the first."""
        self.now += after
        examined = examine(as_bytes(bundle(*objects)), Limits())
        with self.database.writing() as session:
            Submit(session, lambda: self.now).submit(self.member(name), examined)
        return str(objects[0]["id"])

    def settle(self) -> None:
        """Run all stages until nothing is due, as workers do: claim in one transaction, work and finish in another."""
        for stage, service in STAGES:
            while self._step(stage, service):
                pass

    def report(self, name: str, *args: Any, after: timedelta = timedelta(minutes=1), **how: Any) -> str:
        """Submit what `about` says, and settle; gives the incident's STIX id."""
        sent = self.submit(name, about(*args, **how), after)
        self.settle()
        return sent

    def case_of(self, stix_id: str) -> int | None:
        """The row number of the case that an incident is in."""
        return self.row(stix_id).case_id

    def row(self, stix_id: str) -> Incident:
        """The row of an incident."""
        with self.database.reading() as session:
            return session.scalars(select(Incident).where(Incident.stix_id == stix_id)).one()

    def links(self, kind: str) -> list[Link]:
        """All links of a kind."""
        with self.database.reading() as session:
            return list(session.scalars(select(Link).where(Link.kind == kind).order_by(Link.id)))

    def _step(self, stage: Stage, service: Any) -> bool:
        with self.database.writing() as session:
            due = jobs.claim(session, stage, self.now, timedelta(minutes=1), 50)
        if due:
            with self.database.writing() as session:
                service(session, lambda: self.now).run([job.subject_id for job in due])
                jobs.finish(session, due)
        return bool(due)


def created(moment: datetime) -> dict[str, str]:
    """The properties of a first version made at this moment."""
    return {"created": stamp(moment), "modified": stamp(moment)}


__all__ = ["Organization", "Region", "about", "created", "sha256"]
