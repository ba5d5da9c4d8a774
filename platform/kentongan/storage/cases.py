"""What was found: links between incidents, the cases they make, the campaigns the cases belong to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kentongan.storage.base import Base, BigId, Instant, Json, new_public_id

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
