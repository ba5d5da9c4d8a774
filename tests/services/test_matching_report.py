"""What people confirm and reject comes back as a report on the rules, to each organization its own part."""

from __future__ import annotations

from dataclasses import replace

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from deciding_stories import analyst, coordinator, decide, seven_reports, undo
from kentongan.cli import main
from kentongan.domain.decisions import Verdict
from kentongan.domain.identity import Identity, Scope
from kentongan.domain.marking import Level
from kentongan.services.matching_report import ALL, MatchingReport, OrganizationFeedback
from kentongan.storage.cases import RELATED_TO
from kentongan.storage.database import Database
from kentongan.storage.decisions import DecisionRow
from matching_stories import Region
from portal_stories import place

TOGETHER, APART = Verdict.TOGETHER, Verdict.APART


@pytest.fixture
def region(database: Database) -> Region:
    return Region(database)


def told(region: Region, reader: Identity) -> tuple[OrganizationFeedback, ...]:
    with region.database.reading() as session:
        return MatchingReport(session).report(reader)


def rules(part: OrganizationFeedback) -> dict[str, tuple[int, int]]:
    return {one.rule: (one.precision.confirmed, one.precision.rejected) for one in part.duplicates.rules}


def test_each_organization_gets_its_own_part_and_the_coordinator_all(region: Region) -> None:
    reports = seven_reports(region)
    decide(region, analyst(region, "CERT-ID"), reports[0], reports[1], TOGETHER)
    decide(region, analyst(region, "CERT-ID"), reports[2], reports[3], APART)
    decide(region, analyst(region, "CERT-ID"), reports[5], reports[6], TOGETHER)
    decide(region, analyst(region, "CERT-VN"), reports[0], reports[1], APART)
    decide(region, analyst(region, "CERT-VN"), reports[2], reports[4], TOGETHER, RELATED_TO)

    (own,) = told(region, region.member("CERT-ID"))
    everything, *parts = told(region, coordinator(region))

    assert (own.organization, own.duplicates.judged, own.duplicates.missed) == ("CERT-ID", 3, 1)
    assert rules(own)["victim"] == (1, 1)
    assert everything.organization == ALL
    assert rules(everything)["victim"] == (1, 2)
    assert [part.organization for part in parts] == ["CERT-ID", "CERT-VN"]
    assert everything.related.precision is not None
    assert everything.related.precision.confirmed == 1


def test_what_is_taken_back_or_said_anew_counts_no_more(region: Region) -> None:
    reports = seven_reports(region)
    who = analyst(region, "CERT-ID")
    decide(region, who, reports[0], reports[1], APART)
    last = decide(region, who, reports[0], reports[1], TOGETHER)

    assert rules(told(region, who)[0])["victim"] == (1, 0)
    undo(region, who, last.id)
    assert rules(told(region, who)[0])["victim"] == (0, 1)


def test_a_link_counts_as_it_was_found_and_not_by_what_people_said(region: Region) -> None:
    reports = seven_reports(region)
    decide(region, analyst(region, "CERT-ID"), reports[5], reports[6], TOGETHER)
    decide(region, analyst(region, "CERT-VN"), reports[5], reports[6], TOGETHER)
    decide(region, analyst(region, "CERT-TH"), reports[5], reports[6], TOGETHER)

    everything = told(region, coordinator(region))[0]

    assert (everything.duplicates.missed, everything.duplicates.precision) == (3, None)


def test_of_what_a_reader_may_not_see_nothing_is_counted(region: Region) -> None:
    hidden = region.report("CERT-ID", "Secret", victim="Bank Kirana", files=["dropper"], marking=Level.RED)
    mine = region.report("CERT-ID", "Mine", victim="Bank Kirana", files=["dropper"])
    decide(region, analyst(region, "CERT-ID"), hidden, mine, TOGETHER)

    (own,) = told(region, region.member("CERT-ID"))
    everything = told(region, coordinator(region))

    assert own.duplicates.judged == 1
    assert [part.duplicates.judged for part in everything] == [0]


def test_a_rule_counts_only_for_who_may_know_that_reason(region: Region) -> None:
    reports = seven_reports(region)
    made = decide(region, analyst(region, "CERT-ID"), reports[0], reports[1], TOGETHER)

    hide(region, made.id, "value")
    assert rules(told(region, region.member("CERT-ID"))[0]).keys() >= {"victim", "country"}
    assert "value" not in rules(told(region, region.member("CERT-ID"))[0])

    hide(region, made.id, "victim")
    (own,) = told(region, region.member("CERT-ID"))
    # What is left does not make the link by itself: for this reader nothing was found.
    assert (own.duplicates.rules, own.duplicates.judged, own.duplicates.missed) == ((), 1, 1)


def hide(region: Region, decision: str, rule: str) -> None:
    """From now on this reason is for an audience that nobody belongs to."""
    with region.database.writing() as session:
        row = session.scalars(select(DecisionRow).where(DecisionRow.public_id == decision)).one()
        assert row.found is not None
        evidence = [item | ({"audiences": [10**6]} if item["rule"] == rule else {}) for item in row.found["evidence"]]
        row.found = {**row.found, "evidence": evidence}


def test_at_the_console_and_in_the_portal(sqlite_database: Database, tmp_path: object) -> None:
    region = Region(sqlite_database)
    reports = seven_reports(region)
    decide(region, analyst(region, "CERT-ID"), reports[0], reports[1], TOGETHER)
    kampung = place(sqlite_database, str(tmp_path))
    page = kampung.signed_in(replace(region.member("CERT-ID"), scopes=frozenset({Scope.READ}))).sees("/matching-report")

    printed = CliRunner().invoke(main, ["--data-dir", str(tmp_path), "matching-report", "--org", "CERT-ID"])
    nobody = CliRunner().invoke(main, ["--data-dir", str(tmp_path), "matching-report", "--org", "XX"])

    assert "Victim" in page and "1 of the links found confirmed, 0 rejected" in page
    assert printed.exit_code == 0, printed.output
    assert "duplicate-of: 1 judged, 0 missed, 0 rightly not found" in printed.stdout
    assert nobody.exit_code == 1
