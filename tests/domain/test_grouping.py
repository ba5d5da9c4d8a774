"""What is tied becomes a group: whatever the order, and only as far as the ties carry."""

from __future__ import annotations

from operator import add

from hypothesis import given
from hypothesis import strategies as st

from kentongan.domain.campaigns import join_bits
from kentongan.domain.grouping import grouped, reached

NODES = list("abcdefghij")
PAIRS = st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)).filter(lambda pair: pair[0] < pair[1])
TIES = st.dictionaries(PAIRS, st.floats(0.1, 20.0), max_size=25)


@given(TIES, st.sets(PAIRS, max_size=5), st.sets(PAIRS, max_size=3), st.randoms(use_true_random=False))
def test_groups_do_not_depend_on_the_order_of_ties(ties: dict, apart: set, together: set, chance) -> None:
    shuffled = list(ties.items())
    chance.shuffle(shuffled)
    turned = {(b, a) if chance.random() < 0.5 else (a, b): bits for (a, b), bits in shuffled}

    def in_any_order(found: dict, said: list) -> list[list[str]]:
        def kept_apart(one: str, other: str) -> bool:
            return (one, other) in apart or (other, one) in apart

        return grouped(NODES, found, between=max, needed=join_bits, together=said, apart=kept_apart)

    assert in_any_order(ties, sorted(together)) == in_any_order(turned, sorted(together, reverse=True))


@given(TIES)
def test_without_bounds_groups_are_the_connected_parts(ties: dict) -> None:
    groups = grouped(NODES, ties, between=max)

    for group in groups:
        found, _ = reached(group[:1], lambda some: [pair for pair in ties if set(pair) & set(some)], len(NODES))
        assert found == set(group)


@given(TIES, st.sets(PAIRS, min_size=1, max_size=3))
def test_what_people_keep_apart_is_never_joined_by_what_was_found(ties: dict, said: set) -> None:
    groups = grouped(NODES, ties, between=add, apart=lambda a, b: (a, b) in said or (b, a) in said)

    assert not any(one in group and other in group for group in groups for one, other in said)


@given(TIES, st.sets(PAIRS, min_size=1, max_size=3))
def test_what_people_put_together_stays_together(ties: dict, said: set) -> None:
    groups = grouped(NODES, ties, between=add, needed=lambda *_: 100.0, together=said)

    assert all(any({one, other} <= set(group) for group in groups) for one, other in said)


def test_ties_that_carry_only_together_carry_as_a_sum() -> None:
    ties = {("a", "b"): 9.0, ("c", "d"): 9.0, ("a", "c"): 1.5, ("b", "d"): 1.5}

    assert grouped(list("abcd"), ties, between=add, needed=join_bits) == [list("abcd")]
    assert grouped(list("abcd"), ties, between=max, needed=join_bits) == [["a", "b"], ["c", "d"]]


def test_reaching_ends_where_it_becomes_too_much() -> None:
    chain = [(n, n + 1) for n in range(1000)]

    found, whole = reached([0], lambda some: [pair for pair in chain if set(pair) & set(some)], 50)

    assert not whole and len(found) < 60
