"""When what a reader's feeds show last changed, and a short sum of all it follows from."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Index, LargeBinary, String, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from kentongan.domain.identity import Identity
from kentongan.storage.base import Base, BigId, Instant, is_one_of
from kentongan.storage.collection_entries import CollectionEntry
from kentongan.storage.incidents import Incident
from kentongan.storage.organizations import Organization
from kentongan.storage.visibility import audience_ids, visible

BUNDLES: Final = "b:"
"""How the kind of a bundle's state begins: there are as many as are asked for."""
_SECOND: Final = timedelta(seconds=1)
_BUNDLES_REMEMBERED: Final = timedelta(days=31)


class FeedState(Base):
    """What an organization's feeds followed from when it last asked, and since when. Without a row: it never asked.

    Kept because erasing and tightening leave nothing behind that has a date and may be shown.
    """

    __tablename__ = "feed_state"
    __table_args__ = ({"sqlite_with_rowid": False},)

    reader_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    """An organization, or NO_ORGANIZATION for public feeds."""
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    """incidents, values, or a keyed hash of a bundle's name behind BUNDLES."""
    signature: Mapped[bytes] = mapped_column(LargeBinary(32))
    changed_at: Mapped[datetime] = mapped_column(Instant)
    """Since when it is so, in whole seconds; later than that of the state before."""


IN_SUM: Final = Index(
    "ix_incident_in_sum",
    Incident.organization_id,
    Incident.audience_id,
    Incident.object_id,
    Incident.submission_id,
    Incident.amended_at,
)
"""Everything that `incidents_in_sum` reads: the rows themselves are wide."""


class Indicators(NamedTuple):
    """How many indicators a reader finds, and the number of the last one added, which is when."""

    how_many: int
    last: int


def incidents_in_sum(session: Session, reader: Identity) -> list[Any]:
    """What changes when any incident that the reader sees comes, goes, or is amended, tightened or indexed anew.

    Whatever is written for an incident is written with its row: it then follows another submission, object or audience. Sums need
    no order and are read from an index alone.
    """
    rows = session.execute(
        select(
            Incident.organization_id,
            Organization.name,
            Organization.country,
            func.count(),
            func.sum(Incident.object_id),
            func.sum(Incident.submission_id),
            func.sum(Incident.audience_id),
            func.sum(Incident.object_id * Incident.audience_id),
            func.max(Incident.amended_at),
        )
        .join(Organization, Organization.id == Incident.organization_id)
        .where(visible(session, Incident.audience_id, reader))
        .group_by(Incident.organization_id, Organization.name, Organization.country)
        .order_by(Incident.organization_id)
    )
    return [[str(value) for value in row] for row in rows]


def indicators_in_sum(session: Session, reader: Identity) -> Indicators:
    """What changes when any indicator that the reader sees comes, goes, or gets another version.

    What is added has a greater number than all before; what is gone is missing in the count (storage/collection_entries.py). Of
    relationships the same would tell too much: one may be for a reader who does not see what it ties.
    """
    mine = is_one_of(session, CollectionEntry.audience_id, audience_ids(session, reader))
    for_me = or_(CollectionEntry.organization_id.is_(None), CollectionEntry.organization_id == reader.organization_id)
    row = session.execute(
        select(func.count(), func.max(CollectionEntry.number)).where(CollectionEntry.type == "indicator", mine, for_me)
    ).one()
    return Indicators(row[0], row[1] or 0)


def known_state(session: Session, reader_id: int, kind: str) -> FeedState | None:
    """What is remembered."""
    return session.get(FeedState, (reader_id, kind))


def remember_state(session: Session, reader_id: int, kind: str, signature: bytes, now: datetime) -> datetime:
    """It is so from now on, unless it is remembered already; gives since when. Two who ask at once agree."""
    before = session.get(FeedState, (reader_id, kind), populate_existing=True)
    if before is not None and before.signature == signature:
        return before.changed_at
    since = now.replace(microsecond=0)
    if before is not None:
        since = max(since, before.changed_at + _SECOND)
    if before is None and kind.startswith(BUNDLES):
        _forget_old_bundles(session, reader_id, now)
    row = {"reader_id": reader_id, "kind": kind, "signature": signature, "changed_at": since}
    insert: Any = postgresql_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
    changed = insert(FeedState).values(row)
    session.execute(
        changed.on_conflict_do_update(
            index_elements=["reader_id", "kind"], set_={"signature": signature, "changed_at": since}
        )
    )
    return since


def _forget_old_bundles(session: Session, reader_id: int, now: datetime) -> None:
    """Those that have not changed for long: what is asked for again gets a later date, and is sent once more."""
    old = (FeedState.kind.startswith(BUNDLES), FeedState.changed_at < now - _BUNDLES_REMEMBERED)
    session.execute(delete(FeedState).where(FeedState.reader_id == reader_id, *old))
