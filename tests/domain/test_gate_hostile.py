"""Whatever is sent, the gate answers: it returns or refuses, soon, and never falls over."""

import json
import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gate_stories import CERT, GREEN, MORNING, UUID, bundle, incident, indicator, sco, sdo
from kentongan.domain.gate import Checked, Limits, Unreadable, check, read
from kentongan.domain.gate.extension import EVENT_ID, IMPACT_ID, INCIDENT_CORE_ID, INCIDENT_EXTENSION_ID
from kentongan.domain.gate.schema import type_schemas

SEEDS: list[dict[str, Any]] = [
    incident(
        created_by_ref=CERT,
        lang="th",
        labels=["country:TH", 'rsit:intrusions="system-compromise"'],
        external_references=[{"source_name": "cve", "external_id": "CVE-2026-1234"}],
        granular_markings=[{"marking_ref": GREEN, "selectors": ["name", "labels.[0]"]}],
        extensions={
            INCIDENT_EXTENSION_ID: {
                "extension_type": "property-extension",
                "severity": "C2",
                "incident_start": MORNING,
            },
            INCIDENT_CORE_ID: {
                "extension_type": "property-extension",
                "determination": "confirmed",
                "investigation_status": "open",
            },
        },
    ),
    indicator("[url:value = 'http://x.example/'] AND [file:size > 5]", indicator_types=["malicious-activity"]),
    sdo(
        "relationship", relationship_type="targets", source_ref=f"incident--{UUID}", target_ref=CERT, stop_time=MORNING
    ),
    sdo(
        "observed-data", first_observed=MORNING, last_observed=MORNING, number_observed=1, object_refs=[f"file--{UUID}"]
    ),
    sdo("event", status="occurred", start_time=MORNING, extensions={EVENT_ID: {"extension_type": "new-sdo"}}),
    sdo("impact", impact_category="external", extensions={IMPACT_ID: {"extension_type": "new-sdo"}, "external": {}}),
    sdo("x-alert", anything={"at": ["all", 7, None]}),
    sdo("identity", id=CERT, name="ThaiCERT", sectors=["government"]),
    sdo("location", country="TH"),
    sdo("marking-definition", definition_type="tlp", definition={"tlp": "green"}),
    sco("file", hashes={"MD5": "d41d8cd98f00b204e9800998ecf8427e"}, name="a.exe"),
    sco("network-traffic", protocols=["tcp"], src_ref=f"ipv4-addr--{UUID}", start=MORNING, end=MORNING),
    sco("ipv6-addr", value="2001:db8::1"),
    sco("email-addr", value="a@x.example"),
]
ODD: list[Any] = [
    None, True, 0, -1, 7.5, 2**63 - 1, "", "x", " ", "\u0007", "2026-02-31T00:00:00Z", "0000-01-29T00:00:00.000Z", GREEN,
    f"incident--{UUID}", "2.0", "stix", "[a:b = 'c'", [], [[]], [{}], [None], {}, {"a": {}}, {"extension_type": []},
    {"extension_type": "new-sco"}, ["labels.[99999999999]", "name.x"], {"": ""}, "bundle", "marking-definition", "impact",
]  # fmt: skip
KEYS = ["type", "id", "spec_version", "created", "modified", "extensions", "granular_markings", "object_marking_refs", "pattern",
        "pattern_type", "lang", "name", "hashes", "value", "definition", "definition_type", "x_new"]  # fmt: skip
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(ODD)
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), inner, max_size=6)
    ),
    max_leaves=25,
)


def answer(raw: bytes, limits: Limits | None = None) -> list[Checked] | None:
    """What the gate answers: the checked objects, or None when it refused the whole; anything else is a crash."""
    try:
        return check(read(raw, limits or Limits()))
    except Unreadable as unreadable:
        assert unreadable.problems
        return None


def mutated(rng: random.Random, value: Any) -> Any:
    """The same document with something put in, taken out or exchanged, a few levels down."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        chance = rng.random()
        if chance < 0.1:
            return {name: below for name, below in value.items() if name != key}
        if chance < 0.25:
            return {**value, rng.choice(KEYS): rng.choice(ODD)}
        return {**value, key: mutated(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.8:
        position = rng.randrange(len(value))
        return [*value[:position], mutated(rng, value[position]), *value[position + 1 :]]
    return rng.choice(ODD)


@given(seed=st.integers(0, 2**32), times=st.integers(1, 6))
@settings(max_examples=400)
def test_a_mutated_bundle_is_answered(seed: int, times: int):
    rng = random.Random(seed)
    objects: Any = SEEDS
    for _ in range(times):
        objects = mutated(rng, objects)

    answer(json.dumps({"type": "bundle", "id": f"bundle--{UUID}", "objects": objects}).encode())


@given(value=json_values)
@example({"type": "0", "extensions": {"": {}}})  # a type without an extension was looked for under the empty name
@settings(max_examples=300)
def test_any_json_is_answered(value: object):
    answer(json.dumps(value).encode())
    answer(json.dumps({"type": "bundle", "objects": [value]}, ensure_ascii=False).encode("utf-8", "surrogatepass"))


@given(
    kind=st.sampled_from(sorted(type_schemas())),
    properties=st.dictionaries(st.text(max_size=8), json_values, max_size=4),
    name=st.integers(0, 60),
    value=json_values,
)
@settings(max_examples=300)
def test_any_value_in_any_property_of_any_type_is_answered(
    kind: str, properties: dict[str, Any], name: int, value: object
):
    known = sorted(type_schemas()[kind].properties)
    obj = {**sdo(kind), **properties, known[name % len(known)]: value}

    answer(json.dumps([obj]).encode())


@given(raw=st.binary(max_size=400))
@settings(max_examples=200)
def test_random_bytes_are_answered(raw: bytes):
    answer(raw)
    answer(b'{"type": "bundle", "objects": [' + raw + b"]}")


@given(seed=st.integers(0, 2**32), flips=st.integers(1, 8))
@settings(max_examples=200)
def test_a_bundle_with_broken_bytes_is_answered(seed: int, flips: int):
    rng = random.Random(seed)
    raw = bytearray(bundle(*SEEDS))
    for _ in range(flips):
        raw[rng.randrange(len(raw))] = rng.choice(b'"{}[]:,\\\x00\xff0eu ')

    answer(bytes(raw))


MANY = 300_000


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"[" * 5_000_000, id="open brackets"),
        pytest.param(b"[" + b"[]," * 1_000_000 + b"1]", id="a million lists"),
        pytest.param(b'{"a":' * 100_000, id="open objects"),
        pytest.param(b'"' + b"\\" * 10_000_000, id="backslashes"),
        pytest.param(b"-" * 1_000_000, id="minus signs"),
        pytest.param(b"1" * 10_000_000, id="one long number"),
        pytest.param(b"[" + b"1e999," * MANY + b"1]", id="many infinities"),
        pytest.param(b"[" + b'"\\u0000",' * MANY + b"1]", id="many NULs"),
        pytest.param(b'[{"type":"x",' + b'"a":1,' * MANY + b'"b":1}]', id="one name many times"),
        pytest.param(b'[{"type":"incident","labels":[' + b"7," * MANY + b"7]}]", id="many wrong labels"),
        pytest.param(
            bundle(incident(granular_markings=[{"marking_ref": GREEN, "selectors": ["a.b"] * MANY}])), id="selectors"
        ),
        pytest.param(bundle(incident(object_marking_refs=[f"marking-definition--{UUID}"] * MANY)), id="markings"),
        pytest.param(bundle(incident(**{f"x_{number}": 1 for number in range(MANY)})), id="many properties"),
        pytest.param(bundle(*[{"type": "indicator", "id": 7}] * 20_000), id="many broken objects"),
        pytest.param(bundle(*[indicator(f"[a:b = {'(' * 30}{number}") for number in range(20_000)]), id="bad patterns"),
        pytest.param(bundle(incident(lang="a" * 1_000_000, name="\u0007" * 1_000_000)), id="long language"),
        pytest.param(
            bundle(sco("url", value="a" * 4_000_000), sco("domain-name", value="a." * 2_000_000)), id="long values"
        ),
        pytest.param(bundle(sco("email-addr", value="@" * 4_000_000)), id="at signs"),
        pytest.param(
            bundle(
                incident(extensions={INCIDENT_CORE_ID: {"extension_type": "property-extension", "tasks": [7] * MANY}})
            ),
            id="many wrong tasks",
        ),
        pytest.param(bundle(sdo("a" * 250), sdo("a-" * 120 + "!")), id="long types"),
    ],
)
def test_what_is_made_to_cost_much_is_answered_soon(raw: bytes):
    checked = answer(raw)

    assert all(len(one.problems) <= 51 and len(one.warnings) <= 51 for one in checked or ())
