"""What is hidden of an object is gone without a trace, and what is left is an object that the gate would take."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_stories import alone
from kentongan.domain.gate import Limits, accepted_alone
from kentongan.domain.marking import Level, Terms
from kentongan.domain.parts import MOST_PARTS, Divided, Part, divided, hides_as_much
from kentongan.domain.policy import Audience
from kentongan.domain.redaction import FIXED, in_common, moved, redact, without
from kentongan.services.examine import examine
from stories import Stix, as_bytes, bundle, domain_name, file_hash, incident, indicator, sco, sharing_marking, tlp

RED, STRICT = tlp(Level.RED), tlp(Level.AMBER_STRICT)
FOR_RED = Terms(Level.RED, frozenset(), frozenset())
FOR_STRICT, FOR_GREEN = Terms(Level.AMBER_STRICT), Terms(Level.GREEN)

text = st.text("abcdef ", min_size=1, max_size=12)
reference = st.fixed_dictionaries({"source_name": text, "description": text}, optional={"external_id": text})
custom = st.recursive(
    text | st.integers(-9, 9) | st.booleans(),
    lambda below: (
        st.lists(below, min_size=1, max_size=3) | st.dictionaries(st.sampled_from(["one", "two"]), below, min_size=1)
    ),
    max_leaves=6,
)
properties = st.fixed_dictionaries(
    {},
    optional={
        "description": text,
        "labels": st.lists(text, min_size=1, max_size=4),
        "external_references": st.lists(reference, min_size=1, max_size=3),
        "x_custom": custom,
        "confidence": st.integers(0, 100),
    },
)


def selectors_of(value: Any, above: str = "") -> Iterator[str]:
    """Every selector there is, of everything at any depth."""
    below = value.items() if isinstance(value, dict) else ((f"[{n}]", each) for n, each in enumerate(value))
    for name, each in below:
        yield (selector := f"{above}.{name}" if above else name)
        if isinstance(each, dict | list):
            yield from selectors_of(each, selector)


def pointed_at(obj: Stix, selector: str) -> Any:
    found: Any = obj
    for step in selector.split("."):
        found = found[int(step[1:-1])] if isinstance(found, list) else found[step]
    return found


@st.composite
def marked_objects(draw: st.DrawFn) -> Stix:
    """An incident or indicator with granular markings of some of its parts."""
    build = draw(st.sampled_from([incident, indicator]))
    obj: Stix = build(**draw(properties))
    names = [name for name in selectors_of(obj) if name.partition(".")[0] not in FIXED]
    marking = st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)
    drawn = draw(st.lists(st.tuples(st.sampled_from([RED, STRICT]), marking), max_size=3))
    if drawn:
        obj["granular_markings"] = [{"marking_ref": ref, "selectors": some} for ref, some in drawn]
    return obj


def some_of(obj: Stix) -> st.SearchStrategy[set[str]]:
    names = [name for name in selectors_of(obj) if name.partition(".")[0] not in FIXED]
    return st.sets(st.sampled_from(names), max_size=4)


@given(st.data())
def test_nothing_selected_can_be_reached_any_more_and_all_else_is_as_it_was(data: st.DataObject) -> None:
    obj = data.draw(marked_objects())
    gone = data.draw(some_of(obj))
    before = copy.deepcopy(obj)

    rest = without(obj, gone)

    assert obj == before
    assert moved(obj, gone, gone) == frozenset()
    for name in obj.keys() - {"granular_markings"}:
        if not any(selector.partition(".")[0] == name for selector in gone):
            assert rest[name] == obj[name]
    for selector in selectors_of(obj):
        if selector.startswith("granular_markings"):
            continue
        covered = any(selector == each or selector.startswith(f"{each}.") for each in gone)
        new = moved(obj, gone, [selector])
        assert not (covered and new)
        if new and not isinstance(pointed_at(obj, selector), dict | list):
            (name,) = new
            assert pointed_at(rest, name) == pointed_at(obj, selector)
        elif not new and not covered:  # only what became empty went along
            assert isinstance(pointed_at(obj, selector), dict | list)


@given(st.data())
def test_no_marking_points_at_what_is_gone(data: st.DataObject) -> None:
    obj = data.draw(marked_objects())
    gone = data.draw(some_of(obj))

    rest = without(obj, gone)

    there = set(selectors_of(rest))
    for marking in rest.get("granular_markings", ()):
        assert marking["selectors"]
        assert there.issuperset(marking["selectors"])
    assert rest.get("granular_markings") != []
    told = {each["marking_ref"] for each in rest.get("granular_markings", ())}
    hidden = {
        each["marking_ref"] for each in obj.get("granular_markings", ()) if not moved(obj, gone, each["selectors"])
    }
    still = {each["marking_ref"] for each in obj.get("granular_markings", ()) if moved(obj, gone, each["selectors"])}
    assert told == still
    assert not (hidden - still) & told


@given(st.data())
def test_twice_is_as_once_and_the_order_does_not_matter(data: st.DataObject) -> None:
    obj = data.draw(marked_objects())
    one, other = data.draw(some_of(obj)), data.draw(some_of(obj))
    ordered = data.draw(st.permutations(sorted(one | other)))

    together = without(obj, one | other)

    assert without(obj, ordered) == together
    assert without(without(obj, one), moved(obj, one, one)) == without(obj, one)
    assert without(without(obj, one), moved(obj, one, other)) == together
    assert without(without(obj, other), moved(obj, other, one)) == together


@given(st.data())
def test_what_is_shown_is_taken_by_the_gate_and_survives_json(data: st.DataObject) -> None:
    obj = data.draw(marked_objects())
    gone = data.draw(some_of(obj))

    rest = redact(obj, gone)

    if rest is None:
        left = without(obj, gone)
        assert not accepted_alone(left)
        return
    assert alone(rest).problems == ()
    assert json.loads(json.dumps(rest)) == rest
    assert rest == without(obj, gone)


@given(st.data())
def test_what_one_carrier_shows_is_shown(data: st.DataObject) -> None:
    obj = data.draw(marked_objects())
    hidden = [data.draw(some_of(obj)), data.draw(some_of(obj))]

    common = in_common(hidden)

    for selector in set(selectors_of(obj)):
        covered = [any(f"{selector}.".startswith(f"{each}.") for each in some) for some in hidden]
        assert any(f"{selector}.".startswith(f"{each}.") for each in common) == all(covered)


def test_items_of_a_list_close_up_and_the_markings_of_others_follow_them() -> None:
    obj = incident(
        labels=["a", "secret", "c"],
        granular_markings=[
            {"marking_ref": RED, "selectors": ["labels.[1]"]},
            {"marking_ref": STRICT, "selectors": ["labels.[1]", "labels.[2]"]},
            {"lang": "en", "selectors": ["labels"]},
        ],
    )

    rest = redact(obj, ["labels.[1]"])

    assert rest is not None
    assert rest["labels"] == ["a", "c"]
    assert rest["granular_markings"] == [
        {"marking_ref": STRICT, "selectors": ["labels.[1]"]},
        {"lang": "en", "selectors": ["labels"]},
    ]


def test_the_last_item_takes_its_list_along_and_the_last_marking_its_own() -> None:
    obj = incident(labels=["secret"], granular_markings=[{"marking_ref": RED, "selectors": ["labels.[0]"]}])

    assert redact(obj, ["labels.[0]"]) == {
        name: value for name, value in obj.items() if name not in {"labels", "granular_markings"}
    }


@pytest.mark.parametrize("selector", ["name", *sorted(FIXED)])
def test_what_an_object_needs_is_not_hidden_alone(selector: str) -> None:
    obj = incident(revoked=True, granular_markings=[{"marking_ref": RED, "selectors": [selector]}])

    assert redact(obj, [selector]) is None


def test_a_definition_is_never_shown_in_part() -> None:
    assert redact(sharing_marking(groups=["identity--x"], description="why"), ["description"]) is None


def test_an_id_made_of_what_is_hidden_would_tell_it() -> None:
    named: Stix = {"hashes": {"SHA-256": "a" * 64}, "name": "dropper.exe", "size": 9}
    random, made = sco("file", **named), file_hash(**{**named, "id": "file--2f6d8a1c-7b0e-5c39-9d55-0a4c1e8b7f21"})
    own = sco("x-own", id="x-own--2f6d8a1c-7b0e-5c39-9d55-0a4c1e8b7f21", secret="s")

    assert redact(made, ["name"]) is None
    assert redact(made, ["size"]) is not None
    assert redact(random, ["name"]) is not None
    assert redact(own, ["secret"]) is None
    assert redact(domain_name(), ["value"]) is None


def test_parts_for_the_same_readers_are_one_and_those_for_all_are_none() -> None:
    obj = incident(description="d", labels=["a"], confidence=5)
    marked = [(FOR_RED, ["description"]), (FOR_GREEN, ["confidence"]), (FOR_RED, ["labels.[0]"])]

    assert divided(obj, FOR_GREEN, marked) == Divided((Part(FOR_RED, ("description", "labels.[0]")),))


def test_what_can_not_be_hidden_makes_the_whole_object_as_strict() -> None:
    obj = incident(description="d")

    found = divided(obj, FOR_GREEN, [(FOR_STRICT, ["name"]), (FOR_RED, ["description"])])

    assert found == Divided((Part(FOR_RED, ("description",)),), (Part(FOR_STRICT, ("name",)),))
    assert found.inseparable_selectors == {"name"}


def test_parts_that_can_be_hidden_singly_and_not_together_count_for_the_whole() -> None:
    obj = incident(external_references=[{"source_name": "s", "url": "https://x.example", "description": "d"}])
    parts = [(FOR_STRICT, ["external_references.[0].url"]), (FOR_RED, ["external_references.[0].description"])]

    found = divided(obj, FOR_GREEN, parts)

    assert found.parts == ()
    assert {part.terms for part in found.inseparable} == {FOR_RED, FOR_STRICT}


def test_of_too_many_kinds_of_readers_the_object_is_as_strict_as_all() -> None:
    obj = incident(labels=[f"label {number}" for number in range(MOST_PARTS + 1)])
    groups = [Terms(Level.AMBER, frozenset({f"identity--{number}"})) for number in range(MOST_PARTS + 1)]

    found = divided(obj, FOR_GREEN, [(terms, [f"labels.[{n}]"]) for n, terms in enumerate(groups)])

    assert found.parts == ()
    assert {part.terms for part in found.inseparable} == {*groups}


def test_a_document_that_asks_for_too_many_tries_has_the_rest_of_its_objects_withheld_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kentongan.services.examine.MOST_TRIES", 2)
    objects = [
        incident(description="d", granular_markings=[{"marking_ref": STRICT, "selectors": ["description"]}])
        for _ in range(4)
    ]

    found = examine(as_bytes(bundle(*objects)), Limits()).objects

    assert [len(each.parts) for each in found] == [1, 1, 0, 0]
    assert [FOR_STRICT in each.also for each in found] == [False, False, True, True]
    assert [any(warning.rule == "granular-marking" for warning in each.likely.warnings) for each in found] == [
        False,
        False,
        True,
        True,
    ]


@given(st.data())
def test_whichever_parts_are_hidden_the_rest_can_stand(data: st.DataObject) -> None:
    obj = data.draw(marked_objects())
    granular = [
        (FOR_RED if each["marking_ref"] == RED else FOR_STRICT, each["selectors"])
        for each in obj.get("granular_markings", ())
    ]

    found = divided(obj, FOR_GREEN, granular)

    for kept in range(2 ** len(found.parts)):
        hidden = [name for n, part in enumerate(found.parts) if kept >> n & 1 for name in part.selectors]
        rest = redact(obj, hidden)
        assert rest is not None
        assert accepted_alone(rest)


def test_an_earlier_version_hides_as_much_only_where_it_surely_does() -> None:
    strict = Audience(1, Level.AMBER_STRICT)
    old, new = incident(description="d", labels=["a", "b"]), incident(description="e", labels=["a", "b"])

    def hides(hidden: list[str], wanted: list[str], audience: Audience = strict) -> bool:
        return hides_as_much(old, {audience: hidden}, new, wanted, strict)

    assert hides(["description"], ["description"])
    assert hides(["labels.[1]"], ["labels.[1]"])
    assert hides([], ["x_not_there"])
    assert not hides([], ["description"])
    assert not hides(["labels.[0]"], ["labels.[1]"])
    assert not hides(["description"], ["description"], Audience(1, Level.AMBER))
    assert hides(["description"], ["description"], Audience(1, Level.RED, for_members=True))
    assert not hides(["description"], ["description"], Audience(1, Level.RED))  # it may name somebody who is no member
