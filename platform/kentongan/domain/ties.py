"""What ties two things together, and may be seen only by who sees both."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any, Final

ENDS: Final[Mapping[str, tuple[str, ...]]] = {
    "relationship": ("source_ref", "target_ref"),
    "sighting": ("sighting_of_ref", "where_sighted_refs"),
}
"""Where each kind of tie names what it ties."""


def ends_of(stix: Mapping[str, Any]) -> frozenset[str]:
    """The ids of all that an object ties together; none for what is no relationship or sighting."""
    named = (stix.get(name) for name in ENDS.get(stix["type"], ()))
    return frozenset(chain.from_iterable([end] if isinstance(end, str) else end or () for end in named))
