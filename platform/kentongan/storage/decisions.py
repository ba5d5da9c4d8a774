"""What people decided about two incidents: a history that only grows, until one of the incidents is erased."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, delete, or_, select, union
from sqlalchemy.orm import Mapped, Session, mapped_column

from kentongan.domain.decisions import Capacity, Decision, Pair, Verdict
from kentongan.storage.base import Base, BigId, Instant, Json, in_parts, new_public_id
from kentongan.storage.observables import WANTED, rows_in_parts


class DecisionRow(Base):
    """One entry: a decision, or the taking back of one. The lower incident id stands left."""

    __tablename__ = "decision"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(36), unique=True, default=new_public_id)
    kind: Mapped[str] = mapped_column(String(20))
    """duplicate-of or related-to."""
    left_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    right_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    verdict: Mapped[str] = mapped_column(String(20))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), index=True)
    author: Mapped[str] = mapped_column(String(400))
    capacity: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(Text)
    decided_at: Mapped[datetime] = mapped_column(Instant)
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("decision.id"), unique=True)
    """The entry that this one takes back, once at most."""
    found: Mapped[dict[str, Any] | None] = mapped_column(Json, deferred=True)
    """What the platform had found of the two at that moment: {"score", "evidence": [{"rule", "weight", "alone"?,
    "audiences"}, ...]}; NULL: no link.
    No reader needs it, nor may."""

    def entry(self) -> Decision:
        """As the rules take it."""
        return Decision(
            self.id,
            self.kind,
            (self.left_id, self.right_id),
            Verdict(self.verdict),
            self.organization_id,
            Capacity(self.capacity),
            self.undoes_id,
        )


_ENTRY = (
    DecisionRow.id,
    DecisionRow.kind,
    DecisionRow.left_id,
    DecisionRow.right_id,
    DecisionRow.verdict,
    DecisionRow.organization_id,
    DecisionRow.capacity,
    DecisionRow.undoes_id,
)
_ABOUT: Any = union(
    select(*_ENTRY).where(DecisionRow.left_id.in_(WANTED)), select(*_ENTRY).where(DecisionRow.right_id.in_(WANTED))
)


def decisions_about(session: Session, incident_ids: Collection[int]) -> list[Decision]:
    """The whole history of all pairs that one of these incidents is in."""
    found = {row[0]: row for row in rows_in_parts(session, _ABOUT, incident_ids)}
    return [
        Decision(row[0], row[1], (row[2], row[3]), Verdict(row[4]), row[5], Capacity(row[6]), row[7])
        for row in found.values()
    ]


def first_said(session: Session, kind: str, pair: Pair, verdict: Verdict) -> datetime | None:
    """When this was decided of these two for the first time, whatever became of it."""
    said = select(DecisionRow.decided_at).where(
        DecisionRow.kind == kind,
        DecisionRow.left_id == pair[0],
        DecisionRow.right_id == pair[1],
        DecisionRow.verdict == verdict.value,
        DecisionRow.undoes_id.is_(None),
        DecisionRow.capacity != Capacity.OPINION.value,
    )
    return session.scalar(said.order_by(DecisionRow.id).limit(1))


def drop_decisions(session: Session, incident_ids: Collection[int]) -> set[int]:
    """Forget all that was decided about these incidents; gives the others that it was about."""
    others: set[int] = set()
    for some in in_parts(sorted(incident_ids)):
        about = or_(DecisionRow.left_id.in_(some), DecisionRow.right_id.in_(some))
        rows: Sequence[Any] = session.execute(
            select(DecisionRow.id, DecisionRow.left_id, DecisionRow.right_id).where(about)
        ).all()
        others |= {one for row in rows for one in (row.left_id, row.right_id)}
        for undoing in (DecisionRow.undoes_id.is_not(None), DecisionRow.undoes_id.is_(None)):
            session.execute(delete(DecisionRow).where(about, undoing).execution_options(synchronize_session=False))
    return others - set(incident_ids)
