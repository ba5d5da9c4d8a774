"""What was found: links between incidents, the cases they make, the campaigns the cases belong to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint, delete, func, insert, select, union, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from kentongan.storage.base import Base, BigId, Instant, Json, new_public_id
from kentongan.storage.incidents import Incident
from kentongan.storage.observables import WANTED, rows_in_parts

DUPLICATE_OF = "duplicate-of"
RELATED_TO = "related-to"


class Link(Base):
    """A scored, explained tie between two incidents; the lower incident id stands left."""

    __tablename__ = "link"
    __table_args__ = (UniqueConstraint("kind", "left_id", "right_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    left_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    right_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    score: Mapped[float]
    """0 to 1."""
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
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id"), index=True)


class Campaign(Base):
    """Cases that belong together: the same infrastructure, files or actor."""

    __tablename__ = "campaign"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(36), unique=True, default=new_public_id)
    opened_at: Mapped[datetime] = mapped_column(Instant)
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id"))


Pair = tuple[int, int]

_any_link = select(Link.kind, Link.left_id, Link.right_id)
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
    evidence: list[dict[str, Any]]


def linked_pairs(session: Session, kind: str, incident_ids: Collection[int]) -> set[Pair]:
    """All links of this kind that one of these incidents has."""
    return {(row[1], row[2]) for row in rows_in_parts(session, _LINKED, incident_ids) if row[0] == kind}


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
        set_={"score": writing.excluded.score, "evidence": writing.excluded.evidence},
    )
    rows = [
        {
            "kind": kind,
            "left_id": link.pair[0],
            "right_id": link.pair[1],
            "score": link.score,
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


def open_cases(session: Session, how_many: int, now: datetime) -> list[int]:
    """New cases; their ids, in order."""
    return _opened(session, Case, how_many, now)


def _opened(session: Session, table: type[Case] | type[Campaign], how_many: int, now: datetime) -> list[int]:
    if not how_many:
        return []
    rows = [{"public_id": new_public_id(), "opened_at": now} for _ in range(how_many)]
    return sorted(session.scalars(insert(table).returning(table.id), rows))


def move_incidents(session: Session, moves: dict[int, int]) -> None:
    """Put each incident into its case."""
    rows = [{"id": incident_id, "case_id": case_id} for incident_id, case_id in sorted(moves.items())]
    if rows:
        session.execute(update(Incident), rows)


def merge_cases(session: Session, merged: dict[int, int]) -> None:
    """Let each case lead to the one it was found to be."""
    for old, new in sorted(merged.items()):
        session.execute(update(Case).where(Case.id == old).values(merged_into_id=new, campaign_id=None))


def campaigns_of(session: Session, case_ids: Collection[int]) -> dict[int, int | None]:
    """The campaign each of these cases belongs to now; hold the case lock to rely on it."""
    return {row[0]: row[1] for row in rows_in_parts(session, _CAMPAIGNS, case_ids)}


def campaign_sizes(session: Session, campaign_ids: Collection[int]) -> dict[int, int]:
    """How many cases each of these campaigns has."""
    query: Any = select(Case.campaign_id, func.count()).where(Case.campaign_id.in_(sorted(campaign_ids)))
    return {row[0]: row[1] for row in session.execute(query.group_by(Case.campaign_id))}


def open_campaign(session: Session, now: datetime) -> int:
    """A new campaign; its id."""
    return _opened(session, Campaign, 1, now)[0]


def join_campaign(session: Session, case_ids: Collection[int], campaign_id: int) -> None:
    """Put these cases into a campaign."""
    session.execute(update(Case).where(Case.id.in_(sorted(case_ids))).values(campaign_id=campaign_id))


def merge_campaigns(session: Session, old: int, new: int) -> None:
    """All cases of the one belong to the other, and whoever asks for the one is led there."""
    session.execute(update(Case).where(Case.campaign_id == old).values(campaign_id=new))
    session.execute(update(Campaign).where(Campaign.id == old).values(merged_into_id=new))


def leave_campaigns(session: Session, case_ids: Collection[int]) -> None:
    """Take these cases out of their campaigns."""
    session.execute(update(Case).where(Case.id.in_(sorted(case_ids))).values(campaign_id=None))


def dissolve_lonely(session: Session, campaign_ids: Collection[int]) -> None:
    """A campaign has at least two cases: the last one leaves."""
    sizes = campaign_sizes(session, campaign_ids)
    lonely = [number for number in campaign_ids if sizes.get(number, 0) == 1]
    if lonely:
        session.execute(update(Case).where(Case.campaign_id.in_(lonely)).values(campaign_id=None))


def related_cases(session: Session, campaign_id: int) -> tuple[list[int], list[Pair]]:
    """The cases of a campaign, the oldest first, and which of them are tied by a related-to link of their incidents."""
    case_ids = list(session.scalars(select(Case.id).where(Case.campaign_id == campaign_id).order_by(Case.id)))
    case_of = incidents_in(session, case_ids)
    pairs = linked_pairs(session, RELATED_TO, case_of)
    return case_ids, [(case_of[a], case_of[b]) for a, b in pairs if a in case_of and b in case_of]


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
