"""The rows of a feed, part by part, as far as their reader may see them: incidents, values, and values with what may be done.

A part is what one short transaction reads; whoever streams a feed asks for the next part with the place where the last one ended.
Nothing grows with the length of a feed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, case, func, select, true, tuple_
from sqlalchemy.orm import Session, aliased

from kentongan.domain.audit import Act
from kentongan.domain.blocking import may_be_blocked
from kentongan.domain.feeds import SEEN_AS_SUCH, FeedIncident, FeedValue
from kentongan.domain.identity import Identity
from kentongan.domain.incident import Observable
from kentongan.domain.marking import Level
from kentongan.domain.pap import Pap, Use, allows, pap_of, stricter
from kentongan.services.indicators_about import Said, what_indicators_say
from kentongan.services.read_incidents import MOST_OBSERVABLES, IncidentFilter, narrowing
from kentongan.services.reading_trail import NOTED_FROM, note_incidents
from kentongan.services.summaries import FoundIncident, found, visible_incidents
from kentongan.storage.audit import note
from kentongan.storage.incidents import Incident, IncidentTag
from kentongan.storage.observables import WITHIN, Posting, StoredObservable
from kentongan.storage.organizations import Organization
from kentongan.storage.second_wall import keep_to_indexes
from kentongan.storage.visibility import AudienceRow, visible

VALUES_AT_ONCE: Final = 1_000
INCIDENTS_AT_ONCE: Final = 200
EVENTS_AT_ONCE: Final = 20

_OfPosting = aliased(AudienceRow, name="of_posting")


@dataclass(frozen=True, slots=True)
class WantedRows:
    """Which rows: of which incidents, which kinds of values (None: all), and what they are taken for.

    `as_of` is the moment at which an indicator must still be valid.
    """

    incidents: IncidentFilter
    kinds: frozenset[str] | None
    use: Use
    as_of: datetime


class ValuesPart(NamedTuple):
    """Some values. `place` is where to go on; None: there are no more.

    They come in the order of their digests, which says nothing: who first sent a value may be hidden.
    """

    rows: tuple[FeedValue, ...]
    place: bytes | None


class IncidentsPart(NamedTuple):
    """Some incidents, the last received first. `place` is where to go on; None: there are no more."""

    rows: tuple[FeedIncident, ...]
    place: tuple[datetime, int] | None


@dataclass(slots=True)
class Export:
    """One download, over all its parts: by name, and the organizations that were told of it so far."""

    name: str
    told: set[int] = field(default_factory=set)


class ReadFeed:
    """What a reader may ask for as a feed.

    The audit trail has one entry for each download and organization whose things marked AMBER or stricter are among it: which they
    are is what that reader could see then, and to list them all each hour would bury what else was done.
    """

    def __init__(self, session: Session, reader: Identity, wanted: WantedRows, export: Export) -> None:
        self._session = session
        self._reader = reader
        self._wanted = wanted
        self._export = export

    def values(self, after: bytes, most: int = VALUES_AT_ONCE) -> ValuesPart:
        """The next values behind a place. A part may be empty and still not be the last."""
        keep_to_indexes(self._session)
        query = select(
            StoredObservable.id, StoredObservable.digest, StoredObservable.kind, StoredObservable.value
        ).where(StoredObservable.digest > after, self._is_carried())
        if self._wanted.kinds is not None:
            query = query.where(StoredObservable.kind.in_(sorted(self._wanted.kinds)))
        rows = self._session.execute(query.order_by(StoredObservable.digest).limit(most)).all()
        values = {row.id: Observable(row.kind, row.value) for row in rows}
        judged = self._judged(values)
        self._note_owners(self._owners(judged))
        return ValuesPart(tuple(judged.values()), bytes(rows[-1].digest) if len(rows) == most else None)

    def incidents(self, place: tuple[datetime, int] | None, most: int = INCIDENTS_AT_ONCE) -> IncidentsPart:
        """The next incidents behind a place, withdrawn ones too."""
        rows = self._incidents(place, most, true())
        self._note_owners(row.row.organization_id for row in rows if row.level >= NOTED_FROM)
        return IncidentsPart(tuple(_told(row) for row in rows), _place_of(rows, most))

    def events(self, place: tuple[datetime, int] | None, most: int = EVENTS_AT_ONCE) -> IncidentsPart:
        """The same with their values, without what was withdrawn."""
        rows = self._incidents(place, most, ~Incident.revoked)
        self._note_owners(row.row.organization_id for row in rows if row.level >= NOTED_FROM)
        return IncidentsPart(self._with_values(rows), _place_of(rows, most))

    def event(self, public_id: str) -> FeedIncident | None:
        """One of them; None where there is none for the reader."""
        rows = self._incidents(None, 1, ~Incident.revoked & (Incident.public_id == public_id))
        note_incidents(self._session, self._reader, rows)
        return next(iter(self._with_values(rows)), None)

    def _incidents(
        self, place: tuple[datetime, int] | None, most: int, clause: ColumnElement[bool]
    ) -> list[FoundIncident]:
        query = visible_incidents(self._session, self._reader).where(
            clause, *narrowing(self._session, self._reader, self._wanted.incidents)
        )
        if place is not None:
            query = query.where(tuple_(Incident.received_at, Incident.id) < place)
        return found(
            self._session, self._reader, query.order_by(Incident.received_at.desc(), Incident.id.desc()).limit(most)
        )

    def _with_values(self, incidents: Sequence[FoundIncident]) -> tuple[FeedIncident, ...]:
        carried = {incident.key: self._carried_by(incident) for incident in incidents}
        judged = self._judged({number: value for each in carried.values() for number, value in each.items()})
        return tuple(
            replace(_told(one), values=tuple(judged[number] for number in carried[one.key] if number in judged))
            for one in incidents
        )

    def _carried_by(self, incident: FoundIncident) -> dict[int, Observable]:
        rows = self._session.execute(
            select(StoredObservable.id, StoredObservable.kind, StoredObservable.value, _OfPosting.level)
            .join(Posting, Posting.observable_id == StoredObservable.id)
            .join(_OfPosting, _OfPosting.id == Posting.audience_id)
            .where(
                Posting.incident_id == incident.key,
                Posting.origin != WITHIN,
                visible(self._session, Posting.audience_id, self._reader),
            )
            .order_by(StoredObservable.digest)
            .limit(MOST_OBSERVABLES)
        ).all()
        if any(row.level >= NOTED_FROM for row in rows):
            self._note_owners([incident.row.organization_id])
        return {row.id: Observable(row.kind, row.value) for row in rows}

    def _is_carried(self) -> ColumnElement[bool]:
        """By an incident that is wanted, in something that the reader may see."""
        query = (
            select(Posting.incident_id)
            .join(Incident, Incident.id == Posting.incident_id)
            .where(Posting.observable_id == StoredObservable.id, *self._seen())
        )
        clauses = narrowing(self._session, self._reader, self._wanted.incidents)
        if clauses:
            query = (
                query.join(AudienceRow, AudienceRow.id == Incident.audience_id)
                .join(Organization, Organization.id == Incident.organization_id)
                .where(*clauses)
            )
        # Not EXISTS, of which PostgreSQL may make a join over all that is carried, for each part anew.
        return query.correlate(StoredObservable).limit(1).scalar_subquery().is_not(None)

    def _seen(self) -> tuple[ColumnElement[bool], ...]:
        origin = Posting.origin != WITHIN if self._wanted.use is Use.READ else Posting.origin.in_(sorted(SEEN_AS_SUCH))
        return (
            origin,
            visible(self._session, Posting.audience_id, self._reader),
            visible(self._session, Incident.audience_id, self._reader),
        )

    def _judged(self, values: Mapping[int, Observable]) -> dict[int, FeedValue]:
        """What is known of these values to the reader, from whatever incident; without those that may not be used so."""
        safe = {number for number, value in values.items() if may_be_blocked(value)}
        asked = values.keys() if self._wanted.use is Use.READ else safe
        if not asked:
            return {}
        carried = self._carriers(asked)
        pap = self._pap(asked)
        said = what_indicators_say(self._session, self._reader, safe & carried.keys(), self._wanted.as_of)
        judged = {}
        for number in (each for each in values if each in carried):
            row, word = carried[number], said.get(number, Said())
            step = stricter(pap.get(number), word.pap)
            stands = number in safe and bool(row.meant) and word.holds
            if self._wanted.use is Use.READ or (stands and allows(step, self._wanted.use)):
                judged[number] = FeedValue(
                    values[number],
                    Level(row.level),
                    step,
                    row.reports,
                    row.first_seen,
                    row.last_seen,
                    stands and allows(step, Use.BLOCK),
                )
        return judged

    def _carriers(self, numbers: Collection[int]) -> dict[int, Any]:
        """Of each value, in one row: how many incidents carry it, since when, and how it is marked at its loosest."""
        of_both = case((_OfPosting.level > AudienceRow.level, _OfPosting.level), else_=AudienceRow.level)
        meant = case((Posting.origin.in_(sorted(SEEN_AS_SUCH)), 1), else_=0)
        rows = self._session.execute(
            select(
                Posting.observable_id,
                func.count().label("reports"),
                func.min(Incident.received_at).label("first_seen"),
                func.max(Incident.received_at).label("last_seen"),
                func.min(of_both).label("level"),
                func.max(meant).label("meant"),
            )
            .join(Incident, Incident.id == Posting.incident_id)
            .join(AudienceRow, AudienceRow.id == Incident.audience_id)
            .join(_OfPosting, _OfPosting.id == Posting.audience_id)
            .where(Posting.observable_id.in_(sorted(numbers)), *self._seen())
            .group_by(Posting.observable_id)
        )
        return {row.observable_id: row for row in rows}

    def _pap(self, numbers: Collection[int]) -> dict[int, Pap]:
        """The strictest step that any incident states which carries the value, be it among those that are wanted or not."""
        rows = self._session.execute(
            select(Posting.observable_id, IncidentTag.value)
            .join(IncidentTag, IncidentTag.incident_id == Posting.incident_id)
            .join(Incident, Incident.id == Posting.incident_id)
            .where(
                IncidentTag.kind == "pap",
                visible(self._session, IncidentTag.audience_id, self._reader),
                Posting.observable_id.in_(sorted(numbers)),
                *self._seen(),
            )
            .distinct()
        )
        steps: dict[int, list[Pap]] = defaultdict(list)
        for number, value in rows:
            steps[number].append(Pap[value.upper()])
        return {number: max(each) for number, each in steps.items()}

    def _owners(self, numbers: Collection[int]) -> Iterable[int]:
        """The organizations whose incidents carry these values, if the incident or the value is marked AMBER or stricter."""
        if not numbers:
            return ()
        strict = (_OfPosting.level >= int(NOTED_FROM)) | (AudienceRow.level >= int(NOTED_FROM))
        return self._session.scalars(
            select(Incident.organization_id)
            .join(Posting, Posting.incident_id == Incident.id)
            .join(AudienceRow, AudienceRow.id == Incident.audience_id)
            .join(_OfPosting, _OfPosting.id == Posting.audience_id)
            .where(
                Posting.observable_id.in_(sorted(numbers)),
                strict,
                Incident.organization_id.not_in(sorted(self._export.told)),
                *self._seen(),
            )
            .distinct()
        )

    def _note_owners(self, organization_ids: Iterable[int]) -> None:
        for organization_id in sorted(set(organization_ids) - self._export.told):
            note(self._session, self._reader, Act.EXPORTED, f"feed {self._export.name}", about_id=organization_id)
            self._export.told.add(organization_id)


def _place_of(rows: Sequence[FoundIncident], most: int) -> tuple[datetime, int] | None:
    return (rows[-1].row.received_at, rows[-1].key) if len(rows) == most else None


def _told(incident: FoundIncident) -> FeedIncident:
    summary, facts = incident.summary, incident.report.facts
    return FeedIncident(
        id=summary.id,
        stix_id=summary.stix_id,
        reporter=summary.reporter.name,
        country=summary.reporter.country,
        tlp=incident.level,
        received_at=summary.received_at,
        amended_at=summary.amended_at,
        revoked=summary.revoked,
        facts=facts,
        pap=pap_of(facts.labels),
    )
