"""What people said, added up: precision with its interval, and steps of scores that tell no single one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.domain.feedback import LEAST_IN_A_BIN, Said, feedback, wilson


@pytest.mark.parametrize(
    ("confirmed", "judged", "low", "high"),
    [(9, 10, 0.596, 0.982), (0, 10, 0.0, 0.278), (50, 100, 0.404, 0.596), (0, 0, 0, 1)],
)
def test_the_interval_is_wilsons(confirmed: int, judged: int, low: float, high: float) -> None:
    assert wilson(confirmed, judged) == (pytest.approx(low, abs=0.001), pytest.approx(high, abs=0.001))


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_share_and_shrinks_with_more(counted: tuple[int, int]) -> None:
    confirmed, judged = counted
    low, high = wilson(confirmed, judged)
    tighter = wilson(10 * confirmed, 10 * judged)

    assert 0 <= low <= high <= 1
    assert low - 1e-9 <= confirmed / judged <= high + 1e-9
    assert tighter[1] - tighter[0] < high - low


def test_links_are_counted_under_each_of_their_reasons_and_by_their_score() -> None:
    good = [Said(True, True, frozenset({"victim", "value"}), 0.95) for _ in range(LEAST_IN_A_BIN)]
    bad = [Said(False, True, frozenset({"value"}), 0.55)]

    told = feedback([*good, *bad, Said(True, False), Said(False, False)])

    assert told.precision is not None
    assert (told.judged, told.missed, told.agreed) == (8, 1, 1)
    assert (told.precision.confirmed, told.precision.rejected) == (5, 1)
    assert [(one.rule, one.precision.confirmed, one.precision.rejected) for one in told.rules] == [
        ("value", 5, 1),
        ("victim", 5, 0),
    ]
    assert [(step.low, step.links, step.said, step.confirmed) for step in told.calibration] == [(0.9, 5, 0.95, 1.0)]


def test_of_nothing_nothing_is_told() -> None:
    told = feedback([])

    assert (told.judged, told.precision, told.rules, told.calibration) == (0, None, (), ())
