"""Who wants to hear what, what there was to tell, and the proof of what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kentongan.storage.base import Base, BigId, Instant, Json, new_public_id
from kentongan.storage.organizations import Organization


class Subscription(Base):
    """What an organization wants to hear, and over which channel."""

    __tablename__ = "subscription"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(36), unique=True, default=new_public_id)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    filter: Mapped[dict[str, Any]] = mapped_column(Json)
    """AlertFilter as JSON (domain/alert_filter.py)."""
    channel: Mapped[str] = mapped_column(String(10))
    """webhook or email."""
    target: Mapped[str] = mapped_column(Text)
    """An https address, or a mail address."""
    secret: Mapped[str] = mapped_column(String(100))
    """The Standard Webhooks secret (`whsec_...`), shown once; empty for e-mail."""
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    organization: Mapped[Organization] = relationship()


class Alert(Base):
    """One thing worth telling. `key` names it, so that a stage that runs twice tells it once."""

    __tablename__ = "alert"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(120), unique=True)
    """kind:incident id:object id: every alert is about one version of one incident."""
    kind: Mapped[str] = mapped_column(String(20))
    """new-case, new-report, campaign-grew, update (recall comes with erasure)."""
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    object_id: Mapped[int] = mapped_column(ForeignKey("stix_object.id"))
    """The version of the incident that it is about."""
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"))
    """What that version was submitted with."""
    created_at: Mapped[datetime] = mapped_column(Instant)


class Delivery(Base):
    """One alert to one subscription."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("alert_id", "subscription_id"),
        Index("ix_delivery_organization_id_id", "organization_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(36), unique=True)
    """Also the stable message id (`msg_...` on webhooks): uuid5 of alert and subscription, the same at every attempt."""
    alert_id: Mapped[int] = mapped_column(ForeignKey("alert.id"))
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    state: Mapped[str] = mapped_column(String(20))
    """waiting, delivered, given-up, or withheld (the policy tightened before it was sent)."""
    attempts: Mapped[int] = mapped_column(default=0)
    last_answer: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    tried_since: Mapped[datetime] = mapped_column(Instant)
    """When the time in which it is tried began; a replay begins it anew."""
    next_attempt_at: Mapped[datetime | None] = mapped_column(Instant)
    delivered_at: Mapped[datetime | None] = mapped_column(Instant)
    alert: Mapped[Alert] = relationship()
    subscription: Mapped[Subscription] = relationship()
