"""What stands follows from the decisions in force alone; and who decides as what."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.domain.decisions import Capacity, Decision, End, Verdict, capacity, in_force, standing, words_in_force
from kentongan.domain.grouping import grouped

TOGETHER, APART = Verdict.TOGETHER, Verdict.APART
ENDS = {number: End(number, frozenset(range(6))) for number in range(6)}


def said(
    number: int, one: int, other: int, verdict: Verdict, organization: int, kind: str = "duplicate-of"
) -> Decision:
    pair = (min(one, other), max(one, other))
    return Decision(number, kind, pair, verdict, organization, Capacity.COORDINATOR)


@st.composite
def histories(draw: st.DrawFn) -> list[Decision]:
    made: list[Decision] = []
    for number in range(draw(st.integers(1, 12))):
        living = [entry for entry in made if entry.undoes is None and entry.number not in {e.undoes for e in made}]
        if living and draw(st.booleans()):
            back = draw(st.sampled_from(living))
            made.append(replace(back, number=number, undoes=back.number))
        else:
            one, other = draw(st.lists(st.integers(0, 5), min_size=2, max_size=2, unique=True))
            made.append(said(number, one, other, draw(st.sampled_from(Verdict)), draw(st.integers(0, 3))))
    return made


@given(histories(), st.randoms())
def test_what_is_taken_back_is_as_if_it_had_never_been_said(history: list[Decision], chance: object) -> None:
    gone = {entry.undoes for entry in history}
    without = [entry for entry in history if entry.undoes is None and entry.number not in gone]
    shuffled = list(history)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # it is a random.Random

    assert standing(shuffled, ENDS) == standing(history, ENDS) == standing(without, ENDS)
    assert in_force([*history, *(replace(one, number=100 + one.number, undoes=one.number) for one in without)]) == []


def test_of_one_organization_the_later_word_counts_and_of_several_apart() -> None:
    later = [said(1, 0, 1, APART, 7), said(2, 0, 1, TOGETHER, 7)]
    against = [said(1, 0, 1, APART, 7), said(2, 0, 1, TOGETHER, 8), said(3, 0, 1, TOGETHER, 9)]

    assert [(one.verdict, one.organizations, one.since) for one in standing(later, ENDS)] == [(TOGETHER, (7,), 2)]
    assert [(one.verdict, one.organizations) for one in standing(against, ENDS)] == [(APART, (7,))]
    assert words_in_force(against) == {"duplicate-of": APART}


def test_an_opinion_never_stands_and_leaves_an_earlier_decision_alone() -> None:
    history = [
        said(1, 0, 1, TOGETHER, 7),
        replace(said(2, 0, 1, APART, 7), capacity=Capacity.OPINION),
    ]

    assert [one.verdict for one in standing(history, ENDS)] == [TOGETHER]
    assert words_in_force(history) == {"duplicate-of": TOGETHER}


def test_an_owners_word_rests_while_the_other_owner_does_not_see_both() -> None:
    history = [replace(said(1, 0, 1, TOGETHER, 0), capacity=Capacity.OWNER)]
    tightened = {0: End(0, frozenset({0})), 1: ENDS[1]}

    assert len(standing(history, ENDS)) == 1
    assert standing(history, tightened) == []
    assert standing(history, {0: ENDS[0]}) == []


OWN_SECRET, OTHERS = End(1, frozenset({1})), End(2, frozenset({1, 2}))


@pytest.mark.parametrize(
    ("organization", "one", "other", "coordinates", "expected"),
    [
        (1, End(1, frozenset({1, 2})), OTHERS, False, Capacity.OWNER),
        (1, OWN_SECRET, OTHERS, False, Capacity.OPINION),
        (1, OWN_SECRET, OTHERS, True, Capacity.OPINION),  # who coordinates this year has secrets of its own
        (1, OWN_SECRET, End(1, frozenset({1})), False, Capacity.OWNER),
        (3, End(1, frozenset({1})), OTHERS, True, Capacity.COORDINATOR),
        (3, End(1, frozenset({1, 2})), OTHERS, False, Capacity.OPINION),
    ],
)
def test_as_what_somebody_decides(
    organization: int, one: End, other: End, coordinates: bool, expected: Capacity
) -> None:
    assert capacity(organization, one, other, coordinates=coordinates) is expected
    assert capacity(organization, other, one, coordinates=coordinates) is expected


NODES = list(range(6))
PAIRS = st.lists(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)).filter(lambda p: p[0] < p[1]), max_size=6)


@given(PAIRS, PAIRS, st.dictionaries(st.tuples(st.integers(0, 2), st.integers(3, 5)), st.floats(0, 20), max_size=6))
def test_what_is_parted_is_never_grouped_and_what_is_together_is_unless_that_would(
    together: list[tuple[int, int]], parted: list[tuple[int, int]], ties: dict[tuple[int, int], float]
) -> None:
    groups = grouped(NODES, ties, between=max, together=together, parted=parted)

    of = {node: number for number, group in enumerate(groups) for node in group}
    assert sorted(of) == NODES
    assert all(of[one] != of[other] for one, other in parted)
    for one, other in together:
        mine, others = groups[of[one]], groups[of[other]]
        assert mine == others or any(
            {first, second} & set(mine) and {first, second} & set(others) for first, second in parted
        )
