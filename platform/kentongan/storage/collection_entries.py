"""When collections gained which object: an entry for each time something was carried to an audience (docs/adr/0015).

An entry's number is the moment it was added, in microseconds since 1970; it grows with the commits, because who adds holds the
accept lock. Whether a reader finds an entry is the sharing policy's to say, on every read anew.
"""

from __future__ import annotations

import random
import secrets
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Index,
    SmallInteger,
    String,
    bindparam,
    delete,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from kentongan.domain.date_added import spread, version_of
from kentongan.domain.marking import Level
from kentongan.storage.base import Base, BigId, in_parts, microseconds
from kentongan.storage.bulk import found_among, insert_pairs, insert_rows
from kentongan.storage.objects import CarrierPart, ObjectCarrier, StixObject
from kentongan.storage.visibility import AudienceRow


class CollectionEntry(Base):
    """One object, added for one audience. It stands as long as the object is carried to that audience.

    Its foreign keys are those of `object_carrier`, whose rows come and go with these; what is said here again is what pages are
    found by. `number` is given by the caller and never again. No index begins with the audience: SQLite would take it to look for
    the other entries of an id, of which there are few, among all of a reader's, which are nearly all there are.
    """

    __tablename__ = "collection_entry"
    __table_args__ = (
        Index(
            "ix_collection_entry_stix_id", "stix_id", sqlite_where=text("alone = 0"), postgresql_where=text("NOT alone")
        ),
        Index("ix_collection_entry_type_number", "type", "number"),
        Index("ix_collection_entry_object_id", "object_id"),
    )

    number: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    object_id: Mapped[int] = mapped_column(BigId)
    audience_id: Mapped[int] = mapped_column(BigId)
    stix_id: Mapped[str] = mapped_column(String(255))
    type: Mapped[str] = mapped_column(String(255))
    version: Mapped[int] = mapped_column(BigInteger)
    """Microseconds since 1970: `modified`, else `created`, else the number itself (TAXII 2.1 section 3.4.1)."""
    sender_id: Mapped[int] = mapped_column(BigId)
    """Whose the audience is."""
    level: Mapped[int] = mapped_column(SmallInteger)
    """The audience's."""
    owned: Mapped[bool]
    """Whether the STIX id belongs to the sender."""
    organization_id: Mapped[int | None] = mapped_column(BigId)
    """Added for this organization alone, which could not see the object when it was added for the others; usually NULL."""
    alone: Mapped[bool]
    """It was always the only entry under its STIX id, as nearly all are: nobody needs to look for others. It is found by its
    object, and only the rest also by the id: an index of ids that come in no order takes longest to write."""


class TieEnd(Base):
    """A relationship or sighting names an object: it can be seen by nobody who does not see that one too."""

    __tablename__ = "tie_end"
    __table_args__ = ({"sqlite_with_rowid": False},)

    end_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    """A STIX id, of something that may never come."""
    object_id: Mapped[int] = mapped_column(BigId, primary_key=True, index=True)


class DateAdded(Base):
    """The one row that remembers the highest number ever given, also of entries that are gone."""

    __tablename__ = "date_added"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    highest: Mapped[int] = mapped_column(BigInteger)


class Carrying(NamedTuple):
    """Something that is carried to an audience and was not before."""

    object_id: int
    audience_id: int
    stix_id: str
    type: str
    version: int | None
    sender_id: int
    level: int
    owned: bool
    organization_id: int | None = None


def under(stix_ids: Any) -> ColumnElement[bool]:
    """Whether an entry is of an object with one of these STIX ids: a list of them, or a bound parameter."""
    return CollectionEntry.object_id.in_(select(StixObject.id).where(StixObject.stix_id.in_(stix_ids)))


def add_entries(
    session: Session, carried: Sequence[Carrying], now: datetime, beside: Collection[str] = frozenset()
) -> None:
    """Add these to the collections, in one moment that nobody else has; `beside` are those of their ids that have entries already.

    Hold the accept lock.
    """
    if not carried:
        return
    for some in in_parts(sorted(beside)):
        met = update(CollectionEntry).where(CollectionEntry.alone, under(some)).values(alone=False)
        session.execute(met.execution_options(synchronize_session=False))
    counted = Counter(each.stix_id for each in carried)
    numbers = next_numbers(session, [each.audience_id for each in carried], now)
    rows = [
        (
            number,
            *each[:4],
            number if each.version is None else each.version,
            *each[5:],
            counted[each.stix_id] == 1 and each.stix_id not in beside,
        )
        for number, each in zip(numbers, carried, strict=True)
    ]
    insert_rows(session, "collection_entry", ("number", *Carrying._fields, "alone"), rows)


def next_numbers(session: Session, audiences: Sequence[Hashable], now: datetime) -> list[int]:
    """A number for each of these things, given what tells their readers apart. Hold the accept lock."""
    connection = session.connection()
    highest = connection.scalar(_HIGHEST)
    start = max((highest or 0) + 1, microseconds(now))
    chance = random.Random(secrets.token_bytes(16))  # noqa: S311  # seeded with real chance each time, and ten times as quick
    numbers = spread(start, audiences, chance.getrandbits)
    if highest is None:
        session.add(DateAdded(id=1, highest=max(numbers)))
        session.flush()
    else:
        connection.execute(_RAISE, {"given": max(numbers)})
    return numbers


_HIGHEST = select(DateAdded.highest).where(DateAdded.id == 1)
_RAISE = update(DateAdded.__table__).where(DateAdded.__table__.c.id == 1).values(highest=bindparam("given"))  # type: ignore[arg-type]


def ties_of(session: Session, stix_ids: Collection[str]) -> dict[str, set[str]]:
    """The relationships and sightings that name one of these objects, by their STIX ids, each with all that it names."""
    ties: dict[str, set[str]] = defaultdict(set)
    for some in in_parts(sorted(stix_ids)):
        naming = select(TieEnd.object_id).where(TieEnd.end_id.in_(some))
        rows = select(StixObject.stix_id, TieEnd.end_id).join(TieEnd, TieEnd.object_id == StixObject.id)
        for stix_id, end in session.execute(rows.where(StixObject.id.in_(naming))):
            ties[stix_id].add(end)
    return dict(ties)


def carried_before(session: Session, object_ids: Collection[int]) -> set[tuple[int, int]]:
    """(object id, audience id) of everything that these objects are carried to."""
    query = select(ObjectCarrier.object_id, ObjectCarrier.audience_id)
    return {
        (row[0], row[1])
        for some in in_parts(sorted(object_ids))
        for row in session.execute(query.where(ObjectCarrier.object_id.in_(some)))
    }


def _owners_of(session: Session, stix_ids: Collection[str]) -> dict[str, int]:
    """Whose these ids are: of who sent the first content that is still there; ids without one are missing."""
    first = select(func.min(StixObject.id)).group_by(StixObject.stix_id)
    owners = select(StixObject.stix_id, StixObject.owner_id)
    return {
        row[0]: row[1]
        for some in in_parts(sorted(stix_ids))
        for row in session.execute(owners.where(StixObject.id.in_(first.where(StixObject.stix_id.in_(some)))))
    }


def narrow_entries(session: Session, object_id: int, before: int, after: int, level: int) -> None:
    """What was added for one audience is from now on for a narrower one of the same organization; who still sees it saw it
    before, and so it keeps its number."""
    ours = CollectionEntry.object_id == object_id
    there = select(CollectionEntry.number).where(ours, CollectionEntry.audience_id == after).limit(1)
    old = (ours, CollectionEntry.audience_id == before)
    if session.scalar(there) is None:
        change: Any = update(CollectionEntry).where(*old).values(audience_id=after, level=level)
    else:
        change = delete(CollectionEntry).where(*old)
    session.execute(change.execution_options(synchronize_session=False))


def renew_entries(session: Session, stix_ids: Collection[str], now: datetime) -> None:
    """Add all that is left under these ids anew: something of them is gone, and what it stood before is seen from now on.

    Hold the accept lock.
    """
    if not stix_ids:
        return
    for some in in_parts(sorted(stix_ids)):
        gone = delete(CollectionEntry).where(under(some))
        session.execute(gone.execution_options(synchronize_session=False))
    add_entries(session, _carryings(session, sorted(stix_ids)), now)


def renew_for(
    session: Session, organization_id: int, audience_ids: Collection[int], visible: Collection[int], now: datetime
) -> None:
    """An organization gained or lost these audiences and now belongs to `visible`: whatever it sees of the objects in them, and
    of what ties these, is added anew for it alone. Hold the accept lock."""
    touched: set[str] = set()
    for some in in_parts(sorted(audience_ids)):
        whole = select(ObjectCarrier.object_id).where(ObjectCarrier.audience_id.in_(some))
        parts = select(CarrierPart.object_id).where(CarrierPart.part_audience_id.in_(some))
        touched |= set(
            session.scalars(select(StixObject.stix_id).where(or_(StixObject.id.in_(whole), StixObject.id.in_(parts))))
        )
    touched |= _named_by_ties(session, touched)
    own = CollectionEntry.organization_id == organization_id
    for ids in in_parts(sorted(touched)):
        gone = delete(CollectionEntry).where(own, under(ids))
        session.execute(gone.execution_options(synchronize_session=False))
    seen = set(visible)
    found = [each for each in _carryings(session, sorted(touched)) if each.audience_id in seen]
    own_entries = [each._replace(organization_id=organization_id) for each in found]
    add_entries(session, own_entries, now, {each.stix_id for each in found})


def remember_ties(session: Session, ends: Iterable[tuple[str, int]]) -> None:
    """These (STIX id of an end, object id of what ties it)."""
    insert_pairs(session, "tie_end", ("end_id", "object_id"), sorted(set(ends)))


def ties_let_in(session: Session, carried: Sequence[Carrying]) -> set[str]:
    """What ties objects that some readers see from now on and did not before; call it before these are added.

    Readers are told apart by what the audience asks of them, not by whose it is: a value that many send is new to them once.
    """
    by_id: dict[str, set[int]] = defaultdict(set)
    for each in carried:
        by_id[each.stix_id].add(each.audience_id)
    named = {*found_among(session, "tie_end", "end_id", by_id)}
    if not named:
        return set()
    asks = _what_audiences_ask(session, {number for end in named for number in by_id[end]})
    known = _known_readers(session, named)
    fresh = {end for end in named if any(not _is_known(asks[number], known[end]) for number in by_id[end])}
    return _named_by_ties(session, fresh)


_Asks = tuple[int, str, bool]
"""The level of an audience, the groups and recipients it names, and whether it is for members alone."""


def _is_known(asks: _Asks, known: set[_Asks]) -> bool:
    return asks in known or any(level <= Level.GREEN and not named for level, named, _ in known)


def _what_audiences_ask(session: Session, audience_ids: Collection[int]) -> dict[int, _Asks]:
    columns = select(AudienceRow.id, AudienceRow.level, AudienceRow.named, AudienceRow.for_members)
    return {
        row[0]: (row[1], row[2], row[3])
        for some in in_parts(sorted(audience_ids))
        for row in session.execute(columns.where(AudienceRow.id.in_(some)))
    }


def _known_readers(session: Session, stix_ids: Collection[str]) -> dict[str, set[_Asks]]:
    columns = select(CollectionEntry.stix_id, AudienceRow.level, AudienceRow.named, AudienceRow.for_members)
    rows = columns.join(AudienceRow, AudienceRow.id == CollectionEntry.audience_id).distinct()
    known: dict[str, set[_Asks]] = defaultdict(set)
    for some in in_parts(sorted(stix_ids)):
        for stix_id, level, named, for_members in session.execute(rows.where(under(some))):
            known[stix_id].add((level, named, for_members))
    return known


def _named_by_ties(session: Session, stix_ids: Collection[str]) -> set[str]:
    """The ids of what ties these."""
    ties = select(StixObject.stix_id).join(TieEnd, TieEnd.object_id == StixObject.id)
    return {tie for some in in_parts(sorted(stix_ids)) for tie in session.scalars(ties.where(TieEnd.end_id.in_(some)))}


def _carryings(session: Session, stix_ids: Sequence[str]) -> list[Carrying]:
    """All that these ids are carried as, and to whom."""
    query = (
        select(StixObject, AudienceRow)
        .join(ObjectCarrier, ObjectCarrier.object_id == StixObject.id)
        .join(AudienceRow, AudienceRow.id == ObjectCarrier.audience_id)
        .order_by(StixObject.id, AudienceRow.id)
    )
    rows = [row for some in in_parts(stix_ids) for row in session.execute(query.where(StixObject.stix_id.in_(some)))]
    owners = _owners_of(session, {obj.stix_id for obj, _ in rows})
    return [
        Carrying(
            obj.id,
            audience.id,
            obj.stix_id,
            obj.type,
            version_of(orjson.loads(obj.body)),
            audience.owner_id,
            audience.level,
            owners[obj.stix_id] == audience.owner_id,
        )
        for obj, audience in rows
    ]
