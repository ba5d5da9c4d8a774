"""Who is told of what: by the sharing policy, by the filter, once."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from alert_stories import (
    amended,
    at,
    audience,
    carries,
    deliveries,
    match,
    one_event,
    opened_campaign,
    opened_case,
    queries,
    reported,
    subscribed,
    tied,
    told_to,
)
from kentongan.domain.identity import OrganizationKind
from kentongan.domain.incident import Observable
from kentongan.domain.marking import Level
from kentongan.domain.policy import Audience, may_see
from kentongan.services.match import Match
from kentongan.storage.alerts import Alert, Delivery, Subscription
from kentongan.storage.database import Database
from kentongan.storage.jobs import JobRow
from stories import NOON, organization

SUBSCRIBER = OrganizationKind.SUBSCRIBER


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("kind", list(OrganizationKind))
def test_an_alert_exists_only_for_who_may_see_the_incident(
    database: Database, level: Level, kind: OrganizationKind
) -> None:
    with database.writing() as session:
        reporter = organization(session, "ID-CERT", "ID")
        listener = organization(session, "Listener", kind=kind)
        subscription = subscribed(session, listener)
        told = reported(session, reporter, level)

        match(session, told)

        may = may_see(listener.identity(), Audience(reporter.id, level))
        assert told_to(session, subscription) == ([("new-case", told.id)] if may else [])
        assert session.scalar(select(func.count()).select_from(Alert)) == int(may)
        jobs = [(row[0], row[1]) for row in session.execute(select(JobRow.stage, JobRow.subject_id))]
        assert jobs == [("deliver", d.id) for d in session.scalars(select(Delivery))]


def test_the_reporter_hears_of_its_own_incident_only_if_it_asks(database: Database) -> None:
    with database.writing() as session:
        reporter = organization(session, "ID-CERT")
        quiet, asking = subscribed(session, reporter), subscribed(session, reporter, {"own": True})
        red = reported(session, reporter, Level.RED)

        match(session, red)

        assert told_to(session, quiet) == []
        assert told_to(session, asking) == [("new-case", red.id)]


def test_a_second_report_is_one_only_to_who_sees_the_first(database: Database) -> None:
    with database.writing() as session:
        member, listener = organization(session, "ID-CERT"), organization(session, "Bank", kind=SUBSCRIBER)
        other = organization(session, "MyCERT")
        to_member, to_bank = subscribed(session, organization(session, "SingCERT")), subscribed(session, listener)
        case = opened_case(session)
        hidden = reported(session, member, Level.AMBER, case=case)
        second = reported(session, other, Level.GREEN, case=case, received=at(hours=1))
        one_event(session, hidden, second)

        match(session, hidden)
        match(session, second)

        assert told_to(session, to_member) == [("new-case", hidden.id), ("new-report", second.id)]
        assert told_to(session, to_bank) == [("new-case", second.id)]


def test_two_reports_that_only_a_hidden_one_ties_are_two_cases_to_who_does_not_see_it(database: Database) -> None:
    with database.writing() as session:
        member, other = organization(session, "ID-CERT"), organization(session, "MyCERT")
        to_member = subscribed(session, organization(session, "SingCERT"))
        to_bank = subscribed(session, organization(session, "Bank", kind=SUBSCRIBER))
        case = opened_case(session)
        first = reported(session, other, Level.GREEN, case=case)
        hidden = reported(session, member, Level.AMBER, case=case, received=at(minutes=1))
        last = reported(session, other, Level.GREEN, case=case, received=at(hours=1))
        one_event(session, first, hidden)
        one_event(session, hidden, last)

        match(session, first)
        match(session, hidden)
        match(session, last)

        assert told_to(session, to_member)[1:] == [("new-report", hidden.id), ("new-report", last.id)]
        assert told_to(session, to_bank) == [("new-case", first.id), ("new-case", last.id)]


def test_of_two_reports_at_once_one_is_the_new_case(database: Database) -> None:
    with database.writing() as session:
        subscription = subscribed(session, organization(session, "SingCERT"))
        case = opened_case(session)
        one = reported(session, organization(session, "ID-CERT"), case=case)
        two = reported(session, organization(session, "MyCERT"), case=case)
        one_event(session, one, two)

        match(session, one, two)

        assert sorted(told_to(session, subscription)) == [("new-case", one.id), ("new-report", two.id)]


def test_a_report_that_was_overtaken_joins_the_case_the_listener_knows(database: Database) -> None:
    with database.writing() as session:
        subscription = subscribed(session, organization(session, "SingCERT"))
        case = opened_case(session)
        slow = reported(session, organization(session, "ID-CERT"))
        fast = reported(session, organization(session, "MyCERT"), case=case, received=at(seconds=1))
        match(session, fast)
        slow.case_id = case.id
        one_event(session, slow, fast)

        match(session, slow)

        assert told_to(session, subscription) == [("new-case", fast.id), ("new-report", slow.id)]


def test_a_newer_version_is_an_update_once(database: Database) -> None:
    with database.writing() as session:
        subscription = subscribed(session, organization(session, "SingCERT"))
        late = subscribed(session, organization(session, "ThaiCERT"), {"text": "ransom"})
        told = reported(session, organization(session, "ID-CERT"))
        match(session, told)
        amended(session, told, Level.GREEN, at(hours=1), name="Ransom note found")

        match(session, told)
        match(session, told)

        assert told_to(session, subscription) == [("new-case", told.id), ("update", told.id)]
        assert told_to(session, late) == [("new-case", told.id)]


def test_who_could_not_see_the_first_version_hears_of_a_new_case(database: Database) -> None:
    with database.writing() as session:
        subscription = subscribed(session, organization(session, "Bank", kind=SUBSCRIBER))
        only_updates = subscribed(session, organization(session, "Telco", kind=SUBSCRIBER), {"kinds": ["update"]})
        member_updates = subscribed(session, organization(session, "MyCERT"), {"kinds": ["update"]})
        told = reported(session, organization(session, "ID-CERT"), Level.AMBER)
        match(session, told)
        amended(session, told, Level.GREEN, at(hours=1))

        match(session, told)

        assert told_to(session, subscription) == [("new-case", told.id)]
        assert told_to(session, only_updates) == []
        assert told_to(session, member_updates) == [("update", told.id)]


def test_a_withdrawn_incident_is_news_only_to_who_knew_it(database: Database) -> None:
    with database.writing() as session:
        knew = subscribed(session, organization(session, "SingCERT"))
        told = reported(session, organization(session, "ID-CERT"))
        match(session, told)
        came_later = subscribed(session, organization(session, "ThaiCERT"))
        amended(session, told, Level.GREEN, at(hours=1), revoked=True)
        told.revoked = True

        match(session, told)

        assert told_to(session, knew) == [("new-case", told.id), ("update", told.id)]
        assert told_to(session, came_later) == [("update", told.id)]


def test_a_campaign_grew_for_who_sees_both_incidents_and_a_reason(database: Database) -> None:
    with database.writing() as session:
        id_cert, my_cert = organization(session, "ID-CERT"), organization(session, "MyCERT")
        to_member = subscribed(session, organization(session, "SingCERT"))
        to_bank = subscribed(session, organization(session, "Bank", kind=SUBSCRIBER))
        campaign = opened_campaign(session)
        first = reported(session, id_cert, case=opened_case(session, campaign))
        second = reported(session, my_cert, case=opened_case(session, campaign), received=at(hours=1))
        match(session, first, now=at(minutes=1))
        tied(session, first, second, at(hours=1), audience(session, id_cert, Level.AMBER))

        match(session, second, now=at(hours=1, minutes=1))

        assert told_to(session, to_bank) == [("new-case", first.id), ("new-case", second.id)]
        assert told_to(session, to_member) == [
            ("new-case", first.id),
            ("new-case", second.id),
            ("campaign-grew", second.id),
        ]


@pytest.mark.parametrize("together", [True, False])
def test_both_ends_of_a_tie_are_one_piece_of_news(database: Database, together: bool) -> None:
    with database.writing() as session:
        subscription = subscribed(session, organization(session, "SingCERT"), {"kinds": ["campaign-grew"]})
        campaign = opened_campaign(session)
        one, two = (
            reported(session, organization(session, name), case=opened_case(session, campaign))
            for name in ("ID-CERT", "MyCERT")
        )
        tied(session, one, two, NOON)

        for batch in [(one, two)] if together else [(one,), (two,)]:
            match(session, *batch)

        assert told_to(session, subscription) == [("campaign-grew", one.id)]


def test_a_tie_to_a_hidden_incident_does_not_exist(database: Database) -> None:
    with database.writing() as session:
        id_cert, my_cert = organization(session, "ID-CERT"), organization(session, "MyCERT")
        subscription = subscribed(session, organization(session, "SingCERT"))
        campaign = opened_campaign(session)
        hidden = reported(session, id_cert, Level.RED, case=opened_case(session, campaign))
        second = reported(session, my_cert, case=opened_case(session, campaign))
        tied(session, hidden, second, NOON)

        match(session, hidden, second)

        assert told_to(session, subscription) == [("new-case", second.id)]


def test_a_filter_sees_only_observables_that_its_reader_sees(database: Database) -> None:
    wanted = {"observables": ["hxxp://evil[.]example/login"]}
    with database.writing() as session:
        to_member = subscribed(session, organization(session, "SingCERT"), wanted)
        to_bank = subscribed(session, organization(session, "Bank", kind=SUBSCRIBER), wanted)
        told = reported(session, organization(session, "ID-CERT"))
        carries(session, told, Level.AMBER, Observable("url", "http://evil.example/login"))

        match(session, told)

        assert told_to(session, to_member) == [("new-case", told.id)]
        assert told_to(session, to_bank) == []


def test_an_ended_subscription_hears_nothing(database: Database) -> None:
    with database.writing() as session:
        subscription = subscribed(session, organization(session, "SingCERT"))
        subscription.active = False
        told = reported(session, organization(session, "ID-CERT"))

        match(session, told)

        assert told_to(session, subscription) == []


def test_an_organization_that_has_left_hears_nothing(database: Database) -> None:
    with database.writing() as session:
        singapore = organization(session, "SingCERT")
        subscription = subscribed(session, singapore)
        singapore.ended_at = NOON
        told = reported(session, organization(session, "ID-CERT"))

        match(session, told)

        assert told_to(session, subscription) == []


def test_a_filter_that_can_no_longer_be_read_holds_up_nobody_else(database: Database) -> None:
    with database.writing() as session:
        broken = subscribed(session, organization(session, "SingCERT"), {"a part of an older version": 1})
        whole = subscribed(session, organization(session, "MyCERT"))
        told = reported(session, organization(session, "ID-CERT"))

        match(session, told)

        assert told_to(session, broken) == []
        assert told_to(session, whole) == [("new-case", told.id)]


def test_two_workers_at_once_tell_everything_once(database: Database) -> None:
    with database.writing() as session:
        for number in range(5):
            subscribed(session, organization(session, f"Listener {number}"))
        rows = [reported(session, organization(session, f"CERT {number}")) for number in range(10)]
        ids = [row.id for row in rows]

    _at_once(
        lambda: _run(database, ids),
        lambda: _run(database, list(reversed(ids))),
        lambda: _run(database, ids[5:]),
    )

    assert len(deliveries(database)) == 50
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(JobRow)) == 50
        assert session.scalar(select(func.count()).select_from(Alert)) == 10


def test_the_number_of_queries_does_not_grow_with_the_listeners(database: Database) -> None:
    counted = []
    for listeners in (2, 40):
        with database.writing() as session:
            for number in range(listeners):
                subscribed(session, organization(session, f"Listener {listeners}/{number}"), {"countries": ["ID"]})
            told = reported(session, organization(session, f"Reporter {listeners}"), countries=("ID",))
            session.flush()
            counted.append(queries(session, lambda row=told: match(session, row)))

    assert counted[0] == counted[1] <= 18


def _run(database: Database, ids: list[int]) -> None:
    with database.writing() as session:
        Match(session, lambda: NOON).run(ids)


def _at_once(*calls: Callable[[], None]) -> None:
    start = threading.Barrier(len(calls))
    errors: list[Exception] = []

    def run(call: Callable[[], None]) -> None:
        start.wait(10)
        try:
            call()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []


def test_deliveries_keep_one_id_however_often_they_are_worked_out(database: Database) -> None:
    with database.writing() as session:
        subscription = subscribed(session, organization(session, "SingCERT"))
        told = reported(session, organization(session, "ID-CERT"))
        match(session, told)
        first = session.scalars(select(Delivery.public_id)).one()

        match(session, told)

        assert session.scalars(select(Delivery.public_id)).one() == first
        assert session.get_one(Subscription, subscription.id).active
