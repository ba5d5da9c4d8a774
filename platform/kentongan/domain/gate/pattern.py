"""Whether a STIX pattern parses, and of which objects it speaks.

Three steps, each only for what the one before did not settle: one expression for `[type:path = 'literal']`, a small
parser for the plain part of the grammar (pattern_reading), and the ANTLR parser of OASIS, whose verdict stands. The
first two accept only what ANTLR accepts (but see `hash_fits` on sets), and are some 400 and some 50 times faster.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from kentongan.domain.gate.pattern_reading import PATH, STRING, Comparison, hash_fits, read_pattern

SIMPLE: Final = re.compile(
    rf"\[[ \t]*+(?P<type>[a-z][a-z0-9-]*+):(?P<path>{PATH})[ \t]*+(?:=|!=)[ \t]*+(?P<literal>{STRING})[ \t]*+\]"
)
READER_IS_FASTER: Final = 50
"""So many times faster than ANTLR is our own reader, counted in characters."""
LONGEST_FOR_ANTLR: Final = 10_000
DEEPEST: Final = 50
VERDICTS_KEPT: Final = 4_096


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one pattern: `rule` and `reason` are empty when it parses.

    `spoken_of` are the pairs of object type and first property that it compares; `cost` is what it took to find out,
    counted in characters read by the ANTLR parser.
    """

    rule: str = ""
    reason: str = ""
    spoken_of: tuple[tuple[str, str], ...] = ()
    cost: int = 0


def judge(pattern: str, budget: int = LONGEST_FOR_ANTLR) -> Verdict:
    """Whether a STIX pattern (STIX 2.1 section 9) parses.

    `budget` bounds the cost (about 60,000 a second): a pattern that would take more is refused by the rule
    `pattern-too-complex`, so that no pattern can hang a worker.
    """
    simple = SIMPLE.fullmatch(pattern)
    if simple is not None:
        kind, path = simple["type"], simple["path"]
        if "hashes" not in path or hash_fits(path, simple["literal"]):
            return _accepted(kind, first_step(path))
    return _judge_rest(pattern, budget)


def first_step(path: str) -> str:
    """The property a path begins with: `hashes` of `hashes.'SHA-256'`."""
    return path.partition(".")[0].partition("[")[0].strip("'")


@lru_cache(maxsize=VERDICTS_KEPT)
def _accepted(kind: str, name: str) -> Verdict:
    return Verdict(spoken_of=((kind, name),))


def _judge_rest(pattern: str, budget: int) -> Verdict:
    reading = len(pattern) // READER_IS_FASTER
    if reading > budget:
        return Verdict("pattern-too-complex", "the document's patterns ask for too much parsing")
    comparisons = read_pattern(pattern)
    if comparisons is not None:
        return Verdict(spoken_of=_spoken_of(comparisons), cost=reading)
    if len(pattern) > min(budget, LONGEST_FOR_ANTLR) or _depth(pattern) > DEEPEST:
        reason = "the pattern is not plain, and too long or too deeply nested to be parsed"
        return Verdict("pattern-too-complex", reason, cost=reading)
    faults, spoken_of = _antlr(pattern)
    if faults:
        return Verdict("pattern-syntax", f"the pattern does not parse: {faults}", cost=len(pattern))
    return Verdict(spoken_of=spoken_of, cost=len(pattern))


def _spoken_of(comparisons: list[Comparison]) -> tuple[tuple[str, str], ...]:
    return tuple(dict.fromkeys((kind, first_step(path)) for kind, path in comparisons))


def _depth(pattern: str) -> int:
    """How many brackets are open at most, counting those inside literals too: a bound, not a parse."""
    depth = deepest = 0
    for character in pattern:
        if character in "([":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]":
            depth -= 1
    return deepest


@lru_cache(maxsize=VERDICTS_KEPT)
def _antlr(pattern: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The first fault that the parser of OASIS names, or "" and what the pattern speaks of."""
    # ANTLR takes a while to import, and most processes never need it.
    from stix2patterns.v21.pattern import Pattern  # noqa: PLC0415
    from stix2patterns.validator import run_validator  # noqa: PLC0415

    try:
        faults = run_validator(pattern, stix_version="2.1")
        if faults:
            return str(faults[0]).removeprefix("FAIL: ")[:200], ()
        compared = Pattern(pattern).inspect().comparisons
    except Exception as error:
        # The validator of OASIS itself fails on some hostile patterns; whatever it raises, the pattern did not parse.
        return f"the parser gave up ({type(error).__name__})", ()
    return "", tuple(dict.fromkeys((kind, str(path[0])) for kind, found in compared.items() for path, _, _ in found))
