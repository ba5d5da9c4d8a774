"""The list of what was told, and telling it once more."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from alert_stories import amended, at, match, reported, subscribed
from kentongan.domain.alert import Receipt
from kentongan.domain.identity import Identity
from kentongan.domain.marking import Level
from kentongan.services.deliver import Deliver
from kentongan.services.deliveries import Deliveries
from kentongan.services.errors import NotFound, Refused
from kentongan.storage.alerts import Delivery, Subscription
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from kentongan.storage.jobs import JobRow
from stories import organization


def service(session: Session, **elapsed: float) -> Deliveries:
    return Deliveries(session, lambda: at(**elapsed))


def deliver(**elapsed: float) -> Deliver:
    return Deliver(lambda: at(**elapsed), {}, "https://kentongan.example", chance=lambda: 1.0)


def told(session: Session, count: int = 1) -> tuple[Identity, list[Incident]]:
    """A member who is told of so many incidents of another."""
    listener = organization(session, "SingCERT")
    subscribed(session, listener)
    reporter = organization(session, "ID-CERT")
    rows = [reported(session, reporter, title=f"Incident {number}") for number in range(count)]
    match(session, *rows)
    return listener.identity(), rows


def test_pages_hold_every_delivery_once_newest_first(database: Database) -> None:
    with database.writing() as session:
        me, _ = told(session, 7)
        titles, cursor = [], None

        for _ in range(3):
            page = service(session).page(me, limit=3, cursor=cursor)
            titles += [one.title for one in page.items]
            cursor = page.next

        assert sorted(titles) == [f"Incident {number}" for number in range(7)]
        assert cursor is None
        assert service(session).waiting(me) == 7
        assert service(session).page(me, state="delivered").items == ()


def test_another_organizations_delivery_is_unknown(database: Database) -> None:
    with database.writing() as session:
        told(session)
        other = organization(session, "MyCERT").identity()
        number = session.scalars(select(Delivery.public_id)).one()

        assert service(session).page(other).items == ()
        for wish in (service(session).delivery, service(session).replay):
            with pytest.raises(NotFound):
                wish(other, number)


def test_what_was_never_told_is_not_listed_once_it_is_hidden(database: Database) -> None:
    with database.writing() as session:
        me, (sent, unsent) = told(session, 2)
        first, second = session.scalars(select(Delivery).order_by(Delivery.id))
        deliver().record(session, first.id, Receipt(True, "HTTP 204"))
        for row in (sent, unsent):
            amended(session, row, Level.RED, at(hours=1))

        before_the_attempt = service(session).page(me).items
        assert deliver(hours=1).plan(session, [second.id]) == []
        after_it = service(session).page(me).items

        assert second.state == "withheld"
        assert before_the_attempt == after_it
        (proof,) = after_it
        assert (proof.id, proof.incident_id, proof.title) == (first.public_id, None, None)
        with pytest.raises(NotFound):
            service(session).delivery(me, second.public_id)
        with pytest.raises(NotFound):
            service(session).replay(me, second.public_id)
        with pytest.raises(Refused):
            service(session).replay(me, first.public_id)


def test_a_replay_begins_anew_under_the_same_message_id(database: Database) -> None:
    with database.writing() as session:
        me, _ = told(session)
        delivery = session.scalars(select(Delivery)).one()
        deliver(hours=30).record(session, delivery.id, Receipt(False, "HTTP 503"))
        before = service(session).delivery(me, delivery.public_id)
        for job in session.scalars(select(JobRow)):
            session.delete(job)

        after = service(session, hours=40).replay(me, delivery.public_id)

        assert (before.state, after.state, after.attempts) == ("given-up", "waiting", 0)
        (message,) = deliver(hours=40).plan(session, [delivery.id])
        assert message.message_id == before.message_id == after.message_id
        (job,) = session.scalars(select(JobRow))
        assert (job.subject_id, job.available_at) == (delivery.id, at(hours=40))
        deliver(hours=41).record(session, delivery.id, Receipt(False, "HTTP 503"))
        assert delivery.state == "waiting"


def test_nothing_is_replayed_to_an_ended_subscription(database: Database) -> None:
    with database.writing() as session:
        me, _ = told(session)
        session.scalars(select(Subscription)).one().active = False

        with pytest.raises(Refused):
            service(session).replay(me, session.scalars(select(Delivery.public_id)).one())
