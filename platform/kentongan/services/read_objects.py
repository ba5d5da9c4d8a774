"""STIX objects, as sent, to whoever belongs to an audience that they were carried to; without the parts that are for fewer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, groupby
from typing import Any, Final

import orjson
from sqlalchemy import Row, Select, and_, case, or_, select
from sqlalchemy.orm import Session

from kentongan.domain.gate import content_sha256
from kentongan.domain.identity import Identity
from kentongan.domain.marking import Level
from kentongan.domain.redaction import in_common, redact
from kentongan.domain.ties import ENDS, ends_of
from kentongan.services.errors import NotFound
from kentongan.services.reading_trail import NOTED_FROM
from kentongan.storage.audit import note_read
from kentongan.storage.objects import CarrierPart, ObjectCarrier, StixObject, owner_of
from kentongan.storage.organizations import Organization
from kentongan.storage.visibility import AudienceRow, visible

_AT_ONCE: Final = 5_000
_EVER: Final = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One content of an object. `organizations` are those that sent it to somewhere the reader belongs to.

    `sha256` (hexadecimal) is of the content as the reader sees it, whatever the order of its properties, and names it;
    `modified` is None on objects without versions. `tlp` is the least strict level it was carried with, as far as the reader
    may see.
    """

    id: str
    type: str
    modified: datetime | None
    sha256: str
    tlp: str
    organizations: tuple[str, ...]
    newest: bool
    """Whether this is what the id stands for when no version is asked for."""


@dataclass(frozen=True, slots=True)
class ObjectText:
    """One object as JSON, property by property as it was sent, as far as the reader may see them."""

    version: ObjectVersion
    body: str


@dataclass(frozen=True, slots=True)
class _Content:
    """A content as the reader sees it, with the organizations and levels it was carried by and with, visible ones only."""

    key: int
    stix_id: str
    type: str
    modified: datetime | None
    sha256: bytes
    carriers: dict[int, str]
    level: Level
    ends: frozenset[str]
    """Of a relationship or sighting: the ids it ties."""
    text: str | None
    """Where parts of it are hidden: what is left. Else it is what is stored."""

    @property
    def age(self) -> tuple[datetime, int]:
        return (self.modified or _EVER, self.key)


class ReadObjects:
    """What a reader may ask about STIX objects."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def object(
        self, reader: Identity, stix_id: str, *, modified: datetime | None = None, sha256: str | None = None
    ) -> ObjectText:
        """The object of this id: the newest version of the organization the id belongs to, as far as the reader sees it,
        else of the reader itself, else of whoever sent one first. `modified` or `sha256` ask for another version.

        Raises NotFound.
        """
        contents = self._seen(reader, stix_id)
        newest = self._newest(reader, stix_id, contents)
        wanted = [c for c in contents if _is_wanted(c, modified, sha256)] if modified or sha256 else [newest]
        if not wanted:
            raise NotFound("there is no such object")
        chosen = max(wanted, key=lambda c: (c is newest, bool(newest.carriers.keys() & c.carriers.keys()), -c.key))
        self._note(reader, [chosen])
        text = chosen.text or self._session.scalars(select(StixObject.body).where(StixObject.id == chosen.key)).one()
        return ObjectText(_version(chosen, newest), text)

    def versions(self, reader: Identity, stix_id: str) -> tuple[ObjectVersion, ...]:
        """Every version the reader sees, newest first, whoever sent it. Raises NotFound where there is none."""
        contents = self._seen(reader, stix_id)
        newest = self._newest(reader, stix_id, contents)
        self._note(reader, contents)
        return tuple(_version(content, newest) for content in _newest_first(contents))

    def versions_by(self, reader: Identity, stix_id: str, organization_id: int) -> tuple[ObjectVersion, ...]:
        """Those that one organization sent, newest first; none at all is no error."""
        contents = self._contents(reader, [stix_id]).get(stix_id, [])
        theirs = _newest_first(content for content in contents if organization_id in content.carriers)
        return tuple(_version(content, theirs[0]) for content in theirs)

    def _seen(self, reader: Identity, stix_id: str) -> list[_Content]:
        contents = self._contents(reader, [stix_id]).get(stix_id)
        if not contents:
            raise NotFound("there is no such object")
        return contents

    def among(self, reader: Identity, stix_ids: Collection[str]) -> frozenset[str]:
        """Those of these ids under which the reader sees an object."""
        return frozenset(self._contents(reader, stix_ids))

    def shown(self, reader: Identity, stix_ids: Collection[str]) -> frozenset[str]:
        """The same, for what is shown by itself and not as a part of something: the audit trail learns of it."""
        contents = self._contents(reader, stix_ids)
        self._note(reader, chain.from_iterable(contents.values()))
        return frozenset(contents)

    def _note(self, reader: Identity, shown: Iterable[_Content]) -> None:
        for content in shown:
            if content.level >= NOTED_FROM:
                for organization_id in content.carriers:
                    note_read(self._session, reader, organization_id, f"object {content.stix_id}")

    def _contents(self, reader: Identity, stix_ids: Collection[str]) -> dict[str, list[_Content]]:
        """Every visible content under each of these ids, the first stored first; ids without one are left out."""
        ordered = sorted(stix_ids)
        contents: dict[str, list[_Content]] = {}
        for start in range(0, len(ordered), _AT_ONCE):
            rows = self._session.execute(_carried(self._session, reader, ordered[start : start + _AT_ONCE])).all()
            for content in _grouped(rows):
                contents.setdefault(content.stix_id, []).append(content)
        return self._with_both_ends(reader, contents)

    def _with_both_ends(self, reader: Identity, contents: dict[str, list[_Content]]) -> dict[str, list[_Content]]:
        ends = {end for each in contents.values() for content in each for end in content.ends}
        if not ends:
            return contents
        seen = self._plainly_seen(reader, ends)
        # Its own ties are shown to an organization whatever they name: it wrote them.
        kept = {
            stix_id: [c for c in each if reader.organization_id in c.carriers or c.ends <= seen]
            for stix_id, each in contents.items()
        }
        return {stix_id: each for stix_id, each in kept.items() if each}

    def _plainly_seen(self, reader: Identity, stix_ids: Collection[str]) -> set[str]:
        seen: set[str] = set()
        ordered = sorted(stix_ids)
        for start in range(0, len(ordered), _AT_ONCE):
            some = StixObject.stix_id.in_(ordered[start : start + _AT_ONCE])
            query = select(StixObject.stix_id).join(ObjectCarrier, ObjectCarrier.object_id == StixObject.id)
            seen.update(
                self._session.scalars(
                    query.where(some, visible(self._session, ObjectCarrier.audience_id, reader)).distinct()
                )
            )
        return seen

    def _newest(self, reader: Identity, stix_id: str, contents: Sequence[_Content]) -> _Content:
        """What an id stands for: its owner's newest version; else the reader's own; else that of whoever sent one first."""
        first_sender = next(iter(contents[0].carriers))
        for organization in (owner_of(self._session, stix_id), reader.organization_id, first_sender):
            if theirs := [content for content in contents if organization in content.carriers]:
                return max(theirs, key=lambda content: content.age)
        raise AssertionError("the first content has a sender")


def _carried(session: Session, reader: Identity, stix_ids: Sequence[str]) -> Select[*tuple[Any, ...]]:
    """What carries these objects to the reader, each with the selectors of every part that it does not show to the reader."""
    hidden = and_(
        CarrierPart.object_id == ObjectCarrier.object_id,
        CarrierPart.audience_id == ObjectCarrier.audience_id,
        ~visible(session, CarrierPart.part_audience_id, reader),
    )
    is_read = or_(StixObject.type.in_(ENDS), CarrierPart.object_id.is_not(None))
    return (
        select(
            StixObject.id,
            StixObject.stix_id,
            StixObject.type,
            StixObject.modified,
            StixObject.sha256,
            case((is_read, StixObject.body)).label("body"),
            ObjectCarrier.audience_id,
            AudienceRow.owner_id,
            AudienceRow.level,
            Organization.name,
            CarrierPart.selectors,
        )
        .join(ObjectCarrier, ObjectCarrier.object_id == StixObject.id)
        .join(AudienceRow, AudienceRow.id == ObjectCarrier.audience_id)
        .join(Organization, Organization.id == AudienceRow.owner_id)
        .outerjoin(CarrierPart, hidden)
        .where(StixObject.stix_id.in_(stix_ids), visible(session, ObjectCarrier.audience_id, reader))
        # Who first sent a content comes first, as it would if the others had sent something else.
        .order_by(
            StixObject.id,
            AudienceRow.owner_id != StixObject.owner_id,
            AudienceRow.owner_id,
            ObjectCarrier.audience_id,
        )
    )


def _grouped(rows: Sequence[Row[Any]]) -> Iterator[_Content]:
    """Each content once: what differs only in what is hidden is the same to the reader."""
    seen: dict[tuple[str, bytes], _Content] = {}
    for _, carried in groupby(rows, key=lambda row: (row.id, row.owner_id)):
        content = _as_carried(list(carried))
        if content is None:
            continue
        known = seen.get((content.stix_id, content.sha256))
        seen[content.stix_id, content.sha256] = _merged(known, content) if known else content
    yield from seen.values()


def _as_carried(carried: Sequence[Row[Any]]) -> _Content | None:
    """A content as one organization shows it to the reader: without what none of its carriers shows.

    Not what any organization shows: who guesses what another one hides and sends the same would see that the guess was right.
    """
    first = carried[0]
    hidden: dict[int, list[str]] = defaultdict(list)
    for row in carried:
        hidden[row.audience_id] += row.selectors or ()
    gone = in_common([*hidden.values()])
    stix = orjson.loads(first.body) if gone or first.type in ENDS else None
    rest = redact(stix, gone) if stix is not None else None
    if gone and rest is None:
        return None
    return _Content(
        key=first.id,
        stix_id=first.stix_id,
        type=first.type,
        modified=first.modified,
        sha256=content_sha256(rest) if gone and rest else first.sha256,
        carriers={first.owner_id: first.name},
        level=Level(min(row.level for row in carried)),
        ends=ends_of(rest) if rest else frozenset(),
        text=orjson.dumps(rest).decode() if gone else None,
    )


def _merged(one: _Content, other: _Content) -> _Content:
    carriers = dict(sorted({**one.carriers, **other.carriers}.items()))
    return replace(one, carriers=carriers, level=min(one.level, other.level))


def _newest_first(contents: Iterable[_Content]) -> list[_Content]:
    return sorted(contents, key=lambda content: content.age)[::-1]


def _is_wanted(content: _Content, modified: datetime | None, sha256: str | None) -> bool:
    return (modified is None or content.modified == modified) and (sha256 is None or content.sha256.hex() == sha256)


def _version(content: _Content, newest: _Content) -> ObjectVersion:
    return ObjectVersion(
        id=content.stix_id,
        type=content.type,
        modified=content.modified,
        sha256=content.sha256.hex(),
        tlp=content.level.label,
        organizations=tuple(content.carriers.values()),
        newest=content is newest,
    )
