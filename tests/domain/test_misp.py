"""A MISP event as a STIX incident: everything has a home or is told, and the same event is always the same."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.domain.gate import check, read
from kentongan.domain.marking import Level
from kentongan.domain.misp import events_in, incident_of
from kentongan.domain.stix_making import bundle_id
from stories import tlp

UUIDS = [f"0b6d4e5c-1c7e-4b0e-8e0e-{number:012}" for number in range(20)]


def attribute(kind: str, value: str, number: int = 1, **more: Any) -> dict[str, Any]:
    return {"type": kind, "value": value, "uuid": UUIDS[number], "timestamp": "1700000000", "category": "Other", **more}


def event(*attributes: dict[str, Any], **more: Any) -> dict[str, Any]:
    own = {"uuid": UUIDS[0], "info": "A campaign", "date": "2023-11-14", "timestamp": "1700000100"}
    return {**own, "Orgc": {"name": "CERT-XX", "uuid": UUIDS[19]}, "Attribute": list(attributes), **more}


def converted(told: dict[str, Any]) -> tuple[dict[str, list[dict[str, Any]]], dict[str, list[str]]]:
    """The objects by type, and the places of the changes by rule."""
    objects, changes = incident_of(told, "$.Event")
    bundle = {"type": "bundle", "id": bundle_id(b"x"), "objects": objects}
    assert [one.problems for one in check(read(orjson.dumps(bundle)))] == [()] * len(objects)
    by_type: dict[str, list[dict[str, Any]]] = {}
    for obj in objects:
        by_type.setdefault(obj["type"], []).append(obj)
    by_rule: dict[str, list[str]] = {}
    for change in changes:
        by_rule.setdefault(change.rule, []).append(change.path)
    return by_type, by_rule


def test_an_event_is_an_incident_of_who_published_it() -> None:
    found, told = converted(event(Tag=[{"name": "osint"}], threat_level_id="2", analysis="2"))

    (incident,), (publisher,) = found["incident"], found["identity"]
    assert (incident["id"], incident["name"]) == (f"incident--{UUIDS[0]}", "A campaign")
    assert (incident["created"], incident["modified"]) == ("2023-11-14T00:00:00.000Z", "2023-11-14T22:15:00.000Z")
    assert incident["labels"] == ["osint", 'misp:threat-level="medium"', 'misp:analysis="complete"']
    assert incident["created_by_ref"] == publisher["id"] == f"identity--{UUIDS[19]}"
    assert told == {}


@pytest.mark.parametrize(
    ("kind", "value", "pattern"),
    [
        ("ip-dst", "198.51.100.7", "[ipv4-addr:value = '198.51.100.7']"),
        ("ip-src", "2001:db8::1", "[ipv6-addr:value = '2001:db8::1']"),
        ("hostname", "evil[.]example", "[domain-name:value = 'evil.example']"),
        ("url", "hxxps://evil[.]example/it's", "[url:value = 'https://evil.example/it\\'s']"),
        ("md5", "d" * 32, f"[file:hashes.'MD5' = '{'d' * 32}']"),
        ("filename|sha1", f"a\\b.exe|{'e' * 40}", f"[file:hashes.'SHA-1' = '{'e' * 40}' AND file:name = 'a\\\\b.exe']"),
        ("AS", "AS64500", "[autonomous-system:number = 64500]"),
        ("ip-dst|port", "198.51.100.7|443", "[ipv4-addr:value = '198.51.100.7']"),
    ],
)
def test_what_misp_detects_by_is_an_indicator(kind: str, value: str, pattern: str) -> None:
    found, _ = converted(event(attribute(kind, value, to_ids=True, comment="C2")))

    (indicator,) = found["indicator"]
    assert (indicator["pattern"], indicator["name"], indicator["description"]) == (pattern, value, "C2")
    assert indicator["id"] == f"indicator--{UUIDS[1]}"


def test_what_it_only_saw_is_observed_with_its_times_and_words() -> None:
    seen = {"first_seen": "2023-01-01T07:00:00+07:00", "last_seen": "2023-01-02T00:00:00Z", "comment": "from the logs"}

    found, _ = converted(event(attribute("filename|md5", f"a.exe|{'1' * 32}", **seen)))

    (watch,), (file,) = found["observed-data"], found["file"]
    assert (watch["first_observed"], watch["last_observed"]) == ("2023-01-01T00:00:00.000Z", "2023-01-02T00:00:00.000Z")
    assert (watch["object_refs"], watch["x_misp_comment"]) == ([file["id"]], "from the logs")
    assert (file["name"], file["hashes"]) == ("a.exe", {"MD5": "1" * 32})


def test_what_stix_has_no_object_for_or_is_not_what_it_says_is_a_note() -> None:
    found, told = converted(event(attribute("text", "Win32/Agent"), attribute("md5", "not a hash", 2)))

    assert [note["content"] for note in found["note"]] == ["Win32/Agent", "not a hash"]
    assert told["note-of-text"] == ["$.Event.Attribute[0]"]
    assert told["not-of-its-type"] == ["$.Event.Attribute[1]"]


def test_articles_vulnerabilities_reports_and_objects_have_their_places() -> None:
    article = attribute("link", "https://news.example/a", category="External analysis")
    cve = attribute("vulnerability", "CVE-2023-1234", 2)
    parts = [attribute("filename", "b.exe", 3), attribute("md5", "2" * 32, 4, to_ids=True)]
    thing = {"uuid": UUIDS[5], "name": "file", "timestamp": "1700000000", "comment": "dropper", "Attribute": parts}
    written = {"uuid": UUIDS[6], "name": "Summary", "content": "# What happened", "timestamp": "1700000000"}

    found, told = converted(event(article, cve, Object=[thing], EventReport=[written]))

    assert found["incident"][0]["external_references"] == [
        {"source_name": "External analysis", "url": "https://news.example/a"}
    ]
    assert found["vulnerability"][0]["name"] == "CVE-2023-1234"
    (grouping,) = found["grouping"]
    assert grouping["object_refs"] == [f"observed-data--{UUIDS[3]}", f"indicator--{UUIDS[4]}"]
    assert (found["note"][0]["abstract"], found["note"][0]["content"]) == ("Summary", "# What happened")
    assert told == {}


def test_galaxies_are_actors_techniques_and_malware() -> None:
    galaxies = [
        {
            "type": "threat-actor",
            "GalaxyCluster": [{"value": "Turla", "uuid": UUIDS[7], "meta": {"synonyms": ["Snake"]}}],
        },
        {"type": "mitre-attack-pattern", "GalaxyCluster": [{"value": "PowerShell - T1086", "uuid": UUIDS[8]}]},
        {"type": "ransomware", "GalaxyCluster": [{"value": "ExampleLocker", "uuid": UUIDS[9]}]},
        {"type": "sector", "GalaxyCluster": [{"value": "Energy", "uuid": UUIDS[10]}]},
    ]

    found, told = converted(event(Galaxy=galaxies))

    assert (found["threat-actor"][0]["name"], found["threat-actor"][0]["aliases"]) == ("Turla", ["Snake"])
    assert found["attack-pattern"][0]["external_references"][0]["external_id"] == "T1086"
    assert found["malware"][0]["is_family"] is True
    assert {tie["relationship_type"] for tie in found["relationship"]} == {"attributed-to", "uses"}
    assert told == {"cluster-left-out": ["$.Event.Galaxy[3].GalaxyCluster[0]"]}


def test_a_tlp_tag_marks_all_and_one_of_an_attribute_marks_that() -> None:
    red = attribute("domain", "hidden.example", to_ids=True, Tag=[{"name": "tlp:red"}])

    found, _ = converted(event(red, attribute("domain", "b.example", 2, to_ids=True), Tag=[{"name": "TLP:Amber"}]))

    assert found["incident"][0]["object_marking_refs"] == [tlp(Level.AMBER)]
    assert [each["object_marking_refs"] for each in found["indicator"]] == [[tlp(Level.RED)], [tlp(Level.AMBER)]]


@pytest.mark.parametrize(
    "place",
    ["", "Attribute[0]", "Object[0]", "Object[0].Attribute[0]", "Galaxy[0].GalaxyCluster[0]", "EventReport[0]", "Orgc"],
)
def test_whatever_has_no_home_is_told_with_its_place(place: str) -> None:
    told = event(
        attribute("domain", "a.example"),
        Object=[{"uuid": UUIDS[2], "name": "x", "Attribute": [attribute("domain", "b.example", 3)]}],
        Galaxy=[{"type": "tool", "GalaxyCluster": [{"value": "Mimi", "uuid": UUIDS[4]}]}],
        EventReport=[{"uuid": UUIDS[5], "content": "words"}],
    )
    inner: Any = told
    for step in filter(None, place.split(".")):
        name, _, index = step.rstrip("]").partition("[")
        inner = inner[name][int(index)] if index else inner[name]
    inner["invented"] = "something new"

    _, changes = converted(told)

    assert changes["no-home"] == [f"$.Event.{place}.invented".replace("..", ".")]


def test_what_was_deleted_or_is_a_sample_or_a_person_is_left_out_and_told() -> None:
    sample = attribute("malware-sample", f"a.exe|{'3' * 32}", 2, data="UEsDBA==")

    found, told = converted(
        event(attribute("domain", "a.example", deleted=True), sample, event_creator_email="a@b.example")
    )

    assert "domain-name" not in found
    assert found["file"][0]["name"] == "a.exe"
    assert {"deleted", "sample-left-out", "person-left-out"} == set(told)


def test_exports_answers_and_feeds_all_hold_events() -> None:
    one = {"Event": {"info": "x"}}

    shapes = [one, {"response": [one, one]}, {"response": one}, [one], {"response": []}, [], "x", {"Event": 1}]

    assert [len(events_in(shape)) for shape in shapes] == [1, 2, 1, 1, 0, 0, 0, 0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=5) | st.sampled_from(UUIDS[:3]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    "uuid info date timestamp Orgc Tag Galaxy Attribute Object EventReport extends_uuid type value category to_ids comment "
    "first_seen last_seen name content GalaxyCluster meta synonyms deleted threat_level_id".split()
)
TREES = st.recursive(
    JSON, lambda inner: st.dictionaries(NAMES, inner | st.lists(inner, max_size=2), max_size=6), max_leaves=12
)


@given(st.dictionaries(NAMES, TREES | st.lists(TREES, max_size=2), max_size=8))
def test_whatever_an_event_holds_it_is_converted_alike_every_time(told: dict[str, Any]) -> None:
    assert incident_of(copy.deepcopy(told), "$") == incident_of(copy.deepcopy(told), "$")
