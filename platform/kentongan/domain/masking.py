"""Masks: what only its owner sees, and what else would tell it (docs/adr/0014-masked-values-still-link.md)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from kentongan.domain.gate.observable_ids import UUID_VERSION

Stix = Mapping[str, Any]


class TakesPart(IntEnum):
    """How an incident takes part in linking."""

    OPENLY = 0
    PARTLY_BLIND = 1
    """What is masked in it by keyed hash, the rest openly."""
    BLIND = 2
    """By keyed hash only."""


@dataclass(frozen=True, slots=True)
class MaskingWish:
    """What an organization wants to take part by keyed hash beyond what its markings mask."""

    red: bool = False
    """What it marks RED; its recipients read it as before."""
    tell_others: bool = False
    """Others may be told that something related to that exists."""
    personal: bool = False
    """Mail addresses and the names of who was hit, in all it sends (domain/personal.py)."""


NO_WISH: Final = MaskingWish()


def texts_in(value: Any, above: str = "") -> Iterator[tuple[str, str]]:
    """Every text in an object, with the selector that points at it: `labels.[1]`, `x_deep.one`."""
    if isinstance(value, str):
        yield above, value
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from texts_in(each, f"{above}.{name}" if above else name)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from texts_in(each, f"{above}.[{number}]")


def tells_by_id(stix_id: str) -> bool:
    """Whether an id is made of the object's content, so that whoever guesses the content can make sure of it (UUIDv5)."""
    return stix_id[UUID_VERSION : UUID_VERSION + 1] == "5"


class Mentions:
    """Where the objects of one document name others of them by ids that tell their content."""

    def __init__(self, objects: Sequence[Stix], ids: Collection[str]) -> None:
        self._by_id: dict[str, list[tuple[int, str]]] = defaultdict(list)
        telling = {each for each in ids if tells_by_id(each)}
        for position, obj in enumerate(objects if telling else ()):
            for selector, text in texts_in(obj):
                if text in telling and selector != "id":
                    self._by_id[text].append((position, selector))

    def of(self, ids: Collection[str]) -> dict[int, tuple[str, ...]]:
        """By the position of each object that names one of these ids: the selectors that point at them."""
        found: dict[int, list[str]] = defaultdict(list)
        for each in ids:
            for position, selector in self._by_id.get(each, ()):
                found[position].append(selector)
        return {position: tuple(selectors) for position, selectors in found.items()}
