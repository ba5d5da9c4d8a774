"""Incidents as one reader may know them: lists by filter, and one with its versions, case, campaign and links."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from kentongan.domain.identity import Identity
from kentongan.domain.incident import IncidentFacts
from kentongan.domain.marking import Level
from kentongan.services.errors import NotFound
from kentongan.services.paging import Page, cut
from kentongan.services.read_blind_links import OverMasked, known_over_masked
from kentongan.services.read_campaigns import CampaignBrief, campaign_named, campaign_of_case
from kentongan.services.read_cases import reports_of_case
from kentongan.services.read_links import LinkView, links_found, visible_links
from kentongan.services.read_objects import ObjectVersion, ReadObjects
from kentongan.services.reading_trail import NOTED_FROM, note_incidents
from kentongan.services.seeking import among, carries, observable_keys
from kentongan.services.spellings import spellings
from kentongan.services.summaries import (
    FoundIncident,
    IncidentSummary,
    behind_cursor,
    found,
    position_of,
    visible_incidents,
)
from kentongan.storage.audit import note_read
from kentongan.storage.base import is_one_of
from kentongan.storage.cases import RELATED_TO, Link
from kentongan.storage.incidents import Incident, IncidentTag
from kentongan.storage.objects import owner_of
from kentongan.storage.observables import Posting, StoredObservable
from kentongan.storage.organizations import Organization
from kentongan.storage.visibility import AudienceRow, visible

MOST_LINKS: Final = 500
MOST_OBSERVABLES: Final = 5_000


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents are asked for; what is None does not narrow.

    `country`, `sector` and `text` (somewhere in the title) ignore case; `reporter` is the name of the organization that
    submitted it; `case` and `campaign` are ids; `observable` is a value in any spelling; `..._after` is included,
    `..._before` is not. An incident whose time is unknown happened neither before nor after.
    """

    country: str | None = None
    sector: str | None = None
    rsit_class: str | None = None
    rsit_type: str | None = None
    severity: str | None = None
    tlp: Level | None = None
    reporter: str | None = None
    case: str | None = None
    campaign: str | None = None
    observable: str | None = None
    text: str | None = None
    received_after: datetime | None = None
    received_before: datetime | None = None
    happened_after: datetime | None = None
    happened_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class CarriedObservable:
    """A value that an incident carries; `origins` say where it stands: sco, pattern, observed-data, external-reference, text."""

    kind: str
    value: str
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaseBrief:
    """The case an incident belongs to; `reports` counts those the reader sees."""

    id: str
    reports: int


@dataclass(frozen=True, slots=True)
class IncidentView:
    """One incident with what was found about it.

    `objects` are the ids of the objects submitted with it; `versions` are its own, newest first; in `links` it stands as
    `incident` itself, the newest link first; those over values that the reader masks come last. `something_related` is said
    to the reporter alone, where another member masks a value that this incident holds and lets it be told.
    """

    incident: IncidentSummary
    facts: IncidentFacts
    observables: tuple[CarriedObservable, ...]
    objects: tuple[str, ...]
    versions: tuple[ObjectVersion, ...]
    case: CaseBrief | None
    campaign: CampaignBrief | None
    links: tuple[LinkView, ...]
    something_related: str | None


class ReadIncidents:
    """What a reader may ask about incidents."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def page(
        self, reader: Identity, wanted: IncidentFilter, limit: int = 50, cursor: str | None = None
    ) -> Page[IncidentSummary]:
        """Incidents the reader sees, the last received first. Raises WrongCursor."""
        asked = {"list": "incidents", **asdict(wanted)}
        query = visible_incidents(self._session, reader).where(behind_cursor(self._session, reader, cursor, asked))
        query = query.where(*narrowing(self._session, reader, wanted))
        rows = found(self._session, reader, query.order_by(*_NEWEST_FIRST).limit(limit + 1))
        note_incidents(self._session, reader, rows[:limit])
        return cut(rows, limit, position_of, asked, lambda row: row.summary)

    def incident(self, reader: Identity, any_id: str) -> IncidentView:
        """One incident, by our id or by its STIX id. Raises NotFound.

        Where several organizations submitted the same STIX id: that of the id's owner, else the reader's own, else the first.
        """
        incident = self._named(reader, any_id)
        note_incidents(self._session, reader, [incident])
        campaign = campaign_of_case(self._session, reader, incident)
        objects = ReadObjects(self._session)
        facts = incident.report.facts
        seen = objects.among(reader, facts.object_ids)
        over_masked = known_over_masked(self._session, reader, incident.row, MOST_LINKS)
        return IncidentView(
            incident=incident.summary,
            facts=facts,
            observables=tuple(self._observables(reader, incident)),
            objects=tuple(stix_id for stix_id in facts.object_ids if stix_id in seen),
            versions=objects.versions_by(reader, incident.row.stix_id, incident.row.organization_id),
            case=self._case(incident),
            campaign=campaign.brief() if campaign else None,
            links=(*self._links(reader, incident), *self._over_masked(reader, incident, over_masked.links)),
            something_related=over_masked.something_related,
        )

    def both(self, reader: Identity, one: str, other: str) -> tuple[FoundIncident, FoundIncident]:
        """Two incidents, as `incident` finds each. Raises NotFound if one of them is not to be seen."""
        pair = self._named(reader, one), self._named(reader, other)
        note_incidents(self._session, reader, pair)
        return pair

    def _named(self, reader: Identity, any_id: str) -> FoundIncident:
        by_stix_id = "--" in any_id
        column = Incident.stix_id if by_stix_id else Incident.public_id
        rows = found(
            self._session,
            reader,
            visible_incidents(self._session, reader).where(column == any_id).order_by(Incident.id),
        )
        if not rows:
            raise NotFound("there is no such incident")
        return _preferred(rows, owner_of(self._session, any_id), reader) if by_stix_id else rows[0]

    def _observables(self, reader: Identity, incident: FoundIncident) -> Iterator[CarriedObservable]:
        rows = self._session.execute(
            select(StoredObservable.kind, StoredObservable.value, Posting.origin, AudienceRow.level)
            .join(Posting, Posting.observable_id == StoredObservable.id)
            .join(AudienceRow, AudienceRow.id == Posting.audience_id)
            .where(Posting.incident_id == incident.key, visible(self._session, Posting.audience_id, reader))
            .order_by(StoredObservable.kind, StoredObservable.value, Posting.origin)
            .limit(MOST_OBSERVABLES)
        ).all()
        origins: dict[tuple[str, str], list[str]] = {}
        if any(row.level >= NOTED_FROM for row in rows):
            # A value may be marked more strictly than the incident that carries it.
            note_read(self._session, reader, incident.row.organization_id, f"incident {incident.row.public_id}")
        for kind, value, origin, _ in rows:
            origins.setdefault((kind, value), []).append(origin)
        return (CarriedObservable(kind, value, tuple(each)) for (kind, value), each in origins.items())

    def _case(self, incident: FoundIncident) -> CaseBrief | None:
        return CaseBrief(incident.case.id, len(incident.case.members)) if incident.case else None

    def _links(self, reader: Identity, incident: FoundIncident) -> Iterator[LinkView]:
        own = or_(Link.left_id == incident.key, Link.right_id == incident.key)
        links = links_found(self._session, reader, visible_links(self._session, reader).where(own).limit(MOST_LINKS))
        keys = {link.left_key + link.right_key - incident.key: link for link in links}
        others = (
            found(self._session, reader, visible_incidents(self._session, reader).where(Incident.id.in_(keys)))
            if keys
            else []
        )
        note_incidents(self._session, reader, others)
        summaries = {other.key: other.summary for other in others}
        for link in links:
            other = link.left_key + link.right_key - incident.key
            yield link.view(incident.summary, summaries[other])

    def _over_masked(
        self, reader: Identity, incident: FoundIncident, links: Sequence[OverMasked]
    ) -> Iterator[LinkView]:
        keys = [link.other_key for link in links]
        others = (
            found(self._session, reader, visible_incidents(self._session, reader).where(Incident.id.in_(keys)))
            if keys
            else []
        )
        note_incidents(self._session, reader, others)
        summaries = {other.key: other.summary for other in others}
        for link in links:
            yield LinkView(RELATED_TO, incident.summary, summaries[link.other_key], link.found_at, link.evidence)


_NEWEST_FIRST: Final = (Incident.received_at.desc(), Incident.id.desc())


def narrowing(session: Session, reader: Identity, wanted: IncidentFilter) -> tuple[ColumnElement[bool], ...]:
    """What a filter asks of a query made of `visible_incidents`, as clauses."""
    return tuple(_Clauses(session, reader, wanted))


def _preferred(rows: list[FoundIncident], owner: int | None, reader: Identity) -> FoundIncident:
    by_organization = {row.row.organization_id: row for row in reversed(rows)}
    for organization in (owner, reader.organization_id):
        if organization in by_organization:
            return by_organization[organization]
    return rows[0]


class _Clauses:
    """The parts of a filter that narrow, each as a clause."""

    def __init__(self, session: Session, reader: Identity, wanted: IncidentFilter) -> None:
        self._session = session
        self._reader = reader
        self._wanted = wanted

    def __iter__(self) -> Iterator[ColumnElement[bool]]:
        return (clause for clause in self._all() if clause is not None)

    def _all(self) -> Iterator[ColumnElement[bool] | None]:
        wanted = self._wanted
        yield self._tagged("country", wanted.country)
        yield self._tagged("sector", wanted.sector)
        yield _equal(Incident.rsit_class, wanted.rsit_class)
        yield _equal(Incident.rsit_type, wanted.rsit_type)
        yield _equal(Incident.severity, wanted.severity)
        yield _equal(AudienceRow.level, wanted.tlp)
        yield _equal(Organization.name, wanted.reporter)
        yield self._in_case()
        yield self._in_campaign()
        yield self._carries()
        yield Incident.title.icontains(wanted.text, autoescape=True) if wanted.text else None
        yield Incident.received_at >= wanted.received_after if wanted.received_after else None
        yield Incident.received_at < wanted.received_before if wanted.received_before else None
        yield Incident.happened_at >= wanted.happened_after if wanted.happened_after else None
        yield Incident.happened_at < wanted.happened_before if wanted.happened_before else None

    def _in_case(self) -> ColumnElement[bool] | None:
        if self._wanted.case is None:
            return None
        try:
            reports = reports_of_case(self._session, self._reader, self._wanted.case)
        except NotFound:
            reports = []
        return is_one_of(self._session, Incident.id, [report.key for report in reports])

    def _in_campaign(self) -> ColumnElement[bool] | None:
        if self._wanted.campaign is None:
            return None
        try:
            reports = campaign_named(self._session, self._reader, self._wanted.campaign).incidents
        except NotFound:
            reports = []
        return is_one_of(self._session, Incident.id, [report.key for report in reports])

    def _carries(self) -> ColumnElement[bool] | None:
        if self._wanted.observable is None:
            return None
        keys = observable_keys(self._session, spellings(self._wanted.observable))
        return carries(self._session, self._reader, keys)

    def _tagged(self, kind: str, value: str | None) -> ColumnElement[bool] | None:
        if value is None:
            return None
        seen = visible(self._session, IncidentTag.audience_id, self._reader)
        wanted = and_(IncidentTag.kind == kind, IncidentTag.value == value.casefold(), seen)
        return among(self._session, IncidentTag.incident_id, wanted)


def _equal(column: Any, value: Any) -> ColumnElement[bool] | None:
    clause: ColumnElement[bool] | None = None if value is None else column == value
    return clause
