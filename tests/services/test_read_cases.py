"""A case is what a reader sees of it; a campaign hangs together by what the reader sees of its links."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Connection

from kentongan.domain.identity import OrganizationKind
from kentongan.domain.marking import Level
from kentongan.domain.naming import campaign_id, case_id
from kentongan.services.errors import NotFound
from kentongan.services.read_campaigns import ReadCampaigns
from kentongan.services.read_cases import ReadCases
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from reading_stories import Region, counted, reason


def test_a_case_shows_its_reports_side_by_side_and_why_they_are_one_event(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos, thailand = region.joins("LaoCERT"), region.joins("ThaiCERT")
        case = region.case()
        first = region.reports(laos, "Web shell", case=case, countries=("LA",))
        second = region.reports(thailand, "Webshell seen", case=case, countries=("TH", "LA"))
        region.duplicates(first, second, reason("same rare file", [first.audience_id, second.audience_id]))

        view = ReadCases(session).case(laos, case.public_id)
        listed = ReadCases(session).page(laos).items

    assert [report.incident.title for report in view.reports] == ["Web shell", "Webshell seen"]
    assert [(link.kind, link.evidence[0].words) for link in view.links] == [("duplicate-of", "same rare file")]
    assert (view.case.title, view.case.reports, view.case.countries) == ("Web shell", 2, ("LA", "TH"))
    assert view.case.reporters == ("LaoCERT", "ThaiCERT")
    assert listed == (view.case,)


def test_with_the_others_hidden_a_case_looks_like_one_of_a_single_report(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos, thailand = region.joins("LaoCERT"), region.joins("ThaiCERT")
        shared = region.case()
        hidden = region.reports(laos, "Hidden", Level.RED, case=shared)
        seen = region.reports(thailand, "Seen", case=shared)
        region.duplicates(hidden, seen)
        lonely = region.reports(thailand, "Lonely")
        reading = ReadCases(session)

        of_two = reading.case(thailand, case_id(seen.public_id))
        with pytest.raises(NotFound):
            reading.case(thailand, case_id(hidden.public_id))
        listed = reading.page(thailand).items

    assert [report.incident.title for report in of_two.reports] == ["Seen"]
    assert of_two.links == ()
    assert (of_two.case.reports, of_two.case.first_report_at) == (1, seen.received_at)
    assert [(case.title, case.reports) for case in listed] == [("Lonely", 1), ("Seen", 1)]
    assert lonely.received_at == listed[0].first_report_at


def test_a_case_all_of_whose_reports_are_hidden_is_not_there(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos = region.joins("LaoCERT")
        bank = region.joins("A bank", OrganizationKind.SUBSCRIBER)
        case = region.case()
        region.reports(laos, level=Level.AMBER, case=case)

        with pytest.raises(NotFound):
            ReadCases(session).case(bank, case.public_id)
        assert ReadCases(session).page(bank).items == ()


def test_an_id_that_was_merged_away_leads_to_what_it_lives_on_as(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos = region.joins("LaoCERT")
        campaign = region.campaign()
        living = region.case(campaign)
        one = region.reports(laos, case=living)
        merged = region.reports(laos, case=living)
        two = region.reports(laos, case=region.case(campaign))
        region.duplicates(one, merged)
        region.related(one, two)

        assert ReadCases(session).case(laos, case_id(merged.public_id)).case.id == living.public_id
        for name in (merged, two):
            view = ReadCampaigns(session).campaign(laos, campaign_id(name.public_id))
            assert view.campaign.id == campaign.public_id


def test_cases_and_campaigns_are_paged(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos = region.joins("LaoCERT")
        for number in range(3):
            campaign = region.campaign()
            one = region.reports(laos, f"Campaign {number}", case=region.case(campaign))
            region.related(one, region.reports(laos, f"Its second {number}", case=region.case(campaign)))
        cases, campaigns = ReadCases(session), ReadCampaigns(session)

        case_pages = [cases.page(laos, limit=4)]
        case_pages.append(cases.page(laos, limit=4, cursor=case_pages[0].next))
        campaign_pages = [campaigns.page(laos, limit=2)]
        campaign_pages.append(campaigns.page(laos, limit=2, cursor=campaign_pages[0].next))

    assert [[case.title for case in page.items] for page in case_pages] == [
        ["Its second 2", "Campaign 2", "Its second 1", "Campaign 1"],
        ["Its second 0", "Campaign 0"],
    ]
    assert [[each.title for each in page.items] for page in campaign_pages] == [
        ["Campaign 2", "Campaign 1"],
        ["Campaign 0"],
    ]
    assert (case_pages[1].next, campaign_pages[1].next) == (None, None)


def test_the_campaign_that_a_reader_last_saw_grow_comes_first(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos, thailand = region.joins("LaoCERT"), region.joins("ThaiCERT")
        old, young = region.campaign(), region.campaign()
        first: dict[str, Incident] = {}
        for campaign, name in ((old, "Old"), (young, "Young")):
            one = region.reports(laos, name, case=region.case(campaign))
            first.setdefault(name, one)
            region.related(one, region.reports(laos, case=region.case(campaign)))
        region.related(first["Old"], region.reports(laos, level=Level.RED, case=region.case(old)))

        own = ReadCampaigns(session).page(laos).items
        others = ReadCampaigns(session).page(thailand).items

    assert [campaign.title for campaign in own] == ["Old", "Young"]
    assert [campaign.title for campaign in others] == ["Young", "Old"]


def test_a_campaign_is_seen_only_as_far_as_visible_evidence_holds_it_together(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos, thailand = region.joins("LaoCERT"), region.joins("ThaiCERT")
        campaign = region.campaign()
        a, b, c, d = (region.reports(laos, title, case=region.case(campaign)) for title in "ABCD")
        bridge = region.reports(laos, "Bridge", Level.RED, case=region.case(campaign))
        secret = region.audience(laos, Level.RED)
        region.related(a, b, reason("shared host", [a.audience_id], 1.0), reason("secret host", [secret], 3.0))
        region.related(b, c, reason("shared file", [a.audience_id]))
        region.related(c, d, reason("secret file", [secret]), reason("the same article", [a.audience_id], 0.4))
        region.related(d, bridge)
        region.related(bridge, a)

        whole = ReadCampaigns(session).campaign(laos, campaign.public_id)
        seen = ReadCampaigns(session).campaign(thailand, campaign.public_id)
        listed = ReadCampaigns(session).page(thailand).items

    assert [case.title for case in whole.cases] == ["A", "B", "C", "D", "Bridge"]
    assert [case.title for case in seen.cases] == ["A", "B", "C"]
    assert (seen.campaign.cases, seen.campaign.reports, seen.campaign.last_report_at) == (3, 3, c.received_at)
    told = {(link.incident.title, link.other.title): link.evidence for link in seen.links}
    assert [(item.words, item.share) for item in told["A", "B"]] == [("shared host", 1.0)]
    assert set(told) == {("A", "B"), ("B", "C")}
    assert listed == (seen.campaign,)


def test_no_campaign_is_seen_where_nothing_visible_ties_two_cases(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos, thailand = region.joins("LaoCERT"), region.joins("ThaiCERT")
        campaign = region.campaign()
        one = region.reports(laos, case=region.case(campaign))
        two = region.reports(laos, case=region.case(campaign))
        region.related(one, two, reason("secret", [region.audience(laos, Level.RED)]))

        with pytest.raises(NotFound):
            ReadCampaigns(session).campaign(thailand, campaign.public_id)
        assert ReadCampaigns(session).page(thailand).items == ()
        assert len(ReadCampaigns(session).page(laos).items) == 1
        assert ReadCases(session).page(thailand).items[0].reports == 1


def test_a_list_finds_the_visible_campaigns_behind_many_that_are_not(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos, thailand = region.joins("LaoCERT"), region.joins("ThaiCERT")
        secret = reason("secret", [region.audience(laos, Level.RED)])
        for number in range(6):
            campaign = region.campaign()
            one = region.reports(laos, f"Campaign {number}", case=region.case(campaign))
            two = region.reports(laos, case=region.case(campaign))
            region.related(one, two, *([] if number == 0 else [secret]))

        page = ReadCampaigns(session).page(thailand, limit=2)

    assert [campaign.title for campaign in page.items] == ["Campaign 0"]
    assert page.next is None


def test_lists_of_cases_and_campaigns_ask_the_same_number_of_questions_for_few_and_for_many(
    sqlite_database: Database,
) -> None:
    with sqlite_database.writing() as session:
        region = Region(session)
        laos = region.joins("LaoCERT")
        for _ in range(8):
            campaign = region.campaign()
            one = region.reports(laos, case=region.case(campaign))
            region.related(one, region.reports(laos, case=region.case(campaign)))
        number = campaign.public_id

    asked = {}
    with sqlite_database.reading() as session:
        for name, read in (
            ("cases", lambda: ReadCases(session).page(laos)),
            ("campaigns", lambda: ReadCampaigns(session).page(laos)),
            ("campaign", lambda: ReadCampaigns(session).campaign(laos, number)),
        ):
            with counted(sqlite_database) as said:
                read()
            asked[name] = len(said)

    assert asked == {"cases": 3, "campaigns": 6, "campaign": 4}  # the first also asks whose the reader is


def test_a_list_of_campaigns_looks_up_what_it_shows(sqlite_database: Database) -> None:
    with sqlite_database.writing() as session:
        region = Region(session)
        laos = region.joins("LaoCERT")
        campaign = region.campaign()
        one = region.reports(laos, case=region.case(campaign))
        region.related(one, region.reports(laos, case=region.case(campaign)))

    with sqlite_database.reading() as session, counted(sqlite_database) as said:
        ReadCampaigns(session).page(laos)
    with sqlite_database.engine.connect() as connection:
        plans = [_plan(connection, statement) for statement in said]

    assert any("ix_incident_case_id" in plan for plan in plans)
    for plan in plans:
        assert not re.search("SCAN (incident|link|left_incident|right_incident)\\b", plan), plan


def _plan(connection: Connection, statement: str) -> str:
    """SQLite says how it would answer without being told the values."""
    cursor = connection.connection.cursor()
    return "\n".join(row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {statement}", [None] * statement.count("?")))
