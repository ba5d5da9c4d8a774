"""What tests of alerts tell their stories with: incidents as the earlier stages leave them, and who listens."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from kentongan.domain.alert import AlertKind
from kentongan.domain.incident import IncidentFacts, Observable
from kentongan.domain.marking import Level
from kentongan.domain.policy import Audience
from kentongan.services import facts_codec
from kentongan.services.match import Match
from kentongan.storage.alerts import Alert, Delivery, Subscription
from kentongan.storage.cases import DUPLICATE_OF, RELATED_TO, Campaign, Case, Link
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from kentongan.storage.objects import ObjectCarrier, StixObject
from kentongan.storage.observables import Posting, StoredObservable
from kentongan.storage.organizations import Organization
from kentongan.storage.submissions import Submission
from kentongan.storage.visibility import audience_id
from stories import NOON, Stix, bundle, incident, newer


def at(**elapsed: float) -> datetime:
    """So long after NOON."""
    return NOON + timedelta(**elapsed)


def subscribed(
    session: Session, organization: Organization, wants: dict[str, Any] | None = None, **more: Any
) -> Subscription:
    """An active webhook subscription of this organization, stored."""
    own: dict[str, Any] = {
        "name": "alerts",
        "channel": "webhook",
        "target": "https://hooks.cert.example/in",
        "secret": "whsec_" + "QUJD" * 8,
    }
    made = Subscription(
        organization_id=organization.id, filter=wants or {}, active=True, created_at=NOON, **{**own, **more}
    )
    session.add(made)
    session.flush()
    return made


def opened_case(session: Session, campaign: Campaign | None = None) -> Case:
    """A case without incidents."""
    case = Case(opened_at=NOON, campaign_id=campaign.id if campaign else None)
    session.add(case)
    session.flush()
    return case


def opened_campaign(session: Session) -> Campaign:
    """A campaign without cases."""
    campaign = Campaign(opened_at=NOON)
    session.add(campaign)
    session.flush()
    return campaign


def reported(
    session: Session,
    reporter: Organization,
    level: Level = Level.GREEN,
    *,
    case: Case | None = None,
    received: datetime = NOON,
    stix: Stix | None = None,
    others: Sequence[tuple[Stix, Level]] = (),
    **facts: Any,
) -> Incident:
    """An incident as `index` and the stages after it leave it, with other objects of the same submission."""
    stix = stix or incident(facts.get("title", "Web shell on a ministry's server"))
    told = IncidentFacts(
        **{
            "stix_id": stix["id"],
            "title": stix["name"],
            "object_ids": tuple(other["id"] for other, _ in others),
            **facts,
        }
    )
    object_ids, submission = stored(session, reporter, [(stix, level), *others], received)
    row = Incident(
        stix_id=stix["id"],
        organization_id=reporter.id,
        audience_id=audience(session, reporter, level),
        object_id=object_ids[0],
        submission_id=submission.id,
        received_at=received,
        amended_at=received,
        title=told.title,
        rsit_class=told.rsit_class,
        rsit_type=told.rsit_type,
        severity=told.severity,
        facts=facts_codec.written(told),
        case_id=(case or opened_case(session)).id,
    )
    session.add(row)
    session.flush()
    return row


def amended(session: Session, row: Incident, level: Level, received: datetime, **changes: Any) -> None:
    """A newer version of the incident, by the same organization."""
    reporter = session.get_one(Organization, row.organization_id)
    before = orjson.loads(session.get_one(StixObject, row.object_id).body)
    (object_id,), submission = stored(session, reporter, [(newer(before, **changes), level)], received)
    row.object_id, row.submission_id = object_id, submission.id
    row.audience_id, row.amended_at = audience(session, reporter, level), received
    row.title = changes.get("name", row.title)
    row.facts = {**row.facts, "title": row.title}
    session.flush()


def stored(
    session: Session, reporter: Organization, objects: Sequence[tuple[Stix, Level]], received: datetime
) -> tuple[list[int], Submission]:
    """Objects with their levels, as `submit` stores them."""
    raw = orjson.dumps(bundle(*(obj for obj, _ in objects)))
    rows = []
    for obj, _ in objects:
        body = orjson.dumps(obj, option=orjson.OPT_SORT_KEYS)
        row = StixObject(
            stix_id=obj["id"],
            type=obj["type"],
            owner_id=reporter.id,
            modified=received,
            sha256=hashlib.sha256(body).digest(),
            body=body.decode(),
        )
        session.add(row)
        session.flush()
        rows.append(row)
    audiences = [audience(session, reporter, level) for _, level in objects]
    session.add_all(
        ObjectCarrier(object_id=row.id, audience_id=number) for row, number in zip(rows, audiences, strict=True)
    )
    submission = Submission(
        organization_id=reporter.id,
        received_at=received,
        sha256=hashlib.sha256(raw + uuid4().bytes).digest(),
        size=len(raw),
        content=raw,
        outcomes=[],
        carried=[[row.id, number] for row, number in zip(rows, audiences, strict=True)],
        accepted=len(rows),
        refused=0,
    )
    session.add(submission)
    session.flush()
    return [row.id for row in rows], submission


def audience(session: Session, owner: Organization, level: Level) -> int:
    """The policy class of what this organization marks so."""
    return audience_id(session, Audience(owner.id, level))


def carries(session: Session, row: Incident, level: Level, *seen: Observable) -> None:
    """The incident has these observables, from an object marked so."""
    reporter = session.get_one(Organization, row.organization_id)
    for observable in seen:
        digest = hashlib.sha256(repr(observable).encode()).digest()[:16]
        known = session.scalars(select(StoredObservable).where(StoredObservable.digest == digest)).one_or_none()
        if known is None:
            known = StoredObservable(digest=digest, kind=observable.kind, value=observable.value)
            session.add(known)
            session.flush()
        session.add(
            Posting(
                observable_id=known.id,
                organization_id=row.organization_id,
                incident_id=row.id,
                audience_id=audience(session, reporter, level),
                origin="sco",
            )
        )
    session.flush()


def tied(session: Session, left: Incident, right: Incident, found: datetime, *audiences: int, **more: Any) -> Link:
    """A related-to link with one item of evidence for these audiences."""
    evidence = {"rule": "shared-value", "words": "both name evil.example", "weight": 1.0, "audiences": list(audiences)}
    own = {"kind": RELATED_TO, "score": 0.9, "bits": 3.0, "evidence": [evidence], "found_at": found}
    first, second = sorted((left.id, right.id))
    link = Link(left_id=first, right_id=second, **{**own, **more})
    session.add(link)
    session.flush()
    return link


def one_event(session: Session, left: Incident, right: Incident) -> Link:
    """A duplicate-of link that is told to who sees both."""
    return tied(session, left, right, NOON, left.audience_id, right.audience_id, kind=DUPLICATE_OF)


def match(session: Session, *rows: Incident, now: datetime = NOON) -> None:
    """Run the stage for these incidents."""
    session.flush()
    Match(session, lambda: now).run([row.id for row in rows])


def told_to(session: Session, subscription: Subscription) -> list[tuple[str, int]]:
    """The kinds and incidents a subscription is to hear of, in the order in which they were planned."""
    rows = session.execute(
        select(Alert.kind, Alert.incident_id)
        .join(Delivery, Delivery.alert_id == Alert.id)
        .where(Delivery.subscription_id == subscription.id)
        .order_by(Delivery.id)
    )
    return [(AlertKind(kind).value, incident_id) for kind, incident_id in rows]


def deliveries(database: Database) -> list[Delivery]:
    """All of them."""
    with database.reading() as session:
        return list(session.scalars(select(Delivery).order_by(Delivery.id)))


def queries(session: Session, call: Callable[[], object]) -> int:
    """How many statements `call` sends to the database."""
    statements: list[str] = []

    def count(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    connection = session.connection()
    event.listen(connection, "before_cursor_execute", count)
    call()
    event.remove(connection, "before_cursor_execute", count)
    return len(statements)
