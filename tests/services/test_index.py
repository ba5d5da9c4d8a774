"""What a submission says becomes incidents, and entries under which others find them; a newer version replaces an older."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from kentongan.domain.marking import Level
from kentongan.services import facts_codec
from kentongan.services.index import Index
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident, IncidentTag
from kentongan.storage.jobs import JobRow, Stage
from kentongan.storage.observables import ObjectObservable, Posting, StoredObservable, TextBand
from kentongan.storage.signs import Sign
from kentongan.storage.submissions import Submission
from kentongan.storage.visibility import AudienceRow
from matching_stories import Region, about, sha256
from stories import domain_name, file_hash, grouping, incident, indicator, newer, url


@pytest.fixture
def region(database: Database) -> Region:
    return Region(database)


def index_all(region: Region) -> None:
    with region.database.writing() as session:
        Index(session, lambda: region.now).run(list(session.scalars(select(Submission.id))))


def values_of(region: Region, stix_id: str) -> dict[str, tuple[str, Level]]:
    """Value -> (origin, level of its audience)."""
    with region.database.reading() as session:
        rows = session.execute(
            select(StoredObservable.value, Posting.origin, AudienceRow.level)
            .join(Posting, Posting.observable_id == StoredObservable.id)
            .join(Incident, Incident.id == Posting.incident_id)
            .join(AudienceRow, AudienceRow.id == Posting.audience_id)
            .where(Incident.stix_id == stix_id)
        )
        return {row.value: (row.origin, Level(row.level)) for row in rows}


def countries_of(region: Region) -> list[str]:
    with region.database.reading() as session:
        return sorted(session.scalars(select(IncidentTag.value).where(IncidentTag.kind == "country")))


def signs_of(region: Region, kind: str) -> list[str]:
    with region.database.reading() as session:
        return sorted(session.scalars(select(Sign.key).where(Sign.kind == kind)))


def test_an_incident_is_listed_with_its_facts_and_found_by_its_values(region: Region) -> None:
    report = about(
        "Intrusion", victim="PT Tirta Energi Tbk", files=["dropper"], pages=["https://news.example.com/a?utm_source=x"]
    )

    stix_id = region.submit("CERT-ID", report)
    index_all(region)

    row = region.row(stix_id)
    assert (row.title, row.received_at, row.amended_at, row.revoked) == ("Intrusion", region.now, region.now, False)
    assert facts_codec.read(row.facts).victims[0].name == "PT Tirta Energi Tbk"
    assert values_of(region, stix_id) == {sha256("dropper"): ("sco", Level.GREEN)}
    assert countries_of(region) == ["id"]
    assert signs_of(region, "page") == ["news.example.com/a"]
    assert signs_of(region, "victim")[-1] == "~energytirta"


def test_every_incident_is_promised_the_next_stage(region: Region) -> None:
    region.submit("CERT-ID", [*about("One", files=["a"]), *about("Another", files=["b"])])

    index_all(region)

    with region.database.reading() as session:
        promised = set(session.scalars(select(JobRow.subject_id).where(JobRow.stage == Stage.DEDUPLICATE.value)))
        assert promised == set(session.scalars(select(Incident.id)))
        assert len(promised) == 2


def test_running_twice_changes_nothing(region: Region) -> None:
    stix_id = region.submit("CERT-ID", about("Intrusion", victim="Bank Tirta", files=["a", "b"], culprit="Emotet"))
    index_all(region)
    before = values_of(region, stix_id), signs_of(region, "victim"), region.row(stix_id).public_id

    index_all(region)

    assert (values_of(region, stix_id), signs_of(region, "victim"), region.row(stix_id).public_id) == before


def test_an_amendment_takes_what_it_no_longer_names(region: Region) -> None:
    report = about("Intrusion", victim="Bank Tirta", files=["right", "wrong"])
    stix_id = region.submit("CERT-ID", report)
    index_all(region)
    received = region.row(stix_id).received_at

    region.submit("CERT-ID", [newer(report[0], name="Intrusion, corrected"), *report[1:4]], timedelta(hours=2))
    index_all(region)

    row = region.row(stix_id)
    assert row.title == "Intrusion, corrected"
    assert (row.received_at, row.amended_at) == (received, region.now)
    assert values_of(region, stix_id).keys() == {sha256("right")}


def test_an_amendment_of_the_incident_alone_leaves_what_it_came_with(region: Region) -> None:
    report = about("Intrusion", victim="Bank Tirta", files=["dropper"], culprit="Emotet")
    stix_id = region.submit("CERT-ID", report)
    index_all(region)

    region.submit("CERT-ID", [newer(report[0], name="Intrusion, closed")], timedelta(hours=2))
    index_all(region)
    region.submit("CERT-ID", [newer(report[0], name="Intrusion, reopened", modified="2026-03-05T12:00:00.000Z")])
    index_all(region)

    facts = facts_codec.read(region.row(stix_id).facts)
    assert (facts.title, facts.victims[0].name, facts.malware) == ("Intrusion, reopened", "Bank Tirta", ("Emotet",))
    assert values_of(region, stix_id).keys() == {sha256("dropper")}


def test_tags_are_for_whom_the_newest_version_is_for(region: Region) -> None:
    report = about("Intrusion", country="LA", marking=Level.GREEN)
    region.submit("CERT-ID", report)
    index_all(region)
    red = about("Intrusion", marking=Level.RED)[0]["object_marking_refs"]

    region.submit("CERT-ID", [newer(report[0], object_marking_refs=red)], timedelta(hours=2))
    index_all(region)

    with region.database.reading() as session:
        tagged = select(AudienceRow.level).join(IncidentTag, IncidentTag.audience_id == AudienceRow.id)
        assert set(session.scalars(tagged)) == {int(Level.RED)}


def test_an_older_version_that_comes_late_changes_nothing(region: Region) -> None:
    report = about("Intrusion", files=["dropper"])
    stix_id = region.submit("CERT-ID", [newer(report[0], name="Newest"), *report[1:]])
    index_all(region)

    region.submit("CERT-ID", [report[0], file_hash(sha256("other"))])
    index_all(region)

    assert region.row(stix_id).title == "Newest"
    assert values_of(region, stix_id).keys() == {sha256("dropper")}


def test_a_withdrawn_incident_is_found_by_nothing_any_more(region: Region) -> None:
    report = about("Intrusion", victim="Bank Tirta", files=["dropper"])
    stix_id = region.submit("CERT-ID", report)
    index_all(region)

    region.submit("CERT-ID", [newer(report[0], revoked=True), *report[1:]])
    index_all(region)

    assert region.row(stix_id).revoked
    assert values_of(region, stix_id) == {}
    assert signs_of(region, "victim") == []
    assert countries_of(region) == ["id"]


def test_facts_come_from_what_whoever_sees_the_incident_may_see(region: Region) -> None:
    event, victim, targets = about("Intrusion", victim="Bank Tirta", marking=Level.GREEN)
    secret = about("x", victim="Kementerian Rahmat", marking=Level.AMBER_STRICT)[1]
    hidden = indicator("[file:name = 'unheard-of.exe']", marking=Level.RED)

    stix_id = region.submit(
        "CERT-ID",
        [
            event,
            victim,
            targets,
            secret,
            {**targets, "id": targets["id"][:-4] + "0000", "target_ref": secret["id"]},
            hidden,
        ],
    )
    index_all(region)

    facts = facts_codec.read(region.row(stix_id).facts)
    assert [one.name for one in facts.victims] == ["Bank Tirta"]
    assert values_of(region, stix_id) == {"unheard-of.exe": ("pattern", Level.RED)}


def test_a_value_is_for_the_loosest_audience_it_came_to(region: Region) -> None:
    event = incident(marking=Level.AMBER)
    tight = indicator(f"[file:hashes.'SHA-256' = '{sha256('x')}']", marking=Level.RED)
    loose = indicator(f"[file:hashes.'SHA-256' = '{sha256('x')}']", marking=Level.GREEN, name="again")

    stix_id = region.submit("CERT-ID", [event, tight, loose])
    index_all(region)

    assert values_of(region, stix_id) == {sha256("x"): ("pattern", Level.GREEN)}


def test_what_a_value_lies_in_is_found_too(region: Region) -> None:
    stix_id = region.submit("CERT-ID", [incident(), url("http://login.rumahkabar-palsu.com/a")])
    index_all(region)

    origins = {value: origin for value, (origin, _) in values_of(region, stix_id).items()}
    assert origins == {
        "http://login.rumahkabar-palsu.com/a": "sco",
        "login.rumahkabar-palsu.com": "within",
        "rumahkabar-palsu.com": "within",
    }


def test_objects_without_an_incident_are_found_by_their_values_alone(region: Region) -> None:
    evil = domain_name("rumahkabar-palsu.com")
    region.submit("CERT-ID", [grouping(evil), evil])

    index_all(region)

    with region.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(ObjectObservable)) == 1
        assert session.scalar(select(func.count()).select_from(Incident)) == 0
        assert session.scalar(select(func.count()).select_from(JobRow).where(JobRow.stage == "deduplicate")) == 0


def test_two_organizations_that_send_one_incident_have_each_their_own(region: Region) -> None:
    report = about("Intrusion", files=["dropper"])
    region.submit("CERT-ID", report)
    region.submit("CERT-PH", report)

    index_all(region)

    with region.database.reading() as session:
        assert len(set(session.scalars(select(Incident.organization_id)))) == 2


def test_texts_have_bands_and_a_report_that_says_nothing_has_none(region: Region) -> None:
    region.submit("CERT-ID", about("Intrusion"))
    index_all(region)
    with region.database.reading() as session:
        silent = session.scalar(select(func.count()).select_from(TextBand))

    told = (
        "Attackers copied the payroll archive from an unpatched mail gateway before the weekend and demanded payment."
    )
    region.submit("CERT-PH", about("Payroll archive copied", description=told))
    index_all(region)

    with region.database.reading() as session:
        assert silent == 0
        assert 0 < (session.scalar(select(func.count()).select_from(TextBand)) or 0) <= 24
