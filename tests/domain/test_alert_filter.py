"""Filters: what they accept, how they are read, and that they come back as they were."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.domain.alert import AlertKind
from kentongan.domain.alert_filter import MOST_VALUES, AlertFilter, WrongFilter, plain
from kentongan.domain.incident import IncidentFacts, Observable, StixId
from kentongan.domain.marking import Level

FACTS = IncidentFacts(
    stix_id=StixId("incident--1"),
    title="Tấn công mã độc tại Đà Nẵng",
    description="Ransomware on a hospital's servers",
    rsit_class="malicious-code",
    rsit_type="infected-system",
    severity="C2",
    countries=("VN", "la"),
    sectors=("Health",),
)
SEEN = (
    Observable("url", "http://a.b.evil.example/x"),
    Observable("ipv4", "198.51.100.7"),
    Observable("url", "http://203.0.113.9/"),
)


def accepts(wanted: dict[str, Any], level: Level = Level.GREEN, kind: AlertKind = AlertKind.NEW_CASE) -> bool:
    return AlertFilter.from_json(wanted).accepts(FACTS, level, SEEN, kind)


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"countries": ["vn"]},
        {"countries": ["LA", "TH"]},
        {"sectors": ["HEALTH"]},
        {"rsit_classes": ["Malicious-Code"], "rsit_types": ["infected-system"]},
        {"severities": ["c1", "c2"]},
        {"tlp_max": "TLP:GREEN"},
        {"tlp_min": "clear", "tlp_max": "amber+strict"},
        {"text": "da nang"},
        {"text": "HOSPITAL ransomware"},
        {"kinds": ["new-case", "update"]},
        {"observables": ["198.51.100[.]7"]},
        {"observables": ["198.51.100.0/24"]},
        {"observables": ["hxxp://a[.]b[.]evil[.]example/x"]},
        {"observables": ["evil.example"]},
        {"observables": ["b.evil.example"]},
        {"observables": ["other.example", "198.51.100.7"]},
        {"observables": ["2001:db8::/32", "203.0.113.0/24"]},
        {"observables": [{"kind": "ipv4", "value": "198.51.100.7"}]},
        {"countries": ["VN"], "sectors": ["health"], "text": "ransomware", "observables": ["evil.example"]},
    ],
)
def test_what_agrees_is_accepted(wanted: dict[str, Any]) -> None:
    assert accepts(wanted)


@pytest.mark.parametrize(
    "wanted",
    [
        {"countries": ["TH"]},
        {"sectors": ["energy"]},
        {"rsit_types": ["phishing"]},
        {"severities": ["C6"]},
        {"tlp_min": "TLP:AMBER"},
        {"tlp_max": "TLP:CLEAR"},
        {"text": "hospital bank"},
        {"kinds": ["campaign-grew"]},
        {"observables": ["evil.example.org"]},
        {"observables": ["x.a.b.evil.example"]},
        {"observables": ["203.0.113.128/25"]},
        {"countries": ["VN"], "sectors": ["energy"]},
    ],
)
def test_one_part_that_disagrees_is_enough(wanted: dict[str, Any]) -> None:
    assert not accepts(wanted)


def test_what_a_subscriber_reported_itself_is_no_news_unless_asked_for() -> None:
    assert not AlertFilter().concerns(FACTS, Level.GREEN, (), own=True)
    assert AlertFilter(own=True).concerns(FACTS, Level.GREEN, (), own=True)


def test_a_fact_that_is_not_known_agrees_with_no_wish() -> None:
    unknown = IncidentFacts(stix_id=StixId("incident--1"), title="")

    for part in ("countries", "sectors", "rsit_classes", "rsit_types", "severities"):
        assert not AlertFilter.from_json({part: ["ID"]}).concerns(unknown, Level.GREEN, ())


@pytest.mark.parametrize(
    ("wanted", "paths"),
    [
        (None, ["$"]),
        ([], ["$"]),
        ("{}", ["$"]),
        ({"country": ["ID"]}, ["$.country"]),
        ({"countries": "ID"}, ["$.countries"]),
        ({"countries": ["ID", "Indonesia", 7, ""]}, ["$.countries[2]", "$.countries[3]", "$.countries[1]"]),
        ({"sectors": [None], "own": "yes", "text": 3}, ["$.sectors[0]", "$.own", "$.text"]),
        ({"tlp_min": "TLP:PINK", "tlp_max": 3}, ["$.tlp_min", "$.tlp_max"]),
        ({"tlp_min": "TLP:RED", "tlp_max": "TLP:GREEN"}, ["$.tlp_min"]),
        ({"observables": ["???", {"kind": "nonsense", "value": "x"}, {"kind": "ipv4"}, 4]}, None),
        ({"kinds": ["new-case", "recalled"]}, ["$.kinds[1]"]),
        ({"sectors": ["x\x00"]}, ["$.sectors[0]"]),
        ({"sectors": ["x"] * (MOST_VALUES + 1)}, ["$.sectors"]),
    ],
)
def test_everything_wrong_is_said_at_once(wanted: Any, paths: list[str] | None) -> None:
    with pytest.raises(WrongFilter) as caught:
        AlertFilter.from_json(wanted)

    expected = paths or [f"$.observables[{number}]" for number in range(4)]
    assert sorted(problem.path for problem in caught.value.problems) == sorted(expected)
    assert all(problem.rule.startswith("filter-") and problem.hint for problem in caught.value.problems)


def test_kinds_that_do_not_show_can_be_named() -> None:
    read = AlertFilter.from_json({"observables": [{"kind": "mutex", "value": "Global\\abc"}]})

    assert read.observables == {Observable("mutex", "Global\\abc")}
    assert AlertFilter.from_json(read.as_json()) == read


words = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1), max_size=3)
spellings = st.sampled_from(["evil[.]example", "http://evil.example/A", "198.51.100.0/24", "AS64500", "A" * 64])
filters = st.fixed_dictionaries(
    {},
    optional={
        "countries": st.lists(st.sampled_from(["ID", "vn", "Th"])),
        "sectors": words.map(lambda some: [one for one in some if one.strip()]),
        "severities": st.lists(st.sampled_from(["C1", "c6"])),
        "tlp_max": st.sampled_from(["TLP:RED", "amber+strict", "GREEN"]),
        "observables": st.lists(spellings),
        "text": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=50),
        "kinds": st.lists(st.sampled_from([kind.value for kind in AlertKind])),
        "own": st.booleans(),
    },
)


@given(filters)
def test_a_filter_written_and_read_is_the_same(wanted: dict[str, Any]) -> None:
    read = AlertFilter.from_json(wanted)

    assert AlertFilter.from_json(read.as_json()) == read
    assert AlertFilter.from_json(read.as_json()).as_json() == read.as_json()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda one: st.lists(one) | st.dictionaries(st.text(), one),
        max_leaves=8,
    )
)
def test_no_json_makes_reading_fail_otherwise(value: Any) -> None:
    try:
        AlertFilter.from_json(value)
    except WrongFilter as error:
        assert error.problems


@given(st.text())
def test_plain_words_stay_plain(text: str) -> None:
    assert plain(plain(text)) == plain(text)


def test_vowel_signs_are_no_accents() -> None:
    assert plain("ที่") != plain("ท")
    assert plain("Đường Phố") == "duong pho"
