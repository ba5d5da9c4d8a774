"""Who is asking now."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class OrganizationKind(StrEnum):
    """What an organization is to the region: a member CERT, a subscriber that listens, or the coordinator's office."""

    MEMBER = "member"
    SUBSCRIBER = "subscriber"
    COORDINATOR = "coordinator"


class Scope(StrEnum):
    """What a token may be used for."""

    SUBMIT = "submit"
    READ = "read"
    SUBSCRIPTIONS = "subscriptions"


@dataclass(frozen=True, slots=True)
class Identity:
    """An organization that asks, through one of its tokens or on its behalf by the platform itself (an alert's reader)."""

    organization_id: int
    organization_name: str
    kind: OrganizationKind
    scopes: frozenset[Scope] = field(default_factory=frozenset)

    def may(self, scope: Scope) -> bool:
        """Whether the token that was shown carries this scope."""
        return scope in self.scopes
