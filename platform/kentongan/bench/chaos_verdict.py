"""Looks at everything an installation holds after it was killed again and again, and says what is not as it must be."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kentongan.bench.chaos_events import Event
from kentongan.domain.alert import message_id
from kentongan.storage.alerts import Alert, Delivery
from kentongan.storage.cases import DUPLICATE_OF, Link
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from kentongan.storage.submissions import Submission
from kentongan.trial.receivers import Arrival


def faults(database: Database, accepted: Sequence[Event], arrivals: Sequence[Arrival]) -> list[str]:
    """Everything that was lost, happened twice or is not what it should be; empty when all is well."""
    with database.reading() as session:
        incidents = _incidents(session)
        return [
            *_kept_once(session, accepted, incidents),
            *_joined(session, accepted, incidents),
            *_told_once(session, incidents),
            *_arrived(session, arrivals),
        ]


def _incidents(session: Session) -> dict[str, Incident]:
    return {incident.stix_id: incident for incident in session.scalars(select(Incident))}


def _kept_once(session: Session, accepted: Sequence[Event], incidents: dict[str, Incident]) -> Iterator[str]:
    """A retry after a lost answer is the same submission; what was sent and never answered may or may not be there."""
    for event in accepted:
        if event.incident_id not in incidents:
            yield f"event {event.number} by {event.reporter} was accepted and is lost"
    stored = session.scalar(select(func.count()).select_from(Submission)) or 0
    rows = session.scalar(select(func.count()).select_from(Incident)) or 0
    if not len(accepted) <= rows == len(incidents) == stored:
        yield f"{len(accepted)} accepted, but {stored} submissions and {rows} incidents stored"


def _joined(session: Session, accepted: Sequence[Event], incidents: dict[str, Incident]) -> Iterator[str]:
    """Each incident has a case; both reports of an event have the same one, and a link that says why."""
    by_event: dict[int, list[Incident]] = defaultdict(list)
    for event in accepted:
        if found := incidents.get(event.incident_id):
            by_event[event.number].append(found)
    links = {(link.left_id, link.right_id) for link in session.scalars(select(Link).filter_by(kind=DUPLICATE_OF))}
    for number, reports in by_event.items():
        if any(report.case_id is None for report in reports):
            yield f"event {number} has no case"
        elif len(reports) == 2:
            one, other = sorted(report.id for report in reports)
            if len({report.case_id for report in reports}) != 1 or (one, other) not in links:
                yield f"the two reports of event {number} were not found to be one"


def _told_once(session: Session, incidents: dict[str, Incident]) -> Iterator[str]:
    """One alert for each incident that opened a case or joined one, one delivery for each alert, and all delivered."""
    alerts = Counter(session.scalars(select(Alert.incident_id).where(Alert.kind.in_(["new-case", "new-report"]))))
    for incident in incidents.values():
        if alerts[incident.id] != 1:
            yield f"incident {incident.id} was told {alerts[incident.id]} times as new"
    deliveries = list(session.scalars(select(Delivery)))
    for alert_id, count in Counter(delivery.alert_id for delivery in deliveries).items():
        if count != 1:
            yield f"alert {alert_id} has {count} deliveries"
    for delivery in deliveries:
        if delivery.state != "delivered":
            yield f"delivery {delivery.id} is {delivery.state}: {delivery.last_answer}"
    for alert_id in session.scalars(select(Alert.id).where(~select(Delivery.id).filter_by(alert_id=Alert.id).exists())):
        yield f"alert {alert_id} has no delivery"


def _arrived(session: Session, arrivals: Sequence[Arrival]) -> Iterator[str]:
    """Each delivery has arrived, believed by its receiver. A repeat carries the same id and is about the same thing; which case
    and campaign that belongs to is told as it is at each sending."""
    wanted = {message_id(public_id) for public_id in session.scalars(select(Delivery.public_id))}
    said: dict[str, tuple[object, ...]] = {}
    for arrival in arrivals:
        if arrival.fault:
            yield f"a message was not believed: {arrival.fault}"
            continue
        about = tuple(arrival.content.get(part) for part in ("kind", "timestamp", "incident", "tlp"))
        if said.setdefault(arrival.message_id, about) != about:
            yield f"message {arrival.message_id} was about something else when it was repeated"
    if missing := wanted - said.keys():
        yield f"{len(missing)} of {len(wanted)} deliveries never arrived"
    if unknown := said.keys() - wanted:
        yield f"{len(unknown)} messages arrived that no delivery knows"
