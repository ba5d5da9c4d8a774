"""STIX 2.0 says the same in STIX 2.1, passes the gate, and what was changed is told."""

from __future__ import annotations

import copy
import json
from typing import Any

import orjson
import pytest
import stix2
from hypothesis import given
from hypothesis import strategies as st

from feeding_samples import stix_20
from kentongan.domain.gate import check, read
from kentongan.domain.marking import Level
from kentongan.domain.stix20 import in_stix_21, is_object_of_stix_20, is_stix_20, mixed_in_stix_21
from stories import tlp, tlp_1

WHEN = "2024-05-01T12:00:00.000Z"
RED = tlp_1(Level.RED)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    "type id spec_version labels pattern pattern_type objects object_marking_refs granular_markings hashes "
    "created modified identity_class is_family parent_directory_ref resolves_to_refs".split()
)
TYPES = st.sampled_from(["indicator", "malware", "identity", "report", "observed-data", "file", "directory", "x-own"])
OBJECTS = st.builds(
    lambda kind, inner, rest: {**rest, **inner, "type": kind},
    TYPES,
    st.fixed_dictionaries(
        {},
        optional={
            "objects": st.dictionaries(st.sampled_from("01"), st.dictionaries(NAMES, JSON, max_size=5), max_size=2),
            "granular_markings": st.lists(
                st.fixed_dictionaries(
                    {
                        "marking_ref": st.just(RED),
                        "selectors": st.lists(
                            st.sampled_from(["objects", "objects.0", "objects.0.name", "labels.[0]"])
                        ),
                    }
                ),
                max_size=2,
            ),
        },
    ),
    st.dictionaries(NAMES, JSON, max_size=6),
)


def bundle(*objects: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "bundle",
        "id": "bundle--0b6d4e5c-1c7e-4b0e-8e0e-000000000000",
        "spec_version": "2.0",
        "objects": list(objects),
    }


def sdo(kind: str, **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "id": f"{kind}--0b6d4e5c-1c7e-4b0e-8e0e-111111111111",
        "created": WHEN,
        "modified": WHEN,
        **more,
    }


def watch(objects: dict[str, Any], **more: Any) -> dict[str, Any]:
    seen = {"first_observed": WHEN, "last_observed": WHEN, "number_observed": 1}
    return sdo("observed-data", **seen, objects=objects, **more)


def converted(*objects: dict[str, Any]) -> list[dict[str, Any]]:
    found, _ = in_stix_21(copy.deepcopy(bundle(*objects)))
    return list(found["objects"])


def test_what_2_0_says_2_1_says_and_two_validators_take_it() -> None:
    tree = json.loads(stix_20(7, "Something old"))

    found, changes = in_stix_21(tree)

    checked = check(read(orjson.dumps(found)))
    assert [one.problems for one in checked] == [()] * 5
    for obj in found["objects"]:
        stix2.parse(obj, version="2.1")
    assert {change.rule for change in changes} == {
        "version-moved",
        "version-added",
        "labels-to-indicator-types",
        "labels-to-malware-types",
        "pattern-type-added",
        "pattern-moments",
        "is-family-assumed",
        "observables-unpacked",
        "renamed-to-ctime",
    }
    places = {change.path for change in changes}
    assert {
        "$.spec_version",
        "$.objects[0].labels",
        "$.objects[0].pattern",
        "$.objects[2].objects['0'].created",
    } <= places


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[a:b = 'START'] START '2020' STOP '2021'", "[a:b = 'START'] START t'2020' STOP t'2021'"),
        ("[a:b = 'it\\'s START '] START t'2020' STOP t'2021'", "[a:b = 'it\\'s START '] START t'2020' STOP t'2021'"),
        ("[a:b = 'x']", "[a:b = 'x']"),
    ],
)
def test_moments_in_patterns_are_written_as_2_1_wants_them(before: str, after: str) -> None:
    (found,) = converted(sdo("indicator", labels=["benign"], pattern=before, valid_from=WHEN))

    assert found["pattern"] == after


def test_observables_are_as_restricted_as_what_held_them() -> None:
    inside = {
        "0": {"type": "domain-name", "value": "hidden.example"},
        "1": {"type": "url", "value": "https://x.example/"},
    }
    marked = [
        {"marking_ref": RED, "selectors": ["objects.0.value", "first_observed"]},
        {"marking_ref": RED, "selectors": ["objects.1"]},
    ]

    name, url, seen = converted(watch(inside, object_marking_refs=[tlp(Level.AMBER)], granular_markings=marked))

    assert name["object_marking_refs"] == [tlp(Level.AMBER)]
    assert name["granular_markings"] == [{"marking_ref": RED, "selectors": ["value"]}]
    assert url["object_marking_refs"] == [tlp(Level.AMBER), RED]
    assert seen["granular_markings"] == [{"marking_ref": RED, "selectors": ["first_observed"]}]
    assert seen["object_refs"] == [name["id"], url["id"]]


def test_a_selector_follows_what_it_marked() -> None:
    hidden = [{"marking_ref": RED, "selectors": ["labels.[0]", "name"]}]

    (found,) = converted(sdo("malware", name="RAT", labels=["ransomware"], granular_markings=hidden))

    assert found["granular_markings"] == [{"marking_ref": RED, "selectors": ["malware_types.[0]", "name"]}]


def test_observables_that_refer_to_each_other_in_a_ring_get_ids_all_the_same() -> None:
    ring = {
        "0": {"type": "file", "name": "a", "parent_directory_ref": "1"},
        "1": {"type": "directory", "path": "/x", "contains_refs": ["0"]},
    }

    file, directory, _ = converted(watch(ring))

    assert file["parent_directory_ref"] == directory["id"]
    assert directory["contains_refs"] == [file["id"]]


@given(st.lists(OBJECTS | JSON, max_size=4))
def test_whatever_stands_in_a_bundle_it_is_converted_alike_every_time(objects: list[Any]) -> None:
    tree = {**bundle(), "objects": objects}

    first, second = in_stix_21(copy.deepcopy(tree)), in_stix_21(copy.deepcopy(tree))

    assert first == second
    assert not is_stix_20(first[0])


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=5))
def test_no_property_of_its_own_is_lost(own: dict[str, Any]) -> None:
    mine = {f"x_{name}": value for name, value in own.items()}

    (found,) = converted(sdo("campaign", name="A", **mine))

    assert {name: found[name] for name in mine} == mine


@given(st.lists(OBJECTS | JSON.filter(lambda value: isinstance(value, dict)), max_size=4))
def test_in_an_envelope_only_what_is_of_2_0_is_changed_and_that_as_in_a_bundle(objects: list[Any]) -> None:
    """Whatever else stands there stays as it is, byte for byte, and in its place."""
    mixed = [obj if number % 2 else {**obj, "spec_version": "2.1"} for number, obj in enumerate(objects)]

    found, changes = mixed_in_stix_21(copy.deepcopy(mixed))

    expected: list[Any] = []
    for obj in mixed:
        alone, _ = in_stix_21({"type": "bundle", "spec_version": "2.0", "objects": [copy.deepcopy(obj)]})
        expected += alone["objects"] if is_object_of_stix_20(obj) else [obj]
    assert found == expected
    touched = {number for number, obj in enumerate(mixed) if is_object_of_stix_20(obj)}
    assert {int(change.path.partition("[")[2].partition("]")[0]) for change in changes} == touched
