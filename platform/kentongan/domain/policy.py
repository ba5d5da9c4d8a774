"""The sharing policy, as one function: may this reader see what was marked so?

storage/visibility.py is the same decision as a query filter; tests/storage/test_visibility.py proves over generated
organizations, groups, audiences and readers that the two are one. Default deny: what no line below allows is not seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kentongan.domain.identity import Identity, OrganizationKind, Role
from kentongan.domain.marking import Level, Mask

Memberships = Mapping[int, Mapping[int, Level]]
"""Living sharing groups by id: their organizations by id, with the strictest level that reaches each through the group."""

NOBODY: Final = -1
"""Stands in an audience for a group or recipient that is not known: it admits nobody."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who a thing is for: its owner, the TLP level, the groups a reader must be in, and at RED who is named."""

    owner_id: int
    level: Level
    groups: frozenset[int] = frozenset()
    """Every one of them must admit the reader; none named: all member CERTs."""
    organizations: frozenset[int] = frozenset()
    """Named recipients of RED: whole teams."""
    persons: frozenset[int] = frozenset()
    """Named recipients of RED: single persons."""
    for_members: bool = False
    """Only for member CERTs, where the level would let others read too: so it follows from something that is for them alone."""
    mask: Mask = Mask.NONE
    """What is masked is for its owner alone."""


EVERYONE = frozenset(OrganizationKind)
MEMBERS = frozenset({OrganizationKind.MEMBER})

READERS: Final[Mapping[Level, frozenset[OrganizationKind]]] = {
    Level.CLEAR: EVERYONE,
    Level.GREEN: EVERYONE,
    Level.AMBER: MEMBERS,
    Level.AMBER_STRICT: MEMBERS,
    Level.RED: EVERYONE,
}
"""Which kinds of organization a level is for, besides its owner. A group may also list constituents for AMBER
(`CONSTITUENTS`); of RED only who is named is a reader."""

CONSTITUENTS: Final = Level.AMBER
"""The level at which a group's constituents read along: everybody it lists who is no member CERT."""

OUT_OF_REACH: Final = Level.AMBER_STRICT
"""From this level on, who runs the platform reads nothing of others, whatever organization they are in."""


def may_see(reader: Identity, audience: Audience, groups: Memberships | None = None) -> bool:
    """Whether `reader` may see something made for `audience`. Each line can only deny; the owner's own is never denied."""
    if reader.organization_id == audience.owner_id:
        return True
    if audience.mask or (Role.OPERATOR in reader.roles and audience.level >= OUT_OF_REACH):
        return False
    if audience.level is Level.RED and not _is_named(reader, audience):
        return False
    listed = audience.level is CONSTITUENTS and audience.groups
    if not listed and reader.kind not in READERS[audience.level]:
        return False
    if audience.for_members and reader.kind not in MEMBERS:
        return False
    return all(_admits((groups or {}).get(group, {}), reader, audience.level) for group in audience.groups)


def _is_named(reader: Identity, audience: Audience) -> bool:
    return reader.organization_id in audience.organizations or reader.person_id in audience.persons


def _admits(members: Mapping[int, Level], reader: Identity, level: Level) -> bool:
    strictest = members.get(reader.organization_id)
    return strictest is not None and level <= strictest


def meet(one: Audience, other: Audience) -> Audience:
    """Who belongs to both: the audience of what follows from two things of one owner."""
    red = [audience for audience in (one, other) if audience.level is Level.RED]
    both = Audience(
        one.owner_id,
        max(one.level, other.level),
        one.groups | other.groups,
        _in_all([audience.organizations for audience in red]),
        _in_all([audience.persons for audience in red]),
        mask=max(one.mask, other.mask),
    )
    for_members = any(audience.for_members or _is_for_members(audience) for audience in (one, other))
    return replace(both, for_members=True) if for_members and not _is_for_members(both) else both


def covers(wider: Audience, narrower: Audience) -> bool:
    """Whether everybody who belongs to `narrower` certainly belongs to `wider`, which has the same owner."""
    return meet(wider, narrower) == narrower


def _is_for_members(audience: Audience) -> bool:
    """Whether the level alone says so."""
    return READERS[audience.level] == MEMBERS and not (audience.level is CONSTITUENTS and audience.groups)


def _in_all(sets: Sequence[frozenset[int]]) -> frozenset[int]:
    return frozenset.intersection(*sets) if sets else frozenset()


class Policy:
    """Every policy class there is, to decide for many readers at once without asking per reader."""

    def __init__(self, audiences: Mapping[int, Audience], groups: Memberships) -> None:
        self.audiences = audiences
        self._groups = groups
        self._alone = {audience.owner_id for audience in audiences.values()}
        self._alone |= {number for audience in audiences.values() for number in audience.organizations}
        self._alone |= {number for members in groups.values() for number in members}
        self._found: dict[tuple[OrganizationKind, int | None], frozenset[int]] = {}

    def visible_to(self, reader: Identity) -> frozenset[int]:
        """The audiences that an organization (asking without a person) belongs to.

        Organizations of one kind that own nothing, are in no group and are nowhere named are one reader.
        """
        key = reader.kind, reader.organization_id if reader.organization_id in self._alone else None
        if key not in self._found:
            self._found[key] = frozenset(
                number for number, audience in self.audiences.items() if may_see(reader, audience, self._groups)
            )
        return self._found[key]
