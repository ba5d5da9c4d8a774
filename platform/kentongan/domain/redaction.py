"""An object without some of its parts, so that nothing tells that they were there (STIX 2.1 section 7.2.3).

Selectors are written as granular markings write them: `description`, `labels.[1]`, `external_references.[0].url`. One stands for
all that lies under it. Masks write two more (domain/masking.py): `name@` is a text in whose place one constant stands, and
`description@4-21,40-52` are passages of a text, each with that constant in its place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import reduce
from typing import Any, Final

from kentongan.domain.gate import accepted_alone
from kentongan.domain.gate.observable_ids import CONTRIBUTING, UUID_VERSION, observable_id

Stix = dict[str, Any]
"""A parsed STIX object; its values are whatever JSON held, hence Any."""

FIXED: Final = frozenset(
    {"type", "id", "spec_version", "created", "modified", "revoked", "object_marking_refs", "granular_markings"}
)
"""What an object is found, versioned, withdrawn and marked by is never hidden on its own."""

UNDISCLOSED: Final = "[undisclosed]"
"""Stands where a text, or a passage of one, is masked: always the same, so that not even its length is told."""

Passages = tuple[tuple[int, int], ...]
"""Where passages of a text begin and end; none named: the whole text."""

_Tree = dict[str, "_Tree | Passages | None"]
"""What is to go, step by step; None: all of it."""
_GONE: Final = object()


def redact(obj: Stix, selectors: Collection[str]) -> Stix | None:
    """The object without what these selectors point at, or None where the rest can not stand: then all of it is withheld.

    The rest stands if the gate would accept it, and if its id does not tell what is gone. The object itself is not changed.
    """
    if not selectors:
        return obj
    if obj["type"] == "marking-definition" or any(root_of(selector) in FIXED for selector in selectors):
        return None
    rest = without(obj, selectors)
    return rest if not _id_tells(obj, rest) and accepted_alone(rest) else None


def without(obj: Stix, selectors: Iterable[str]) -> Stix:
    """The same, whether or not the rest can stand; what is FIXED stays. Only what changes is copied.

    Lists and objects that become empty go too, and so do granular markings of what is gone; selectors follow the items of
    lists that lost some.
    """
    removal = _Removal(obj, _tree(selector for selector in selectors if root_of(selector) not in FIXED))
    return _with_markings(removal.rest, removal)


def moved(obj: Stix, gone: Iterable[str], selectors: Iterable[str]) -> frozenset[str]:
    """What these selectors are called in `without(obj, gone)`, as far as they still point at something."""
    removal = _Removal(obj, _tree(selector for selector in gone if root_of(selector) not in FIXED))
    return frozenset(name for selector in selectors if (name := removal.name_of(selector)) is not None)


def in_common(hidden: Sequence[Collection[str]]) -> frozenset[str]:
    """What every one of these collections of selectors covers: what is shown by one of several is shown."""
    sets = [frozenset(selectors) for selectors in hidden]
    return reduce(_both, sets) if sets else frozenset()


def _both(one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
    return frozenset({s for s in one if _is_covered(s, other)} | {s for s in other if _is_covered(s, one)})


def _is_covered(selector: str, by: frozenset[str]) -> bool:
    steps = plain(selector).split(".")
    return selector in by or any(".".join(steps[:length]) in by for length in range(1, len(steps) + 1))


def plain(selector: str) -> str:
    """What it points at, as granular markings write it: `description@4-21` is `description`."""
    return selector.partition("@")[0]


def root_of(selector: str) -> str:
    """The property of the object that it points into."""
    return plain(selector).partition(".")[0]


def _id_tells(obj: Stix, rest: Stix) -> bool:
    """Whether the id of an observable is made of what is gone: whoever guesses it can make sure by the id."""
    if obj["id"][UUID_VERSION] != "5" or "created" in obj:
        return False
    return obj["type"] not in CONTRIBUTING or observable_id(obj) != observable_id(rest)


def _below(value: Any, step: str) -> Any:
    return value[int(step[1:-1])] if isinstance(value, list) else value[step]


def _steps(selector: str) -> list[str]:
    """Its steps, list indices without leading zeros."""
    return [f"[{int(step[1:-1])}]" if step.startswith("[") else step for step in selector.split(".")]


def _tree(selectors: Iterable[str]) -> _Tree:
    whole: _Tree = {}
    # Whole texts come after passages of them, and what is to go comes last: the more that is hidden wins.
    for selector in sorted(selectors, key=lambda each: (each.endswith("@"), "@" not in each)):
        *above, last = _steps(plain(selector))
        tree: _Tree | Passages | None = whole
        for step in above:
            tree = tree.setdefault(step, {}) if isinstance(tree, dict) else None
        if isinstance(tree, dict):
            tree[last] = _passages(selector, tree.get(last, ()))
    return whole


def _passages(selector: str, known: _Tree | Passages | None) -> Passages | None:
    """Of the text that it points at; None where all of it goes."""
    _, mask, told = selector.partition("@")
    if not mask:
        return None
    if not told:
        return ()
    found = [(int(start), int(end)) for start, _, end in (each.partition("-") for each in told.split(","))]
    return tuple(sorted({*found, *(known if isinstance(known, tuple) else ())}))


def _masked(text: str, passages: Passages) -> str:
    kept, at = [], 0
    for start, end in passages or ((0, len(text)),):
        if start >= at:
            kept += [text[at:start], UNDISCLOSED]
        at = max(at, end)
    return "".join([*kept, text[at:]])


class _Removal:
    """One object without what a tree names. It knows where items of lists went."""

    def __init__(self, obj: Stix, tree: _Tree) -> None:
        self._obj = obj
        self._places: dict[int, dict[int, int]] = {}
        """Of each list that lost items, by its identity: where those that stay stand now."""
        self._masked: set[tuple[int, str]] = set()
        """Texts masked as a whole, by the identity of what they stand in: a marking of one would tell."""
        kept = self._pruned(obj, tree)
        self.rest: Stix = {} if kept is _GONE else kept

    def name_of(self, selector: str) -> str | None:
        """The selector of the same thing in the rest; None where it is gone."""
        before: Any = self._obj
        after: Any = self.rest
        steps: list[str] = []
        for step in _steps(selector):
            name = self._step(before, after, step)
            if name is None:
                return None
            before, after = _below(before, step), _below(after, name)
            steps.append(name)
        return ".".join(steps)

    def _step(self, before: Any, after: Any, step: str) -> str | None:
        """What a step below `before` is called below `after`, which is what became of it."""
        if isinstance(before, dict):
            return step if step in after and (id(before), step) not in self._masked else None
        if not isinstance(before, list) or not step.startswith("["):
            return None
        number = int(step[1:-1])
        places = self._places.get(id(before))
        place = number if places is None else places.get(number, len(after))
        return f"[{place}]" if place < len(after) else None

    def _pruned(self, value: Any, tree: _Tree | Passages | None) -> Any:
        if isinstance(tree, tuple):
            return _masked(value, tree) if isinstance(value, str) else _GONE
        if tree is None:
            return _GONE
        if isinstance(value, dict):
            self._masked |= {(id(value), name) for name, each in tree.items() if each == ()}
            below = {name: self._pruned(each, tree[name]) if name in tree else each for name, each in value.items()}
            kept: Any = {name: each for name, each in below.items() if each is not _GONE}
        elif isinstance(value, list):
            kept = self._items(value, tree)
        else:
            return value
        return kept if kept or not value else _GONE

    def _items(self, items: list[Any], tree: _Tree) -> list[Any]:
        kept: list[Any] = []
        places: dict[int, int] = {}
        for number, item in enumerate(items):
            step = f"[{number}]"
            if (rest := self._pruned(item, tree[step]) if step in tree else item) is not _GONE:
                places[number] = len(kept)
                kept.append(rest)
        self._places[id(items)] = places
        return kept


def _with_markings(rest: Stix, removal: _Removal) -> Stix:
    """No marking may point at what is gone: it would tell that there was something."""
    if "granular_markings" not in rest:
        return rest
    markings = [kept for each in rest["granular_markings"] if (kept := _marking(each, removal)) is not None]
    others = {name: value for name, value in rest.items() if name != "granular_markings"}
    if not markings:
        return others
    # In its old place: nothing but what is hidden differs from what was sent.
    return {name: markings if name == "granular_markings" else value for name, value in rest.items()}


def _marking(marking: Mapping[str, Any], removal: _Removal) -> Mapping[str, Any] | None:
    names = [name for selector in marking["selectors"] if (name := removal.name_of(selector)) is not None]
    if names == marking["selectors"]:
        return marking
    return {**marking, "selectors": names} if names else None
