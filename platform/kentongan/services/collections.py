"""The TAXII collections that somebody finds."""

from __future__ import annotations

from sqlalchemy.orm import Session

from kentongan.domain.collections import Collection, CollectionKind, standing_collections
from kentongan.domain.identity import Identity
from kentongan.domain.marking import Level
from kentongan.services.errors import NotFound
from kentongan.storage.collection_pages import audiences_at
from kentongan.storage.visibility import AudienceRow


class Collections:
    """Which there are for whom, and who may do what there."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self, who: Identity) -> tuple[Collection, ...]:
        """Those of who asks, always in the same order."""
        return standing_collections(who)

    def one(self, who: Identity, name: str) -> Collection:
        """By its id or alias. Raises NotFound, also for what is somebody else's."""
        for each in self.all(who):
            if name in (each.id, each.alias):
                return each
        raise NotFound("there is no such collection")

    def audiences(self, who: Identity, collection: Collection) -> frozenset[int]:
        """The audiences whose objects are in it for who asks: never one that they do not belong to."""
        if collection.kind is CollectionKind.PUBLIC:
            return audiences_at(self._session, who, AudienceRow.level == int(Level.CLEAR))
        return audiences_at(self._session, who)
