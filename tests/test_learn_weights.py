"""Weights learned from pairs keep their meaning: what speaks for one event never comes out as speaking against it."""

from __future__ import annotations

import importlib.util
import sys
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kentongan.domain.duplicates import Report
from kentongan.domain.incident import IncidentFacts, StixId, Victim
from kentongan.domain.learned_weights import LEARNED

SCRIPT = Path(__file__).resolve().parent.parent / "scripts/learn_weights.py"


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("learn_weights", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


learning = _script()


def test_where_nothing_is_known_a_weight_is_what_it_means() -> None:
    assert learning.learn([]) == pytest.approx({"prior": learning.MEANT_PRIOR, **learning.MEANT})


def test_many_pairs_outweigh_the_meaning() -> None:
    told = [learning.Pair((n, n + 1), {"country:same": 1.0}, n % 10 < 8) for n in range(2000)]
    few, many = learning.learn(told[:10]), learning.learn(told)

    assert learning.MEANT["country:same"] < few["country:same"] < many["country:same"]
    assert learning.probability(learning.bits(many, told[0])) == pytest.approx(0.8, abs=0.02)


_pairs = st.lists(
    st.builds(
        lambda levels, same: learning.Pair((1, 2), levels, same),
        st.dictionaries(st.sampled_from(sorted(learning.MEANT)), st.sampled_from([0.5, 1.0, 3.0]), max_size=5),
        st.booleans(),
    ),
    max_size=40,
)


@settings(max_examples=30, deadline=None)
@given(_pairs)
def test_no_stream_turns_a_meaning_round(pairs: list[object]) -> None:
    weights = learning.learn(pairs, pull=0.1)

    _means_what_it_should(weights)


def test_the_shipped_weights_mean_what_they_should() -> None:
    assert learning.MEANT.keys() | learning.FIXED.keys() == LEARNED.keys()
    _means_what_it_should(dict(LEARNED))


def _means_what_it_should(weights: dict[str, float]) -> None:
    ordered = {level for chain in learning.ORDERED for level in chain}
    for level in learning.MEANT.keys() - ordered:
        assert weights[level] * learning.MEANT[level] >= 0, level
    for chain in learning.ORDERED:
        assert all(weights[better] >= weights[worse] - 1e-9 for better, worse in pairwise(chain))
        assert weights[chain[-1]] <= 0


def _naming(victim: str | None) -> Report:
    facts = IncidentFacts(StixId("incident--1"), "Intrusion", victims=(Victim(victim),))
    return Report(facts, datetime(2026, 3, 2, tzinfo=UTC), 1, {}, {})


def test_cases_never_tie_what_names_other_victims() -> None:
    reports = {number: _naming(name) for number, name in ((1, "Bank Tirta"), (2, None), (3, "Bank Kirana"))}
    stream = learning.Stream(reports, {1: "a", 2: "a", 3: "b"}, {}, [])

    case = learning.cases(stream, {(1, 2): 5.0, (2, 3): 4.0}, 2.0)

    assert case[1] == case[2] != case[3]
    assert learning.agreement(stream, case) == (1.0, 1.0, 1.0)


def test_the_calibration_error_is_the_mean_distance_of_said_and_true() -> None:
    error, table = learning.calibration([(0.95, True), (0.95, False), (0.05, False), (0.05, False)])

    assert error == pytest.approx(0.25)
    assert [(count, true) for _, count, _, true in table] == [(2, 0.0), (2, 0.5)]
