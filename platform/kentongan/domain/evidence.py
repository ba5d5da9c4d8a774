"""Why two incidents were linked: one reason each, in words and numbers, with who may be told it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log2

from kentongan.domain.incident import Observable


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason for a link, or one that spoke against it.

    `weight` is its share of what the link needs, which is what the prior and all that speaks against it ask for: reasons that reach
    1 together make a link (`hold`). One that speaks against it is negative on the same scale. A reader must belong to every one
    of `audiences` to be shown it; the words never count what may be hidden.
    """

    rule: str
    words: str
    weight: float
    observable: Observable | None = None
    audiences: tuple[int, ...] = ()
    alone: float = 0.0
    """Of one of a set, each of which counts half of what the one before does: its weight if it were the first. Else 0."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says of a pair, in bits: the binary logarithm of how much likelier it makes the link.

    After Fellegi and Sunter, "A Theory for Record Linkage" (1969): findings of rules that look at different things add up.
    """

    rule: str
    bits: float
    words: str
    observable: Observable | None = None
    audiences: tuple[int, ...] = ()
    level: str = ""
    strength: float = 0.0
    """Where the bits were learned: the level of agreement that they belong to, and how many times its weight they are."""
    alone: float = 0.0
    """As in Evidence, in bits."""


@dataclass(frozen=True)
class Judgement:
    """A scored pair: the probability (0 to 1) that the link holds, the bits it comes from, what every rule found, and how many
    bits must speak for it before it is one."""

    score: float
    bits: float
    findings: tuple[Finding, ...]
    needed: float

    @cached_property
    def evidence(self) -> tuple[Evidence, ...]:
        """The reasons, heaviest first, no more than a reader can weigh; made only when asked for, as most pairs are not linked."""
        heaviest = sorted((f for f in self.findings if f.bits), key=lambda f: (-abs(f.bits), f.rule, f.words))
        named = [self._evidence(finding) for finding in heaviest[:MOST_REASONS]]
        return (*named, *self._further(heaviest[MOST_REASONS:]))

    def _evidence(self, finding: Finding) -> Evidence:
        return Evidence(
            finding.rule,
            finding.words,
            round(finding.bits / self.needed, 4),
            finding.observable,
            finding.audiences,
            round(finding.alone / self.needed, 4),
        )

    def _further(self, findings: Sequence[Finding]) -> Iterable[Evidence]:
        """Small reasons count as well: those that the same readers may see, in one."""
        weights: dict[tuple[int, ...], float] = {}
        for finding in findings:
            if finding.bits > 0:
                weights[finding.audiences] = weights.get(finding.audiences, 0.0) + finding.bits / self.needed
        return [
            Evidence("further", "and further reasons, each of little weight", round(weight, 4), None, seen_by)
            for seen_by, weight in sorted(weights.items())
        ]


MOST_REASONS = 12


_STEPS = 1024
"""Bits are kept in steps of 1/1024: sums of them are exact, in whatever order they are added up."""


def judged(findings: Sequence[Finding], prior_bits: float, linked_from: float) -> Judgement:
    """Add up the findings on top of `prior_bits`, and turn the bits into a probability: 0 bits is one half.

    `linked_from` is the probability from which on the pair is linked. Raises ValueError where nothing would link it already.
    """
    needed = log2(linked_from / (1.0 - linked_from)) - prior_bits
    if needed <= 0:
        raise ValueError("with this prior everything would be linked")
    bits = round((prior_bits + sum(finding.bits for finding in findings)) * _STEPS) / _STEPS
    against = -sum(finding.bits for finding in findings if finding.bits < 0)
    return Judgement(probability(bits), bits, tuple(findings), needed + against)


_ROUNDING = 0.002
"""Weights are kept with four digits: what is just enough must not fail by the sum of what was cut off."""


def hold(weights: Iterable[tuple[float, float]]) -> bool:
    """Whether reasons make a link by themselves, given the weight and the weight `alone` of each.

    Those that are no set of values add up. Of values the first counts in full and each further one half as much as the one before:
    where some of them are hidden, the others move up.
    """
    return in_favour(weights) >= 1.0 - _ROUNDING


def in_favour(weights: Iterable[tuple[float, float]]) -> float:
    """How many times what a link needs these reasons come to; given as to `hold`."""
    known = list(weights)
    total = sum(weight for weight, alone in known if weight > 0 and not alone)
    values = sorted((alone for _, alone in known if alone > 0), reverse=True)
    return total + sum(alone * 0.5**place for place, alone in enumerate(values))


def bits_in_favour(weights: Iterable[tuple[float, float]], prior_bits: float, linked_from: float) -> float:
    """The bits of a link as they would be if these reasons, which make it, were all that there is: as `judged` works them out where
    nothing speaks against it."""
    least = log2(linked_from / (1.0 - linked_from))
    return least + max(0.0, in_favour(weights) - 1.0) * (least - prior_bits)


def probability(bits: float) -> float:
    """Odds of 2**bits to 1 as a probability, rounded to what a reader can use."""
    odds_against: float = 2.0 ** -max(-60.0, min(60.0, bits))
    return round(1.0 / (1.0 + odds_against), 4)


def audiences(*groups: Iterable[int]) -> tuple[int, ...]:
    """All audiences of several things, each once, in order."""
    return tuple(sorted({audience for group in groups for audience in group}))
