"""STIX objects: each content once, numbered in the order of acceptance, and the audiences they were carried to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from kentongan.storage.base import Base, BigId, Instant, Json, in_parts, microseconds
from kentongan.storage.bulk import insert_pairs, insert_rows
from kentongan.storage.second_wall import is_behind
from kentongan.storage.submissions import Submission
from kentongan.storage.visibility import AudienceRow


class StixObject(Base):
    """One content of one STIX object. `id` grows in commit order; the lowest id of a `stix_id` names the owner of that id."""

    __tablename__ = "stix_object"
    __table_args__ = (Index("ix_stix_object_stix_id", "stix_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    stix_id: Mapped[str] = mapped_column(String(255))
    type: Mapped[str] = mapped_column(String(255))
    owner_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    """The organization that first sent this content."""
    modified: Mapped[datetime | None] = mapped_column(Instant)
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    """Of the content in sorted-key form: the same properties in another order are the same content."""
    body: Mapped[str] = mapped_column(Text)


class NewObject(NamedTuple):
    """One content to store; its number was given by the caller, who holds the accept lock."""

    id: int
    stix_id: str
    type: str
    owner_id: int
    modified: datetime | None
    sha256: bytes
    body: str


class ObjectCarrier(Base):
    """Some submission carried an object to an audience. Who belongs to any of an object's audiences may see it.

    One row per audience and not per submission: a TLP marking definition is carried by every submission there is.
    """

    __tablename__ = "object_carrier"
    __table_args__ = ({"sqlite_with_rowid": False},)

    object_id: Mapped[int] = mapped_column(ForeignKey("stix_object.id"), primary_key=True)
    audience_id: Mapped[int] = mapped_column(ForeignKey("audience.id"), primary_key=True)


class CarrierPart(Base):
    """What of an object that was carried to an audience is only for a narrower one; few objects have such parts.

    Who belongs to the audience and not to that of the part sees the object without what the selectors point at.
    """

    __tablename__ = "carrier_part"
    __table_args__ = ({"sqlite_with_rowid": False},)

    object_id: Mapped[int] = mapped_column(ForeignKey("stix_object.id"), primary_key=True)
    audience_id: Mapped[int] = mapped_column(ForeignKey("audience.id"), primary_key=True)
    part_audience_id: Mapped[int] = mapped_column(ForeignKey("audience.id"), primary_key=True)
    selectors: Mapped[list[str]] = mapped_column(Json)


class Content(NamedTuple):
    """What is read of a stored object where many are."""

    id: int
    stix_id: str
    modified: datetime | None
    body: str


_CONTENT = (StixObject.id, StixObject.stix_id, StixObject.modified, StixObject.body)


@dataclass(frozen=True, slots=True)
class Carried:
    """An object as one submission carries it; `parts` are the selectors that are for narrower audiences, by those."""

    object: Content
    audience_id: int
    parts: Mapping[int, Sequence[str]] = field(default_factory=dict)


def carried_by(session: Session, submission_ids: Sequence[int]) -> dict[int, list[Carried]]:
    """The accepted objects of these submissions, in the order they were sent, each with the audience it was carried to.

    What is erased at this moment is missing.
    """
    rows = session.execute(select(Submission.id, Submission.carried).where(Submission.id.in_(submission_ids))).all()
    wanted = {pair[0] for _, pairs in rows for pair in pairs}
    found = {obj.id: obj for obj in _by_id(session, wanted)}
    parts = parts_of(session, sorted(found))
    return {
        row_id: [
            Carried(found[number], audience, parts.get((number, audience), {}))
            for number, audience in pairs
            if number in found
        ]
        for row_id, pairs in rows
    }


def newest_carried(session: Session, stix_ids: Sequence[str], organization_id: int) -> list[Carried]:
    """The newest content of each of these object ids that this organization sent, with the audience it carried it to."""
    newest: dict[str, Carried] = {}
    for start in range(0, len(stix_ids), 5_000):
        rows = session.execute(
            select(*_CONTENT, ObjectCarrier.audience_id)
            .join(ObjectCarrier, ObjectCarrier.object_id == StixObject.id)
            .join(AudienceRow, AudienceRow.id == ObjectCarrier.audience_id)
            .where(StixObject.stix_id.in_(stix_ids[start : start + 5_000]), AudienceRow.owner_id == organization_id)
            .order_by(StixObject.modified, StixObject.id)
        )
        newest |= {row[1]: Carried(Content(*row[:4]), row[4]) for row in rows}
    parts = parts_of(session, [one.object.id for one in newest.values()])
    return [replace(one, parts=parts.get((one.object.id, one.audience_id), {})) for one in newest.values()]


def parts_of(session: Session, object_ids: Sequence[int]) -> dict[tuple[int, int], dict[int, Sequence[str]]]:
    """The parts of these objects by (object id, audience id) of their carriers: selectors by the audience of the part."""
    found: dict[tuple[int, int], dict[int, Sequence[str]]] = defaultdict(dict)
    for some in in_parts(object_ids):
        for row in session.scalars(select(CarrierPart).where(CarrierPart.object_id.in_(some))):
            found[row.object_id, row.audience_id][row.part_audience_id] = row.selectors
    return dict(found)


def owner_of(session: Session, stix_id: str) -> int | None:
    """The organization an id belongs to, which is not to be shown: it may be that a reader sees nothing of theirs.

    Behind the second wall it is told only of ids under which the reader sees something.
    """
    if is_behind(session):
        return session.scalar(select(func.kentongan_owner_of(stix_id)))
    return session.scalar(
        select(StixObject.owner_id).where(StixObject.stix_id == stix_id).order_by(StixObject.id).limit(1)
    )


def _by_id(session: Session, wanted: Iterable[int]) -> Iterator[Content]:
    for some in in_parts(sorted(wanted)):
        yield from (Content(*row) for row in session.connection().execute(_THESE, {"ids": some}))


_THESE = select(*_CONTENT).where(StixObject.id.in_(bindparam("ids", expanding=True)))


def store_objects(session: Session, objects: Sequence[NewObject]) -> None:
    """Store new contents; a bundle has a thousand of them."""
    rows = [
        (o.id, o.stix_id, o.type, o.owner_id, microseconds(o.modified) if o.modified else None, o.sha256, o.body)
        for o in objects
    ]
    insert_rows(session, "stix_object", NewObject._fields, rows)


def carry(session: Session, pairs: Iterable[tuple[int, int]]) -> None:
    """These (object id, audience id) are carried; those that were before stay as they are."""
    insert_pairs(session, "object_carrier", ("object_id", "audience_id"), dict.fromkeys(pairs))


def carry_parts(session: Session, rows: Sequence[tuple[int, int, int, Sequence[str]]]) -> None:
    """These (object id, audience id, part's audience id, selectors) are carried, beside those that were before.

    What two submissions hide adds up. Only who holds the accept lock may.
    """
    before = parts_of(session, sorted({object_id for object_id, *_ in rows}))
    wanted: dict[tuple[int, int, int], dict[str, None]] = {}
    for object_id, carried_to, part_audience_id, selectors in rows:
        known = before.get((object_id, carried_to), {}).get(part_audience_id, ())
        wanted.setdefault((object_id, carried_to, part_audience_id), dict.fromkeys(known)).update(
            dict.fromkeys(selectors)
        )
    for (object_id, carried_to, part_audience_id), names in wanted.items():
        session.merge(
            CarrierPart(
                object_id=object_id,
                audience_id=carried_to,
                part_audience_id=part_audience_id,
                selectors=list(names),
            )
        )
    session.flush()


def insert_ignoring_twins(session: Session, table: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows of which some may be there already, or come at the same time from another transaction."""
    if rows:
        insert: Any = postgresql_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
        session.connection().execute(insert(table).on_conflict_do_nothing(), rows)
