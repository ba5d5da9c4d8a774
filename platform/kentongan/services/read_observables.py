"""Where a value was seen, in any spelling, as far as the reader may know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from kentongan.domain.identity import Identity
from kentongan.domain.incident import Observable
from kentongan.services.paging import Page, cut
from kentongan.services.read_objects import ReadObjects
from kentongan.services.reading_trail import note_incidents
from kentongan.services.seeking import carries, observable_keys
from kentongan.services.spellings import spellings
from kentongan.services.summaries import IncidentSummary, behind_cursor, found, position_of, visible_incidents
from kentongan.storage.incidents import Incident
from kentongan.storage.objects import CarrierPart, ObjectCarrier, StixObject
from kentongan.storage.observables import ObjectObservable
from kentongan.storage.visibility import visible

MOST_OBJECTS: Final = 200


@dataclass(frozen=True, slots=True)
class ObservableView:
    """What `value` was read as, the incidents that carry it, and the ids of STIX objects that do (at most MOST_OBJECTS).

    `read_as` follows from the spelling alone, whether or not anybody ever saw the value.
    """

    value: str
    read_as: tuple[Observable, ...]
    incidents: Page[IncidentSummary]
    objects: tuple[str, ...]


class ReadObservables:
    """What a reader may ask about a value."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def value(
        self, reader: Identity, value: str, *, kind: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> ObservableView:
        """Where this value was seen, the last received first. Raises WrongCursor."""
        asked = {"list": "observables", "value": value, "kind": kind}
        read_as = spellings(value, kind)
        keys = observable_keys(self._session, read_as)
        return ObservableView(
            value=value,
            read_as=read_as,
            incidents=self._incidents(reader, keys, limit, cursor, asked),
            objects=self._objects(reader, keys),
        )

    def _incidents(
        self, reader: Identity, keys: list[int], limit: int, cursor: str | None, asked: Mapping[str, Any]
    ) -> Page[IncidentSummary]:
        query = (
            visible_incidents(self._session, reader)
            .where(carries(self._session, reader, keys), behind_cursor(self._session, reader, cursor, asked))
            .order_by(Incident.received_at.desc(), Incident.id.desc())
            .limit(limit + 1)
        )
        rows = found(self._session, reader, query)
        note_incidents(self._session, reader, rows[:limit])
        return cut(rows, limit, position_of, asked, lambda row: row.summary)

    def _objects(self, reader: Identity, keys: list[int]) -> tuple[str, ...]:
        # A value that stands in a part is told where some carrier hides no part from the reader.
        hidden = exists().where(
            CarrierPart.object_id == ObjectCarrier.object_id,
            CarrierPart.audience_id == ObjectCarrier.audience_id,
            ~visible(self._session, CarrierPart.part_audience_id, reader),
        )
        shown = or_(~ObjectObservable.in_part, ~hidden.correlate(ObjectCarrier))
        ids = self._session.scalars(
            select(StixObject.stix_id)
            .join(ObjectObservable, ObjectObservable.object_id == StixObject.id)
            .join(ObjectCarrier, ObjectCarrier.object_id == StixObject.id)
            .where(
                ObjectObservable.observable_id.in_(keys),
                visible(self._session, ObjectCarrier.audience_id, reader),
                shown,
            )
            .distinct()
            .order_by(StixObject.stix_id)
            .limit(MOST_OBJECTS)
        ).all()
        seen = ReadObjects(self._session).shown(reader, ids)
        return tuple(stix_id for stix_id in ids if stix_id in seen)
