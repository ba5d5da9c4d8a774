"""Incidents are listed by filter, in the order they came, and only to whoever may see them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kentongan.domain.identity import Identity, OrganizationKind
from kentongan.domain.incident import Observable
from kentongan.domain.marking import Level
from kentongan.services.errors import NotFound
from kentongan.services.paging import WrongCursor
from kentongan.services.read_incidents import IncidentFilter, ReadIncidents
from kentongan.storage.database import Database
from reading_stories import Region, counted, reason
from stories import NOON, incident, indicator, newer

EVIL = Observable("domain", "evil.example")


def titles(database: Database, reader: Identity, **wanted: object) -> list[str]:
    with database.reading() as session:
        page = ReadIncidents(session).page(reader, IncidentFilter(**wanted))  # type: ignore[arg-type]
    return [found.title for found in page.items]


def test_a_list_goes_on_where_it_ended_whatever_arrived_meanwhile(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos, thailand = region.joins("LaoCERT"), region.joins("ThaiCERT")
        for number in range(5):
            region.reports(laos, f"Report {number}")
    with database.reading() as session:
        first = ReadIncidents(session).page(thailand, IncidentFilter(), limit=2)
    with database.writing() as session:
        Region(session, NOON + timedelta(days=1)).reports(laos, "Later")

    with database.reading() as session:
        second = ReadIncidents(session).page(thailand, IncidentFilter(), limit=2, cursor=first.next)
        third = ReadIncidents(session).page(thailand, IncidentFilter(), limit=2, cursor=second.next)

    assert [[found.title for found in page.items] for page in (first, second, third)] == [
        ["Report 4", "Report 3"],
        ["Report 2", "Report 1"],
        ["Report 0"],
    ]
    assert third.next is None


def test_a_cursor_belongs_to_the_filter_it_was_given_for(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos = region.joins("LaoCERT")
        for number in range(2):
            region.reports(laos, f"Report {number}")

        cursor = ReadIncidents(session).page(laos, IncidentFilter(), limit=1).next

        with pytest.raises(WrongCursor, match="another list or filter"):
            ReadIncidents(session).page(laos, IncidentFilter(severity="C1"), cursor=cursor)
        with pytest.raises(WrongCursor, match="no cursor"):
            ReadIncidents(session).page(laos, IncidentFilter(), cursor="x" * 40)


def test_a_list_goes_on_although_its_last_incident_was_marked_stricter_meanwhile(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos, thailand = region.joins("LaoCERT"), region.joins("ThaiCERT")
        region.reports(laos, "Older")
        region.reports(laos, "Another")
        hidden_later = region.reports(laos, "Hidden later")
        cursor = ReadIncidents(session).page(thailand, IncidentFilter(), limit=1).next
        hidden_later.audience_id = region.audience(laos, Level.RED)
        session.flush()

        page = ReadIncidents(session).page(thailand, IncidentFilter(), cursor=cursor)

    assert [found.title for found in page.items] == ["Another", "Older"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"country": "vn"}, ["Phish"]),
        ({"sector": "Energy"}, ["Wiper"]),
        ({"rsit_class": "fraud"}, ["Phish"]),
        ({"rsit_type": "phishing"}, ["Phish"]),
        ({"severity": "C1"}, ["Wiper"]),
        ({"tlp": Level.GREEN}, ["Phish"]),
        ({"reporter": "MyCERT"}, ["Wiper"]),
        ({"observable": "hxxp://EVIL[.]example/x"}, []),
        ({"observable": "EVIL[.]example."}, ["Phish"]),
        ({"text": "WIP"}, ["Wiper"]),
        ({"text": "%"}, []),
        ({"received_after": NOON + timedelta(minutes=2)}, ["Wiper"]),
        ({"received_before": NOON + timedelta(minutes=2)}, ["Phish"]),
        ({"happened_after": NOON - timedelta(days=1)}, ["Phish"]),
        ({"happened_before": NOON - timedelta(days=1)}, []),
        ({"case": "00000000-0000-4000-8000-000000000000"}, []),
        ({"campaign": "00000000-0000-4000-8000-000000000000"}, []),
        ({"country": "VN", "severity": "C1"}, []),
        ({}, ["Wiper", "Phish"]),
    ],
)
def test_every_filter_narrows(database: Database, wanted: dict[str, object], found: list[str]) -> None:
    with database.writing() as session:
        region = Region(session)
        vietnam, malaysia = region.joins("VNCERT"), region.joins("MyCERT")
        kind = {"rsit_class": "fraud", "rsit_type": "phishing"}
        region.reports(vietnam, "Phish", countries=("VN",), happened_at=NOON, seen=(EVIL,), **kind)
        region.reports(malaysia, "Wiper", Level.AMBER, sectors=("energy",), severity="C1")

    assert titles(database, malaysia, **wanted) == found


def test_a_filter_finds_the_same_whether_few_or_very_many_agree(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.writing() as session:
        region = Region(session)
        laos, thailand = region.joins("LaoCERT"), region.joins("ThaiCERT")
        for level in (Level.GREEN, Level.RED, Level.GREEN):
            region.reports(laos, f"In Laos, {level.label}", level, countries=("LA",), seen=(EVIL,))
        region.reports(laos, "Elsewhere", countries=("KH",))
    few = [titles(database, thailand, **wanted) for wanted in ({"country": "la"}, {"observable": "evil.example"})]

    monkeypatch.setattr("kentongan.services.seeking._MANY", 1)
    many = [titles(database, thailand, **wanted) for wanted in ({"country": "la"}, {"observable": "evil.example"})]

    assert few == many == [["In Laos, TLP:GREEN", "In Laos, TLP:GREEN"]] * 2


def test_incidents_are_found_by_case_and_by_the_campaign_as_far_as_it_is_visible(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos, thailand = region.joins("LaoCERT"), region.joins("ThaiCERT")
        campaign = region.campaign()
        first = region.reports(laos, "First", case=region.case(campaign))
        second = region.reports(laos, "Second", case=region.case(campaign))
        region.reports(laos, "Tied by something hidden", case=region.case(campaign))
        region.related(first, second)
        case_id = ReadIncidents(session).incident(laos, first.public_id).incident.case_id
        campaign_id = campaign.public_id

    assert titles(database, thailand, case=case_id) == ["First"]
    assert titles(database, thailand, campaign=campaign_id) == ["Second", "First"]


def test_an_incident_comes_with_all_that_was_found_about_it(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos, thailand = region.joins("LaoCERT", country="LA"), region.joins("ThaiCERT")
        told = indicator()
        campaign, sent = region.campaign(), incident("Web shell")
        case = region.case(campaign)
        mine = region.reports(laos, "Web shell", stix=sent, objects=(told,), seen=(EVIL,), case=case)
        region.sends(laos, newer(sent, name="Web shell, amended"))
        twin = region.reports(thailand, "The same", case=case)
        cousin = region.reports(thailand, "The next", case=region.case(campaign))
        region.duplicates(mine, twin)
        region.related(mine, cousin, reason("rare", [mine.audience_id], 1.2, "evil.example"), reason("doubt", [], -0.6))

        view = ReadIncidents(session).incident(thailand, mine.public_id)

    assert view.incident.reporter.name == "LaoCERT"
    assert view.incident.reporter.country == "LA"
    assert view.incident.tlp == "TLP:GREEN"
    assert [(seen.kind, seen.value, seen.origins) for seen in view.observables] == [
        ("domain", "evil.example", ("sco",))
    ]
    assert view.objects == (told["id"],)
    assert [version.newest for version in view.versions] == [True, False]
    assert view.case is not None
    assert view.case.reports == 2
    assert view.campaign is not None
    assert view.campaign.cases == 2
    assert [(link.kind, link.other.title) for link in view.links] == [
        ("related-to", "The next"),
        ("duplicate-of", "The same"),
    ]
    assert [(item.words, item.share) for item in view.links[0].evidence] == [("rare", 1.0), ("doubt", -0.5)]


def test_a_stix_id_leads_to_the_report_of_its_owner_then_to_ones_own(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos, thailand, brunei = region.joins("LaoCERT"), region.joins("ThaiCERT"), region.joins("BruCERT")
        sent = incident("As Laos has it", marking=Level.RED)
        region.reports(laos, "As Laos has it", Level.RED, stix=sent)
        region.reports(brunei, "As Brunei has it", stix={**incident("As Brunei has it"), "id": sent["id"]})
        region.reports(thailand, "As Thailand has it", stix={**incident("As Thailand has it"), "id": sent["id"]})

        reading = ReadIncidents(session)
        seen = [reading.incident(reader, sent["id"]).incident.title for reader in (laos, thailand, brunei)]

    assert seen == ["As Laos has it", "As Thailand has it", "As Brunei has it"]


def test_what_is_marked_stricter_than_the_incident_is_not_told_with_it(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos, thailand = region.joins("LaoCERT"), region.joins("ThaiCERT")
        secret = indicator(marking=Level.RED)
        told = region.reports(laos, objects=(secret,), seen=(EVIL,), seen_at=Level.RED)

        own = ReadIncidents(session).incident(laos, told.public_id)
        others = ReadIncidents(session).incident(thailand, told.public_id)

    assert (len(own.observables), own.objects) == (1, (secret["id"],))
    assert (others.observables, others.objects) == ((), ())
    assert titles(database, thailand, observable="evil.example") == []


def test_an_incident_that_is_hidden_is_as_unknown_as_one_that_never_was(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos = region.joins("LaoCERT")
        bank = region.joins("A bank", OrganizationKind.SUBSCRIBER)
        hidden = region.reports(laos, level=Level.AMBER)

        with pytest.raises(NotFound) as forbidden:
            ReadIncidents(session).incident(bank, hidden.public_id)
        with pytest.raises(NotFound) as unknown:
            ReadIncidents(session).incident(bank, "00000000-0000-4000-8000-000000000000")

    assert str(forbidden.value) == str(unknown.value)


def test_the_hot_reads_ask_the_same_number_of_questions_for_few_and_for_many(sqlite_database: Database) -> None:
    with sqlite_database.writing() as session:
        region = Region(session)
        laos = region.joins("LaoCERT")
        campaign = region.campaign()
        first = region.reports(laos, seen=(EVIL,), objects=(indicator(),), case=region.case(campaign))
        for _ in range(20):
            other = region.reports(laos, seen=(EVIL,), case=region.case(campaign))
            region.related(first, other)
        cursor = ReadIncidents(session).page(laos, IncidentFilter(), limit=5).next
        number = first.public_id

    with sqlite_database.reading() as session:
        reading = ReadIncidents(session)
        with counted(sqlite_database) as beginning:
            reading.page(laos, IncidentFilter(country="LA", observable="evil.example"), limit=20)
        with counted(sqlite_database) as going_on:
            reading.page(laos, IncidentFilter(), limit=20, cursor=cursor)
        with counted(sqlite_database) as one:
            reading.incident(laos, number)

    # Each look for cases is one statement, and a session that only reads is asked once for each incident.
    assert (len(beginning), len(going_on), len(one)) == (5, 3, 11)


def test_paging_walks_an_index_and_sorts_nothing(sqlite_database: Database) -> None:
    with sqlite_database.writing() as session:
        region = Region(session)
        laos = region.joins("LaoCERT")
        for _ in range(3):
            region.reports(laos)
        cursor = ReadIncidents(session).page(laos, IncidentFilter(), limit=1).next

    with sqlite_database.reading() as session, counted(sqlite_database) as said:
        ReadIncidents(session).page(laos, IncidentFilter(), limit=1, cursor=cursor)
    with sqlite_database.engine.connect() as connection:
        plans = [
            [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {each}", (0,) * each.count("?"))]
            for each in said[-2:]
        ]

    (steps, of_cases) = plans
    assert "SEARCH link USING INDEX ix_link_left_id (left_id=?)" in of_cases, of_cases
    assert "SEARCH link USING INDEX ix_link_right_id (right_id=?)" in of_cases, of_cases
    assert "SEARCH incident USING INDEX ix_incident_received_at_id (received_at<?)" in steps, steps
    assert not any("ORDER BY" in step for step in steps), steps
