"""A TAXII client deletes an object: its own organization takes back what it sent under that id, and nobody else's is touched."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from kentongan.domain.collections import Collection
from kentongan.domain.identity import Identity
from kentongan.domain.object_filter import ObjectFilter, Versions
from kentongan.services.collections import Collections
from kentongan.services.erase import Erase
from kentongan.services.errors import NotFound, NotYours
from kentongan.storage.collection_pages import FoundEntry, entries_after

Clock = Callable[[], datetime]
_AT_ONCE = 500


class Withdraw:
    """Erasing, as it is wished for over TAXII."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def object(self, who: Identity, collection: Collection, stix_id: str, versions: Versions) -> None:
        """Erase these versions of an object. Raises NotFound where who asks finds none of them, NotYours where another
        organization sent them."""
        found = self._found(who, collection, ObjectFilter(ids=frozenset({stix_id}), versions=versions))
        if not found:
            raise NotFound("there is no such object")
        own = {entry.object_id for entry in found if entry.sender_id == who.organization_id}
        if not own:
            raise NotYours("this object was sent by another organization")
        Erase(self._session, self._clock).objects(who, stix_id, own)

    def _found(self, who: Identity, collection: Collection, asked: ObjectFilter) -> list[FoundEntry]:
        audiences = Collections(self._session).audiences(who, collection)
        found: list[FoundEntry] = []
        while some := entries_after(self._session, who, audiences, asked, found[-1].number if found else 0, _AT_ONCE):
            found += some
        return found
