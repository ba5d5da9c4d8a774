"""When a collection gained an object, as TAXII 2.1 section 3.3 orders it: a number that only grows, and is a moment.

`date_added` is whole microseconds since 1970 UTC, given under the lock that puts commits in order (docs/adr/0015): never twice,
and never one below what an earlier commit gave. So a timestamp tells two objects apart, and `added_after` is a place in the
collection and not only a time.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

WINDOW: Final = 1024
"""Microseconds over which what one document brings to one audience is spread, if it is little."""
_ROOM: Final = 8
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", re.ASCII)


def spread(start: int, audiences: Sequence[Hashable], draw_bits: Callable[[int], int]) -> list[int]:
    """A number from `start` on for each object of one document, given the audience of each; all differ.

    Counted one by one, the numbers would tell how many objects lie between two that a reader sees, and so that something is
    hidden. Each audience's are therefore drawn at random from a window whose width depends on nothing but how many they are;
    within an audience they keep the order of the document. `draw_bits(n)` gives a number of n bits.
    """
    positions: dict[Hashable, list[int]] = defaultdict(list)
    for position, audience in enumerate(audiences):
        positions[audience].append(position)
    taken: set[int] = set()
    given = [0] * len(audiences)
    for theirs in positions.values():
        for position, offset in zip(theirs, _drawn(len(theirs), taken, draw_bits), strict=True):
            given[position] = start + offset
    return given


def _drawn(how_many: int, taken: set[int], draw_bits: Callable[[int], int]) -> list[int]:
    bits = max(WINDOW - 1, how_many * _ROOM - 1).bit_length()
    own: set[int] = set()
    while (missing := how_many - len(own)) > 0:
        if len(taken) >= 1 << bits:  # other audiences fill it: they may be anywhere in a wider one
            bits += 1
        drawn = {draw_bits(bits) for _ in range(missing)} - taken
        own |= drawn
        taken |= drawn
    return sorted(own)


def as_timestamp(number: int) -> str:
    """As headers and manifests write it, always with six digits: `2026-03-02T12:00:00.000001Z`."""
    return (_EPOCH + timedelta(microseconds=number)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def as_version(number: int) -> str:
    """A version as STIX writes moments: milliseconds where that is all there is to say, else microseconds."""
    text = as_timestamp(number)
    return text[:-4] + "Z" if text.endswith("000Z") else text


def from_timestamp(text: str) -> int | None:
    """A moment in microseconds since 1970; None for what is no timestamp as STIX 2.1 section 2.14 writes one.

    What is finer than a microsecond is cut off: no object was added in between.
    """
    if not _MOMENT.fullmatch(text):
        return None
    whole, _, fraction = text[:-1].partition(".")
    try:
        moment = datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}").replace(tzinfo=UTC)
    except ValueError:
        return None
    return (moment - _EPOCH) // timedelta(microseconds=1)


def version_of(stix: Mapping[str, Any]) -> int | None:
    """Which version of itself an object is (TAXII 2.1 section 3.4.1): `modified`, else `created`; None has neither, as SCOs."""
    told = stix.get("modified", stix.get("created"))
    return from_timestamp(told) if isinstance(told, str) else None
