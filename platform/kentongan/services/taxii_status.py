"""What became of what was added over TAXII: the receipt of a submission in TAXII's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from kentongan.domain.date_added import version_of
from kentongan.domain.identity import Identity
from kentongan.domain.versions import CHANGES_NOTHING
from kentongan.services.errors import NotFound
from kentongan.services.receipts import ObjectOutcome, Receipt, receipt_of
from kentongan.storage.base import in_parts, microseconds
from kentongan.storage.collection_entries import CollectionEntry
from kentongan.storage.submissions import Submission


@dataclass(frozen=True, slots=True)
class ObjectStatus:
    """What became of one object; `version` in microseconds since 1970."""

    id: str
    version: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """What became of an envelope: everything is decided when it is stored, so nothing is ever pending."""

    id: str
    requested_at: datetime
    total: int
    successes: Sequence[ObjectStatus] = field(default_factory=tuple)
    failures: Sequence[ObjectStatus] = field(default_factory=tuple)


class Statuses:
    """For the organization that sent it alone."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def status(self, who: Identity, public_id: str) -> Status:
        """Of one envelope. Raises NotFound."""
        found = self._session.scalars(
            select(Submission)
            .where(Submission.public_id == public_id, Submission.organization_id == who.organization_id)
            .options(undefer(Submission.outcomes), undefer(Submission.carried))
        ).one_or_none()
        if found is None:
            raise NotFound("there is no such status")
        return self._told(found, receipt_of(found, who.organization_name))

    def _told(self, submission: Submission, receipt: Receipt) -> Status:
        accepted = [outcome for outcome in receipt.objects if outcome.outcome not in CHANGES_NOTHING]
        refused = [outcome for outcome in receipt.objects if outcome.outcome in CHANGES_NOTHING]
        versions = self._versions([object_id for object_id, _ in submission.carried])
        came = microseconds(submission.received_at)
        successes = [
            ObjectStatus(outcome.id or "", versions.get(object_id, came), outcome.note or outcome.outcome.value)
            for outcome, (object_id, _) in zip(accepted, submission.carried, strict=False)
        ]
        failures = _failures(refused, submission.content if refused else None, came)
        return Status(submission.public_id, submission.received_at, len(receipt.objects), successes, failures)

    def _versions(self, object_ids: Sequence[int]) -> dict[int, int]:
        query = select(CollectionEntry.object_id, CollectionEntry.version).order_by(CollectionEntry.number.desc())
        return {
            row[0]: row[1]
            for some in in_parts(sorted(set(object_ids)))
            for row in self._session.execute(query.where(CollectionEntry.object_id.in_(some)))
        }


def _failures(refused: Sequence[ObjectOutcome], content: bytes | None, came: int) -> list[ObjectStatus]:
    if not refused:
        return []
    sent = _objects_in(content)
    return [
        ObjectStatus(
            outcome.id or "",
            (version_of(sent[outcome.position]) if outcome.position < len(sent) else None) or came,
            "; ".join(f"{problem.path}: {problem.reason}" for problem in outcome.problems) or outcome.note or "refused",
        )
        for outcome in refused
    ]


def _objects_in(content: bytes | None) -> list[dict[str, object]]:
    """Those of a document that was accepted before, and so is sound; none of one that is no longer kept."""
    if content is None:
        return []
    tree = orjson.loads(content.removeprefix(b"\xef\xbb\xbf"))
    if isinstance(tree, list):
        return tree
    return list(tree["objects"]) if "objects" in tree else [tree]
