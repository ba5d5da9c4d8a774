"""Pages of a collection: the entries that a reader finds, in the order of their numbers.

Two organizations may send under one STIX id, one of them the same content for several audiences, and every object in several
versions. A reader finds of each id what one organization sent: whose the id is, as far as that is seen, else the reader's own, else
the organization that joined the platform first. Of that each content once, at its first entry; what was added for the reader alone
counts before what was added for all. All three are decided by one look at the other entries of the same id.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Text, and_, bindparam, case, literal_column, or_, select
from sqlalchemy.orm import Session, aliased

from kentongan.domain.identity import Identity
from kentongan.domain.object_filter import ObjectFilter
from kentongan.storage.base import among
from kentongan.storage.collection_entries import CollectionEntry, TieEnd, under
from kentongan.storage.objects import CarrierPart, ObjectCarrier, StixObject
from kentongan.storage.second_wall import keep_to_indexes
from kentongan.storage.visibility import AudienceRow, visible

Other = aliased(CollectionEntry, name="other_entry")
_Entry = type[CollectionEntry] | Any  # Any: an alias of it


class FoundEntry(NamedTuple):
    """One object of a page, as it is stored."""

    number: int
    object_id: int
    stix_id: str
    type: str
    version: int
    sender_id: int
    level: int
    divided: bool
    """Whether parts of it may be hidden from somebody; of what a reader is shown: whether some are hidden from it."""
    body: str


class _Shape(NamedTuple):
    """All that decides how a statement reads; the values are bound."""

    ids: bool
    types: bool
    first: bool
    last: bool
    every: bool
    moments: bool


def entries_after(
    session: Session, reader: Identity, audience_ids: Collection[int], asked: ObjectFilter, after: int, most: int
) -> list[FoundEntry]:
    """The next entries behind a number among those for these audiences, which must be the reader's own, at most `most`."""
    versions = asked.versions
    shape = _Shape(
        asked.ids is not None,
        asked.types is not None,
        versions.first,
        versions.last,
        versions.all,
        bool(versions.moments),
    )
    given = {
        "mine": sorted(audience_ids),
        "me": reader.organization_id,
        "after": after,
        "most": most,
        "ids": sorted(asked.ids or ()),
        "types": sorted(asked.types or ()),
        "moments": sorted(versions.moments),
    }
    keep_to_indexes(session)
    return [FoundEntry._make(row) for row in session.connection().execute(_page(shape), given).all()]


def audiences_at(session: Session, reader: Identity, clause: ColumnElement[bool]) -> frozenset[int]:
    """The audiences that the reader belongs to, of those that `clause` lets through."""
    return frozenset(session.scalars(select(AudienceRow.id).where(visible(session, AudienceRow.id, reader), clause)))


def seen_among(session: Session, audience_ids: Collection[int], stix_ids: Collection[str]) -> set[str]:
    """Those of these ids under which something is carried to one of these audiences."""
    return set(session.connection().scalars(SEEN, {"ids": list(stix_ids), "mine": list(audience_ids)}))


SEEN = select(StixObject.stix_id).where(
    among(StixObject.stix_id, "ids", Text),
    select(ObjectCarrier.object_id)
    .where(ObjectCarrier.object_id == StixObject.id, among(ObjectCarrier.audience_id, "mine"))
    .offset(literal_column("0"))
    .exists(),
)
"""OFFSET 0 keeps it a look-up for each: until PostgreSQL has counted the table it would read all that the audiences carry."""


def ties_with_hidden_ends(session: Session, audience_ids: Collection[int], object_ids: Collection[int]) -> set[int]:
    """Those of these relationships and sightings of which an end is carried to none of these audiences."""
    return set(session.connection().scalars(_LOOSE, {"ids": list(object_ids), "mine": list(audience_ids)}))


_LOOSE = select(TieEnd.object_id).where(
    among(TieEnd.object_id, "ids"),
    ~select(StixObject.id)
    .join(ObjectCarrier, ObjectCarrier.object_id == StixObject.id)
    .where(StixObject.stix_id == TieEnd.end_id, among(ObjectCarrier.audience_id, "mine"))
    .exists(),
)


def carried_by_themselves(session: Session, organization_id: int, object_ids: Collection[int]) -> set[int]:
    """Those of these objects that the organization carries itself."""
    return set(session.connection().scalars(_OWN, {"ids": list(object_ids), "me": organization_id}))


_OWN = (
    select(ObjectCarrier.object_id)
    .join(AudienceRow, AudienceRow.id == ObjectCarrier.audience_id)
    .where(AudienceRow.owner_id == bindparam("me"), among(ObjectCarrier.object_id, "ids"))
)


@lru_cache(maxsize=64)
def _page(shape: _Shape) -> Select[*tuple[Any, ...]]:
    """Built once for each shape: building takes longer than the database needs to run it."""
    entry = CollectionEntry
    clauses = [_for_reader(entry), entry.number > bindparam("after"), *_versions_wanted(shape)]
    if shape.ids:
        clauses.append(under(bindparam("ids", expanding=True)))
    if shape.types:
        clauses.append(entry.type.in_(bindparam("types", expanding=True)))
    return (
        select(
            entry.number,
            entry.object_id,
            entry.stix_id,
            entry.type,
            entry.version,
            entry.sender_id,
            entry.level,
            select(CarrierPart.object_id).where(CarrierPart.object_id == entry.object_id).exists(),
            StixObject.body,
        )
        .join(StixObject, StixObject.id == entry.object_id)
        .where(*clauses)
        .order_by(entry.number)
        .limit(bindparam("most"))
    )


def _versions_wanted(shape: _Shape) -> Sequence[ColumnElement[bool]]:
    if shape.last and not (shape.first or shape.moments):  # what nearly everybody asks, with one look instead of two
        return [_no_other(_stands_before, _newer)]
    wanted = []
    if shape.last:
        wanted.append(_no_other(_newer))
    if shape.first:
        wanted.append(_no_other(_older))
    if shape.moments:
        wanted.append(among(CollectionEntry.version, "moments"))
    chosen = _no_other(_stands_before)
    return [chosen] if shape.every else [chosen, or_(*wanted)]


def _no_other(*ways: Any) -> ColumnElement[bool]:  # each: a clause of two entries
    """Whether the reader finds no other entry of the same id that stands to this one in one of these ways."""
    entry = CollectionEntry
    same = and_(~Other.alone, Other.stix_id == entry.stix_id, Other.number != entry.number, _for_reader(Other))
    found = select(Other.number).where(same, or_(*(way(Other, entry) for way in ways))).correlate(entry).exists()
    return or_(entry.alone, ~found)


def _for_reader(entry: _Entry) -> ColumnElement[bool]:
    mine = among(entry.audience_id, "mine")
    return and_(mine, or_(entry.organization_id.is_(None), entry.organization_id == bindparam("me")))


def _stands_before(other: _Entry, entry: _Entry) -> ColumnElement[bool]:
    """Another organization's, which the reader finds instead; or the same content of the same one, at its own place."""
    goes_before = or_(
        _rank(other) < _rank(entry), and_(_rank(other) == _rank(entry), other.sender_id < entry.sender_id)
    )
    for_all = and_(other.organization_id.is_(None), entry.organization_id.is_(None), other.number < entry.number)
    for_me = and_(other.organization_id.is_not(None), or_(entry.organization_id.is_(None), other.number > entry.number))
    twin = and_(other.sender_id == entry.sender_id, other.object_id == entry.object_id, or_(for_all, for_me))
    return or_(goes_before, twin)


def _rank(entry: _Entry) -> ColumnElement[int]:
    return case((entry.owned, 0), (entry.sender_id == bindparam("me"), 1), else_=2)


def _newer(other: _Entry, entry: _Entry) -> ColumnElement[bool]:
    later = or_(other.version > entry.version, and_(other.version == entry.version, other.number > entry.number))
    return and_(other.sender_id == entry.sender_id, other.object_id != entry.object_id, later)


def _older(other: _Entry, entry: _Entry) -> ColumnElement[bool]:
    earlier = or_(other.version < entry.version, and_(other.version == entry.version, other.number < entry.number))
    return and_(other.sender_id == entry.sender_id, other.object_id != entry.object_id, earlier)
