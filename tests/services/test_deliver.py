"""What is sent, as its recipient may see it at that moment, and what becomes of it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from alert_stories import (
    amended,
    at,
    audience,
    carries,
    match,
    opened_campaign,
    opened_case,
    queries,
    reported,
    subscribed,
    tied,
)
from kentongan.domain.alert import Outgoing, Receipt
from kentongan.domain.identity import OrganizationKind
from kentongan.domain.incident import Moment, Observable
from kentongan.domain.marking import Level
from kentongan.domain.naming import campaign_id
from kentongan.services.deliver import Deliver, Retries
from kentongan.storage.alerts import Delivery, Subscription
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from kentongan.storage.jobs import JobRow, Stage
from kentongan.storage.objects import ObjectCarrier
from stories import (
    NOON,
    Stix,
    domain_name,
    identity,
    incident,
    indicator,
    malware,
    organization,
    relationship,
    tlp_definition,
)

SUBSCRIBER = OrganizationKind.SUBSCRIBER
URL = "https://kentongan.example"


class Told:
    """A channel that remembers what it was given."""

    def __init__(self, *answers: Receipt) -> None:
        self.sent: list[Outgoing] = []
        self._answers = list(answers)

    def send(self, outgoing: Outgoing) -> Receipt:
        self.sent.append(outgoing)
        return self._answers.pop(0) if self._answers else Receipt(True, "HTTP 204")


def deliver(channel: Told | None = None, **elapsed: float) -> Deliver:
    """The service so long after NOON; chance always takes the whole pause."""
    known = channel or Told()
    return Deliver(lambda: at(**elapsed), {"webhook": known, "email": known}, URL, chance=lambda: 1.0)


def planned(session: Session, **elapsed: float) -> list[Outgoing]:
    ids = session.scalars(select(Delivery.id).order_by(Delivery.id)).all()
    return deliver(**elapsed).plan(session, ids)


def only(session: Session) -> Delivery:
    return session.scalars(select(Delivery)).one()


def waiting_jobs(session: Session) -> Sequence[JobRow]:
    return session.scalars(select(JobRow).where(JobRow.stage == Stage.DELIVER.value).order_by(JobRow.id)).all()


def told_of(session: Session, level: Level = Level.GREEN, **facts: object) -> Delivery:
    """One delivery that waits: a member is told of another member's incident."""
    subscribed(session, organization(session, "SingCERT"))
    row = reported(session, organization(session, "ID-CERT", "ID"), level, **facts)  # type: ignore[arg-type]  # facts by name
    match(session, row)
    return only(session)


def test_a_message_says_what_happened_and_where_to_look(database: Database) -> None:
    with database.writing() as session:
        delivery = told_of(
            session,
            title="Web shell on a ministry's server",
            countries=("ID",),
            sectors=("government",),
            rsit_class="intrusions",
            severity="C2",
            happened=Moment(NOON, "minute"),
        )

        (message,) = planned(session)

    assert message.subject == "[TLP:GREEN] New case: Web shell on a ministry's server"
    assert message.message_id == "msg_" + delivery.public_id.replace("-", "")
    assert message.payload["kind"] == "new-case"
    assert message.payload["tlp"] == "TLP:GREEN"
    told = message.payload["incident"]
    assert (told["title"], told["organization"], told["severity"]) == (
        "Web shell on a ministry's server",
        "ID-CERT",
        "C2",
    )
    assert (told["happened"], told["happened_precision"]) == ("2026-03-02T12:00:00.000Z", "minute")
    assert message.payload["pages"]["incident"] == f"{URL}/incidents/{told['id']}"
    assert message.payload["pages"]["case"] == f"{URL}/cases/{message.payload['case']}"
    assert "Happened: 2026-03-02 12:00 UTC" in message.text
    assert f"{URL}/incidents/{told['id']}" in message.text


def test_the_bundle_holds_what_the_recipient_may_see_with_its_markings(database: Database) -> None:
    reporter_stix, seen, hidden = identity(), domain_name(), malware("HiddenRAT")
    whole = indicator()
    tie, hidden_tie = relationship(whole, "indicates", seen), relationship(whole, "indicates", hidden)
    stix = incident("Web shell", created_by_ref=reporter_stix["id"])
    others: list[tuple[Stix, Level]] = [
        (tlp_definition(Level.GREEN), Level.GREEN),
        (reporter_stix, Level.GREEN),
        (seen, Level.GREEN),
        (whole, Level.GREEN),
        (hidden, Level.AMBER),
        (tie, Level.GREEN),
        (hidden_tie, Level.GREEN),
    ]
    with database.writing() as session:
        bank = organization(session, "Bank", kind=SUBSCRIBER)
        subscribed(session, bank)
        row = reported(session, organization(session, "ID-CERT"), stix=stix, others=others)
        carries(session, row, Level.GREEN, Observable("domain", "evil.example"))
        carries(session, row, Level.AMBER, Observable("domain", "secret.example"))
        match(session, row)

        (message,) = planned(session)

    objects = message.payload["bundle"]["objects"]
    assert objects[0] == stix
    expected = [tlp_definition(Level.GREEN), reporter_stix, seen, whole, tie]
    assert sorted(o["id"] for o in objects[1:]) == sorted(o["id"] for o in expected)
    assert message.payload["observables"] == [{"kind": "domain", "value": "evil.example"}]
    assert message.payload["complete"] is True
    assert "secret" not in repr(message.payload) + message.text


def test_too_much_is_cut_and_said(database: Database) -> None:
    others = [(domain_name(f"h{number}.example"), Level.GREEN) for number in range(230)]
    with database.writing() as session:
        subscribed(session, organization(session, "SingCERT"))
        row = reported(session, organization(session, "ID-CERT"), others=others)
        carries(session, row, Level.GREEN, *(Observable("domain", f"h{number}.example") for number in range(120)))
        match(session, row)

        (message,) = planned(session)

    assert len(message.payload["bundle"]["objects"]) == 200
    assert len(message.payload["observables"]) == 100
    assert message.payload["complete"] is False


def test_what_was_marked_stricter_since_is_withheld(database: Database) -> None:
    with database.writing() as session:
        told_of(session)
        row_before = only(session).alert
        incident_row = session.get_one(Incident, row_before.incident_id)
        amended(session, incident_row, Level.RED, at(minutes=1))

        messages = planned(session, minutes=2)

        assert messages == []
        assert only(session).state == "withheld"


def test_a_version_that_nobody_may_see_any_more_is_withheld(database: Database) -> None:
    with database.writing() as session:
        delivery = told_of(session)
        session.execute(ObjectCarrier.__table__.delete())

        assert planned(session) == []
        assert delivery.state == "withheld"


def test_a_message_is_about_the_version_it_was_made_for(database: Database) -> None:
    stix = incident("First words", labels=['rsit:intrusions="system-compromise"'])
    with database.writing() as session:
        subscribed(session, organization(session, "SingCERT"))
        others = [(domain_name(), Level.GREEN), (domain_name("secret.example"), Level.RED)]
        row = reported(session, organization(session, "ID-CERT"), stix=stix, title="First words", others=others)
        match(session, row)
        amended(session, row, Level.GREEN, at(hours=1), name="Second words")
        match(session, row, now=at(hours=1))

        first, second = planned(session, hours=1)

    assert (first.payload["kind"], second.payload["kind"]) == ("new-case", "update")
    assert first.payload["incident"]["title"] == "First words"
    assert first.payload["incident"]["rsit_class"] == "intrusions"
    assert first.payload["observables"] == [{"kind": "domain", "value": "evil.example"}]
    assert second.payload["incident"]["title"] == "Second words"
    assert second.payload["bundle"]["objects"][0]["name"] == "Second words"


def test_an_amendment_that_comes_alone_keeps_what_was_sent_before(database: Database) -> None:
    with database.writing() as session:
        subscribed(session, organization(session, "SingCERT"))
        row = reported(session, organization(session, "ID-CERT"), others=[(domain_name(), Level.GREEN)])
        amended(session, row, Level.GREEN, at(hours=1))
        match(session, row)

        (message,) = planned(session)

    assert [obj["type"] for obj in message.payload["bundle"]["objects"]] == ["incident", "domain-name"]


def test_a_campaign_alert_names_the_other_incident_and_the_reason(database: Database) -> None:
    with database.writing() as session:
        id_cert, my_cert = organization(session, "ID-CERT"), organization(session, "MyCERT")
        subscribed(session, organization(session, "SingCERT"), {"kinds": ["campaign-grew"]})
        campaign = opened_campaign(session)
        first = reported(session, id_cert, title="Phishing of a bank", case=opened_case(session, campaign))
        second = reported(session, my_cert, case=opened_case(session, campaign), received=at(hours=1))
        link = tied(session, first, second, at(hours=1), audience(session, id_cert, Level.GREEN))
        match(session, second, now=at(hours=1))

        (message,) = planned(session, hours=1)

        assert message.payload["campaign"] == campaign_id(first.public_id)
        (related,) = message.payload["related"]
        assert (related["title"], related["why"]) == ("Phishing of a bank", ["both name evil.example"])
        assert "because both name evil[.]example" in message.text

        link.evidence = [{**link.evidence[0], "audiences": [audience(session, id_cert, Level.RED)]}]
        session.flush()
        assert planned(session, hours=1) == []
        assert only(session).state == "withheld"


def test_an_alert_is_named_at_random_and_keeps_its_names_at_every_attempt(database: Database) -> None:
    with database.writing() as session:
        for name in ("SingCERT", "MyCERT"):
            subscribed(session, organization(session, name))
        row = reported(session, organization(session, "ID-CERT"))
        match(session, row)
        first, again = planned(session), planned(session)

        names = [(message.message_id, message.payload["bundle"]["id"]) for message in first]
        assert names == [(message.message_id, message.payload["bundle"]["id"]) for message in again]
        assert len({name for pair in names for name in pair}) == 4
        assert all(UUID(one.public_id).version == 4 for one in session.scalars(select(Delivery)))


def test_the_number_of_queries_does_not_grow_with_the_deliveries(database: Database) -> None:
    with database.writing() as session:
        for number in range(3):
            subscribed(session, organization(session, f"Bank {number}", kind=SUBSCRIBER))
        reporter = organization(session, "ID-CERT")
        rows = [reported(session, reporter, others=[(domain_name(), Level.GREEN)]) for _ in range(8)]
        match(session, *rows)
        ids = session.scalars(select(Delivery.id).order_by(Delivery.id)).all()
        session.flush()

        few = queries(session, lambda: deliver().plan(session, ids[:2]))
        session.expire_all()
        many = queries(session, lambda: deliver().plan(session, ids))

        assert len(ids) == 24
        assert few == many <= 14


def test_a_delivery_ends_with_the_proof(database: Database) -> None:
    with database.writing() as session:
        delivery = told_of(session)

        deliver(minutes=1).record(session, delivery.id, Receipt(True, "HTTP 200: thank you"))

        assert (delivery.state, delivery.attempts, delivery.last_answer) == ("delivered", 1, "HTTP 200: thank you")
        assert delivery.delivered_at == at(minutes=1)
        assert planned(session, minutes=2) == []


def test_a_failure_is_tried_again_later_under_the_same_message_id(database: Database) -> None:
    with database.writing() as session:
        delivery = told_of(session)
        (first,) = planned(session)
        for job in waiting_jobs(session):
            session.delete(job)

        deliver(seconds=1).record(session, delivery.id, Receipt(False, "HTTP 503"))

        assert (delivery.state, delivery.attempts, delivery.last_answer) == ("waiting", 1, "HTTP 503")
        assert delivery.next_attempt_at == at(seconds=31)
        (job,) = waiting_jobs(session)
        assert (job.subject_id, job.available_at) == (delivery.id, at(seconds=31))
        assert planned(session, seconds=30) == []
        (again,) = planned(session, seconds=31)
        assert again.message_id == first.message_id


def test_a_delivery_is_given_up_after_a_day(database: Database) -> None:
    with database.writing() as session:
        delivery = told_of(session)

        deliver(hours=23, minutes=59, seconds=40).record(session, delivery.id, Receipt(False, "HTTP 503"))

        assert (delivery.state, delivery.next_attempt_at) == ("given-up", None)
        assert delivery.last_answer == "HTTP 503"


def test_what_cannot_succeed_is_given_up_at_once(database: Database) -> None:
    with database.writing() as session:
        delivery = told_of(session)

        deliver().record(session, delivery.id, Receipt(False, "HTTP 410", permanent=True))

        assert delivery.state == "given-up"


def test_a_late_failure_does_not_undo_a_delivery(database: Database) -> None:
    with database.writing() as session:
        delivery = told_of(session)

        deliver().record(session, delivery.id, Receipt(True, "HTTP 204"))
        deliver().record(session, delivery.id, Receipt(False, "no answer in time"))

        assert (delivery.state, delivery.last_answer) == ("delivered", "HTTP 204")


def test_an_ended_subscription_is_sent_nothing_more(database: Database) -> None:
    with database.writing() as session:
        delivery = told_of(session)
        session.get_one(Subscription, delivery.subscription_id).active = False

        assert planned(session) == []
        assert (delivery.state, delivery.last_answer) == ("given-up", "not sent: the subscription has ended")


def test_what_waits_for_an_organization_that_has_left_is_withheld(database: Database) -> None:
    with database.writing() as session:
        delivery = told_of(session)
        session.get_one(Subscription, delivery.subscription_id).organization.ended_at = NOON

        assert planned(session) == []
        assert (delivery.state, delivery.last_answer) == ("withheld", "not sent: the organization has left")


def test_a_fault_in_a_channel_is_an_answer(database: Database) -> None:
    class Broken(Told):
        def send(self, outgoing: Outgoing) -> Receipt:
            raise RuntimeError("with a secret in it")

    with database.writing() as session:
        told_of(session)
        (message,) = planned(session)

    assert deliver(Broken()).send(message) == Receipt(False, "not sent: RuntimeError")


def test_a_secret_is_not_in_what_is_printed(database: Database) -> None:
    with database.writing() as session:
        told_of(session)
        (message,) = planned(session)

    assert message.secret
    assert base64.b64decode(message.secret.removeprefix("whsec_"))
    assert message.secret not in repr(message)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_pause_grows_to_an_hour_and_no_further(attempts: int, chance: float) -> None:
    pause = Retries().pause(attempts, chance)

    longest = timedelta(seconds=30) * 2 ** min(attempts - 1, 12)
    assert timedelta() <= pause <= min(longest, timedelta(hours=1))


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 30), (2, 60), (3, 120), (7, 1920), (8, 3600), (99, 3600)])
def test_the_longest_pauses(attempts: int, seconds: float) -> None:
    assert Retries().pause(attempts, 1.0) == timedelta(seconds=seconds)
