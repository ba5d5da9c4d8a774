"""The TAXII collections there are, and what somebody may do with each: to be read aloud.

What is in a collection is never wider than what its reader may see (domain/policy.py); a collection only narrows that.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from kentongan.domain.identity import Identity, OrganizationKind, Scope

_NAMESPACE: Final = uuid.UUID("5c1f1d9e-6d0b-5e0a-9a55-2f1d3ac0b8c7")


class CollectionKind(StrEnum):
    """What a collection is made of."""

    EVERYTHING = "everything"
    PUBLIC = "public"
    FINDINGS = "cases-and-campaigns"
    INBOX = "inbox"
    GROUP = "group"
    SUBSCRIPTION = "subscription"


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection as one organization finds it. `subject` is the row number of the group or subscription it is of."""

    id: str
    kind: CollectionKind
    title: str
    description: str
    can_read: bool
    can_write: bool
    alias: str | None = None
    subject: int | None = None


def may_write(who: Identity) -> bool:
    """Whether who asks may send something over TAXII: what submits must be allowed to submit."""
    return who.may(Scope.TAXII) and who.may(Scope.SUBMIT) and not who.read_only


def standing_collections(who: Identity) -> tuple[Collection, ...]:
    """The collections that everybody has, in the order in which they are listed.

    The ids of one's own differ from organization to organization, for so does what is in them; the aliases are the same.
    """
    writes = may_write(who)
    everything = Collection(
        own_id(who, CollectionKind.EVERYTHING),
        CollectionKind.EVERYTHING,
        "Everything you may read",
        "All objects that are shared with your organization, its own among them. What is added here is submitted.",
        can_read=True,
        can_write=writes,
        alias=CollectionKind.EVERYTHING.value,
    )
    public = Collection(
        _id_of(CollectionKind.PUBLIC.value),
        CollectionKind.PUBLIC,
        "Public",
        "What is marked TLP:CLEAR.",
        can_read=True,
        can_write=False,
        alias=CollectionKind.PUBLIC.value,
    )
    findings = Collection(
        own_id(who, CollectionKind.FINDINGS),
        CollectionKind.FINDINGS,
        "Cases and campaigns",
        "What the platform found: relationships between incidents, and campaigns as groupings; revoked when they no longer hold.",
        can_read=True,
        can_write=False,
        alias=CollectionKind.FINDINGS.value,
    )
    inbox = Collection(
        own_id(who, CollectionKind.INBOX),
        CollectionKind.INBOX,
        "Inbox",
        "What is added here is submitted. Nothing can be read here.",
        can_read=False,
        can_write=writes,
        alias=CollectionKind.INBOX.value,
    )
    shown = (everything, findings, public)
    return (*shown, inbox) if who.kind is OrganizationKind.MEMBER else shown


def group_collection(group: int, stix_id: str, name: str) -> Collection:
    """What is shared with a sharing group that one is in; RED, which names single recipients, is not among it."""
    return Collection(
        str(uuid.uuid5(_NAMESPACE, f"{CollectionKind.GROUP.value} {stix_id}")),
        CollectionKind.GROUP,
        f"Sharing group {name}",
        "What is marked for this sharing group, up to TLP:AMBER+STRICT.",
        can_read=True,
        can_write=False,
        subject=group,
    )


def subscription_collection(subscription: int, public_id: str, name: str, wanted: str) -> Collection:
    """The incidents that a saved filter wants; `wanted` is the filter as text: another filter is another collection, for what it
    lets through besides came at times that a client may be past."""
    return Collection(
        str(uuid.uuid5(_NAMESPACE, f"{CollectionKind.SUBSCRIPTION.value} {public_id} {wanted}")),
        CollectionKind.SUBSCRIPTION,
        f"Subscription {name or public_id}",
        "The incidents that the filter of this subscription wants, as soon as they are indexed.",
        can_read=True,
        can_write=False,
        subject=subscription,
    )


def own_id(who: Identity, kind: CollectionKind) -> str:
    """The id of an organization's own collection of this kind."""
    return _id_of(f"{kind.value} of {who.organization_id}")


@lru_cache(maxsize=4096)
def _id_of(named: str) -> str:
    """Kept: every request asks for several."""
    return str(uuid.uuid5(_NAMESPACE, named))
