"""The receipt of a submission, and the bytes it stands for; both for the organization that sent them alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from kentongan.domain.audit import Act
from kentongan.domain.gate import Problem
from kentongan.domain.identity import Identity
from kentongan.domain.versions import CHANGES_NOTHING, Outcome
from kentongan.services.errors import Erased, NotFound
from kentongan.services.stones import stone_of
from kentongan.storage.audit import note
from kentongan.storage.submissions import Submission
from kentongan.storage.tombstones import SUBMISSION


@dataclass(frozen=True, slots=True)
class ObjectOutcome:
    """What became of one object; `position` counts from 0 in the order sent."""

    position: int
    id: str | None
    type: str | None
    outcome: Outcome
    note: str | None = None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As it is stored (the JSON column writes dataclasses itself); empty parts are left out."""
        entry: dict[str, Any] = {
            "position": self.position,
            "id": self.id,
            "type": self.type,
            "outcome": self.outcome.value,
        }
        if self.note:
            entry["note"] = self.note
        if self.problems:
            entry["problems"] = self.problems
        if self.warnings:
            entry["warnings"] = self.warnings
        return entry

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> ObjectOutcome:
        """The reverse of as_json."""
        return cls(
            position=entry["position"],
            id=entry["id"],
            type=entry["type"],
            outcome=Outcome(entry["outcome"]),
            note=entry.get("note"),
            problems=tuple(Problem(**problem) for problem in entry.get("problems", ())),
            warnings=tuple(Problem(**warning) for warning in entry.get("warnings", ())),
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """The proof of a submission. `id` is None for one that was only tried out or rejected: nothing of it is stored."""

    id: str | None
    organization: str
    received_at: datetime
    sha256: str
    size: int
    objects: tuple[ObjectOutcome, ...]
    repeated: bool = False
    """The same bytes were sent before; this is the receipt they got then."""
    rejected: bool = False

    @property
    def accepted(self) -> int:
        """How many objects were accepted (new, new version, unchanged, or kept as history)."""
        return sum(outcome.outcome not in CHANGES_NOTHING for outcome in self.objects)

    @property
    def refused(self) -> int:
        """How many were refused or in conflict."""
        return len(self.objects) - self.accepted

    def count(self) -> dict[str, int]:
        """How many objects came to each outcome, only those that occurred."""
        counted: dict[str, int] = {}
        for outcome in self.objects:
            counted[outcome.outcome.value] = counted.get(outcome.outcome.value, 0) + 1
        return counted


def receipt_of(submission: Submission, organization: str, *, repeated: bool = False) -> Receipt:
    """The receipt of a stored submission."""
    return Receipt(
        id=submission.public_id,
        organization=organization,
        received_at=submission.received_at,
        sha256=submission.sha256.hex(),
        size=submission.size,
        objects=tuple(ObjectOutcome.from_json(entry) for entry in submission.outcomes),
        repeated=repeated,
    )


class Receipts:
    """What an organization may ask about its own submissions."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def receipt(self, identity: Identity, public_id: str) -> Receipt:
        """The receipt. Raises NotFound for an unknown id and for another organization's alike; Erased for what was erased."""
        found = self._own(identity, public_id, Submission.outcomes)
        return receipt_of(found, identity.organization_name)

    def content(self, identity: Identity, public_id: str) -> bytes:
        """The bytes as received. Raises as `receipt` does, and Erased where the objects were kept and the bytes were not."""
        content = self._own(identity, public_id, Submission.content).content
        if content is None:
            raise Erased("the document as it was received is no longer kept; what was accepted of it is")
        subject = f"submission {public_id}"
        note(self._session, identity, Act.EXPORTED, subject, about_id=identity.organization_id)
        return content

    def _own(self, identity: Identity, public_id: str, column: Any) -> Submission:
        found = self._session.scalars(
            select(Submission)
            .where(Submission.public_id == public_id, Submission.organization_id == identity.organization_id)
            .options(undefer(column))
        ).one_or_none()
        if found is None:
            if stone := stone_of(self._session, SUBMISSION, public_id, identity.organization_id):
                raise Erased("this submission was erased", stone)
            raise NotFound(f"there is no submission {public_id}")
        return found
