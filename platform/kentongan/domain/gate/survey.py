"""The slow look at every value of a document. It runs only when a quick look has said that something is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from kentongan.domain.gate.problem import Limits, Problem, quoted

PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SURROGATE: Final = re.compile("[\ud800-\udfff]")
MOST_LEVELS_SHOWN: Final = 12


class Doubled(dict[str, Any]):
    """An object that names a property twice; `names` are those."""

    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unusable:
    """Stands in the parsed document where a number stood that cannot be kept."""

    rule: str
    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value stands; rendered only when something is wrong there."""

    above: _Place | None
    step: str
    depth: int

    def below(self, key: str | int) -> _Place:
        return _Place(self, step_of(key), self.depth + 1)

    def path(self) -> str:
        steps: list[str] = []
        place: _Place | None = self
        while place is not None:
            steps.append(place.step)
            place = place.above
        if len(steps) > MOST_LEVELS_SHOWN:
            steps = ["…", *steps[-MOST_LEVELS_SHOWN:-1], "$"]
        return "".join(reversed(steps))


def step_of(key: str | int) -> str:
    """One step of a JSON path: `[3]`, `.name`, or `['SHA-256']` (RFC 9535)."""
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if PLAIN_KEY.fullmatch(key) and len(key) <= 80 else f"[{quoted(key)}]"


def survey(document: object, limits: Limits) -> Iterator[Problem]:
    """Everything in the document that cannot be kept: NUL, lone surrogates, doubled names, numbers, depth, length."""
    waiting: list[tuple[_Place, object]] = [(_Place(None, "$", 1), document)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, str):
            yield from _text_faults(place, value, limits)
        elif isinstance(value, Unusable):
            yield Problem(place.path(), value.rule, value.reason, value.hint)
        elif isinstance(value, (dict, list)) and value:
            yield from _container_faults(place, value, limits)
            if place.depth <= limits.max_depth:
                waiting.extend(reversed([(place.below(key), below) for key, below in _members(value)]))


def _members(value: dict[str, Any] | list[Any]) -> Iterator[tuple[str | int, Any]]:
    return iter(value.items()) if isinstance(value, dict) else enumerate(value)


def _container_faults(place: _Place, value: dict[str, Any] | list[Any], limits: Limits) -> Iterator[Problem]:
    if place.depth > limits.max_depth:
        yield too_deep(place.path(), limits)
        return
    if isinstance(value, Doubled):
        for name in value.names:
            yield Problem(
                place.below(name).path(),
                "duplicate-key",
                f"the property {quoted(name)} stands twice in one object",
                "Keep one of them: readers disagree which one counts.",
            )
    if isinstance(value, dict):
        for name in value:
            yield from _text_faults(place.below(name), name, limits)


def _text_faults(place: _Place, text: str, limits: Limits) -> Iterator[Problem]:
    if len(text) > limits.max_string:
        yield Problem(
            place.path(),
            "string-too-long",
            f"a string of {len(text)} characters; at most {limits.max_string} are taken",
            "Shorten it, or name the file by an artifact with a url and hashes.",
        )
    if "\x00" in text:
        yield Problem(
            place.path(), "nul-character", "the string holds a NUL character (U+0000)", "Leave the NUL character out."
        )
    if SURROGATE.search(text):
        yield Problem(
            place.path(),
            "lone-surrogate",
            "the string holds half of a surrogate pair, which is no character",
            "Write the whole pair, or the character itself in UTF-8.",
        )


def too_deep(path: str, limits: Limits) -> Problem:
    """The problem of a document nested deeper than allowed."""
    return Problem(
        path,
        "too-deep",
        f"nested deeper than {limits.max_depth} levels",
        "No STIX object needs that; flatten it or refer to another object by id.",
    )
