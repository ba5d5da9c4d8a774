"""What the platform found, as TAXII clients are told it: links between incidents, and campaigns (docs/adr/0016).

A row is one STIX object in its last version. Who may see it can only grow while it lives: where anybody may see less of it, it is
revoked and another takes its place, so that whoever was told of it learns that it no longer holds, and nobody else does.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, String, delete, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from kentongan.storage.base import Base, BigId, Json, in_parts
from kentongan.storage.collection_entries import next_numbers

RELATIONSHIP = "relationship"
GROUPING = "grouping"


class Finding(Base):
    """A link or a campaign as one STIX object. It outlives the incidents it names, as what is revoked."""

    __tablename__ = "finding"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, unique=True)
    """When it was added or last changed, in microseconds since 1970, in the order of commits: its `modified` too."""
    created: Mapped[int] = mapped_column(BigInteger)
    stix_id: Mapped[str] = mapped_column(String(60), unique=True)
    type: Mapped[str] = mapped_column(String(20))
    kind: Mapped[str] = mapped_column(String(20))
    """duplicate-of, related-to, or campaign."""
    left_id: Mapped[int | None] = mapped_column(BigId, index=True)
    """Of a link: the incidents' row numbers, as in `link`."""
    right_id: Mapped[int | None] = mapped_column(BigId, index=True)
    campaign_id: Mapped[int | None] = mapped_column(BigId, index=True)
    revoked: Mapped[bool] = mapped_column(default=False)
    evidence: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    """Items as `link.evidence` has them, each with the incidents it ties (`refs`, STIX ids), their stricter level (`level`), and
    `audiences` that must all be the reader's, those of the incidents among them. Who is told of no link by them does not see the
    row (services/evidence_codec.py)."""


class FindingMember(Base):
    """An incident is in a campaign that is told of."""

    __tablename__ = "finding_member"
    __table_args__ = ({"sqlite_with_rowid": False},)

    incident_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    finding_id: Mapped[int] = mapped_column(BigId, primary_key=True, index=True)


def standing_links(session: Session, incident_ids: Collection[int]) -> list[Finding]:
    """The links of these incidents that hold, as far as they are told of."""
    return [
        one
        for some in in_parts(sorted(incident_ids))
        for one in session.scalars(
            select(Finding).where(or_(Finding.left_id.in_(some), Finding.right_id.in_(some)), ~Finding.revoked)
        ).all()
    ]


def standing_campaigns(
    session: Session, incident_ids: Collection[int], campaign_ids: Collection[int] = ()
) -> list[Finding]:
    """The campaigns that are told of and hold, with one of these incidents in them or of these row numbers."""
    members = select(FindingMember.finding_id).where(FindingMember.incident_id.in_(sorted(incident_ids)))
    wanted = or_(Finding.id.in_(members), Finding.campaign_id.in_(sorted(campaign_ids)))
    return list(session.scalars(select(Finding).where(wanted, Finding.type == GROUPING, ~Finding.revoked)))


def members_of(session: Session, finding_id: int) -> set[int]:
    """The incidents of a campaign as it is told of."""
    return set(session.scalars(select(FindingMember.incident_id).where(FindingMember.finding_id == finding_id)))


def replace_members(session: Session, finding_id: int, incident_ids: Collection[int]) -> None:
    """Make these the incidents of a campaign."""
    gone = delete(FindingMember).where(FindingMember.finding_id == finding_id)
    session.execute(gone.execution_options(synchronize_session=False))
    session.add_all(FindingMember(incident_id=one, finding_id=finding_id) for one in sorted(incident_ids))
    session.flush()


def date(session: Session, changed: Sequence[Finding], now: datetime) -> None:
    """These are new, or changed just now. Hold the accept lock."""
    if changed:
        numbers = next_numbers(session, [secrets.token_bytes(8) for _ in changed], now)
        for one, number in zip(changed, numbers, strict=True):
            one.number = number
            one.created = one.created or number
        session.add_all(changed)
        session.flush()


def findings_after(
    session: Session,
    after: int,
    most: int,
    ids: Collection[str] | None,
    types: Collection[str] | None,
    numbers: Collection[int] | None,
) -> Sequence[Finding]:
    """The next behind a number, of these STIX ids, types and versions where any are asked for."""
    query = select(Finding).where(Finding.number > after).order_by(Finding.number).limit(most)
    for column, wanted in ((Finding.stix_id, ids), (Finding.type, types), (Finding.number, numbers)):
        if wanted is not None:
            query = query.where(column.in_(sorted(wanted)))
    return session.scalars(query).all()
