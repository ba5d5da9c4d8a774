"""Reports of one event make one case, whoever sent them and in whatever order; what no longer holds falls apart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations

import pytest
from sqlalchemy import select

from kentongan.domain.marking import Level
from kentongan.services.deduplicate import Deduplicate
from kentongan.storage.cases import DUPLICATE_OF, Case
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from kentongan.storage.visibility import AudienceRow
from matching_stories import Region, about, sha256
from stories import NOON, Stix, indicator, newer

FILES = ["dropper", "implant", "stealer"]


@pytest.fixture
def region(database: Database) -> Region:
    return Region(database)


def first_report(**changes: object) -> list[Stix]:
    return about("PT Tirta Energi Tbk: implant found", victim="PT Tirta Energi Tbk", files=FILES, **changes)


def second_report(**changes: object) -> list[Stix]:
    return about("Infeksi di Tirta Energi", victim="TIRTA ENERGI", files=[*FILES[:2], "more"], **changes)


def cases_of(region: Region, stix_ids: Sequence[str]) -> list[int | None]:
    return [region.case_of(one) for one in stix_ids]


def test_every_incident_gets_a_case(region: Region) -> None:
    alone = region.report("CERT-ID", "Intrusion")

    assert region.case_of(alone) is not None
    assert region.links(DUPLICATE_OF) == []


def test_two_reports_of_one_event_make_one_case_and_say_why(region: Region) -> None:
    one = region.submit("CERT-ID", first_report())
    region.settle()
    other = region.submit("CERT-PH", second_report(), timedelta(days=2))
    region.settle()

    (link,) = region.links(DUPLICATE_OF)
    assert region.case_of(one) == region.case_of(other)
    assert link.score > 0.9
    assert sum(item["weight"] for item in link.evidence) > 1.0
    told = {item["rule"]: item for item in link.evidence}
    assert told["victim"]["words"] == "both reports name the same victim"
    assert {"kind": "sha256", "value": sha256("dropper")} in [item["observable"] for item in link.evidence]


def test_evidence_names_the_audiences_that_must_be_asked(region: Region) -> None:
    region.submit("CERT-ID", [*first_report(marking=Level.GREEN)])
    hidden = [indicator(f"[file:hashes.'SHA-256' = '{sha256(name)}']", marking=Level.RED) for name in FILES]
    region.submit("CERT-PH", [*about("Infection", victim="Tirta Energi", marking=Level.GREEN), *hidden])
    region.settle()

    (link,) = region.links(DUPLICATE_OF)

    with region.database.reading() as session:
        levels = {row.id: Level(row.level) for row in session.scalars(select(AudienceRow))}
    of_values = [item for item in link.evidence if item["observable"]]
    of_facts = [item for item in link.evidence if not item["observable"]]
    assert of_values and all(Level.RED in {levels[one] for one in item["audiences"]} for item in of_values)
    assert of_facts and all({levels[one] for one in item["audiences"]} == {Level.GREEN} for item in of_facts)


def test_the_same_victim_months_later_is_another_event(region: Region) -> None:
    one = region.report("CERT-ID", "Intrusion at Bank Tirta", victim="Bank Tirta", files=["a"])
    other = region.report(
        "CERT-ID",
        "Intrusion at Bank Tirta",
        victim="Bank Tirta",
        files=["b"],
        happened=NOON + timedelta(days=120),
        after=timedelta(days=120),
    )

    assert region.case_of(one) != region.case_of(other)


def test_the_same_attacker_at_another_victim_is_another_event(region: Region) -> None:
    one = region.report("CERT-ID", "Bank Tirta: implant found", victim="Bank Tirta", files=FILES)
    other = region.report("CERT-ID", "Bank Kirana: implant found", victim="Bank Kirana", files=FILES)

    assert region.case_of(one) != region.case_of(other)


def test_what_everybody_has_joins_nobody(region: Region) -> None:
    common = [
        "[ipv4-addr:value = '8.8.8.8']",
        "[domain-name:value = 'google.com']",
        "[ipv4-addr:value = '192.168.1.1']",
    ]
    sent = [
        region.report(member, "Suspicious traffic", patterns=common, description="Suspicious traffic was seen.")
        for member in ("CERT-ID", "CERT-PH", "CERT-MY")
    ]

    assert len(set(cases_of(region, sent))) == 3


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_of_arrival_does_not_matter(sqlite_database: Database, order: tuple[int, ...]) -> None:
    region = Region(sqlite_database)
    reports = [first_report(), second_report(), about("Implant at a power company", files=FILES)]

    for number in order:
        region.submit("CERT-ID", reports[number])
        region.settle()

    assert len(set(cases_of(region, [report[0]["id"] for report in reports]))) == 1


def test_a_report_that_ties_two_cases_merges_them_into_the_older(region: Region) -> None:
    older = region.submit("CERT-ID", about("Outage", victim="PT Tirta Energi", files=["dropper"]))
    region.settle()
    younger = region.submit("CERT-PH", about("Incident", files=[*FILES[1:], "beacon"]))
    region.settle()
    kept, merged = region.case_of(older), region.case_of(younger)
    assert kept != merged

    bridge = about("Outage explained", victim="Tirta Energi", files=[*FILES, "beacon"])
    tie = region.submit("CERT-MY", bridge)
    region.settle()

    assert cases_of(region, [older, younger, tie]) == [kept] * 3
    with region.database.reading() as session:
        assert session.get_one(Case, merged).merged_into_id == kept


def test_a_nameless_report_does_not_pull_two_victims_together(region: Region) -> None:
    common = {"files": FILES, "sector": "financial-services", "culprit": "Emotet"}
    one = region.report("CERT-ID", "Bank Tirta: implant found", victim="Bank Tirta", **common)
    other = region.report("CERT-ID", "Bank Kirana: implant found", victim="Bank Kirana", **common)

    nameless = region.report("CERT-PH", "Implant found", **common)

    assert region.case_of(one) != region.case_of(other)
    assert region.case_of(nameless) in (region.case_of(one), region.case_of(other))


def test_an_amended_report_that_turns_out_to_be_of_another_event_leaves(region: Region) -> None:
    kept = region.submit("CERT-ID", first_report())
    report = second_report()
    amended = region.submit("CERT-PH", report)
    region.settle()
    together = region.case_of(kept)
    assert region.case_of(amended) == together

    corrected = about(
        "Phishing at a school", victim="Universitas Kirana", files=["other"], country="PH", sector="education"
    )
    event = {**corrected[0], "id": amended, "created": report[0]["created"], "modified": "2026-03-03T00:00:00.000Z"}
    targets = {**corrected[2], "source_ref": amended}
    region.submit("CERT-PH", [event, corrected[1], targets, *corrected[3:]])
    region.settle()

    assert region.links(DUPLICATE_OF) == []
    assert region.case_of(kept) == together
    assert region.case_of(amended) not in (None, together)


def test_a_withdrawn_report_leaves_its_case(region: Region) -> None:
    kept = region.submit("CERT-ID", first_report())
    report = second_report()
    withdrawn = region.submit("CERT-PH", report)
    region.settle()

    region.submit("CERT-PH", [newer(report[0], revoked=True)])
    region.settle()

    assert region.links(DUPLICATE_OF) == []
    assert region.case_of(kept) != region.case_of(withdrawn)


def test_running_twice_changes_nothing(region: Region) -> None:
    sent = [region.submit("CERT-ID", first_report()), region.submit("CERT-PH", second_report())]
    region.settle()
    before = cases_of(region, sent), [(link.id, link.score, link.found_at) for link in region.links(DUPLICATE_OF)]

    with region.database.writing() as session:
        Deduplicate(session, lambda: region.now + timedelta(days=1)).run(list(session.scalars(select(Incident.id))))

    assert (
        cases_of(region, sent),
        [(link.id, link.score, link.found_at) for link in region.links(DUPLICATE_OF)],
    ) == before


def test_what_was_looked_up_before_a_report_was_withdrawn_is_looked_up_again(region: Region) -> None:
    kept = region.submit("CERT-ID", first_report())
    report = second_report()
    withdrawn = region.submit("CERT-PH", report)
    region.settle()
    numbers = [region.row(one).id for one in (kept, withdrawn)]
    with region.database.reading() as session:
        outrun = Deduplicate(session, lambda: region.now).look(numbers)
    assert outrun.judged

    region.submit("CERT-PH", [newer(report[0], revoked=True)])
    region.settle()
    with region.database.writing() as session:
        Deduplicate(session, lambda: region.now).keep(outrun)

    assert region.links(DUPLICATE_OF) == []
    assert region.case_of(kept) != region.case_of(withdrawn)
