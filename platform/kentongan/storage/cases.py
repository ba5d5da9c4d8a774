"""What was found: links between incidents, the cases they make, the campaigns the cases belong to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, String, UniqueConstraint, case, delete, insert, select, union, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from kentongan.storage.base import Base, BigId, Instant, Json, in_parts, new_public_id
from kentongan.storage.incidents import Incident
from kentongan.storage.observables import WANTED, rows_in_parts

DUPLICATE_OF = "duplicate-of"
RELATED_TO = "related-to"
REJECTED = {DUPLICATE_OF: "not-duplicate-of", RELATED_TO: "not-related-to"}
"""The kind of a link that was found and that people rejected: it is kept, ties nothing, and nobody is told of it."""


class Link(Base):
    """A scored, explained tie between two incidents; the lower incident id stands left."""

    __tablename__ = "link"
    __table_args__ = (UniqueConstraint("kind", "left_id", "right_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    left_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    right_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    score: Mapped[float]
    """0 to 1; 0 where nothing was found, and people alone say so."""
    bits: Mapped[float] = mapped_column(deferred=True)
    """The same as the binary logarithm of its odds, which can be added up; a multiple of 1/1024, so that sums are exact.
    No reader needs it, nor may."""
    evidence: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    """Evidence as services/evidence_codec.py writes it: {rule, words, weight, observable?, audiences}; only items all of whose
    audiences the reader belongs to are shown."""
    found_at: Mapped[datetime] = mapped_column(Instant)


class Case(Base):
    """One real event: one or more incidents that were found to be duplicates."""

    __tablename__ = "incident_case"  # CASE is a word of SQL

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(36), unique=True, default=new_public_id)
    opened_at: Mapped[datetime] = mapped_column(Instant)
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("incident_case.id"))
    """Set when this case was found to be an older one: whoever asks for it is led there."""
    home_id: Mapped[int | None] = mapped_column(BigId, index=True, deferred=True)
    """The incident that it was opened for: the case is where this one is, or leads there. NULL once the incident is erased."""
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id"), index=True)


class Campaign(Base):
    """Cases that belong together: the same infrastructure, files or actor."""

    __tablename__ = "campaign"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(36), unique=True, default=new_public_id)
    opened_at: Mapped[datetime] = mapped_column(Instant)
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id"))
    home_id: Mapped[int | None] = mapped_column(BigId, index=True, deferred=True)
    """The incident that it was opened for, as a case's: it is where this one's case is."""


Pair = tuple[int, int]

_any_link = select(Link.kind, Link.left_id, Link.right_id, Link.bits).where(Link.score > 0)
_LINKED: Any = union(_any_link.where(Link.left_id.in_(WANTED)), _any_link.where(Link.right_id.in_(WANTED)))
"""Links of both kinds: asked for one kind, SQLite would walk all links of that kind to find the right-hand ones."""
_CASES = select(Incident.id, Incident.case_id).where(Incident.id.in_(WANTED))
_INCIDENTS: Any = select(Incident.id, Incident.case_id).where(Incident.case_id.in_(WANTED))
_CAMPAIGNS = select(Case.id, Case.campaign_id).where(Case.id.in_(WANTED))


@dataclass(frozen=True, slots=True)
class FoundLink:
    """A link to write: `pair` are two incident ids, the lower first; `evidence` as services/evidence_codec.py writes it."""

    pair: Pair
    score: float
    bits: float
    evidence: list[dict[str, Any]]


def tells(left_case: Any, right_case: Any) -> ColumnElement[bool]:
    """Whether a link between incidents of these cases is one to show.

    Links are kept whatever became of the incidents, but reports of two events are no duplicates, and those of one not only related.
    """
    return Link.kind == case((left_case == right_case, DUPLICATE_OF), else_=RELATED_TO)


def linked_pairs(
    session: Session, kind: str, incident_ids: Collection[int], *, rejected: bool = False
) -> dict[Pair, float]:
    """All links of this kind that were found of one of these incidents, each with its bits; with those that people `rejected`."""
    kinds = {kind, REJECTED[kind]} if rejected else {kind}
    return {(row[1], row[2]): row[3] for row in rows_in_parts(session, _LINKED, incident_ids) if row[0] in kinds}


def stored_links(session: Session, kind: str, pair: Pair) -> Sequence[Any]:
    """The link of a pair as it is stored, rejected or not: (id, kind, score, evidence), one or none."""
    columns = select(Link.id, Link.kind, Link.score, Link.evidence)
    ends = Link.left_id == pair[0], Link.right_id == pair[1]
    return session.execute(columns.where(*ends, Link.kind.in_((kind, REJECTED[kind])))).all()


def change_link(session: Session, link_id: int, kind: str, evidence: list[dict[str, Any]]) -> None:
    """Give a link another kind and evidence."""
    changing = update(Link).where(Link.id == link_id).values(kind=kind, evidence=evidence)
    session.execute(changing.execution_options(synchronize_session=False))


def add_link(session: Session, kind: str, pair: Pair, evidence: list[dict[str, Any]], since: datetime) -> None:
    """Write a link that nothing was found for."""
    ends = {"left_id": pair[0], "right_id": pair[1]}
    row = {"kind": kind, **ends, "score": 0.0, "bits": 0.0, "evidence": evidence, "found_at": since}
    session.execute(insert(Link), [row])


def drop_link(session: Session, link_id: int) -> None:
    """Remove a link."""
    session.execute(delete(Link).where(Link.id == link_id).execution_options(synchronize_session=False))


def replace_links(
    session: Session, kind: str, gone: Collection[Pair], found: Sequence[FoundLink], now: datetime
) -> None:
    """Remove the links that no longer hold; write the others, keeping of one that is there already when it was found."""
    for left, right in sorted(gone):
        session.execute(
            delete(Link)
            .where(Link.kind == kind, Link.left_id == left, Link.right_id == right)
            .execution_options(synchronize_session=False)
        )
    if not found:
        return
    specific: Any = postgresql_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
    writing = specific(Link)
    writing = writing.on_conflict_do_update(
        index_elements=["kind", "left_id", "right_id"],
        set_={name: writing.excluded[name] for name in ("score", "bits", "evidence")},
    )
    rows = [
        {
            "kind": kind,
            "left_id": link.pair[0],
            "right_id": link.pair[1],
            "score": link.score,
            "bits": link.bits,
            "evidence": link.evidence,
            "found_at": now,
        }
        for link in sorted(found, key=lambda link: link.pair)
    ]
    session.execute(writing, rows)


def cases_of(session: Session, incident_ids: Collection[int]) -> dict[int, int | None]:
    """The case each of these incidents is in now; hold the case lock to rely on it."""
    return {row[0]: row[1] for row in rows_in_parts(session, _CASES, incident_ids)}


def incidents_in(session: Session, case_ids: Collection[int]) -> dict[int, int]:
    """Every incident of these cases, with its case."""
    return {row[0]: row[1] for row in rows_in_parts(session, _INCIDENTS, case_ids)}


_KEYED_INCIDENTS: Any = select(Incident.id, Incident.case_id, Incident.stix_id).where(Incident.case_id.in_(WANTED))
_STIX_IDS = select(Incident.id, Incident.stix_id).where(Incident.id.in_(WANTED))


def in_lasting_order(session: Session, incident_ids: Collection[int]) -> list[int]:
    """These incidents in an order that does not depend on when they came."""
    return [row[0] for row in sorted(rows_in_parts(session, _STIX_IDS, incident_ids), key=lambda row: (row[1], row[0]))]


def members_in_lasting_order(session: Session, case_ids: Collection[int]) -> dict[int, int]:
    """Every incident of these cases, with its case, in an order that does not depend on when they came."""
    rows = sorted(rows_in_parts(session, _KEYED_INCIDENTS, case_ids), key=lambda row: (row[2], row[0]))
    return {row[0]: row[1] for row in rows}


@dataclass(frozen=True, slots=True)
class Place:
    """A case or a campaign: it stands for the group that its home, an incident, is in, or leads to another."""

    id: int
    home: int | None
    leads_to: int | None


Grouping = type[Case] | type[Campaign]


def places_at(session: Session, table: Grouping, homes: Collection[int], also: Collection[int]) -> list[Place]:
    """The cases or campaigns that were opened for one of these incidents, and those of the ids `also`; the oldest first."""
    query: Any = select(table.id, table.home_id, table.merged_into_id)
    found = [*rows_in_parts(session, query.where(table.home_id.in_(WANTED)), homes)]
    found += rows_in_parts(session, query.where(table.id.in_(WANTED)), set(also) - {row[0] for row in found})
    return sorted((Place(*row) for row in found), key=lambda place: place.id)


def open_places(session: Session, table: Grouping, homes: Sequence[int], now: datetime) -> list[Place]:
    """New cases or campaigns for these homes, opened in their order."""
    if not homes:
        return []
    rows = [{"public_id": new_public_id(), "opened_at": now, "home_id": home} for home in sorted(homes)]
    made = session.execute(insert(table).returning(table.id, table.home_id), rows)
    return sorted((Place(row[0], row[1], None) for row in made), key=lambda place: place.id)


def lead(session: Session, table: Grouping, leads: dict[int, int | None], homes: dict[int, int]) -> None:
    """Let each of `leads` lead to another, or stand for itself again (None), and give those of `homes` another home."""
    for column, values in (("merged_into_id", leads), ("home_id", homes)):
        rows = [{"id": number, column: value} for number, value in sorted(values.items())]
        if rows:
            session.execute(update(table), rows)


def leave_homes(session: Session, incident_ids: Collection[int]) -> None:
    """These incidents are gone for good: what was opened for them has no home, also when their numbers are given out again."""
    for some in in_parts(sorted(incident_ids)):
        for table in (Case, Campaign):
            session.execute(update(table).where(table.home_id.in_(some)).values(home_id=None))


def move_incidents(session: Session, moves: dict[int, int]) -> None:
    """Put each incident into its case."""
    rows = [{"id": incident_id, "case_id": case_id} for incident_id, case_id in sorted(moves.items())]
    if rows:
        session.execute(update(Incident), rows)


def move_cases(session: Session, moves: dict[int, int | None]) -> None:
    """Put each case into its campaign, or into none."""
    rows = [{"id": case_id, "campaign_id": campaign_id} for case_id, campaign_id in sorted(moves.items())]
    if rows:
        session.execute(update(Case), rows)


def campaigns_of(session: Session, case_ids: Collection[int]) -> dict[int, int | None]:
    """The campaign each of these cases belongs to now; hold the case lock to rely on it."""
    return {row[0]: row[1] for row in rows_in_parts(session, _CAMPAIGNS, case_ids)}


def cases_in(session: Session, campaign_ids: Collection[int]) -> set[int]:
    """All cases of these campaigns."""
    query: Any = select(Case.id).where(Case.campaign_id.in_(WANTED))
    return {row[0] for row in rows_in_parts(session, query, campaign_ids)}


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where one incident ended: the STIX id of the first incident of its case unless it is the first itself, and the public
    id of its campaign, or of its case where that belongs to none."""

    stix_id: str
    first_of_case: str | None
    cluster: str


def whereabouts(session: Session) -> list[Whereabouts]:
    """Every incident that is in a case, in the order of their arrival."""
    rows = session.execute(
        select(Incident.stix_id, Incident.case_id, Case.public_id, Campaign.public_id.label("campaign"))
        .join(Case, Case.id == Incident.case_id)
        .outerjoin(Campaign, Campaign.id == Case.campaign_id)
        .order_by(Incident.received_at, Incident.id)
    ).all()
    first: dict[int | None, str] = {}
    for row in rows:
        first.setdefault(row.case_id, row.stix_id)
    return [
        Whereabouts(
            row.stix_id,
            None if first[row.case_id] == row.stix_id else first[row.case_id],
            row.campaign or row.public_id,
        )
        for row in rows
    ]
