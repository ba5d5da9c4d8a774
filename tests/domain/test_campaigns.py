"""Cases of one campaign share what belongs to the attacker; what everybody shares only supports."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.domain.campaigns import RELATED, compare, components, join_bits, value_bits
from kentongan.domain.duplicates import Rarity, Report
from kentongan.domain.incident import IncidentFacts, Observable, StixId
from kentongan.domain.rarity import Spread

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FILE = Observable("sha256", "1" * 64)
URL, HOST = Observable("url", "http://a.evil.com/x"), Observable("domain", "a.evil.com")
OTHER_URL, OWNER = Observable("url", "http://b.evil.com/y"), Observable("domain", "evil.com")


def report(*values: Observable, within: tuple[Observable, ...] = (), days: float = 0, **facts: object) -> Report:
    own = IncidentFacts(stix_id=StixId("incident--1"), title=str(facts.pop("title", "Intrusion")), **facts)  # type: ignore[arg-type]
    return Report(own, NOON + timedelta(days=days), 1, dict.fromkeys(values, 1), dict.fromkeys(within, 1))


def store(carriers: int = 2) -> Rarity:
    return Rarity(dict.fromkeys((FILE, URL, HOST, OTHER_URL, OWNER), Spread(carriers)), {}, {})


def related(one: Report, other: Report, rarity: Rarity | None = None) -> bool:
    return compare(one, other, rarity or store()).score >= RELATED


def test_one_rare_file_relates() -> None:
    assert related(report(FILE), report(FILE))


@pytest.mark.parametrize(
    ("carriers", "expected"), [(2, True), (6, True), (12, False), (60, False), (101, False), (3000, False)]
)
def test_a_value_that_many_carry_relates_nobody(carriers: int, expected: bool) -> None:
    assert related(report(FILE), report(FILE), store(carriers)) is expected


@given(st.integers(2, 200), st.integers(2, 200))
def test_a_value_never_tells_more_because_more_carry_it(fewer: int, more: int) -> None:
    fewer, more = sorted((fewer, more))

    assert value_bits(fewer, FILE) >= value_bits(more, FILE)


@pytest.mark.parametrize(
    "kind", ["file-name", "user-agent", "asn", "software", "registry-key", "process", "user-account"]
)
def test_kinds_that_do_not_belong_to_one_attacker_do_not_relate_alone(kind: str) -> None:
    value = Observable(kind, "something")

    assert not related(report(value), report(value))


def test_a_host_and_a_url_on_it_relate() -> None:
    assert related(report(URL, within=(HOST, OWNER)), report(HOST, within=(OWNER,)))


def test_two_hosts_of_one_domain_relate_only_where_more_speaks_for_it() -> None:
    """The domain may be that of a hosting service that no list knows."""
    one, other = report(URL, within=(HOST, OWNER)), report(OTHER_URL, within=(OWNER,))
    named, named_too = (replace(r, facts=replace(r.facts, malware=("Emotet",))) for r in (one, other))

    assert not related(one, other)
    assert related(named, named_too)
    assert not related(named, named_too, store(40))


TELLING = "Diplomats were sent an invitation with an exploit that installed a small loader written in assembler."


@pytest.mark.parametrize(
    "shared",
    [
        {"malware": ("Emotet",)},
        {"references": ("https://news.example.com/a",)},
        {"description": TELLING},
        {"malware": ("Emotet",), "references": ("https://news.example.com/a",)},
        {"malware": ("Emotet",), "description": TELLING},
        {"references": ("https://news.example.com/a",), "description": TELLING},
        {
            "techniques": ("T1566",),
            "vulnerabilities": ("CVE-2021-44228",),
            "sectors": ("energy",),
            "countries": ("ID",),
        },
    ],
)
def test_what_everybody_may_share_does_not_relate(shared: dict[str, object]) -> None:
    assert not related(report(**shared), report(title="Another", **shared))


def test_an_article_a_name_and_a_text_together_relate() -> None:
    shared = {"malware": ("MiniDuke",), "references": ("https://news.example.com/a",), "description": TELLING}

    assert related(report(**shared), report(title="Another", **shared))


def test_other_malware_makes_a_common_value_doubtful() -> None:
    one = report(FILE, malware=("Emotet",))

    assert compare(one, report(FILE, malware=("emo-tet",)), store(10)).bits > compare(one, report(FILE), store(10)).bits
    assert not related(one, report(FILE, malware=("Cobalt Strike",)), store(16))


def test_what_was_shared_years_apart_tells_less() -> None:
    near, far = compare(report(FILE), report(FILE), store()), compare(report(FILE), report(FILE, days=1200), store())

    assert far.bits < near.bits


def test_a_value_is_shown_only_to_who_may_see_both_that_carry_it() -> None:
    one, other = (
        replace(report(), audience_id=10, values={FILE: 11}),
        replace(report(), audience_id=20, values={FILE: 21}),
    )

    (reason,) = compare(one, other, store()).evidence

    assert (reason.observable, reason.audiences) == (FILE, (10, 11, 20, 21))


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_larger_groups_need_stronger_ties(smaller: int, larger: int) -> None:
    smaller, larger = sorted((smaller, larger))

    assert join_bits(1, 1) == 0
    assert join_bits(smaller, larger) <= join_bits(smaller, larger + 1)
    assert join_bits(smaller, larger) <= join_bits(smaller + 1, max(larger, smaller + 1))


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=20), st.randoms(use_true_random=False))
def test_parts_do_not_depend_on_the_order_of_ties(edges: list[tuple[int, int]], chance: object) -> None:
    shuffled = sorted(edges, key=lambda edge: hash((edge, str(chance))))

    parts = components(range(12), edges)

    assert sorted(map(sorted, parts)) == sorted(map(sorted, components(range(12), shuffled)))
    assert sorted(node for part in parts for node in part) == list(range(12))
    assert all(
        len({i for i, part in enumerate(parts) if a in part or b in part}) == 1 for a, b in edges if max(a, b) < 12
    )
