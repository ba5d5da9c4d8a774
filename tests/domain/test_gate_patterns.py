"""Patterns: the fast readers accept nothing that the parser of OASIS refuses, and no pattern hangs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stix2patterns.validator import run_validator

from gate_stories import indicator, rules_of, through_the_gate
from kentongan.domain.gate.pattern import SIMPLE, judge
from kentongan.domain.gate.pattern_reading import hash_fits, read_pattern


def fast_accepts(pattern: str) -> bool:
    """Whether one of the two fast readers settles the pattern, as `judge` asks them."""
    simple = SIMPLE.fullmatch(pattern)
    if simple is not None and hash_fits(simple["path"], simple["literal"]):
        return True
    return read_pattern(pattern) is not None


def oasis_accepts(pattern: str) -> bool:
    """What the validator of OASIS says; it falls over some patterns, which is no acceptance.

    It also takes the whole set of an IN for one hash and finds it malformed, which is its own fault.
    """
    try:
        faults = run_validator(pattern, stix_version="2.1")
    except Exception:
        return False
    return not [fault for fault in faults if not ("'(" in fault and "is not a valid" in fault)]


@pytest.mark.parametrize(
    "pattern",
    [
        "[ipv4-addr:value='1.2.3.4']",
        "[ipv4-addr:value = '1.2.3.4']",
        "[ ipv4-addr:value != '1.2.3.4' ]",
        "[file:hashes.'SHA-256' = '" + "a" * 64 + "']",
        "[file:hashes.MD5 = '" + "a" * 32 + "']",
        "[url:value = 'http://x.example/?q=\\'quoted\\'&b=\\\\']",
        "[domain-name:value = 'ชื่อ.ไทย']",
        "[file:name = 'a' AND file:size > 10]",
        "[file:name = 'a' OR (file:name LIKE 'b%' AND NOT_a:b = 'c')]",
        "[ipv4-addr:value IN ('1.2.3.4','5.6.7.8')]",
        "[file:name NOT MATCHES '^a.*']",
        "[ipv4-addr:value ISSUBSET '198.51.100.0/24']",
        "[a:b = true] OR [a:b = 1.5] FOLLOWEDBY [a:b = h'0a']",
        "([a:b = '1'] AND [a:b = '2']) WITHIN 600 SECONDS",
        "[a:b = '1'] REPEATS 5 TIMES WITHIN 1800.5 SECONDS",
        "[a:b = '1'] START t'2026-03-01T08:00:00Z' STOP t'2026-03-01T12:00:00.5Z'",
        "[email-message:body_multipart[*].body_raw_ref.name = 'x']",
        "[windows-registry-key:values[0].data = 'x']",
        "[artifact:payload_bin='x'\n  OR artifact:url='y']",
    ],
)
def test_what_publishers_write_is_settled_fast_and_as_oasis_would(pattern: str):
    assert fast_accepts(pattern)
    assert oasis_accepts(pattern)
    assert judge(pattern).rule == ""
    assert judge(pattern).cost <= len(pattern) // 50


@pytest.mark.parametrize("pattern", ["[EXISTS file:name]", "[file:name = 'a' /* why */]", "[file:size = +5]"])
def test_what_is_rare_is_left_to_the_parser_of_oasis(pattern: str):
    verdict = judge(pattern)

    assert not fast_accepts(pattern)
    assert verdict.rule == ""
    assert verdict.cost == len(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "[",
        "]",
        "[]",
        "ipv4-addr:value = '1.2.3.4'",
        "[ipv4-addr:value = '1.2.3.4'",
        "[ipv4-addr:value = 1.2.3.4]",
        '[ipv4-addr:value = "1.2.3.4"]',
        "[ipv4-addr:value == ]",
        "[ipv4-addr = 'x']",
        "[ipv4-addr:value = 'x' AND]",
        "[ipv4-addr:value = 'it's']",
        "[ipv4-addr:value = 'a\\b']",
        "[domain name:value = 'x']",
        "[file:hashes.SHA-256 = '" + "a" * 64 + "']",
        "[file:hashes.'SHA-256' = 'short']",
        "[file:hashes[0] = 'x']",
        "[file:name LIKE 5]",
        "[file:size > true]",
        "[a:b[-0] = 'x']",
        "[a:b[01] = 'x']",
        "[AND:b = 'x']",
        "[a:LIKE = 'x']",
        "[a:b = '1'] REPEATS 5 TIMES REPEATS 5 TIMES",
        "[a:b = '1'] WITHIN -5 SECONDS",
        "[a:b = '1'] START '2026-03-01T08:00:00Z' STOP '2026-03-01T12:00:00Z'",
        "[a:b = h'0']",
        "[a:b = '1'] [a:b = '2']",
        "SELECT * FROM x",
    ],
)
def test_what_does_not_parse_is_refused(pattern: str):
    assert not fast_accepts(pattern)
    assert not oasis_accepts(pattern)
    assert judge(pattern).rule == "pattern-syntax"


def test_a_list_of_hashes_is_accepted_though_the_validator_of_oasis_takes_it_for_one_hash():
    pattern = "[file:hashes.MD5 IN ('" + "a" * 32 + "','" + "b" * 32 + "')]"

    assert judge(pattern).rule == ""


def test_a_verdict_says_of_what_the_pattern_speaks():
    assert judge("[file:hashes.'SHA-1' = '" + "a" * 40 + "']").spoken_of == (("file", "hashes"),)
    assert judge("[url:value = 'x' OR domain-name:value = 'y']").spoken_of == (
        ("url", "value"),
        ("domain-name", "value"),
    )
    assert judge("[EXISTS file:name OR url:value = 'x']").spoken_of == (("url", "value"),)


plain_words = st.sampled_from(
    r"[ ] ( ) AND OR NOT FOLLOWEDBY LIKE MATCHES IN ISSUBSET EXISTS START STOP WITHIN REPEATS TIMES SECONDS true = == != <> "
    r"< <= > >= , . : ' - + * 0 5 -7 .5 1.5 01 a a:b ipv4-addr:value file:name file:hashes.MD5 file:hashes.'SHA-1' a:b[0] "
    r"a:b[*].c a-b:c x_y:z_1 'v' '' 'it\'s' h'0a' h'0' b'YQ==' t'2026-03-01T08:00:00Z' t'x' 'a\b' /* //".split(" ")
)
odd_words = st.sampled_from([" ", "\t", "\n", "\u00a0", "'" + "a" * 32 + "'", "'" + "b" * 40 + "'"])
words = plain_words | odd_words
joined_words = st.builds(lambda parts, glue: glue.join(parts), st.lists(words, max_size=14), st.sampled_from(["", " "]))
path = st.sampled_from(
    ["a:b", "ipv4-addr:value", "file:hashes.MD5", "file:hashes.'SHA-1'", "a:b[0].c", "a:'b c'", "t:h", "b:t"]
)
literal = st.sampled_from(
    ["'v'", "5", "-5", "1.5", "true", "h'0a'", "t'2026-03-01T08:00:00Z'", "'" + "a" * 32 + "'", "'b' "]
)
operator = st.sampled_from([" = ", "=", " != ", ">", " <= ", " LIKE ", " NOT MATCHES ", " NOT = ", " IN ", "\n==\n"])
comparison = st.builds(
    lambda p, o, v: p + o + v, path, operator, literal | st.builds("({},{})".format, literal, literal)
)
inner_glue = st.sampled_from([" AND ", " OR ", "\tOR\n"])
outer_glue = st.sampled_from([" AND ", " OR ", " FOLLOWEDBY ", "AND"])
span = " START t'2026-03-01T08:00:00Z' STOP t'2026-03-01T09:00:00Z'"
tail = st.sampled_from(["", " WITHIN 5 SECONDS", " REPEATS 2 TIMES", span, span + span])
boxed = st.builds(lambda parts, glue: f"[{glue.join(parts)}]", st.lists(comparison, min_size=1, max_size=3), inner_glue)
nested = st.builds("({}){}".format, boxed, tail) | boxed
whole = st.builds(
    lambda parts, glue, end: glue.join(parts) + end, st.lists(nested, min_size=1, max_size=3), outer_glue, tail
)


def cut(pattern: str, at: int, piece: str) -> str:
    place = at % (len(pattern) + 1)
    return pattern[:place] + piece + pattern[place + len(piece) % 2 :]


mutated = st.builds(cut, whole, st.integers(0, 500), words | st.characters() | st.just(""))


@given(pattern=st.text(max_size=60) | joined_words | whole | mutated)
@settings(max_examples=400)
def test_the_fast_readers_accept_nothing_that_oasis_refuses(pattern: str):
    if fast_accepts(pattern):
        assert oasis_accepts(pattern)


@given(pattern=st.text(max_size=80) | joined_words | mutated)
@settings(max_examples=200)
def test_a_verdict_always_comes_and_agrees_with_oasis(pattern: str):
    assert (judge(pattern).rule == "") == oasis_accepts(pattern)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "pattern",
    [
        "[a:b = 'c']" + " OR [a:b = 'c']" * 60_000,
        "[" + "(" * 5_000 + "a:b = 'c'" + ")" * 5_000 + "]",
        "(" * 60_000,
        "[" * 60_000,
        "[a:b = '" + "\\" * 200_001,
        "[a:b" + ".c" * 100_000 + " ~ 'c']",
        "[a:b = 'c'" + " AND a:b = 'c'" * 5_000 + " AND",
        "'" * 100_001,
        "[a:b IN (" + "1," * 100_000 + ")]",
        "a" * 500_000 + ":",
        "-" * 100_000,
        "[a:b = " + "1" * 100_000 + "x]",
        "[a:b ~ 'c']" * 900,
    ],
)
def test_no_pattern_hangs(pattern: str):
    assert judge(pattern).rule in {"", "pattern-syntax", "pattern-too-complex"}


@pytest.mark.parametrize("pattern", ["[a:b = 'c' AND]", "[a:b = 'c'" + " OR a:b = 'c'" * 100 + "]"])
def test_what_a_document_may_ask_for_is_bounded(pattern: str):
    assert judge(pattern, budget=5).rule == "pattern-too-complex"


def test_the_patterns_of_one_document_share_their_budget():
    slow = "[a:b = 'c'] /* " + "x" * 9_000 + " {} */"

    checked = through_the_gate(*[indicator(slow.format(number)) for number in range(20)])

    refused = [bool(one.problems) for one in checked]
    assert not refused[0]
    assert refused[-1]
    assert rules_of(checked[-1].problems) == {"pattern-too-complex"}
