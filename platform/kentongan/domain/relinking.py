"""What working all links out anew changed: links by the rules behind them, and what became of cases and campaigns."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final

_RULES: Final = (
    "campaigns.py",
    "duplicates.py",
    "evidence.py",
    "grouping.py",
    "learned_weights.py",
    "text_bands.py",
    "wording.py",
)


def rules_version() -> str:
    """Which rules these are: 16 hexadecimal digits over their source, which change with every rule and weight."""
    folder = files("kentongan.domain")
    digest = hashlib.sha256()
    for name in _RULES:
        digest.update(folder.joinpath(name).read_bytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Regrouped:
    """How many groups of before parted, and how many of now were several before."""

    merged: int
    split: int


def regrouped(before: Mapping[int, Any], now: Mapping[int, Any]) -> Regrouped:
    """Compare where the same things were and are; None: in no group. What is not in both is new, or gone, and is left out."""
    known = before.keys() & now.keys()
    return Regrouped(
        merged=_of_several((now[one], before[one], one) for one in known),
        split=_of_several((before[one], now[one], one) for one in known),
    )


def _of_several(pairs: Iterable[tuple[Any, Any, int]]) -> int:
    parts: dict[Any, set[Any]] = defaultdict(set)
    for group, other, one in pairs:
        if group is not None:
            parts[group].add(("alone", one) if other is None else other)
    return sum(len(some) > 1 for some in parts.values())


@dataclass
class Changes:
    """What was found so far; adds up over portions. By kind of link: how many came, went, and hold with another score."""

    incidents: int = 0
    links: dict[str, dict[str, int]] = field(default_factory=dict)
    rules: dict[str, dict[str, int]] = field(default_factory=dict)
    """By rule: how many of the links that came or went had it among their reasons."""

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Changes:
        """What `as_json` told, to add to."""
        return cls(**deepcopy(dict(told)))

    def note(self, what: str, kind: str, rules: Iterable[str] = ()) -> None:
        """One link was `gained`, `lost` or `reweighed`."""
        counted = self.links.setdefault(kind, {"gained": 0, "lost": 0, "reweighed": 0})
        counted[what] += 1
        for rule in sorted(set(rules)):
            by_rule = self.rules.setdefault(rule, {"gained": 0, "lost": 0})
            by_rule[what] += 1

    def as_json(self) -> dict[str, Any]:
        """To store and to print."""
        return {"incidents": self.incidents, "links": self.links, "rules": self.rules}
