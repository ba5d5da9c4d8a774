"""What is in a collection, page by page, as one reader may see it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.domain.collections import Collection, CollectionKind, standing_collections
from kentongan.domain.identity import Identity
from kentongan.domain.object_filter import LAST, ObjectFilter, Question
from kentongan.domain.redaction import in_common, redact
from kentongan.domain.signed_place import sign, signed_place
from kentongan.domain.ties import ENDS, ends_of
from kentongan.services.collections import Collections
from kentongan.services.errors import NotFound
from kentongan.services.paging import WrongCursor
from kentongan.services.read_findings import Findings
from kentongan.services.reading_trail import NOTED_FROM
from kentongan.services.wanted_incidents import INCIDENTS, WantedIncidents
from kentongan.storage.audit import note_read
from kentongan.storage.base import among
from kentongan.storage.collection_pages import (
    FoundEntry,
    carried_by_themselves,
    entries_after,
    seen_among,
    ties_with_hidden_ends,
)
from kentongan.storage.objects import CarrierPart, ObjectCarrier
from kentongan.storage.second_wall import is_behind
from kentongan.storage.visibility import AudienceRow, audience_ids

MOST_BYTES: Final = 8 * 1024 * 1024
"""Of objects on one page, though more were asked for; one object always fits."""
_AT_ONCE: Final = 256


@dataclass(frozen=True, slots=True)
class EntryPage:
    """Some of a collection, in the order in which it was added, each with the text that the reader sees. `next` is where to go on;
    None: there is no more for now."""

    entries: Sequence[FoundEntry]
    next: str | None = None


class ReadCollection:
    """What a reader may ask about the content of a collection. `key` signs where to go on."""

    def __init__(self, session: Session, key: bytes) -> None:
        self._session = session
        self._key = key

    def page(self, reader: Identity, collection: Collection, asked: Question) -> EntryPage:
        """The objects that agree with a filter, the first added first. Raises WrongCursor."""
        bound = _bound(reader, collection, asked.filter)
        after = self._after(asked, bound)
        if not asked.filter.is_stix_2_1:
            return EntryPage(())
        source = self._source(reader, collection, asked.filter)
        found = _found(source, after, asked.limit)
        shown = _that_fits(found[: asked.limit])
        source.note(shown)
        return EntryPage(shown, sign(self._key, shown[-1].number, bound) if len(found) > len(shown) else None)

    def object_page(self, reader: Identity, collection: Collection, stix_id: str, asked: Question) -> EntryPage:
        """The same of one object. Raises NotFound where the collection has none of this id, WrongCursor."""
        page = self.page(reader, collection, asked)
        if not page.entries and not self._is_there(reader, collection, stix_id):
            raise NotFound("there is no such object")
        return page

    def _is_there(self, reader: Identity, collection: Collection, stix_id: str) -> bool:
        return bool(_found(self._source(reader, collection, ObjectFilter(ids=frozenset({stix_id}))), 0, 1))

    def _source(self, reader: Identity, collection: Collection, asked: ObjectFilter) -> _Source:
        if collection.kind is CollectionKind.FINDINGS:
            return Findings(self._session, self._key, reader, asked)
        return _Objects(self._session, reader, collection, asked)

    def _after(self, asked: Question, bound: dict[str, Any]) -> int:
        if asked.next is None:
            return asked.filter.added_after or 0
        place = signed_place(self._key, asked.next, bound)
        if place is None:
            raise WrongCursor("this `next` was not given to you for this collection and this filter")
        return place


class _Source(Protocol):
    """Where the objects of a collection come from."""

    def following(self, after: int, most: int) -> tuple[list[FoundEntry], int | None]:
        """What the reader sees of the next `most`, with the text it sees, and where to go on; None: there is nothing behind."""
        ...

    def note(self, shown: Iterable[FoundEntry]) -> None:
        """The audit trail learns that these are shown."""
        ...


def _found(source: _Source, after: int, limit: int) -> list[FoundEntry]:
    """What the reader sees behind a place: up to one more than `limit`, to know if there is more."""
    found: list[FoundEntry] = []
    place: int | None = after
    size = 0
    while place is not None and len(found) <= limit and size <= MOST_BYTES:
        seen, place = source.following(place, min(limit + 1 - len(found), _AT_ONCE))
        found += seen
        size += sum([len(entry.body) for entry in seen])
    return found


class _Objects:
    """What organizations sent, of one collection."""

    def __init__(self, session: Session, reader: Identity, collection: Collection, asked: ObjectFilter) -> None:
        self._session = session
        self._reader = reader
        self._audiences = Collections(session).audiences(reader, collection)
        whole = collection.kind in (CollectionKind.EVERYTHING, CollectionKind.SUBSCRIPTION)
        self._seeing = _Seeing(session, reader, self._audiences if whole else audience_ids(session, reader))
        self._wanted: WantedIncidents | None = None
        self._asked = asked
        if collection.kind is CollectionKind.SUBSCRIPTION:
            self._wanted = WantedIncidents(session, reader, collection, asked.versions == LAST)
            self._asked = replace(asked, types=INCIDENTS if asked.types is None else asked.types & INCIDENTS)

    def following(self, after: int, most: int) -> tuple[list[FoundEntry], int | None]:
        """The next objects that agree with the filter."""
        rows = entries_after(self._session, self._reader, self._audiences, self._asked, after, most)
        seen = self._seeing.of(rows)
        place = rows[-1].number if len(rows) == most else None
        if self._wanted is None:
            return seen, place
        wanted, is_end = self._wanted.of(seen)
        return wanted, None if is_end else place

    def note(self, shown: Iterable[FoundEntry]) -> None:
        """Everything marked AMBER or stricter."""
        for entry in shown:
            if entry.level >= NOTED_FROM:
                note_read(self._session, self._reader, entry.sender_id, f"object {entry.stix_id}")


class _Seeing:
    """What a reader sees of objects that were carried to it: ties with both ends, and nothing of hidden parts."""

    def __init__(self, session: Session, reader: Identity, mine: frozenset[int]) -> None:
        self._session = session
        self._reader = reader
        self._mine = mine

    def of(self, rows: Sequence[FoundEntry]) -> list[FoundEntry]:
        """Those that the reader sees, each with the text it sees."""
        divided = [row.object_id for row in rows if row.divided]
        seen = self._cut(rows, self._hidden_parts(divided)) if divided else [*rows]
        hidden = self._hidden_ties(seen)
        return [row for row in seen if row.object_id not in hidden] if hidden else seen

    def _cut(self, rows: Sequence[FoundEntry], parts: Sequence[Any]) -> list[FoundEntry]:
        gone = self._gone(parts) if parts else {}
        cut = []
        for row in rows:
            selectors = gone.get((row.object_id, row.sender_id), frozenset())
            if (text := _without(row.body, selectors)) is not None:
                cut.append(row._replace(divided=bool(selectors), body=text) if row.divided else row)
        return cut

    def _hidden_parts(self, object_ids: Sequence[int]) -> Sequence[Any]:
        """Asked of all that have parts: an organization may have some masked that no marking points at."""
        rows = self._session.connection().execute(_PARTS, {"ids": object_ids}).all()
        return [row for row in rows if row.part_audience_id not in self._mine]

    def _gone(self, parts: Sequence[Any]) -> dict[tuple[int, int], frozenset[str]]:
        """What no carrier of an organization shows the reader of an object, by object and organization."""
        divided = {part.object_id for part in parts}
        carriers = self._session.execute(
            select(ObjectCarrier.object_id, ObjectCarrier.audience_id, AudienceRow.owner_id)
            .join(AudienceRow, AudienceRow.id == ObjectCarrier.audience_id)
            .where(ObjectCarrier.object_id.in_(divided), ObjectCarrier.audience_id.in_(sorted(self._mine)))
        )
        hidden: dict[tuple[int, int], dict[int, list[str]]] = defaultdict(dict)
        for object_id, audience_id, sender_id in carriers:
            hidden[object_id, sender_id][audience_id] = []
        for part in parts:
            for (object_id, _), by_audience in hidden.items():
                if object_id == part.object_id and part.audience_id in by_audience:
                    by_audience[part.audience_id] += part.selectors
        return {key: in_common([*by_audience.values()]) for key, by_audience in hidden.items()}

    def _hidden_ties(self, rows: Sequence[FoundEntry]) -> set[int]:
        """The ties of others among these of which the reader does not see an end; an end that was cut out of its text is none."""
        me = self._reader.organization_id
        ties = [row for row in rows if row.type in ENDS and row.sender_id != me]
        if not ties:
            return set()
        # Behind the second wall nobody reads which ends a tie has, for its ends may be what is hidden.
        told = ties if is_behind(self._session) else [row for row in ties if row.divided]
        whole = [row.object_id for row in ties if not row.divided] if told is not ties else []
        hidden = self._naming_hidden(told) if told else set()
        if whole:
            hidden |= ties_with_hidden_ends(self._session, self._mine, whole)
        # Its own ties are shown to an organization whatever they name: it wrote them.
        return hidden - carried_by_themselves(self._session, me, hidden) if hidden else hidden

    def _naming_hidden(self, ties: Sequence[FoundEntry]) -> set[int]:
        """The same, of what their texts name."""
        ends = {row.object_id: ends_of(orjson.loads(row.body)) for row in ties}
        seen = seen_among(self._session, self._mine, {end for each in ends.values() for end in each})
        return {object_id for object_id, each in ends.items() if not each <= seen}


_PARTS: Final = select(
    CarrierPart.object_id, CarrierPart.audience_id, CarrierPart.part_audience_id, CarrierPart.selectors
).where(among(CarrierPart.object_id, "ids"))
"""Built once: building it takes longer than running it."""


def _without(body: str, selectors: frozenset[str]) -> str | None:
    if not selectors:
        return body
    rest = redact(orjson.loads(body), selectors)
    return None if rest is None else orjson.dumps(rest).decode()


def _that_fits(found: Sequence[FoundEntry]) -> Sequence[FoundEntry]:
    size = 0
    for position, entry in enumerate(found):
        size += len(entry.body)
        if size > MOST_BYTES and position:
            return found[:position]
    return found


def _bound(reader: Identity, collection: Collection, asked: ObjectFilter) -> dict[str, Any]:
    """What a place to go on is good for."""
    return {"reader": reader.organization_id, "collection": collection.id, **asked.told()}


def objects_named(
    session: Session, reader: Identity, stix_ids: AbstractSet[str], *, are_shown: bool
) -> list[FoundEntry]:
    """What the reader finds under these ids in the collection of everything, each in its last version, with the text it sees.

    Give few at a time: all of it is in memory. Where they `are_shown`, the audit trail learns of what is marked AMBER or stricter.
    """
    everything = standing_collections(reader)[0]
    source = _Objects(session, reader, everything, ObjectFilter(ids=frozenset(stix_ids)))
    found: list[FoundEntry] = []
    place: int | None = 0
    while place is not None:
        seen, place = source.following(place, _AT_ONCE)
        found += seen
    if are_shown:
        source.note(found)
    return found
