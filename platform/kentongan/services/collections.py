"""The TAXII collections that somebody finds."""

from __future__ import annotations

from typing import Final

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.domain.collections import (
    Collection,
    CollectionKind,
    group_collection,
    standing_collections,
    subscription_collection,
)
from kentongan.domain.identity import Identity
from kentongan.domain.marking import Level, Mask
from kentongan.services.errors import NotFound
from kentongan.storage.alerts import Subscription
from kentongan.storage.collection_pages import audiences_at
from kentongan.storage.groups import GroupMember, SharingGroup
from kentongan.storage.visibility import AudienceGroup, AudienceRow, audience_ids

_SHARED: Final = AudienceRow.mask == int(Mask.NONE)
"""What is masked is for its owner alone, and in no collection that is called shared."""


class Collections:
    """Which there are for whom, and who may do what there."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self, who: Identity) -> tuple[Collection, ...]:
        """Those of who asks, always in the same order."""
        return (*standing_collections(who), *self._of_groups(who), *self._of_subscriptions(who))

    def one(self, who: Identity, name: str) -> Collection:
        """By its id or alias. Raises NotFound, also for what is somebody else's."""
        for some in (standing_collections, self._of_groups, self._of_subscriptions):
            for each in some(who):
                if name in (each.id, each.alias):
                    return each
        raise NotFound("there is no such collection")

    def audiences(self, who: Identity, collection: Collection) -> frozenset[int]:
        """The audiences whose objects are in it for who asks: never one that they do not belong to."""
        if collection.kind is CollectionKind.PUBLIC:
            return audiences_at(self._session, who, _SHARED & (AudienceRow.level == int(Level.CLEAR)))
        if collection.kind is CollectionKind.GROUP:
            for_group = select(AudienceGroup.audience_id).where(AudienceGroup.group_id == collection.subject)
            return audiences_at(
                self._session, who, _SHARED & AudienceRow.id.in_(for_group) & (AudienceRow.level != int(Level.RED))
            )
        return audience_ids(self._session, who)

    def _of_groups(self, who: Identity) -> list[Collection]:
        mine = (GroupMember.group_id == SharingGroup.id) & (GroupMember.organization_id == who.organization_id)
        living = select(SharingGroup.id, SharingGroup.stix_id, SharingGroup.name).join(GroupMember, mine)
        rows = self._session.execute(living.where(SharingGroup.ended_at.is_(None)).order_by(SharingGroup.id))
        return [group_collection(*row) for row in rows]

    def _of_subscriptions(self, who: Identity) -> list[Collection]:
        mine = (Subscription.organization_id == who.organization_id) & Subscription.active
        columns = (Subscription.id, Subscription.public_id, Subscription.name, Subscription.filter)
        rows = self._session.execute(select(*columns).where(mine).order_by(Subscription.id))
        return [subscription_collection(row.id, row.public_id, row.name, _json_text(row.filter)) for row in rows]


def _json_text(told: object) -> str:
    """Plain JSON in one spelling."""
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS).decode()
