"""Who may do what, to be read aloud. What may be seen is another matter: domain/policy.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from kentongan.domain.identity import NO_ORGANIZATION, Identity, OrganizationKind, Role, Scope

OF_ROLE: Final[Mapping[Role, frozenset[Scope]]] = {
    Role.ANALYST: frozenset({Scope.SUBMIT, Scope.READ, Scope.SUBSCRIPTIONS, Scope.DECIDE}),
    Role.SUBSCRIBER: frozenset({Scope.READ, Scope.SUBSCRIPTIONS}),
    Role.COORDINATOR: frozenset({Scope.READ, Scope.SUBSCRIPTIONS, Scope.DECIDE, Scope.COORDINATE}),
    Role.ADMINISTRATOR: frozenset({Scope.READ, Scope.SUBSCRIPTIONS, Scope.ADMIN}),
    Role.OPERATOR: frozenset({Scope.READ, Scope.OPERATE}),
}
"""What a person of a role may do, in their own organization."""

OF_TOKENS: Final = frozenset({Scope.SUBMIT, Scope.READ, Scope.TAXII, Scope.SUBSCRIPTIONS, Scope.DECIDE, Scope.ADMIN})
"""The scopes a token may carry: running the platform and coordinating the region take a person."""

SECOND_FACTOR_NEEDED: Final = frozenset({Role.COORDINATOR, Role.ADMINISTRATOR, Role.OPERATOR})
"""The roles that nobody uses with a password alone."""

FOR_REPORTERS_ALONE: Final = frozenset({Role.ANALYST, Role.COORDINATOR})
"""The roles that nobody of a subscriber holds: a subscriber listens."""


def may_hold(role: Role, kind: OrganizationKind) -> bool:
    """Whether a person of such an organization may have this role."""
    return kind is not OrganizationKind.SUBSCRIBER or role not in FOR_REPORTERS_ALONE


def may_grant(who: Identity, role: Role) -> bool:
    """Whether `who`, who may administer an organization, may give this role to its people or take it away: the operator's is
    given by operators, or an administrator could make themselves one."""
    return role is not Role.OPERATOR or who.may(Scope.OPERATE)


def scopes_of(roles: Iterable[Role], *, coordinates: bool) -> frozenset[Scope]:
    """What a person of these roles may do. `coordinates`: their organization coordinates the region now; the role of
    coordinator counts only as long."""
    counted = (role for role in roles if role is not Role.COORDINATOR or coordinates)
    return frozenset(scope for role in counted for scope in OF_ROLE[role])


def may_decide(who: Identity) -> bool:
    """Whether `who` may say of two incidents whether they belong together: a subscriber listens."""
    return who.may(Scope.DECIDE) and who.kind is not OrganizationKind.SUBSCRIBER


def may_undo(who: Identity, organization_id: int) -> bool:
    """Whether `who` may take back what an organization decided: its own people may, and who coordinates the region."""
    return may_decide(who) and (who.organization_id == organization_id or who.may(Scope.COORDINATE))


def may_erase(who: Identity, organization_id: int) -> bool:
    """Whether `who` may erase what an organization sent: who may submit for it may take that back, its administrators may, and
    the operator at the console when the organization demands it by other ways."""
    if who.organization_id == NO_ORGANIZATION:
        return who.may(Scope.OPERATE)
    return who.organization_id == organization_id and (who.may(Scope.SUBMIT) or who.may(Scope.ADMIN))


def at_the_machine(who: Identity) -> bool:
    """Whether `who` sits at the machine's own console, where nothing is out of reach; an operator in the portal does not."""
    return who.organization_id == NO_ORGANIZATION and who.may(Scope.OPERATE)


def may_set_up_feeds(who: Identity, organization_id: int) -> bool:
    """Whether `who` may say what comes in for an organization: its administrators, and who sits at the machine."""
    return at_the_machine(who) or (who.organization_id == organization_id and who.may(Scope.ADMIN))


def may_administer(who: Identity, organization_id: int, *, administered: bool) -> bool:
    """Whether `who` may change the people, tokens and attributes of an organization.

    Its own administrators may. An operator helps an organization that has no administrator yet, and not one that has: who runs
    the platform must not let themselves in. `administered`: the organization has an active administrator. At the machine's own
    console nothing is out of reach, so nothing is refused there either; it is audited like everything else.
    """
    if who.may(Scope.ADMIN) and who.organization_id in (organization_id, NO_ORGANIZATION):
        return True
    return who.may(Scope.OPERATE) and not administered
