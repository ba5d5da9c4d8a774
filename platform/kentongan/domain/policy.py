"""The sharing policy, as one function: may this reader see what was marked so?

storage/visibility.py is the same decision as a query filter; tests/storage/test_visibility.py walks every marking and every
relation through both. Default deny: what no line below allows is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass

from kentongan.domain.identity import Identity, OrganizationKind
from kentongan.domain.marking import Level


@dataclass(frozen=True, slots=True)
class Audience:
    """Who a thing is for: the organization that made it and the TLP level it marked it with."""

    owner_id: int
    level: Level


EVERYONE = frozenset(OrganizationKind)
MEMBERS = frozenset({OrganizationKind.MEMBER})
NOBODY_ELSE: frozenset[OrganizationKind] = frozenset()

READERS: dict[Level, frozenset[OrganizationKind]] = {
    Level.CLEAR: EVERYONE,
    Level.GREEN: EVERYONE,
    Level.AMBER: MEMBERS,
    Level.AMBER_STRICT: MEMBERS,
    Level.RED: NOBODY_ELSE,
}
"""Which kinds of organization may see a level besides its owner. The default sharing group of AMBER and AMBER+STRICT is all
members and lists no constituents; RED without named recipients is for its owner alone."""


def may_see(reader: Identity, audience: Audience) -> bool:
    """Whether `reader` may see something made for `audience`."""
    return audience.owner_id == reader.organization_id or reader.kind in READERS[audience.level]
