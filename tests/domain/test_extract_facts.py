"""From a submission's objects to incidents with their facts and observables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kentongan.domain.extract import Extract, extract
from kentongan.domain.gate.extension import INCIDENT_CORE_ID, INCIDENT_EXTENSION_ID
from kentongan.domain.incident import Moment, Observable, Victim
from kentongan.domain.moments import stated, timestamp
from kentongan.domain.victims import shown_name

Stix = dict[str, Any]
"""A STIX object as JSON gives it, hence Any."""


def stix(kind: str, number: int, **properties: Any) -> Stix:  # Any: whatever JSON holds
    return {"type": kind, "id": f"{kind}--{number:08d}-0000-4000-8000-000000000000", **properties}


def ties(number: int, source: Stix, kind: str, target: Stix) -> Stix:
    return stix("relationship", number, source_ref=source["id"], relationship_type=kind, target_ref=target["id"])


def only(objects: list[Stix]) -> Extract:
    extracts, alone = extract(objects)
    assert alone == []
    return extracts[0]


CERT = stix("identity", 1, name="ID-CERT", identity_class="organization")


def incident(number: int = 1, **properties: Any) -> Stix:  # Any: whatever JSON holds
    return stix("incident", number, name="Server broken into", created_by_ref=CERT["id"], **properties)


def test_a_full_report_tells_who_what_where_and_when() -> None:
    core = {
        "determination": "confirmed",
        "investigation_status": "open",
        "criticality": 70,
        "events": [{"event_ref": "event--1"}],
    }
    ours = {"severity": "C3", "threat_kind": "ransomware", "reporting_phase": "update"}
    report = incident(
        labels=['rsit:intrusions="system-compromise"', "country:ID"],
        extensions={INCIDENT_CORE_ID: core, INCIDENT_EXTENSION_ID: ours},
        external_references=[{"source_name": "news", "url": "HTTPS://News.example:443/story#top"}],
    )
    bank = stix("identity", 2, name="Bank Rimba", identity_class="organization", sectors=["financial_services"])
    place = stix("location", 1, country="MYS")
    technique = stix(
        "attack-pattern",
        1,
        name="Phishing",
        external_references=[{"source_name": "mitre-attack", "external_id": "T1566"}],
    )
    weakness = stix("vulnerability", 1, name="cve-2024-1234")
    malware, actor = stix("malware", 1, name="Emotet"), stix("intrusion-set", 1, name="TA542")
    event = stix(
        "event", 1, start_time="2025-03-01T10:00:00Z", start_time_fidelity="hour", end_time="2025-03-02T10:00:00Z"
    )
    impact = stix("impact", 1, impact_category="availability")
    links = [ties(n, report, "uses", one) for n, one in enumerate([technique, malware, weakness, actor], 10)]

    told = only(
        [
            CERT,
            report,
            bank,
            place,
            technique,
            weakness,
            malware,
            actor,
            event,
            impact,
            ties(1, report, "targets", bank),
            ties(2, bank, "located-at", place),
            *links,
        ]
    ).facts

    assert (told.reporter, told.rsit_class, told.rsit_type) == ("ID-CERT", "intrusions", "system-compromise")
    assert (told.severity, told.threat_kind, told.reporting_phase) == ("C3", "ransomware", "update")
    assert (told.determination, told.status, told.criticality, told.impacts) == (
        "confirmed",
        "open",
        70,
        ("availability",),
    )
    assert (told.countries, told.sectors) == (("ID", "MY"), ("financial-services",))
    assert told.victims == (Victim("Bank Rimba", ("financial-services",), ("MY",)),)
    assert told.happened == Moment(datetime(2025, 3, 1, 10, tzinfo=UTC), "hour")
    assert told.ended == Moment(datetime(2025, 3, 2, 10, tzinfo=UTC), "second")
    assert (told.techniques, told.malware, told.actors, told.vulnerabilities) == (
        ("T1566",),
        ("Emotet",),
        ("TA542",),
        ("CVE-2024-1234",),
    )
    assert told.references == ("https://news.example/story",)


def test_what_was_not_said_is_not_guessed() -> None:
    told = only([incident(labels=["country:Atlantis", "rsit:Own=Word"])]).facts

    assert told.countries == ("Atlantis",)
    assert (told.rsit_class, told.rsit_type) == ("Own", "Word")
    assert (told.reporter, told.happened, told.severity, told.victims) == (None, None, None, ())


def test_our_extension_tells_the_time_before_all_others() -> None:
    ours = {"incident_start": "2025-03-01T00:00:00Z", "incident_start_precision": "week"}
    seen = stix("observed-data", 1, first_observed="2025-02-01T00:00:00Z", object_refs=[])

    told = only([incident(extensions={INCIDENT_EXTENSION_ID: ours}, description="2024-01-01. x"), seen]).facts

    assert told.happened == Moment(datetime(2025, 3, 1, tzinfo=UTC), "week")


def test_another_publishers_extension_tells_the_time_too() -> None:
    theirs = {"extension_type": "property-extension", "incident_date": "2013-01-01", "incident_date_precision": "year"}

    told = only([incident(extensions={"extension-definition--9": theirs})]).facts

    assert told.happened == Moment(datetime(2013, 1, 1, tzinfo=UTC), "year")


def test_an_attackers_server_does_not_make_its_country_a_victim() -> None:
    server, place = stix("infrastructure", 1, name="C2"), stix("location", 1, country="RU")

    told = only([incident(), server, place, ties(1, server, "located-at", place)]).facts

    assert told.countries == ()


def test_the_reporter_is_no_victim_unless_it_says_so() -> None:
    report = incident()

    assert only([CERT, report]).facts.victims == ()
    assert only([CERT, report, ties(1, report, "targets", CERT)]).facts.victims == (Victim("ID-CERT"),)


def test_each_value_is_seen_where_it_is_carried() -> None:
    domain, address = stix("domain-name", 1, value="Evil.example"), stix("ipv4-addr", 1, value="1.2.3.4")
    watched = stix("observed-data", 1, object_refs=[address["id"]], first_observed="2025-01-01T00:00:00Z")
    pattern = stix(
        "indicator", 1, name="evil[.]example", pattern="[domain-name:value = 'EVIL.example']", pattern_type="stix"
    )
    report = incident(description="It called hxxp://evil[.]example/x")

    seen = {
        (one.observable.value, one.origin, one.object_id.split("--")[0])
        for one in only([report, domain, address, watched, pattern]).observables
    }

    assert seen == {
        ("evil.example", "sco", "domain-name"),
        ("1.2.3.4", "observed-data", "ipv4-addr"),
        ("evil.example", "pattern", "indicator"),
        ("http://evil.example/x", "text", "incident"),
    }


def test_an_article_is_a_reference_and_a_sample_page_is_a_hash() -> None:
    article = {"source_name": "news", "url": "https://news.example/story"}
    sample = {"source_name": "VirusTotal", "url": f"https://www.virustotal.com/gui/file/{'a' * 64}"}

    told = only(
        [incident(external_references=[article, sample], description="See http://blog.example.com/post for more.")]
    )

    assert [(one.observable, one.origin) for one in told.observables] == [
        (Observable("sha256", "a" * 64), "external-reference")
    ]
    assert "http://blog.example.com/post" in told.facts.references


def test_a_benign_indicator_is_left_out() -> None:
    good = stix("indicator", 1, indicator_types=["benign"], pattern="[ipv4-addr:value='1.2.3.4']", pattern_type="stix")

    assert only([incident(), good]).observables == ()


def test_two_incidents_in_one_submission_keep_their_own() -> None:
    first, second = incident(1), incident(2)
    bank = stix("identity", 2, name="Bank Rimba", roles=["victim"])
    evil, bad, both, loose = (stix("domain-name", n, value=f"v{n}.example") for n in range(1, 5))
    group = stix("grouping", 1, object_refs=[second["id"], bad["id"]], context="x")
    shared = stix("malware", 1, name="Emotet")
    behind = stix("indicator", 1, pattern="[ipv4-addr:value='1.2.3.4']", pattern_type="stix")
    links = [
        ties(1, evil, "related-to", first),
        ties(2, both, "related-to", first),
        ties(3, both, "related-to", second),
        ties(4, first, "targets", bank),
        ties(5, second, "targets", bank),
        ties(6, first, "uses", shared),
        ties(7, second, "uses", shared),
        ties(8, behind, "indicates", shared),
    ]

    extracts, alone = extract([CERT, first, second, bank, evil, bad, both, loose, group, shared, behind, *links])

    values = {one.facts.stix_id: {seen.observable.value for seen in one.observables} for one in extracts}
    assert values == {first["id"]: {"v1.example", "v3.example"}, second["id"]: {"v2.example", "v3.example"}}
    assert {one.observable.value for one in alone} == {"v4.example", "1.2.3.4"}
    assert all(one.facts.malware == ("Emotet",) and one.facts.victims[0].name == "Bank Rimba" for one in extracts)


def test_a_submission_without_incident_gives_its_observables() -> None:
    extracts, alone = extract([stix("ipv4-addr", 1, value="1.2.3.4")])

    assert extracts == []
    assert [one.observable for one in alone] == [Observable("ipv4", "1.2.3.4")]


WITHHELD = """
Undisclosed organisation (energy); an undisclosed bank; Dirahasiakan; Organisasi dirahsiakan; Victim A; N/A; ***; a bank;
Redacted; Tổ chức giấu tên; ไม่เปิดเผย; Unknown; organização não divulgada; salah satu bank; identity withheld
"""


@pytest.mark.parametrize("name", [None, "", *(name.strip() for name in WITHHELD.split(";"))])
def test_a_withheld_name_is_no_name(name: str | None) -> None:
    assert shown_name(name) is None


@pytest.mark.parametrize(
    "name",
    ["PT. Bank Rajawali Pramesti", "Bệnh viện Minh Khang Phát", "A Bank Corp", "Chinese Government (unknown)", "DSL"],
)
def test_a_name_is_kept_as_sent(name: str) -> None:
    assert shown_name(name) == name


def test_brackets_behind_a_withheld_name_tell_sector_and_country() -> None:
    report, bank = incident(), stix("identity", 2, name="Undisclosed organisation (energy) (LT)")

    told = only([report, bank, ties(1, report, "targets", bank)]).facts

    assert told.victims == (Victim(None, ("energy",), ("LT",)),)


@pytest.mark.parametrize(
    ("text", "at", "precision"),
    [
        ("Incident date: 2005. Hackers", "2005-01-01", "year"),
        ("Incident date: 2013-10. Stolen", "2013-10-01", "month"),
        ("2025-02-26. polonium", "2025-02-26", "day"),
        ("2025-04-18 23:53 UTC. polonium", "2025-04-18T23:53", "minute"),
        ("2025-06-02, about 19:00 UTC. The", "2025-06-02T19:00", "hour"),
        ("27/06/2025. unc2465", "2025-06-27", "day"),
        ("12/03/2025. x", "2025-03-12", "day"),
        ("Week 26 of 2025. x", "2025-06-23", "week"),
        ("Minggu ke-26 tahun 2025", "2025-06-23", "week"),
        ("Week of 2025-06-23: x", "2025-06-23", "week"),
        ("Terdeteksi pada 5 Juni 2025 pukul 09.30 WIB", "2025-06-05T02:30", "minute"),
        ("Tarikh kejadian: 5 Mac 2025", "2025-03-05", "day"),
        ("Tanggal kejadian: 17 Agustus 2025", "2025-08-17", "day"),
        ("ngày 5 tháng 6 năm 2025", "2025-06-05", "day"),
        ("27 มิถุนายน 2568 เวลา 10:30", "2025-06-27T10:30", "minute"),
        ("២៧/០៦/2025 x", "2025-06-27", "day"),
        ("2025年6月27日 x", "2025-06-27", "day"),
        ("On September 16, 2013, staff discovered", "2013-09-16", "day"),
        ("The attack was detected on 3 May 2025.", "2025-05-03", "day"),
        ("2025-05-01 08:00 +07:00 x", "2025-05-01T01:00", "minute"),
    ],
)
def test_a_stated_date_is_read_as_exactly_as_it_was_told(text: str, at: str, precision: str) -> None:
    assert stated(text) == Moment(datetime.fromisoformat(at).replace(tzinfo=UTC), precision)


@pytest.mark.parametrize(
    "text",
    ["", "The blog post of January 2021 tells", "18e1dc2", "2013 patients were told", "2025-13-45. x", "99/99/2025"],
)
def test_other_dates_and_numbers_are_not_the_events_date(text: str) -> None:
    assert stated(text) is None


@given(text=st.text(max_size=200), number=st.integers(0, 99999999))
@settings(max_examples=500)
def test_no_text_breaks_the_date_reader(text: str, number: int) -> None:
    stated(text)
    stated(f"{number // 10000}-{number % 100}-{number % 97} {text}")
    timestamp(text)


PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
JSON = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
TYPES = "incident indicator file identity note event impact observed-data network-traffic attack-pattern location"
PROPERTIES = (
    "value name hashes pattern extensions external_references labels object_refs sectors roles values description country "
    "first_observed impacted_refs start_time"
)


@given(kind=st.sampled_from(TYPES.split()), sent=st.dictionaries(st.sampled_from(PROPERTIES.split()), JSON, max_size=8))
@settings(max_examples=600)
def test_properties_of_the_wrong_shape_are_passed_over(kind: str, sent: dict[str, Any]) -> None:
    extract([incident(), {**stix(kind, 5), **sent}])
