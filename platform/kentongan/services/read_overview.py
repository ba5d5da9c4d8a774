"""What an organization finds on its desk: the documents it sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.domain.identity import Identity
from kentongan.services.paging import Page, Position, cut, read_cursor
from kentongan.storage.submissions import Submission

_LIST: Final = "own submissions"


@dataclass(frozen=True, slots=True)
class SubmissionSummary:
    """One document in a list; `size` in bytes, `accepted` and `refused` in objects."""

    id: str
    received_at: datetime
    size: int
    accepted: int
    refused: int


class OwnSubmissions:
    """What an organization sent; nobody else is told of it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def page(self, identity: Identity, cursor: str | None = None, limit: int = 25) -> Page[SubmissionSummary]:
        """Newest first. Raises WrongCursor on a cursor that no page of this list gave."""
        asked = {"list": _LIST, "organization": identity.organization_id}
        query = select(Submission).where(Submission.organization_id == identity.organization_id)
        if (start := read_cursor(cursor, asked)) is not None:
            query = query.where(Submission.id < self._key(identity, start))
        rows = self._session.scalars(query.order_by(Submission.id.desc()).limit(limit + 1)).all()
        return cut(rows, limit, _position, asked, _summary)

    def _key(self, identity: Identity, start: Position) -> int:
        # Nothing is deleted from this list; a cursor whose submission is not found shows an empty page.
        own = select(Submission.id).where(
            Submission.public_id == start.id, Submission.organization_id == identity.organization_id
        )
        return self._session.scalar(own) or 0


def _position(submission: Submission) -> Position:
    return Position(submission.received_at, submission.public_id)


def _summary(submission: Submission) -> SubmissionSummary:
    return SubmissionSummary(
        submission.public_id, submission.received_at, submission.size, submission.accepted, submission.refused
    )
