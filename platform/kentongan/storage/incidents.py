"""Incidents as their reporters' newest version has them, ready to list, filter and match."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kentongan.storage.base import Base, BigId, Instant, Json, new_public_id


class Incident(Base):
    """One organization's report of one event. Earlier versions stay in `stix_object`; this row follows the newest.

    Facts come only from objects that are marked no stricter than the incident itself: whoever may see the row may see all of it.
    """

    __tablename__ = "incident"
    __table_args__ = (
        UniqueConstraint("stix_id", "organization_id"),
        Index("ix_incident_received_at_id", "received_at", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(36), unique=True, default=new_public_id)
    stix_id: Mapped[str] = mapped_column(String(255), index=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), index=True)
    audience_id: Mapped[int] = mapped_column(ForeignKey("audience.id"))
    object_id: Mapped[int] = mapped_column(ForeignKey("stix_object.id"))
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"))
    received_at: Mapped[datetime] = mapped_column(Instant)
    """When its first version was accepted."""
    amended_at: Mapped[datetime] = mapped_column(Instant)
    """When its newest version was accepted."""
    revoked: Mapped[bool] = mapped_column(default=False)
    title: Mapped[str] = mapped_column(Text)
    happened_at: Mapped[datetime | None] = mapped_column(Instant)
    rsit_class: Mapped[str | None] = mapped_column(String(100), index=True)
    rsit_type: Mapped[str | None] = mapped_column(String(100))
    severity: Mapped[str | None] = mapped_column(String(40))
    status: Mapped[str | None] = mapped_column(String(100))
    facts: Mapped[dict[str, Any]] = mapped_column(Json)
    """IncidentFacts, as services/facts_codec.py writes and reads them."""
    case_id: Mapped[int | None] = mapped_column(ForeignKey("incident_case.id"), index=True)


class IncidentTag(Base):
    """One value of a many-valued fact, for filters: kind is country, sector, technique, malware, actor or vulnerability."""

    __tablename__ = "incident_tag"
    __table_args__ = ({"sqlite_with_rowid": False},)

    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    value: Mapped[str] = mapped_column(String(255), primary_key=True)
    """Case-folded; the facts keep the spelling as sent."""
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), primary_key=True, index=True)
