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
    """What somebody who asks may do: a token carries its scopes, a person those of their roles (domain/permissions.py)."""

    SUBMIT = "submit"
    READ = "read"
    TAXII = "taxii"
    SUBSCRIPTIONS = "subscriptions"
    ADMIN = "admin"
    """Administer one's own organization: its people, tokens, sharing groups and attributes."""
    DECIDE = "decide"
    """Say of two incidents whether they belong together."""
    COORDINATE = "coordinate"
    """Review the region; only while one's organization coordinates it."""
    OPERATE = "operate"
    """Run the platform: organizations join and leave, the coordinator's role is handed over."""


class Role(StrEnum):
    """What a person is in their organization."""

    ANALYST = "analyst"
    SUBSCRIBER = "subscriber"
    COORDINATOR = "coordinator"
    ADMINISTRATOR = "administrator"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks: an organization, through one of its tokens or persons, or read for by the platform itself (an alert's reader)."""

    organization_id: int
    organization_name: str
    kind: OrganizationKind
    scopes: frozenset[Scope] = field(default_factory=frozenset)
    roles: frozenset[Role] = field(default_factory=frozenset)
    """Of the person who asks; a token has none."""
    person_id: int | None = None
    token_id: int | None = None
    name: str = ""
    """Who that is within the organization, for the audit trail: a person's name, a token's prefix."""
    address: str = ""
    """Where the request came from: an IP address, or `command line`."""
    read_only: bool = False
    """Whether nothing may be changed, whatever the scopes say."""

    def may(self, scope: Scope) -> bool:
        """Whether this scope was given to who asks."""
        return scope in self.scopes

    def in_words(self) -> str:
        """Who that is, for a row that says who wrote it. Example: `Siti of CERT-ID`."""
        return f"{self.name or 'operator'} of {self.organization_name}"[:400]


NO_ORGANIZATION = 0
"""The `organization_id` of who asks for no organization; no row has it."""


def at_the_console(user: str) -> Identity:
    """The operator at the machine itself, who runs a command there as this user of the system; reads what everybody reads."""
    return Identity(
        organization_id=NO_ORGANIZATION,
        organization_name="operator",
        kind=OrganizationKind.SUBSCRIBER,
        scopes=frozenset({Scope.ADMIN, Scope.OPERATE}),
        roles=frozenset({Role.OPERATOR}),
        name=user,
        address="command line",
    )


PLATFORM = Identity(
    NO_ORGANIZATION,
    "Kentongan",
    OrganizationKind.SUBSCRIBER,
    scopes=frozenset({Scope.OPERATE}),
    name="the platform itself",
    address="worker",
)
"""Who does what nobody asks for at that moment: delivering, erasing what is over. It reads for others, never for itself."""
