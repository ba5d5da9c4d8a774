"""Who wants to hear what, what there was to tell, and the proof of what became of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Row, Select, String, Text, UniqueConstraint, exists, select, text, type_coerce
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from kentongan.storage.base import Base, BigId, Instant, Json, new_public_id
from kentongan.storage.organizations import Organization
from kentongan.storage.tombstones import Tombstone
from kentongan.storage.visibility import AudienceRow, belongs

_TELL_ORDER = 0x74656C6C << 32  # "tell": the advisory locks under which it is decided what to tell of an incident
_AT_ONCE = 5_000


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
    """kind:incident id:object id: every alert is about one version of one incident. Of what was erased: erased:alert id."""
    kind: Mapped[str] = mapped_column(String(20))
    """new-case, new-report, campaign-grew, update, recall."""
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True, nullable=True)
    object_id: Mapped[int] = mapped_column(ForeignKey("stix_object.id"), index=True, nullable=True)
    """The version of the incident that it is about."""
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"), index=True, nullable=True)
    """What that version was submitted with. These three are NULL of what was erased and of a recall; whoever tells of an incident
    has joined it, and finds them."""
    tombstone_id: Mapped[int | None] = mapped_column(ForeignKey("tombstone.id"), index=True)
    """With what it was erased, or what it recalls."""
    erased_incident: Mapped[str | None] = mapped_column(String(36))
    """The public id of the incident that it was about, or that it recalls."""
    created_at: Mapped[datetime] = mapped_column(Instant)
    tombstone: Mapped[Tombstone | None] = relationship()


class Delivery(Base):
    """One alert to one subscription."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("alert_id", "subscription_id"),
        Index("ix_delivery_organization_id_id", "organization_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(36), unique=True)
    """Also the stable message id (`msg_...` on webhooks) and the id of the alert's bundle. It is random, so that nobody who tries
    ids out learns how many there are."""
    alert_id: Mapped[int] = mapped_column(ForeignKey("alert.id"))
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    state: Mapped[str] = mapped_column(String(20))
    """waiting, delivered, given-up, or withheld (the policy tightened, or the incident was erased, before it was sent)."""
    attempts: Mapped[int] = mapped_column(default=0)
    last_answer: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    tried_since: Mapped[datetime] = mapped_column(Instant)
    """When the time in which it is tried began; a replay begins it anew."""
    next_attempt_at: Mapped[datetime | None] = mapped_column(Instant)
    delivered_at: Mapped[datetime | None] = mapped_column(Instant)
    alert: Mapped[Alert] = relationship()
    subscription: Mapped[Subscription] = relationship()


def tell_in_order(session: Session, incident_ids: Collection[int]) -> None:
    """Until this transaction ends nobody else decides what to tell of these incidents: so nothing is told twice.

    The locks are taken in one order, so that two workers with overlapping batches never wait for each other in a circle.
    SQLite's write lock does the same.
    """
    if session.get_bind().dialect.name == "postgresql":
        keys = [_TELL_ORDER + number for number in sorted(set(incident_ids))]
        session.execute(
            text(
                "SELECT pg_advisory_xact_lock(k) FROM (SELECT unnest(:keys ::bigint[]) AS k ORDER BY 1 OFFSET 0) AS keys"
            ),
            {"keys": keys},
        )


@dataclass(frozen=True, slots=True)
class Listener:
    """An active subscription with what decides about its reader. `filter` is the stored text: equal filters, equal texts."""

    id: int
    public_id: str
    organization_id: int
    organization_kind: str
    filter: str


def listeners(session: Session, audience_ids: Collection[int]) -> list[Listener]:
    """Every active subscription of an organization that has not left and belongs to at least one of these audiences, in one
    query."""
    reached = exists().where(AudienceRow.id.in_(audience_ids), belongs()).correlate(Organization)
    rows = session.execute(
        select(
            Subscription.id,
            Subscription.public_id,
            Subscription.organization_id,
            Organization.kind,
            type_coerce(Subscription.filter, Text),
        )
        .join(Organization, Organization.id == Subscription.organization_id)
        .where(Subscription.active, Organization.ended_at.is_(None), reached)
        .order_by(Subscription.id)
    )
    return [Listener(*row) for row in rows]


def told(incident_ids: Collection[int]) -> Select[int, str, int, datetime, int]:
    """What was told of these incidents, to whom: rows of incident_id, kind, object_id, created_at, subscription_id."""
    return (
        select(Alert.incident_id, Alert.kind, Alert.object_id, Alert.created_at, Delivery.subscription_id)
        .join(Delivery, Delivery.alert_id == Alert.id)
        .where(Alert.incident_id.in_(incident_ids))
    )


def alert_ids(session: Session, rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """The ids of these alerts by their keys; those that are not there yet are made."""
    _insert_once(session, Alert, rows)
    keys = [row["key"] for row in rows]
    found: dict[str, int] = {}
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        found.update(
            (row[0], row[1]) for row in session.execute(select(Alert.key, Alert.id).where(Alert.key.in_(some)))
        )
    return found


def add_deliveries(session: Session, rows: Sequence[dict[str, Any]]) -> list[int]:
    """The ids of those of these deliveries that were not there yet, and now are."""
    return [row[0] for row in _insert_once(session, Delivery, rows)]


def _insert_once(
    session: Session, table: type[Alert] | type[Delivery], rows: Sequence[dict[str, Any]]
) -> Sequence[Row[Any]]:
    if not rows:
        return ()
    insert: Any = postgresql_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
    return session.execute(insert(table).on_conflict_do_nothing().returning(table.id), rows).all()
