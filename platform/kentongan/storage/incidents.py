"""Incidents as their reporters' newest version has them, ready to list, filter and match."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ForeignKey,
    Index,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    delete,
    insert,
    select,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from kentongan.storage.base import Base, BigId, Instant, Json, in_parts, new_public_id


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
    object_id: Mapped[int] = mapped_column(ForeignKey("stix_object.id"), index=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"), index=True)
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
    takes_part: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    """A TakesPart of domain/masking.py."""


class IncidentTag(Base):
    """One value of a many-valued fact, for filters: kind is country, sector, technique, malware, actor or vulnerability."""

    __tablename__ = "incident_tag"
    __table_args__ = ({"sqlite_with_rowid": False},)

    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    value: Mapped[str] = mapped_column(String(255), primary_key=True)
    """Case-folded and cut at 255 characters; the facts keep the spelling as sent."""
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), primary_key=True, index=True)
    audience_id: Mapped[int] = mapped_column(ForeignKey("audience.id"))
    """The incident's own, so that a list by tag passes over what the reader may not see before it fetches it."""


def incidents_reported(session: Session, reports: Collection[tuple[str, int]]) -> dict[tuple[str, int], Incident]:
    """The rows of these (STIX id, organization id) pairs, locked: whoever amends the same incident meanwhile waits."""
    found: dict[tuple[str, int], Incident] = {}
    # Ids first and organizations second: the index is by STIX id, and few organizations share one.
    for some in in_parts(sorted({stix_id for stix_id, _ in reports})):
        query = select(Incident).where(Incident.stix_id.in_(some)).order_by(Incident.stix_id, Incident.id)
        rows = session.scalars(query.with_for_update().execution_options(populate_existing=True))
        found |= {(row.stix_id, row.organization_id): row for row in rows}
    return {report: found[report] for report in reports if report in found}


def facts_told(session: Session, stix_ids: Collection[str]) -> dict[tuple[str, int], dict[str, Any]]:
    """The facts stored of these incidents, by STIX id and organization id."""
    query = select(Incident.stix_id, Incident.organization_id, Incident.facts)
    return {
        (row.stix_id, row.organization_id): row.facts
        for some in in_parts(sorted(stix_ids))
        for row in session.execute(query.where(Incident.stix_id.in_(some)))
    }


def replace_tags(session: Session, incident_ids: Collection[int], rows: list[dict[str, Any]]) -> None:
    """Make `rows` the tags of these incidents."""
    for some in in_parts(sorted(incident_ids)):
        gone = delete(IncidentTag).where(IncidentTag.incident_id.in_(some))
        session.execute(gone.execution_options(synchronize_session=False))
    if rows:
        session.connection().execute(insert(IncidentTag), rows)
