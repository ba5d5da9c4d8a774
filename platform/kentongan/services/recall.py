"""Recall: who was told of what is erased is told so, and of the telling only the proof is left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session, aliased

from kentongan.domain.alert import AlertKind, RecallContent, message_id, proof_of, recall_key
from kentongan.storage import jobs
from kentongan.storage.alerts import Alert, Delivery, Subscription, add_deliveries, alert_ids
from kentongan.storage.base import in_parts, new_public_id
from kentongan.storage.jobs import Stage
from kentongan.storage.organizations import Organization
from kentongan.storage.tombstones import Tombstone

WAITING = "waiting"
DELIVERED = "delivered"
GIVEN_UP = "given-up"
WITHHELD = "withheld"
_NOT_SENT = "not sent: the incident was erased"


def take_back(
    session: Session, stone: Tombstone, alerts: Mapping[int, str], now: datetime
) -> tuple[set[int], set[int]]:
    """Nothing of these alerts (by id, with the public id of their incident) is sent any more, and nothing they told stays here.

    Who was sent one is promised a recall, if the tombstone asks for it. Gives the deliveries that no longer wait, and the
    subscriptions that are told. Organizations that read an incident without having been sent it are not told: who read what
    stands in the audit trail alone. Whoever takes it from there adds them here.
    """
    for alert_id, incident_id in alerts.items():
        gone = {"incident_id": None, "object_id": None, "submission_id": None, "key": f"erased:{alert_id}"}
        kept = {"tombstone_id": stone.id, "erased_incident": incident_id}
        session.execute(update(Alert).where(Alert.id == alert_id).values(gone | kept))
    withheld: set[int] = set()
    told: dict[str, set[int]] = defaultdict(set)
    for delivery in _of(session, sorted(alerts)):
        if delivery.state == WAITING:
            delivery.state, delivery.last_answer, delivery.next_attempt_at = WITHHELD, _NOT_SENT, None
            withheld.add(delivery.id)
        elif delivery.state == DELIVERED:
            told[alerts[delivery.alert_id]].add(delivery.subscription_id)
        delivery.last_answer = proof_of(delivery.last_answer)
    session.flush()
    if stone.recalls:
        for incident_id, subscription_ids in sorted(told.items()):
            _promise(session, stone, incident_id, subscription_ids, now)
    return withheld, {one for some in told.values() for one in some} if stone.recalls else set()


def arrived_too_late(session: Session, delivery: Delivery, now: datetime) -> None:
    """A message arrived that was on its way while its incident was erased: its recipient is told of that too."""
    alert = delivery.alert
    delivery.last_answer = proof_of(delivery.last_answer)
    if alert.tombstone is not None and alert.tombstone.recalls and alert.erased_incident is not None:
        _promise(session, alert.tombstone, alert.erased_incident, [delivery.subscription_id], now)


def _of(session: Session, alert_ids_: Sequence[int]) -> list[Delivery]:
    """Locked: an answer that comes meanwhile waits, and then finds the alert erased."""
    return [
        delivery
        for some in in_parts(alert_ids_)
        for delivery in session.scalars(
            select(Delivery)
            .where(Delivery.alert_id.in_(some))
            .order_by(Delivery.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    ]


def _promise(
    session: Session, stone: Tombstone, incident_id: str, subscription_ids: Collection[int], now: datetime
) -> None:
    key = recall_key(stone.id, incident_id)
    about = {"tombstone_id": stone.id, "erased_incident": incident_id}
    number = alert_ids(session, [{"key": key, "kind": AlertKind.RECALL.value, "created_at": now, **about}])[key]
    subscriptions = session.scalars(
        select(Subscription).where(Subscription.id.in_(subscription_ids)).order_by(Subscription.id)
    )
    rows = [
        {
            "public_id": new_public_id(),
            "alert_id": number,
            "subscription_id": one.id,
            "organization_id": one.organization_id,
            "state": WAITING,
            "attempts": 0,
            "created_at": now,
            "tried_since": now,
            "next_attempt_at": now,
        }
        for one in subscriptions
    ]
    jobs.add(session, Stage.DELIVER, add_deliveries(session, rows), now)


_Recall = aliased(Alert, name="recall")
_Message = aliased(Delivery, name="message")
_Recalling = aliased(Delivery, name="recalling")


def recalls(session: Session, delivery_ids: Collection[int]) -> dict[int, RecallContent]:
    """What these deliveries of recalls say: the messages that their own subscription was sent of that incident."""
    messages: dict[int, list[str]] = defaultdict(list)
    about: dict[int, tuple[datetime, str, str]] = {}
    rows = session.execute(
        select(
            _Recalling.id,
            _Recall.created_at,
            _Recall.erased_incident,
            Organization.name,
            _Message.public_id,
        )
        .join(_Recall, _Recall.id == _Recalling.alert_id)
        .join(Tombstone, Tombstone.id == _Recall.tombstone_id)
        .join(Organization, Organization.id == Tombstone.organization_id)
        .join(
            Alert,
            (Alert.tombstone_id == _Recall.tombstone_id)
            & (Alert.erased_incident == _Recall.erased_incident)
            & (Alert.kind != AlertKind.RECALL.value),
        )
        .join(_Message, (_Message.alert_id == Alert.id) & (_Message.subscription_id == _Recalling.subscription_id))
        .where(_Recalling.id.in_(delivery_ids), _Message.state == DELIVERED)
        .order_by(_Message.id)
    )
    for number, created_at, incident_id, organization, told in rows:
        about[number] = (created_at, str(incident_id), organization)
        messages[number].append(message_id(told))
    return {number: RecallContent(*about[number], tuple(messages[number])) for number in about}
