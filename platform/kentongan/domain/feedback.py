"""How right the rules were, by what people said afterwards: precision by rule, and whether scores mean what they say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

_Z: Final = 1.959964
"""Of the normal distribution: 95 in 100 lie within so many standard deviations."""

LEAST_IN_A_BIN: Final = 5
"""Of fewer links a step of scores is not told: the score of a single link is for nobody."""


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said of two incidents. `found`: whether the platform had linked them; `rules`: those among its reasons that the
    reader may know; `score`: of the link, 0 to 1, None where the reader may not know all of its reasons."""

    confirmed: bool
    found: bool
    rules: frozenset[str] = frozenset()
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Precision:
    """How many were confirmed and rejected; the share of the confirmed (0 to 1), and between which it lies with 95 % confidence."""

    confirmed: int
    rejected: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RulePrecision:
    """The links that had this rule among their reasons."""

    rule: str
    precision: Precision


@dataclass(frozen=True, slots=True)
class Step:
    """The links whose score lies from `low` up to `high`: how many, their mean score, and the share that was confirmed."""

    low: float
    high: float
    links: int
    said: float
    confirmed: float


@dataclass(frozen=True, slots=True)
class Feedback:
    """All that was said of one kind of link. `missed` were put together and not found; `agreed` are apart and were not found.

    `precision` is None where nothing that was found was judged. `calibration` has the steps with LEAST_IN_A_BIN links or more.
    """

    judged: int
    missed: int
    agreed: int
    precision: Precision | None
    rules: tuple[RulePrecision, ...]
    calibration: tuple[Step, ...]


def feedback(every: Iterable[Said]) -> Feedback:
    """Add up what was said of one kind of link."""
    said = list(every)
    found = [one for one in said if one.found]
    return Feedback(
        judged=len(said),
        missed=sum(one.confirmed for one in said if not one.found),
        agreed=sum(not one.confirmed for one in said if not one.found),
        precision=_precision(found) if found else None,
        rules=tuple(_by_rule(found)),
        calibration=tuple(_steps(found)),
    )


def wilson(confirmed: int, judged: int) -> tuple[float, float]:
    """Between which the true share lies with 95 % confidence. Example: 9 of 10 give (0.596, 0.982).

    Source: Wilson 1927, Probable inference, the law of succession, and statistical inference (score interval).
    """
    if judged == 0:
        return 0.0, 1.0
    share, squared = confirmed / judged, _Z * _Z
    middle = (share + squared / (2 * judged)) / (1 + squared / judged)
    half = _Z * sqrt(share * (1 - share) / judged + squared / (4 * judged * judged)) / (1 + squared / judged)
    return max(0.0, middle - half), min(1.0, middle + half)


def _precision(links: Sequence[Said]) -> Precision:
    confirmed = sum(one.confirmed for one in links)
    low, high = wilson(confirmed, len(links))
    share = confirmed / len(links)
    return Precision(confirmed, len(links) - confirmed, round(share, 4), round(low, 4), round(high, 4))


def _by_rule(links: Iterable[Said]) -> Iterable[RulePrecision]:
    by_rule: dict[str, list[Said]] = defaultdict(list)
    for one in links:
        for rule in one.rules:
            by_rule[rule].append(one)
    return (RulePrecision(rule, _precision(some)) for rule, some in sorted(by_rule.items()))


def _steps(links: Iterable[Said]) -> Iterable[Step]:
    steps: dict[int, list[Said]] = defaultdict(list)
    for one in links:
        if one.score is not None:
            steps[min(9, int(one.score * 10))].append(one)
    for number, some in sorted(steps.items()):
        if len(some) >= LEAST_IN_A_BIN:
            mean = sum(one.score or 0.0 for one in some) / len(some)
            confirmed = sum(one.confirmed for one in some) / len(some)
            yield Step(number / 10, (number + 1) / 10, len(some), round(mean, 4), round(confirmed, 4))
