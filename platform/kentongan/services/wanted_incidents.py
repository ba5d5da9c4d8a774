"""The incidents of a page that a subscription's filter wants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.domain.alert_filter import AlertFilter, WrongFilter
from kentongan.domain.collections import Collection
from kentongan.domain.identity import Identity
from kentongan.domain.incident import Observable
from kentongan.domain.marking import Level
from kentongan.services import facts_codec
from kentongan.storage.alerts import Subscription
from kentongan.storage.collection_pages import FoundEntry
from kentongan.storage.incidents import Incident
from kentongan.storage.observables import WITHIN, Posting, StoredObservable
from kentongan.storage.visibility import visible

INCIDENTS: Final = frozenset({"incident"})


class WantedIncidents:
    """Asks the filter of each incident, as soon as it is known what the incident says.

    That is when it was indexed, a moment after it was accepted. Until then the page ends before it, or a client would be past it
    when it is known to be wanted. `last`: whether the last versions are asked for, which must be the ones that were indexed.
    """

    def __init__(self, session: Session, reader: Identity, collection: Collection, last: bool) -> None:
        self._session = session
        self._reader = reader
        self._last = last
        self._filter = self._read(session, collection)

    def of(self, entries: Sequence[FoundEntry]) -> tuple[list[FoundEntry], bool]:
        """Those that are wanted, and whether nothing behind them may be shown yet."""
        incidents = self._incidents(entries)
        observables = self._observables([one.id for one in incidents.values()])
        wanted: list[FoundEntry] = []
        for entry in entries:
            incident = incidents.get((entry.stix_id, entry.sender_id))
            if incident is None or (self._last and incident.object_id != entry.object_id):
                return wanted, True
            own = entry.sender_id == self._reader.organization_id
            facts, level = facts_codec.read(incident.facts), Level(entry.level)
            if self._filter is not None and self._filter.concerns(facts, level, observables[incident.id], own):
                wanted.append(entry)
        return wanted, False

    def _read(self, session: Session, collection: Collection) -> AlertFilter | None:
        stored = session.scalars(select(Subscription.filter).where(Subscription.id == collection.subject)).one()
        try:
            return AlertFilter.from_json(stored)
        except WrongFilter:  # one of an earlier version that is no filter any more wants nothing, as in `match`
            return None

    def _incidents(self, entries: Sequence[FoundEntry]) -> dict[tuple[str, int], Incident]:
        query = select(Incident).where(
            Incident.stix_id.in_([entry.stix_id for entry in entries]),
            visible(self._session, Incident.audience_id, self._reader),
        )
        return {(one.stix_id, one.organization_id): one for one in self._session.scalars(query)}

    def _observables(self, incident_ids: Sequence[int]) -> dict[int, set[Observable]]:
        found: dict[int, set[Observable]] = defaultdict(set)
        if self._filter is None or not self._filter.observables:
            return found
        rows = self._session.execute(
            select(Posting.incident_id, StoredObservable.kind, StoredObservable.value)
            .join(StoredObservable, StoredObservable.id == Posting.observable_id)
            .where(
                Posting.incident_id.in_(incident_ids),
                Posting.origin != WITHIN,
                visible(self._session, Posting.audience_id, self._reader),
            )
        )
        for incident_id, kind, value in rows:
            found[incident_id].add(Observable(kind, value))
        return found
