"""Observables: each normal form once, and where it was seen."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import (
    Executable,
    ForeignKey,
    LargeBinary,
    String,
    Text,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from kentongan.domain.incident import Observable
from kentongan.storage.base import Base, BigId, in_parts


class StoredObservable(Base):
    """One value in its normal form. `digest` stands for kind and value, which may be longer than an index can hold."""

    __tablename__ = "observable"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    kind: Mapped[str] = mapped_column(String(20))
    value: Mapped[str] = mapped_column(Text)


def digest_of(observable: Observable) -> bytes:
    """The 16 bytes that stand for a kind and a value (BLAKE2b): what `StoredObservable.digest` holds and is looked up by."""
    return hashlib.blake2b(f"{observable.kind}\n{observable.value}".encode(), digest_size=16).digest()


class Posting(Base):
    """An incident carries a value. The index that finds who shares it; its length is how common the value is.

    Those of one organization stand together: what it reports is counted apart from what others do.
    """

    __tablename__ = "posting"
    __table_args__ = ({"sqlite_with_rowid": False},)

    observable_id: Mapped[int] = mapped_column(ForeignKey("observable.id"), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    """The incident's own."""
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), primary_key=True, index=True)
    audience_id: Mapped[int] = mapped_column(ForeignKey("audience.id"))
    """Of the object that carried the value: it may be marked stricter than its incident."""
    origin: Mapped[str] = mapped_column(String(20))
    """sco, pattern, observed-data, external-reference or text; within: a value of the incident lies in this one (the host of
    its URL, the registered domain of its host)."""


class ObjectObservable(Base):
    """A STIX object carries a value, whether or not it belongs to an incident."""

    __tablename__ = "object_observable"
    __table_args__ = ({"sqlite_with_rowid": False},)

    observable_id: Mapped[int] = mapped_column(ForeignKey("observable.id"), primary_key=True)
    object_id: Mapped[int] = mapped_column(ForeignKey("stix_object.id"), primary_key=True, index=True)
    in_part: Mapped[bool] = mapped_column(default=False)
    """It stands nowhere but where granular markings point: who may not see all of them is not told of the value."""


class TextBand(Base):
    """One MinHash band of an incident's words: incidents that share one are candidates for the same event."""

    __tablename__ = "text_band"
    __table_args__ = ({"sqlite_with_rowid": False},)

    band: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), primary_key=True, index=True)


WITHIN = "within"
"""The origin of a posting for what a value of the incident lies in."""


def observable_ids(session: Session, wanted: Iterable[Observable]) -> dict[Observable, int]:
    """The ids of these values, stored if they are new; safe when several transactions store the same ones at once.

    New values go in in the order of their digests, so that two transactions never wait for each other crosswise.
    """
    digests = {digest_of(one): one for one in wanted}
    found = _ids(session, digests)
    missing = sorted(digests.keys() - found.keys())
    if missing:
        rows = [{"digest": d, "kind": digests[d].kind, "value": digests[d].value} for d in missing]
        specific: Any = postgresql_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
        made = session.execute(
            specific(StoredObservable).on_conflict_do_nothing().returning(StoredObservable.digest, StoredObservable.id),
            rows,
        )
        found |= {bytes(digest): number for digest, number in made}
        found |= _ids(session, digests.keys() - found.keys())
    return {digests[digest]: number for digest, number in found.items()}


def stored_ids(session: Session, wanted: Iterable[Observable]) -> dict[Observable, int]:
    """The ids of those of these values that are stored; stores none."""
    digests = {digest_of(one): one for one in wanted}
    return {digests[digest]: number for digest, number in _ids(session, digests).items()}


def _ids(session: Session, digests: Collection[bytes]) -> dict[bytes, int]:
    query = select(StoredObservable.digest, StoredObservable.id)
    return {
        bytes(digest): number
        for some in in_parts(sorted(digests))
        for digest, number in session.execute(query.where(StoredObservable.digest.in_(some)))
    }


def hide_in_parts(session: Session, object_ids: Collection[int]) -> None:
    """What these objects were said to carry stands in parts from now on: who may not see all of them is not told of it."""
    for some in in_parts(sorted(object_ids)):
        carried = update(ObjectObservable).where(ObjectObservable.object_id.in_(some)).values(in_part=True)
        session.execute(carried.execution_options(synchronize_session=False))


def replace_postings(session: Session, incident_ids: Collection[int], rows: list[dict[str, Any]]) -> None:
    """Make `rows` the postings of these incidents: what is no longer carried is no longer found."""
    _replace(session, Posting, incident_ids, rows)


def replace_bands(session: Session, incident_ids: Collection[int], rows: list[dict[str, Any]]) -> None:
    """Make `rows` the text bands of these incidents."""
    _replace(session, TextBand, incident_ids, rows)


def _replace(
    session: Session, table: type[Posting | TextBand], incident_ids: Collection[int], rows: list[dict[str, Any]]
) -> None:
    for some in in_parts(sorted(incident_ids)):
        session.execute(delete(table).where(table.incident_id.in_(some)).execution_options(synchronize_session=False))
    if rows:
        session.connection().execute(insert(table), rows)


def rows_in_parts(session: Session, query: Executable, wanted: Collection[Any], **given: Any) -> Iterator[Any]:
    """The rows of a query that takes `wanted` as an expanding parameter, in as many statements as its size asks for.

    Queries that every stage runs are built once, where the module is loaded: building one costs more than running it.
    """
    for some in in_parts(sorted(wanted)):
        yield from session.execute(query, {"wanted": some, **given})


WANTED: Any = bindparam("wanted", expanding=True)

_few_carriers = (
    select(Posting.incident_id)
    .where(Posting.observable_id == StoredObservable.id)
    .limit(bindparam("most"))
    .correlate(StoredObservable)
    .subquery()
)
_COUNTED = select(
    StoredObservable.id, select(func.count()).select_from(_few_carriers).scalar_subquery().label("carriers")
).where(StoredObservable.id.in_(WANTED))
_CARRIED = (
    select(
        Posting.incident_id,
        StoredObservable.kind,
        StoredObservable.value,
        Posting.observable_id,
        Posting.audience_id,
        Posting.origin,
    )
    .join(StoredObservable, StoredObservable.id == Posting.observable_id)
    .where(Posting.incident_id.in_(WANTED))
)
# From one organization to the next by the primary key: the cost is that of the organizations, not of their incidents.
_BY_ORGANIZATION = text(
    "WITH RECURSIVE hop(observable_id, organization_id) AS (SELECT o.id, (SELECT min(p.organization_id) FROM posting p "
    "WHERE p.observable_id = o.id) FROM observable o WHERE o.id IN :wanted "
    "UNION ALL SELECT hop.observable_id, (SELECT min(p.organization_id) FROM posting p WHERE p.observable_id = hop.observable_id "
    "AND p.organization_id > hop.organization_id) FROM hop WHERE hop.organization_id IS NOT NULL) "
    "SELECT hop.observable_id, hop.organization_id, (SELECT count(*) FROM (SELECT 1 FROM posting p "
    "WHERE p.observable_id = hop.observable_id AND p.organization_id = hop.organization_id LIMIT :most) AS few) "
    "FROM hop WHERE hop.organization_id IS NOT NULL"
).bindparams(WANTED)
_CARRIERS: Any = select(Posting.observable_id, Posting.organization_id, Posting.incident_id)
_CARRIED_TO = select(Posting.observable_id, Posting.incident_id, Posting.audience_id).where(
    Posting.observable_id.in_(WANTED), Posting.origin != WITHIN
)
_mine, _others = aliased(TextBand, name="mine"), aliased(TextBand, name="others")
_few_others = (
    select(literal(1).label("one"))
    .where(_others.band == _mine.band)
    .limit(bindparam("most"))
    .correlate(_mine)
    .subquery()
)
_SHARING = (
    select(_mine.incident_id, _others.incident_id.label("other_id"))
    .distinct()
    .join(_others, (_others.band == _mine.band) & (_others.incident_id != _mine.incident_id))
    .where(
        _mine.incident_id.in_(WANTED),
        select(func.count()).select_from(_few_others).scalar_subquery() < bindparam("most"),
    )
)


def counts_of(session: Session, observable_ids: Collection[int], most: int) -> dict[int, dict[int, int]]:
    """How many incidents of each organization carry each of these values, counted up to `most`: the cost does not grow with the
    store."""
    counts: dict[int, dict[int, int]] = defaultdict(dict)
    for number, organization, count in rows_in_parts(session, _BY_ORGANIZATION, observable_ids, most=most):
        counts[number][organization] = count
    return dict(counts)


def postings_of(session: Session, incident_ids: Collection[int]) -> Iterator[tuple[int, Observable, int, int, str]]:
    """(incident id, value, its observable id, audience id, origin) of everything these incidents carry."""
    for row in rows_in_parts(session, _CARRIED, incident_ids):
        yield row[0], Observable(row[1], row[2]), row[3], row[4], row[5]


def carriers_of(
    session: Session, organizations: Mapping[int, Collection[int] | None]
) -> Iterator[tuple[int, int, int]]:
    """(observable, organization, incident) of who carries these values: of the organizations given for each, or of all (None).

    Give only those whose lists are known to be short.
    """
    short = [number for number, some in organizations.items() if some is None]
    for some in in_parts(sorted(short)):
        yield from map(tuple, session.execute(_CARRIERS.where(Posting.observable_id.in_(some))))
    for number in sorted(organizations.keys() - set(short)):
        of_these = Posting.organization_id.in_(sorted(organizations[number] or ()))
        yield from map(tuple, session.execute(_CARRIERS.where(Posting.observable_id == number, of_these)))


def audiences_of_carriers(
    session: Session, observable_ids: Collection[int], most: int
) -> Iterator[tuple[int, int, int]]:
    """(observable id, incident id, audience id) of who carries these values, except what lies within; of a value that more than
    `most` incidents carry: none."""
    counted = rows_in_parts(session, _COUNTED, observable_ids, most=most + 1)
    few = [number for number, carriers in counted if carriers <= most]
    for row in rows_in_parts(session, _CARRIED_TO, few):
        yield row[0], row[1], row[2]


def first_carriers(session: Session, observable_id: int, organization_id: int, most: int) -> list[int]:
    """The first incidents of an organization that carry a value, at most `most`."""
    query = select(Posting.incident_id).order_by(Posting.incident_id).limit(most)
    mine = query.where(Posting.observable_id == observable_id, Posting.organization_id == organization_id)
    return list(session.scalars(mine))


def sharing_bands(session: Session, incident_ids: Collection[int], most: int) -> Iterator[tuple[int, int]]:
    """(incident, other incident) for every text band that they share with at most `most` others."""
    for row in rows_in_parts(session, _SHARING, incident_ids, most=most + 2):
        yield row[0], row[1]
