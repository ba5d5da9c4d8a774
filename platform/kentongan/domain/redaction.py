"""An object without some of its parts, so that nothing tells that they were there (STIX 2.1 section 7.2.3).

Selectors are written as granular markings write them: `description`, `labels.[1]`, `external_references.[0].url`. One stands for
all that lies under it.
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

_Tree = dict[str, "_Tree | None"]
"""What is to go, step by step; None: all of it."""
_GONE: Final = object()


def redact(obj: Stix, selectors: Collection[str]) -> Stix | None:
    """The object without what these selectors point at, or None where the rest can not stand: then all of it is withheld.

    The rest stands if the gate would accept it, and if its id does not tell what is gone. The object itself is not changed.
    """
    if not selectors:
        return obj
    if obj["type"] == "marking-definition" or any(_root(selector) in FIXED for selector in selectors):
        return None
    rest = without(obj, selectors)
    return rest if not _id_tells(obj, rest) and accepted_alone(rest) else None


def without(obj: Stix, selectors: Iterable[str]) -> Stix:
    """The same, whether or not the rest can stand; what is FIXED stays. Only what changes is copied.

    Lists and objects that become empty go too, and so do granular markings of what is gone; selectors follow the items of
    lists that lost some.
    """
    removal = _Removal(obj, _tree(selector for selector in selectors if _root(selector) not in FIXED))
    return _with_markings(removal.rest, removal)


def moved(obj: Stix, gone: Iterable[str], selectors: Iterable[str]) -> frozenset[str]:
    """What these selectors are called in `without(obj, gone)`, as far as they still point at something."""
    removal = _Removal(obj, _tree(selector for selector in gone if _root(selector) not in FIXED))
    return frozenset(name for selector in selectors if (name := removal.name_of(selector)) is not None)


def in_common(hidden: Sequence[Collection[str]]) -> frozenset[str]:
    """What every one of these collections of selectors covers: what is shown by one of several is shown."""
    sets = [frozenset(selectors) for selectors in hidden]
    return reduce(_both, sets) if sets else frozenset()


def _both(one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
    return frozenset({s for s in one if _is_covered(s, other)} | {s for s in other if _is_covered(s, one)})


def _is_covered(selector: str, by: frozenset[str]) -> bool:
    steps = selector.split(".")
    return any(".".join(steps[:length]) in by for length in range(1, len(steps) + 1))


def _root(selector: str) -> str:
    return selector.partition(".")[0]


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
    for selector in selectors:
        *above, last = _steps(selector)
        tree: _Tree | None = whole
        for step in above:
            tree = tree.setdefault(step, {}) if tree is not None else None
        if tree is not None:
            tree[last] = None
    return whole


class _Removal:
    """One object without what a tree names. It knows where items of lists went."""

    def __init__(self, obj: Stix, tree: _Tree) -> None:
        self._obj = obj
        self._places: dict[int, dict[int, int]] = {}
        """Of each list that lost items, by its identity: where those that stay stand now."""
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
            return step if step in after else None
        if not isinstance(before, list) or not step.startswith("["):
            return None
        number = int(step[1:-1])
        places = self._places.get(id(before))
        place = number if places is None else places.get(number, len(after))
        return f"[{place}]" if place < len(after) else None

    def _pruned(self, value: Any, tree: _Tree | None) -> Any:
        if tree is None:
            return _GONE
        if isinstance(value, dict):
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
