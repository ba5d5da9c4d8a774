"""What is refused as a whole, with its rule and its exact place; and what is read."""

import json

import pytest

from gate_stories import UUID, bundle, incident, refusal
from kentongan.domain.gate import Limits, Unreadable, read


def test_a_bundle_is_read_in_the_order_it_was_sent():
    document = read(bundle(incident(name="first"), incident(name="second")))

    assert [obj["name"] for obj in document.objects] == ["first", "second"]
    assert document.path(1) == "$.objects[1]"


def test_a_bare_object_is_read():
    document = read(json.dumps(incident()).encode())

    assert document.objects == (incident(),)
    assert document.path(0) == "$"


def test_a_list_of_objects_is_read():
    document = read(json.dumps([incident(), incident()]).encode())

    assert len(document.objects) == 2
    assert document.path(1) == "$[1]"


def test_a_leading_byte_order_mark_is_skipped():
    document = read(b"\xef\xbb\xbf" + bundle(incident()))

    assert document.objects == (incident(),)


@pytest.mark.parametrize(
    ("raw", "rule", "path"),
    [
        (b"", "empty", "$"),
        (b"  \n ", "empty", "$"),
        (b"strike the drum", "not-json", "$"),
        (b'{"type": "bundle"', "not-json", "$"),
        (b'{"type": "bundle"}}', "not-json", "$"),
        (b"{'type': 'bundle'}", "not-json", "$"),
        (b'{"a": "\x00"}', "not-json", "$"),
        (b'\xff\xfe{\x00"\x00', "not-utf8", "$"),
        (b'{"name": "\xc3("}', "not-utf8", "$"),
        (b"null", "not-stix", "$"),
        (b'"incident"', "not-stix", "$"),
        (b"42", "not-stix", "$"),
        (b"[]", "no-objects", "$"),
        (b"[1]", "not-stix", "$[0]"),
        (b'{"objects": []}', "not-stix", "$.type"),
        (b'{"type": "bundle"}', "no-objects", "$.objects"),
        (b'{"type": "bundle", "objects": []}', "no-objects", "$.objects"),
        (b'{"type": "bundle", "objects": {}}', "no-objects", "$.objects"),
        (b'{"type": "bundle", "objects": [[]]}', "not-stix", "$.objects[0]"),
        (b'{"type": "bundle", "objects": [null]}', "not-stix", "$.objects[0]"),
        (b'{"type": "bundle", "objects": [{"type": "bundle"}]}', "nested-bundle", "$.objects[0]"),
        (b'{"type": "bundle", "spec_version": "2.0", "objects": [{}]}', "stix-2.0", "$.spec_version"),
        (b'{"type": "bundle", "spec_version": "1.2", "objects": [{}]}', "spec-version", "$.spec_version"),
        (b'[{"type": "incident", "name": "a", "name": "b"}]', "duplicate-key", "$[0].name"),
        (b'{"type": "x", "type": "x"}', "duplicate-key", "$.type"),
        (b'[{"deep": {"odd key": 1, "odd key": 2}}]', "duplicate-key", "$[0].deep['odd key']"),
        (b'[{"confidence": NaN}]', "not-a-number", "$[0].confidence"),
        (b'[{"confidence": -Infinity}]', "not-a-number", "$[0].confidence"),
        (b'[{"latitude": 1e999}]', "number-too-large", "$[0].latitude"),
        (b'[{"confidence": 9223372036854775808}]', "number-too-large", "$[0].confidence"),
        (b'[{"confidence": -9223372036854775809}]', "number-too-large", "$[0].confidence"),
        (b'[{"confidence": ' + b"7" * 1000 + b"}]", "number-too-long", "$[0].confidence"),
        (b'[{"confidence": ' + b"7" * 10_000 + b"}]", "number-too-long", "$[0].confidence"),
        (b'[{"latitude": 0.' + b"7" * 1000 + b"}]", "number-too-long", "$[0].latitude"),
        (b'[{"labels": ["a", "b\\u0000c"]}]', "nul-character", "$[0].labels[1]"),
        (b'[{"na\\u0000me": 1}]', "nul-character", "$[0]['na\\x00me']"),
        (b'[{"name": "\\ud83d"}]', "lone-surrogate", "$[0].name"),
        (b'[{"name": "\\uDE00\\uD83D"}]', "lone-surrogate", "$[0].name"),
    ],
)
def test_an_unsound_document_is_refused_with_the_rule_and_the_place(raw: bytes, rule: str, path: str):
    problems = refusal(raw)

    assert [(problem.rule, problem.path) for problem in problems] == [(rule, path)]
    assert all(problem.reason and problem.hint for problem in problems)


def test_all_that_cannot_be_kept_is_told_at_once():
    problems = refusal(b'[{"a": NaN, "b": "\\u0000", "c": 1, "c": 2}, {"d": "\\ud800"}]')

    assert {(problem.rule, problem.path) for problem in problems} == {
        ("not-a-number", "$[0].a"),
        ("nul-character", "$[0].b"),
        ("duplicate-key", "$[0].c"),
        ("lone-surrogate", "$[1].d"),
    }


def test_a_long_list_of_problems_is_cut_and_counted():
    problems = refusal(b"[" + b", ".join([b'"\\u0000"'] * 250) + b"]")

    assert len(problems) == 101
    assert problems[-1].rule == "more-problems"
    assert "150" in problems[-1].reason


@pytest.mark.parametrize("text", ["\\\\u0000", "\\ud83e\\udd41", "back\\\\ud800slash"])
def test_what_only_looks_like_a_bad_escape_is_kept(text: str):
    raw = f'{{"type": "incident", "name": "{text}"}}'.encode()

    document = read(raw)

    assert document.objects == (json.loads(raw),)


def test_integers_up_to_64_bits_are_kept():
    document = read(b'{"type": "x", "numbers": [9223372036854775807, -9223372036854775808, -0, 1e300]}')

    assert document.objects[0]["numbers"] == [9223372036854775807, -9223372036854775808, 0, 1e300]


@pytest.mark.parametrize("opened", [b"[", b'{"a":'])
def test_ten_thousand_levels_are_refused_without_falling_over(opened: bytes):
    closed = {b"[": b"]", b'{"a":': b"}"}[opened]

    problems = refusal(opened * 10_000 + b"1" + closed * 10_000)

    assert [problem.rule for problem in problems] == ["too-deep"]


@pytest.mark.parametrize("levels", [60, 200, 400])
def test_the_deepest_allowed_level_is_the_limit_itself(levels: int):
    raw = b"[{" + b'"type":"x","a":' + b"[" * levels + b"1" + b"]" * levels + b"}]"

    assert read(raw, Limits(max_depth=levels + 2)).objects
    with pytest.raises(Unreadable) as caught:
        read(raw, Limits(max_depth=levels + 1))
    assert [problem.rule for problem in caught.value.problems] == ["too-deep"]


def test_brackets_inside_strings_are_no_depth():
    raw = json.dumps({"type": "x", "name": "[{" * 1000 + "\n" + " " * 1000}).encode()

    assert read(raw).objects


def test_a_string_of_ten_megabytes_is_refused_at_its_place():
    problems = refusal(bundle(incident(), incident(description="x" * 10_000_000)))

    assert [(problem.rule, problem.path) for problem in problems] == [("string-too-long", "$.objects[1].description")]


@pytest.mark.parametrize(
    ("raw", "limits", "rule"),
    [
        (bundle(incident()), Limits(max_bytes=100), "too-large"),
        (bundle(*[{"type": "x"}] * 11), Limits(max_objects=10), "too-many-objects"),
        (b"[" + b"[]," * 50 + b"1]", Limits(max_values=50), "too-many-values"),
    ],
)
def test_more_than_allowed_is_too_large(raw: bytes, limits: Limits, rule: str):
    with pytest.raises(Unreadable) as caught:
        read(raw, limits)

    assert caught.value.too_large
    assert [problem.rule for problem in caught.value.problems] == [rule]


def test_a_fault_of_form_is_not_called_too_large():
    with pytest.raises(Unreadable) as caught:
        read(b"[")

    assert not caught.value.too_large


def test_a_bundle_with_an_odd_id_is_read_with_a_warning():
    document = read(b'{"type": "bundle", "id": 7, "objects": [{"type": "x"}]}')

    assert [(warning.rule, warning.path) for warning in document.warnings] == [("bundle-id", "$.id")]
    assert not read(bundle({"type": "x"}, id=f"bundle--{UUID}")).warnings
