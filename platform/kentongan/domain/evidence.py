"""Why two incidents were linked: one reason each, in words and numbers, with who may be told it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from kentongan.domain.incident import Observable


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason for a link, or one that spoke against it.

    `weight` is its share of the score: the shares of all reasons in favour add up to 1, a reason against is negative on the
    same scale. A reader must belong to every one of `audiences` to be shown it; the words never count what may be hidden.
    """

    rule: str
    words: str
    weight: float
    observable: Observable | None = None
    audiences: tuple[int, ...] = ()


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


@dataclass(frozen=True)
class Judgement:
    """A scored pair: the probability (0 to 1) that the link holds, the bits it comes from, and what every rule found."""

    score: float
    bits: float
    findings: tuple[Finding, ...]

    @cached_property
    def evidence(self) -> tuple[Evidence, ...]:
        """The reasons, heaviest first, no more than a reader can weigh; made only when asked for, as most pairs are not linked."""
        favour = sum(finding.bits for finding in self.findings if finding.bits > 0) or 1.0
        heaviest = sorted((f for f in self.findings if f.bits), key=lambda f: (-abs(f.bits), f.rule, f.words))
        return tuple(_evidence(finding, favour) for finding in heaviest[:MOST_REASONS])


MOST_REASONS = 12


_STEPS = 1024
"""Bits are kept in steps of 1/1024: sums of them are exact, in whatever order they are added up."""


def judged(findings: Sequence[Finding], prior_bits: float) -> Judgement:
    """Add up the findings on top of `prior_bits`, and turn the bits into a probability: 0 bits is one half."""
    bits = round((prior_bits + sum(finding.bits for finding in findings)) * _STEPS) / _STEPS
    return Judgement(probability(bits), bits, tuple(findings))


def probability(bits: float) -> float:
    """Odds of 2**bits to 1 as a probability, rounded to what a reader can use."""
    odds_against: float = 2.0 ** -max(-60.0, min(60.0, bits))
    return round(1.0 / (1.0 + odds_against), 4)


def audiences(*groups: Iterable[int]) -> tuple[int, ...]:
    """All audiences of several things, each once, in order."""
    return tuple(sorted({audience for group in groups for audience in group}))


def _evidence(finding: Finding, favour: float) -> Evidence:
    share = round(finding.bits / favour, 4)
    return Evidence(finding.rule, finding.words, share, finding.observable, finding.audiences)
