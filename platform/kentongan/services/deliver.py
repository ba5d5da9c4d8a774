"""The stage `deliver`: what is sent, where it goes, and what became of it.

`plan` and `record` run in transactions of the worker, `send` outside of any. A delivery has one job at a time: `plan` lets
the job go when there is nothing to send (any more), `record` promises the next one, at `next_attempt_at`, in the same
transaction that keeps the answer. A job that comes before that moment is an older one and does nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from kentongan.domain.alert import AlertContent, AlertKind, Channel, Outgoing, RecallContent, Receipt, message_id
from kentongan.domain.alert_text import recall_subject, recall_text, subject, text
from kentongan.domain.audit import Act
from kentongan.domain.identity import PLATFORM
from kentongan.domain.policy import Policy
from kentongan.services.alert_content import AlertContents
from kentongan.services.recall import DELIVERED, GIVEN_UP, WAITING, WITHHELD, arrived_too_late, recalls
from kentongan.settings import Settings
from kentongan.storage import jobs
from kentongan.storage.alerts import Alert, Delivery, Subscription
from kentongan.storage.audit import note
from kentongan.storage.incidents import Incident
from kentongan.storage.jobs import Stage
from kentongan.storage.visibility import policy

LONGEST_ANSWER = 500

Clock = Callable[[], datetime]
Chance = Callable[[], float]
"""A number from 0 to below 1."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How long and how often a delivery is tried."""

    base: timedelta = timedelta(seconds=30)
    cap: timedelta = timedelta(hours=1)
    give_up_after: timedelta = timedelta(days=1)

    @classmethod
    def of(cls, settings: Settings) -> Retries:
        """As the operator set it."""
        return cls(
            timedelta(seconds=settings.retry_base_seconds),
            timedelta(seconds=settings.retry_cap_seconds),
            timedelta(days=settings.delivery_days),
        )

    def pause(self, attempts: int, chance: float) -> timedelta:
        """How long to wait after so many attempts: a random part (`chance`, 0 to 1) of 30 s, 1 min, 2 min, ... 1 h.

        The whole pause is random ("full jitter", M. Brooker, AWS Architecture Blog, 2015), so that the receivers that failed
        together are not asked together again.
        """
        doubled: timedelta = self.base * 2 ** min(attempts - 1, 30)
        return min(self.cap, doubled) * chance


class Deliver:
    """Sends alerts and keeps the proof of what became of them."""

    def __init__(
        self,
        clock: Clock,
        channels: Mapping[str, Channel],
        public_url: str,
        retries: Retries | None = None,
        chance: Chance = random.random,
    ) -> None:
        self._clock = clock
        self._channels = channels
        self._public_url = public_url
        self._retries = retries or Retries()
        self._chance = chance

    def plan(self, session: Session, delivery_ids: Sequence[int]) -> list[Outgoing]:
        """The messages to send now, as each recipient may see them now; what is not to be sent is settled and not among them."""
        now = self._clock()
        due = _due(session, delivery_ids, now)
        if not due:
            return []
        rules = policy(session)
        about = [(delivery, incident) for delivery, incident in due if incident is not None]
        contents = AlertContents(
            session, [(delivery.alert, incident) for delivery, incident in about], rules.audiences, self._public_url
        )
        recalled = recalls(session, [delivery.id for delivery, _ in due if delivery.alert.kind == AlertKind.RECALL])
        told: dict[int, AlertContent | RecallContent | None] = {
            **{delivery.id: _as_seen(contents, delivery, incident, rules) for delivery, incident in about},
            **recalled,
        }
        messages = [_message(delivery, told.get(delivery.id)) for delivery, _ in due]
        for (delivery, _), message in zip(due, messages, strict=True):
            if message is None:
                _note_settled(session, delivery, Act.WITHHELD if delivery.state == WITHHELD else Act.GIVEN_UP)
        return [message for message in messages if message is not None]

    def send(self, message: Outgoing) -> Receipt:
        """Try once. Whatever happens is a receipt: one bad message must not hold up the others."""
        try:
            return self._channels[message.channel].send(message)
        except Exception as error:  # a fault of ours in a channel; the delivery says so and is tried again
            return Receipt(False, f"not sent: {type(error).__name__}")

    def record(self, session: Session, delivery_id: int, receipt: Receipt) -> None:
        """Keep what became of an attempt, and promise the next one if there is to be one."""
        now = self._clock()
        delivery = session.get_one(Delivery, delivery_id, with_for_update=True)
        delivery.attempts += 1
        if receipt.ok:
            _settle(delivery, DELIVERED, receipt.answer)
            delivery.delivered_at = now
            _note_settled(session, delivery, Act.DELIVERED)
            if delivery.alert.tombstone_id is not None and delivery.alert.kind != AlertKind.RECALL:
                arrived_too_late(session, delivery, now)
        elif delivery.state == WAITING:
            self._failed(session, delivery, receipt, now)

    def _failed(self, session: Session, delivery: Delivery, receipt: Receipt, now: datetime) -> None:
        at = now + self._retries.pause(delivery.attempts, self._chance())
        if receipt.permanent or at > delivery.tried_since + self._retries.give_up_after:
            _settle(delivery, GIVEN_UP, receipt.answer)
            _note_settled(session, delivery, Act.GIVEN_UP)
            return
        delivery.last_answer = receipt.answer[:LONGEST_ANSWER]
        delivery.next_attempt_at = at
        jobs.add(session, Stage.DELIVER, [delivery.id], now, at)


def _as_seen(contents: AlertContents, delivery: Delivery, incident: Incident, rules: Policy) -> AlertContent | None:
    return contents.content(delivery.alert, incident, rules.visible_to(delivery.subscription.organization.identity()))


def _message(delivery: Delivery, content: AlertContent | RecallContent | None) -> Outgoing | None:
    """None: there is nothing to send, and the delivery says why."""
    subscription = delivery.subscription
    if not subscription.active:
        _settle(delivery, GIVEN_UP, "not sent: the subscription has ended")
        return None
    if subscription.organization.ended_at is not None and not isinstance(content, RecallContent):
        _settle(delivery, WITHHELD, "not sent: the organization has left")
        return None
    if content is None:
        _settle(delivery, WITHHELD, "not sent: the sharing policy no longer allows it, or it was erased")
        return None
    return Outgoing(
        delivery_id=delivery.id,
        message_id=message_id(delivery.public_id),
        channel=subscription.channel,
        target=subscription.target,
        secret=subscription.secret,
        subject=recall_subject(content) if isinstance(content, RecallContent) else subject(content),
        text=recall_text(content) if isinstance(content, RecallContent) else text(content),
        payload=content.as_json(delivery.public_id),
    )


def _due(session: Session, delivery_ids: Sequence[int], now: datetime) -> list[tuple[Delivery, Incident | None]]:
    rows = session.execute(
        select(Delivery, Incident)
        .join(Alert, Alert.id == Delivery.alert_id)
        .outerjoin(Incident, Incident.id == Alert.incident_id)
        .where(Delivery.id.in_(delivery_ids), Delivery.state == WAITING, Delivery.next_attempt_at <= now)
        .options(
            joinedload(Delivery.alert),
            joinedload(Delivery.subscription).joinedload(Subscription.organization),
        )
        .order_by(Delivery.id)
    )
    return [(row[0], row[1]) for row in rows]


def _note_settled(session: Session, delivery: Delivery, act: Act) -> None:
    """The incident's organization may read who was told, and who was not, also when it was erased meanwhile."""
    alert, subscription = delivery.alert, delivery.subscription
    if alert.tombstone is not None:
        about_id, incident_id = alert.tombstone.organization_id, alert.erased_incident
    else:
        incident = session.get_one(Incident, alert.incident_id)
        about_id, incident_id = incident.organization_id, incident.public_id
    told = {
        "incident": incident_id,
        "kind": alert.kind,
        "to": subscription.organization.name,
        "channel": subscription.channel,
    }
    note(session, PLATFORM, act, f"delivery {delivery.public_id}", about_id=about_id, **told)


def _settle(delivery: Delivery, state: str, answer: str) -> None:
    delivery.state = state
    delivery.last_answer = answer[:LONGEST_ANSWER]
    delivery.next_attempt_at = None
