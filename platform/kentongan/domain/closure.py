"""What a STIX object names: to give somebody a thing with all it refers to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def named_by(stix: Mapping[str, Any]) -> frozenset[str]:
    """The ids in every reference of an object, however deep: `..._ref`, `..._refs`, and the markings of parts.

    Example: of a relationship its two ends, who made it, and its markings.
    """
    return frozenset(_named(stix))


def _named(value: Any) -> Iterator[str]:  # Any: parsed JSON
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name.endswith("_ref") and isinstance(inner, str):
                yield inner
            elif name.endswith("_refs") and isinstance(inner, list):
                yield from (one for one in inner if isinstance(one, str))
            else:
                yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)
