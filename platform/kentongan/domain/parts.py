"""Which parts of an object fewer may see than the rest of it, and which of them can not be hidden on their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

from kentongan.domain.marking import DEFAULT_LEVEL, Terms
from kentongan.domain.policy import Audience, covers
from kentongan.domain.redaction import plain, redact, root_of

MOST_PARTS: Final = 4
"""Every combination of parts is tried, and each more of them doubles the work; of more, the whole object is as strict as all."""

MOST_TRIES: Final = 50_000
"""So many combinations of one document are tried, a few seconds; in what comes after that nothing is hidden on its own."""

Granular = Sequence[tuple[Terms, Sequence[str]]]
"""The terms of each granular marking, and its selectors."""


Hidden = Mapping[Audience, Collection[str]]
"""What one version of an object shows to fewer: the selectors of each part by its audience."""

NOTHING_HIDDEN: Final[Hidden] = {}


@dataclass(frozen=True, slots=True)
class Part:
    """What some selectors point at, with the terms of its granular marking and of the whole object together."""

    terms: Terms
    selectors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Divided:
    """The parts of an object that can be hidden, and those that can not: they count for the whole object."""

    parts: tuple[Part, ...] = ()
    inseparable: tuple[Part, ...] = ()

    @property
    def tries(self) -> int:
        """About how many combinations were tried."""
        return int(2 ** (len(self.parts) + min(len(self.inseparable), MOST_PARTS))) - 1

    @property
    def inseparable_selectors(self) -> frozenset[str]:
        """What they point at."""
        return frozenset(plain(selector) for part in self.inseparable for selector in part.selectors)


UNDIVIDED: Final = Divided()


def divided(obj: dict[str, Any], own: Terms, granular: Granular, most: int = MOST_PARTS) -> Divided:
    """Tell the parts of an object apart, whose own settled terms are `own`; of more than `most`, none can be hidden.

    Whichever of `parts` are hidden together, the rest can stand. Where it could not, the smallest such combination is inseparable.
    """
    parts, inseparable = _parts(obj, own, granular), list[Part]()
    while folded := _inseparable(obj, parts, most):
        inseparable += folded
        parts = tuple(part for part in parts if part not in folded)
    return Divided(parts, tuple(inseparable))


def _parts(obj: dict[str, Any], own: Terms, granular: Granular) -> tuple[Part, ...]:
    """Markings that are for the same readers make one part; those that are for all who see the object make none.

    A masked name is not taken out where the object can not do without one: a constant stands in its place.
    """
    found: dict[Terms, dict[str, None]] = {}
    for terms, selectors in granular:
        both = (own & terms).settled(DEFAULT_LEVEL)
        if both != own:
            needs_name = terms.mask and "name" in selectors and redact(obj, {"name"}) is None
            named = ["name@" if needs_name and each == "name" else each for each in selectors]
            found.setdefault(both, {}).update(dict.fromkeys(named))
    return tuple(Part(terms, tuple(selectors)) for terms, selectors in found.items())


def _inseparable(obj: dict[str, Any], parts: Sequence[Part], most: int) -> Sequence[Part]:
    if len(parts) > most:
        return parts
    for number in range(1, len(parts) + 1):
        for some in combinations(parts, number):
            if redact(obj, {selector for part in some for selector in part.selectors}) is None:
                return some
    return ()


def hides_as_much(
    earlier: Mapping[str, Any], hidden: Hidden, newer: Mapping[str, Any], selectors: Collection[str], wanted: Audience
) -> bool:
    """Whether an earlier version shows nothing of what these selectors hide in a newer one to others than the newer one does.

    A selector into a property counts only where the property did not change: items of a list may have changed places.
    """
    narrow = {each for audience, some in hidden.items() if covers(wanted, audience) for each in some}
    for selector in selectors:
        root = root_of(selector)
        same = selector in {root, f"{root}@"} or earlier.get(root) == newer.get(root)
        if root in earlier and not (root in narrow or (same and selector in narrow)):
            return False
    return True
