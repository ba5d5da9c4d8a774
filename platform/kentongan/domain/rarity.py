"""How common something is, seen from two reports: how many incidents carry a value, name a victim or refer to a page.

An organization decides alone what its own incidents carry. So it may make something common for its own reports, but hardly for
those of others: of what it reports no more than MOST_OF_OTHERS incidents count where two others are compared. Else whoever names
another's rare hash in every incident would take away what ties that one's reports.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import log2
from types import MappingProxyType

SURPRISE_OF_ONE = 11.0
"""How surprising, in bits, it is to have what one other incident alone has: one in two thousand. It is the same in a store of
ten and of ten million incidents, as a link must not depend on how many strangers had come when it was found."""

CARRIER_STEPS = (2, 6, 16, 40, 100)
"""Carriers are told apart only in these steps, so that a link is scored again when a step is passed and not with every report."""

OWN_STEPS = (1, 2, 4, 10, 25, 60)
"""The same for the carriers of one organization. More than the last is too many for any link of its reports."""

MOST_OF_OTHERS = 2
"""Incidents of one organization that count where two others are compared."""


def in_steps(carriers: int) -> int:
    """The number of carriers that stands for this one: the next step, or one more than the last."""
    return next((step for step in CARRIER_STEPS if carriers <= step), CARRIER_STEPS[-1] + 1)


def bits(carriers: int) -> float:
    """How surprising it is that one more incident has what `carriers` incidents have."""
    return SURPRISE_OF_ONE - log2(max(2, carriers) / 2)


@dataclass(frozen=True, slots=True)
class Spread:
    """What is common among whom: carriers that count for everybody, and how many more each organization counts for itself."""

    shared: int
    excess: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))

    def between(self, one: int, other: int) -> int:
        """How many carriers count between reports of these two organizations (or of one), as `in_steps` gives it."""
        more = self.excess.get(one, 0) + (self.excess.get(other, 0) if other != one else 0)
        return in_steps(self.shared + more)


ALONE = Spread(CARRIER_STEPS[0])
"""What is not known to be carried by more than two."""


def spread_of(counts: Mapping[int, int]) -> Spread:
    """From the number of carriers by organization; each may be cut behind the last of OWN_STEPS."""
    own = {one: _own_step(count) for one, count in counts.items() if count}
    return Spread(
        sum(min(count, MOST_OF_OTHERS) for count in own.values()),
        {one: count - MOST_OF_OTHERS for one, count in sorted(own.items()) if count > MOST_OF_OTHERS},
    )


def _own_step(count: int) -> int:
    return next((step for step in OWN_STEPS if count <= step), CARRIER_STEPS[-1] + 1)


def least_common(spread: Spread, mine: Collection[int], theirs: Collection[int]) -> int:
    """How many carriers count at least between a report of `mine` and one of `theirs`, organizations all."""
    return min(spread.between(one, other) for one in mine for other in theirs)


def weighed_otherwise(before: Spread, now: Spread) -> tuple[bool, set[int]]:
    """Between whom something is common to another degree than before: whether it is so for everybody, and for which organizations.

    It is enough to compare the reports of these again, as each is compared with everybody's.
    """
    stranger = -1
    if before.between(stranger, stranger) != now.between(stranger, stranger):
        return True, set()
    own = before.excess.keys() | now.excess.keys()
    return False, {
        one for one in own if any(before.between(one, other) != now.between(one, other) for other in (*own, stranger))
    }
