"""What the gate makes of one object: refused, accepted with a warning, or accepted without a word."""

from typing import Any

import orjson
import pytest
import stix2
from hypothesis import given
from hypothesis import strategies as st

from gate_stories import (
    CERT,
    GREEN,
    MORNING,
    NOON,
    RED,
    TLP_1_AMBER,
    UUID,
    alone,
    incident,
    indicator,
    rules_of,
    sco,
    sdo,
    through_the_gate,
    without,
)
from kentongan.domain.gate import Document, check

FILE = {"type": "file", "spec_version": "2.1", "hashes": {"MD5": "d41d8cd98f00b204e9800998ecf8427e"}}


def test_a_sound_incident_passes_without_a_word():
    checked = alone(incident(labels=["country:TH"], confidence=80, lang="th"))

    assert (checked.problems, checked.warnings) == ((), ())


@pytest.mark.parametrize(
    "obj",
    [
        sco("domain-name", value="evil.example"),
        sco("domain-name", value="xn--80ak6aa92e.example"),
        sco("domain-name", value="ชื่อ.ไทย"),
        sco("url", value="https://evil.example/a?b=1"),
        sco("email-addr", value="a@evil.example"),
        sco("ipv4-addr", value="192.0.2.1"),
        sco("ipv6-addr", value="2001:db8::1"),
        sco("ipv6-addr", value="::ffff:192.0.2.1"),
        sco("ipv6-addr", value="2001:db8::/32"),
        sco("file", hashes={"SHA-256": "0" * 64, "TLSH": "T1" + "0" * 70}),
        without(sco("mutex", name="m"), "spec_version"),
        indicator("[url:value = 'http://x.example/']", valid_until=NOON),
        indicator("[file:hashes.MD5='d41d8cd98f00b204e9800998ecf8427e']"),
        sdo("campaign", name="c", first_seen=MORNING, last_seen=MORNING),
        incident(granular_markings=[{"lang": "th", "selectors": ["name"]}]),
        incident(labels=["a", "b"], granular_markings=[{"marking_ref": RED, "selectors": ["labels.[1]", "name"]}]),
        sdo("location", country="TH"),
    ],
)
def test_what_is_sound_passes_without_a_word(obj: dict[str, Any]):
    checked = alone(obj)

    assert (checked.problems, checked.warnings) == ((), ())


@pytest.mark.parametrize(
    ("obj", "rule", "place"),
    [
        (without(incident(), "id"), "stix-schema", ""),
        (without(incident(), "created"), "stix-schema", ""),
        (without(incident(), "modified"), "stix-schema", ""),
        (without(incident(), "name"), "stix-schema", ""),
        (without(incident(), "spec_version"), "stix-schema", ""),
        (incident(spec_version="2.2"), "stix-schema", ".spec_version"),
        (incident(spec_version="2.0"), "stix-2.0", ".spec_version"),
        (incident(id="incident--1"), "stix-schema", ".id"),
        (incident(id=f"malware--{UUID}"), "stix-schema", ".id"),
        (incident(name=7), "stix-schema", ".name"),
        (incident(confidence=101), "stix-schema", ".confidence"),
        (incident(labels=[]), "stix-schema", ".labels"),
        (incident(created="2026-03-01T08:00:00Z"), "stix-schema", ".created"),
        (incident(created="2026-03-01T08:00:00.000+02:00"), "stix-schema", ".created"),
        (incident(created="2026-13-01T08:00:00.000Z"), "stix-schema", ".created"),
        (incident(modified="2026-02-30T08:00:00.000Z", created="2026-02-01T08:00:00.000Z"), "no-such-day", ".modified"),
        (incident(created=NOON), "modified-before-created", ".modified"),
        (incident(created="2026-03-01T08:00:00.0001Z"), "modified-before-created", ".modified"),
        (incident(severity="high"), "stix-schema", ""),
        (incident(lang="th_TH"), "lang", ".lang"),
        (incident(revoked="yes"), "stix-schema", ".revoked"),
        (incident(kill_chain_phases=7, labels=[1]), "stix-schema", ".labels[0]"),
        (incident(Title="x"), "stix-schema", ""),
        (indicator("[url:value = 'x']", valid_until=MORNING), "valid-until-before-valid-from", ".valid_until"),
        (indicator("[url:value = 'x'"), "pattern-syntax", ".pattern"),
        (indicator("url:value = 'x'"), "pattern-syntax", ".pattern"),
        (indicator("["), "pattern-syntax", ".pattern"),
        (indicator("[file:hashes.MD5 = 'abc']"), "pattern-syntax", ".pattern"),
        (indicator("[" + "(" * 300 + "url:value='x'" + ")" * 300 + "]"), "pattern-too-complex", ".pattern"),
        (
            sdo("attack-pattern", name="a", kill_chain_phases=[{"kill_chain_name": "k"}]),
            "stix-schema",
            ".kill_chain_phases[0]",
        ),
        (sdo("campaign", name="c", first_seen=NOON, last_seen=MORNING), "last-seen-before-first-seen", ".last_seen"),
        (
            sdo(
                "observed-data",
                first_observed=NOON,
                last_observed=MORNING,
                number_observed=1,
                object_refs=[f"file--{UUID}"],
            ),
            "last-observed-before-first-observed",
            ".last_observed",
        ),
        (
            sdo(
                "relationship",
                relationship_type="uses",
                source_ref=f"malware--{UUID}",
                target_ref=f"tool--{UUID}",
                start_time=NOON,
                stop_time=NOON,
            ),
            "stop-time-before-start-time",
            ".stop_time",
        ),
        (
            sdo("relationship", relationship_type="uses", source_ref=f"sighting--{UUID}", target_ref=f"tool--{UUID}"),
            "stix-schema",
            ".source_ref",
        ),
        (sco("ipv4-addr", value="999.1.1.1"), "stix-schema", ".value"),
        (sco("ipv6-addr", value="2001:db8::x"), "ip-address", ".value"),
        (sco("x-tool", id=f"x-thing--{UUID}"), "id-type", ".id"),
        (
            incident(granular_markings=[{"marking_ref": RED, "selectors": ["description"]}]),
            "selector-points-nowhere",
            ".granular_markings[0].selectors[0]",
        ),
        (
            incident(labels=["a"], granular_markings=[{"marking_ref": RED, "selectors": ["name", "labels.[1]"]}]),
            "selector-points-nowhere",
            ".granular_markings[0].selectors[1]",
        ),
        (incident(granular_markings=[{"selectors": ["name"]}]), "stix-schema", ".granular_markings[0]"),
        (
            {
                **without(without(sdo("marking-definition"), "modified"), "object_marking_refs"),
                "id": RED,
                "name": "TLP:CLEAR",
                "extensions": {
                    "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d": {
                        "extension_type": "property-extension",
                        "tlp_2_0": "clear",
                    }
                },
            },
            "tlp-definition",
            "",
        ),
    ],
)
def test_what_is_wrong_is_refused_with_the_rule_and_the_place(obj: dict[str, Any], rule: str, place: str):
    checked = alone(obj)

    assert (rule, "$.objects[0]" + place) in {(problem.rule, problem.path) for problem in checked.problems}
    assert all(problem.reason and problem.hint for problem in checked.problems)


@pytest.mark.parametrize(
    ("obj", "rule", "place"),
    [
        (without(incident(), "object_marking_refs"), "no-marking", ".object_marking_refs"),
        (incident(object_marking_refs=[TLP_1_AMBER]), "tlp-1", ".object_marking_refs[0]"),
        (incident(object_marking_refs=[GREEN, RED]), "tlp-conflict", ".object_marking_refs"),
        (
            incident(object_marking_refs=[GREEN, f"marking-definition--{UUID}"]),
            "unknown-marking",
            ".object_marking_refs[1]",
        ),
        (incident(created_by_ref=CERT), "dangling-reference", ".created_by_ref"),
        (incident(created_by_ref=f"tool--{UUID}"), "reference-type", ".created_by_ref"),
        (incident(id="incident--2f6d8a1c-7b0e-1c39-9d55-0a4c1e8b7f21"), "uuid-version", ".id"),
        (incident(x_ticket=7), "custom-property", ""),
        (incident(name="a\u0007b"), "control-characters", ".name"),
        (incident(name="invoice\u202efdp.exe"), "control-characters", ".name"),
        (incident(name=" "), "empty-name", ".name"),
        (incident(name="x" * 1_001), "long-name", ".name"),
        (incident(lang="zz-nonsense"), "lang", ".lang"),
        (sdo("x-alert", anything={"at": "all"}), "custom-type", ".type"),
        (sco("x-alert"), "custom-type", ".type"),
        (sdo("identity", name="i", sectors=["lighthouses"]), "open-vocabulary", ".sectors"),
        (sdo("identity", name="i", identity_class="robot"), "open-vocabulary", ".identity_class"),
        (sdo("location", country="Thailand"), "country", ".country"),
        (indicator("rule x { condition: true }", pattern_type="yara"), "pattern-not-checked", ".pattern"),
        (indicator("[x-thing:value = 'x']"), "pattern-object", ".pattern"),
        (indicator("[url:address = 'x']"), "pattern-object", ".pattern"),
        (sco("domain-name", value="evil[.]example"), "malformed-value", ".value"),
        (sco("url", value="hxxp://evil.example/"), "malformed-value", ".value"),
        (sco("email-addr", value="a at evil.example"), "malformed-value", ".value"),
        (sco("file", hashes={"SHA256": "0" * 64}), "hash-name", ".hashes"),
        (
            sco("network-traffic", protocols=["tcp"], src_ref=f"file--{UUID}"),
            "reference-type",
            ".src_ref",
        ),
        (
            sdo(
                "relationship", relationship_type="sings-to", source_ref=f"malware--{UUID}", target_ref=f"tool--{UUID}"
            ),
            "relationship-type",
            ".relationship_type",
        ),
        ({**FILE, "id": "file--2f6d8a1c-7b0e-5c39-9d55-0a4c1e8b7f21"}, "observable-id", ".id"),
        (
            {
                **without(sdo("marking-definition"), "object_marking_refs"),
                "definition_type": "statement",
                "definition": {"statement": "ours"},
            },
            "marking-modified",
            ".modified",
        ),
    ],
)
def test_what_is_odd_is_accepted_with_a_warning(obj: dict[str, Any], rule: str, place: str):
    checked = alone(obj)

    assert checked.problems == ()
    assert (rule, "$.objects[0]" + place) in {(warning.rule, warning.path) for warning in checked.warnings}
    assert all(warning.reason and warning.hint for warning in checked.warnings)


@pytest.mark.parametrize("kind", [None, 7, "", [], {}])
def test_an_object_without_a_type_is_refused(kind: object):
    assert rules_of(alone({"type": kind}).problems) == {"no-type"}


def test_every_problem_of_an_object_is_told_at_once():
    checked = alone(incident(name=7, created=NOON, lang="th_TH", confidence=900))

    assert {(problem.rule, problem.path.removeprefix("$.objects[0]")) for problem in checked.problems} == {
        ("stix-schema", ".name"),
        ("stix-schema", ".confidence"),
        ("modified-before-created", ".modified"),
        ("lang", ".lang"),
    }


def test_one_wrong_object_does_not_refuse_its_neighbours():
    checked = through_the_gate(incident(), incident(name=7), incident())

    assert [bool(one.problems) for one in checked] == [False, True, False]
    assert [one.position for one in checked] == [0, 1, 2]


def test_references_inside_the_document_do_not_dangle():
    identity = sdo("identity", name="ThaiCERT", id=CERT)

    checked = through_the_gate(incident(created_by_ref=CERT), identity)

    assert checked[0].warnings == ()


def test_a_marking_that_comes_along_is_known():
    statement = {
        **without(without(sdo("marking-definition"), "modified"), "object_marking_refs"),
        "definition_type": "statement",
        "definition": {"statement": "For the task force"},
    }

    checked = through_the_gate(incident(object_marking_refs=[GREEN, statement["id"]]), statement)

    assert [one.problems + one.warnings for one in checked] == [(), ()]


def test_a_statement_alone_is_no_tlp_marking():
    statement = {
        **without(without(sdo("marking-definition"), "modified"), "object_marking_refs"),
        "definition_type": "statement",
        "definition": {"statement": "For the task force"},
    }

    checked = through_the_gate(incident(object_marking_refs=[statement["id"]]), statement)

    assert rules_of(checked[0].warnings) == {"no-marking"}


def test_the_warning_about_a_conflict_says_which_level_wins():
    checked = alone(incident(object_marking_refs=[RED, GREEN]))

    (warning,) = checked.warnings
    assert "TLP:RED" in warning.reason.rpartition("wins")[2]


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (sco("domain-name", value="example.com"), "domain-name--bedb4899-d24b-5401-bc86-8f6b4cc18ec7"),
        (sco("ipv4-addr", value="198.51.100.3"), "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4"),
        (sco("file", hashes=FILE["hashes"]), None),
        (sco("autonomous-system", number=15139), None),
        (sco("file", name='ü"\\.exe', hashes={"SHA-512": "0" * 128, "MD5": "0" * 32}), None),
    ],
)
def test_a_deterministic_id_is_the_one_that_the_reference_library_makes(obj: dict[str, Any], expected: str | None):
    reference = stix2.parse(without(obj, "id"), version="2.1")["id"]

    checked = alone({**obj, "id": reference})

    assert expected in {None, reference}
    assert rules_of(checked.warnings) == set()


def test_the_content_decides_the_hash_not_the_order_of_its_keys():
    one, other = incident(x_b=1, x_a={"c": 1, "d": [2, 3]}), incident(x_a={"d": [2, 3], "c": 1}, x_b=1)

    first, second, third = through_the_gate(one, other, incident(x_b=1, x_a={"c": 1, "d": [3, 2]}))

    assert first.sha256 == second.sha256
    assert first.sha256 != third.sha256
    assert len(first.sha256) == 32


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(extra=st.dictionaries(st.text(), json_values, max_size=4))
def test_the_text_parses_to_an_object_equal_to_the_one_sent(extra: dict[str, Any]):
    obj = {**extra, **incident()}

    (checked,) = check(Document((obj,)))

    assert orjson.loads(checked.text) == obj
    assert checked.obj is obj
