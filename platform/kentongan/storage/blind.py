"""What takes part in linking by keyed hash only, and whom it met. A plain value stands in neither table.

Both are made anew from what was received, by the stage `meet`: nothing is lost with them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, delete, exists, func, insert, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from kentongan.storage.base import Base, Instant, Json, in_parts
from kentongan.storage.observables import WANTED, rows_in_parts


class BlindPosting(Base):
    """An incident holds a value that its owner masks. No reader's session may read this table."""

    __tablename__ = "blind_posting"
    __table_args__ = ({"sqlite_with_rowid": False},)

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    """The keyed hash of kind and normal form (services/veil.py)."""
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), primary_key=True, index=True)
    tells: Mapped[bool]
    """Whether who holds the same may be told that something related exists."""


class BlindLink(Base):
    """What an incident's reporter may know of one other incident over masked values; the other way round is a row of its own."""

    __tablename__ = "blind_link"
    __table_args__ = ({"sqlite_with_rowid": False},)

    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), primary_key=True)
    other_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), primary_key=True, index=True)
    evidence: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    """As in Link: from values that the reporter masks and the other side shows. None: the other is not shown."""
    told: Mapped[bool]
    """Whether the other side masks something that both hold, and lets it be told that something related exists."""
    found_at: Mapped[datetime] = mapped_column(Instant)


def takes_part_blind(session: Session) -> bool:
    """Whether anything at all takes part by keyed hash."""
    return bool(session.scalar(select(exists().select_from(BlindPosting))))


def masked_incidents(session: Session) -> set[int]:
    """The incidents that mask anything."""
    return set(session.scalars(select(BlindPosting.incident_id).distinct()))


def replace_blind_postings(session: Session, incident_ids: Collection[int], rows: list[dict[str, Any]]) -> None:
    """Make `rows` the masked values of these incidents."""
    for some in in_parts(sorted(incident_ids)):
        _execute(session, delete(BlindPosting).where(BlindPosting.incident_id.in_(some)))
    if rows:
        session.connection().execute(insert(BlindPosting), rows)


def replace_blind_links(session: Session, incident_ids: Collection[int], rows: list[dict[str, Any]]) -> None:
    """Make `rows` all that is known of links from and to these incidents."""
    for some in in_parts(sorted(incident_ids)):
        ends = or_(BlindLink.incident_id.in_(some), BlindLink.other_id.in_(some))
        _execute(session, delete(BlindLink).where(ends))
    if rows:
        session.connection().execute(insert(BlindLink), rows)


def blind_holders(session: Session, digests: Collection[bytes], most: int) -> Iterator[tuple[bytes, int, bool]]:
    """(digest, incident id, tells) of who masks one of these values; of a value that more than `most` mask: of nobody."""
    few = [row[0] for row in rows_in_parts(session, _MASKED_BY, digests) if row[1] <= most]
    for row in rows_in_parts(session, _HOLDERS, few):
        yield bytes(row[0]), row[1], row[2]


_MASKED_BY = (
    select(BlindPosting.digest, func.count()).where(BlindPosting.digest.in_(WANTED)).group_by(BlindPosting.digest)
)
_HOLDERS = select(BlindPosting.digest, BlindPosting.incident_id, BlindPosting.tells).where(
    BlindPosting.digest.in_(WANTED)
)


def _execute(session: Session, statement: Any) -> None:  # Any: a DELETE of either table
    session.execute(statement.execution_options(synchronize_session=False))
