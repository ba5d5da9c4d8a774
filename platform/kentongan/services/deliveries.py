"""The proof of what was told, and the wish to be told once more.

What the sharing policy withheld was never told: it is not listed, so that nobody learns that there was something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, and_, func, or_, select, true
from sqlalchemy.orm import Session

from kentongan.domain.alert import AlertKind, message_id
from kentongan.domain.audit import Act
from kentongan.domain.identity import Identity
from kentongan.services.errors import NotFound, Refused
from kentongan.services.paging import Page, Position, cut, read_cursor
from kentongan.services.reading_trail import NOTED_FROM
from kentongan.services.recall import DELIVERED, GIVEN_UP, WAITING, WITHHELD
from kentongan.storage import jobs
from kentongan.storage.alerts import Alert, Delivery, Subscription
from kentongan.storage.audit import note, note_read
from kentongan.storage.incidents import Incident
from kentongan.storage.jobs import Stage
from kentongan.storage.visibility import AudienceRow, visible

STATES: Final = (WAITING, DELIVERED, GIVEN_UP)

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """One alert to one subscription, and what became of it.

    `state` is waiting, delivered or given-up. `incident_id` and `title` are None when the reader may no longer see the incident
    that it was told of, or it was erased. `last_answer` is what the other side said last, as sent: escape it before it is shown.
    """

    id: str
    message_id: str
    kind: AlertKind
    incident_id: str | None
    title: str | None
    subscription_id: str
    subscription_name: str
    channel: str
    target: str
    state: str
    attempts: int
    last_answer: str | None
    created_at: datetime
    next_attempt_at: datetime | None
    delivered_at: datetime | None


class Deliveries:
    """What an organization may ask about what it was told."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def page(
        self,
        reader: Identity,
        *,
        limit: int = 50,
        cursor: str | None = None,
        state: str | None = None,
        subscription: str | None = None,
    ) -> Page[DeliveryView]:
        """The newest first; only those in `state`, and of the subscription of this id, where asked. Raises WrongCursor."""
        asked = {"list": "deliveries", "state": state, "subscription": subscription}
        query = _own(self._session, reader).where(
            true() if state is None else Delivery.state == state,
            true() if subscription is None else Subscription.public_id == subscription,
            self._behind(reader, read_cursor(cursor, asked)),
        )
        rows = self._session.execute(query.order_by(Delivery.id.desc()).limit(limit + 1)).all()
        self._note_read(reader, rows[:limit])
        return cut(rows, limit, _position, asked, _view)

    def delivery(self, reader: Identity, public_id: str) -> DeliveryView:
        """One of them. Raises NotFound."""
        row = self._one(reader, public_id)
        self._note_read(reader, [row])
        return _view(row)

    def waiting(self, reader: Identity) -> int:
        """How many are still to be delivered."""
        waiting = _own(self._session, reader).where(Delivery.state == WAITING)
        return self._session.scalar(waiting.with_only_columns(func.count(Delivery.id))) or 0

    def replay(self, reader: Identity, public_id: str) -> DeliveryView:
        """Send it again from now on, under the same message id, whatever became of it before.

        Raises NotFound; Refused when it cannot be sent any more.
        """
        row = self._one(reader, public_id)
        if not row.Subscription.active:
            raise Refused("the subscription has ended: nothing more is sent to it")
        if not row.seen and row.kind != AlertKind.RECALL:
            raise Refused("this alert can no longer be sent")
        delivery, now = row.Delivery, self._clock()
        delivery.state, delivery.attempts = WAITING, 0
        delivery.tried_since = delivery.next_attempt_at = now
        delivery.delivered_at = None
        self._session.flush()
        jobs.add(self._session, Stage.DELIVER, [delivery.id], now)
        subject = f"delivery {public_id}"
        note(self._session, reader, Act.CHANGED, subject, about_id=reader.organization_id, replayed=True)
        return _view(row)

    def _one(self, reader: Identity, public_id: str) -> Row[Any]:
        row = self._session.execute(_own(self._session, reader).where(Delivery.public_id == public_id)).one_or_none()
        if row is None:
            raise NotFound("there is no such delivery")
        return row

    def _note_read(self, reader: Identity, shown: Iterable[Row[Any]]) -> None:
        """A delivery is shown with its incident's title, to whom may see that."""
        for row in shown:
            if row.seen and row.level >= NOTED_FROM:
                note_read(self._session, reader, row.owner_id, f"incident {row.incident_id}")

    def _behind(self, reader: Identity, start: Position | None) -> Any:  # a clause of any kind
        if start is None:
            return true()
        key = self._session.scalar(
            select(Delivery.id).where(
                Delivery.public_id == start.id, Delivery.organization_id == reader.organization_id
            )
        )
        return Delivery.id < key if key is not None else Delivery.created_at <= start.at


def _own(session: Session, reader: Identity) -> Select[*tuple[Any, ...]]:
    seen = Incident.id.is_not(None)
    return (
        select(
            Delivery,
            Subscription,
            Alert.kind,
            Incident.public_id.label("incident_id"),
            Incident.title,
            Incident.organization_id.label("owner_id"),
            AudienceRow.level,
            seen.label("seen"),
        )
        .join(Alert, Alert.id == Delivery.alert_id)
        .outerjoin(Incident, and_(Incident.id == Alert.incident_id, visible(session, Incident.audience_id, reader)))
        .outerjoin(AudienceRow, AudienceRow.id == Incident.audience_id)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .where(
            Delivery.organization_id == reader.organization_id,
            Delivery.state != WITHHELD,
            or_(Delivery.state == DELIVERED, seen, Alert.kind == AlertKind.RECALL.value),
        )
    )


def _position(row: Row[Any]) -> Position:
    return Position(row.Delivery.created_at, row.Delivery.public_id)


def _view(row: Row[Any]) -> DeliveryView:
    delivery: Delivery = row.Delivery
    return DeliveryView(
        id=delivery.public_id,
        message_id=message_id(delivery.public_id),
        kind=AlertKind(row.kind),
        incident_id=row.incident_id,
        title=row.title,
        subscription_id=row.Subscription.public_id,
        subscription_name=row.Subscription.name,
        channel=row.Subscription.channel,
        target=row.Subscription.target,
        state=delivery.state,
        attempts=delivery.attempts,
        last_answer=delivery.last_answer,
        created_at=delivery.created_at,
        next_attempt_at=delivery.next_attempt_at,
        delivered_at=delivery.delivered_at,
    )
