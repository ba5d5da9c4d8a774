"""When something was added: numbers that only grow and tell nothing of what else came."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from kentongan.domain.date_added import WINDOW, as_timestamp, as_version, from_timestamp, spread, version_of

NOON = 1_772_452_800_000_000


@given(some.lists(some.integers(0, 5), max_size=400), some.randoms(use_true_random=False))
def test_all_numbers_differ_and_none_is_before_the_start(audiences: list[int], chance: random.Random) -> None:
    numbers = spread(NOON, audiences, chance.getrandbits)

    assert len(set(numbers)) == len(audiences)
    assert all(number >= NOON for number in numbers)


@given(some.lists(some.integers(0, 3), max_size=200), some.randoms(use_true_random=False))
def test_what_is_for_one_audience_keeps_its_order(audiences: list[int], chance: random.Random) -> None:
    numbers = spread(NOON, audiences, chance.getrandbits)

    for audience in set(audiences):
        own = [number for number, its in zip(numbers, audiences, strict=True) if its == audience]
        assert own == sorted(own)


def test_how_wide_a_few_are_spread_does_not_depend_on_how_much_is_hidden_between() -> None:
    chance = random.Random(7)

    def mean_width(hidden: int) -> float:
        widths = []
        for _ in range(300):
            numbers = spread(0, ["seen", *["hidden"] * hidden, "seen"], chance.getrandbits)
            widths.append(numbers[-1] - numbers[0])
        return sum(widths) / len(widths)

    alone, among_many = mean_width(0), mean_width(400)

    assert alone == pytest.approx(WINDOW / 3, rel=0.15)
    assert among_many == pytest.approx(alone, rel=0.25)


@given(some.integers(0, 4_000_000_000_000_000))
def test_a_timestamp_is_read_back_as_it_was_written(number: int) -> None:
    assert from_timestamp(as_timestamp(number)) == number
    assert from_timestamp(as_version(number)) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2026-03-02T12:00:00Z", NOON),
        ("2026-03-02T12:00:00.5Z", NOON + 500_000),
        ("2026-03-02T12:00:00.000001Z", NOON + 1),
        ("2026-03-02T12:00:00.0000019Z", NOON + 1),
        ("2026-03-02T12:00:00", None),
        ("2026-03-02T12:00:00+00:00", None),
        ("2026-02-30T12:00:00Z", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_only_timestamps_of_stix_are_timestamps(text: str, number: int | None) -> None:
    assert from_timestamp(text) == number


def test_a_version_is_modified_else_created_else_none() -> None:
    at = datetime(2026, 3, 2, 12, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    assert version_of({"created": "2020-01-01T00:00:00Z", "modified": at}) == NOON
    assert version_of({"created": at}) == NOON
    assert version_of({"value": "198.51.100.7"}) is None
