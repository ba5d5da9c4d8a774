"""Incidents as a line in a list: what every page that names an incident says of it, to whom it may be said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, select, true
from sqlalchemy.orm import Session

from kentongan.domain.identity import Identity
from kentongan.domain.incident import IncidentFacts
from kentongan.domain.marking import Level
from kentongan.services import facts_codec
from kentongan.services.paging import Position, behind, read_cursor
from kentongan.services.seen_cases import Report, SeenCase, seen_cases
from kentongan.storage.cases import Case
from kentongan.storage.incidents import Incident
from kentongan.storage.organizations import Organization
from kentongan.storage.visibility import AudienceRow, visible


@dataclass(frozen=True, slots=True)
class Reporter:
    """The organization that submitted an incident."""

    name: str
    country: str | None


@dataclass(frozen=True, slots=True)
class IncidentSummary:
    """One incident in a list. `id` is the platform's, `stix_id` the reporter's; `tlp` is written as `TLP:AMBER+STRICT`.

    `countries` and `sectors` are where the event happened, as far as the reporter said. `case_id` is None until the
    incident was compared with the others.
    """

    id: str
    stix_id: str
    title: str
    reporter: Reporter
    tlp: str
    received_at: datetime
    amended_at: datetime
    happened_at: datetime | None
    rsit_class: str | None
    rsit_type: str | None
    severity: str | None
    status: str | None
    revoked: bool
    countries: tuple[str, ...]
    sectors: tuple[str, ...]
    case_id: str | None


@dataclass(frozen=True, slots=True)
class IncidentReport:
    """One incident with all that its reporter told of it."""

    incident: IncidentSummary
    facts: IncidentFacts


@dataclass(frozen=True, slots=True)
class CaseSummary:
    """One case in a list; everything is counted and dated by the reports the reader sees. `title` is the first report's."""

    id: str
    title: str
    first_report_at: datetime
    last_report_at: datetime
    reports: int
    reporters: tuple[str, ...]
    countries: tuple[str, ...]
    sectors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundIncident:
    """A visible incident with the row numbers that services join by; they are not shown to anybody."""

    key: int
    case: SeenCase | None
    """The reader's, not that of the stages."""
    campaign_key: int | None
    """Of the campaign that the stages keep it in: the reader's are looked for among what is in one of these."""
    row: Incident
    level: Level
    report: IncidentReport

    @property
    def summary(self) -> IncidentSummary:
        """The line in a list."""
        return self.report.incident

    @property
    def case_key(self) -> int | None:
        """By which the reader's cases are told apart; None until it was compared with the others."""
        return self.case.key if self.case else None


def visible_incidents(session: Session, reader: Identity) -> Select[*tuple[Any, ...]]:
    """All incidents this reader may see, to be narrowed, ordered and given to `found`."""
    return (
        select(
            Incident,
            Organization.name,
            Organization.country,
            AudienceRow.level,
            Case.campaign_id,
        )
        .join(Organization, Organization.id == Incident.organization_id)
        .join(AudienceRow, AudienceRow.id == Incident.audience_id)
        .outerjoin(Case, Case.id == Incident.case_id)
        .where(visible(session, Incident.audience_id, reader))
    )


def found(session: Session, reader: Identity, query: Select[*tuple[Any, ...]]) -> list[FoundIncident]:
    """What a query made of `visible_incidents` for the same reader finds, in its order, each with the reader's case."""
    rows = session.execute(query).all()
    compared = [row[0] for row in rows if row[0].case_id is not None]
    cases = seen_cases(session, reader, {one.id: Report(one.public_id, one.received_at) for one in compared})
    return [_found(row, cases.get(row[0].id)) for row in rows]


def behind_cursor(
    session: Session, reader: Identity, cursor: str | None, asked: Mapping[str, Any]
) -> ColumnElement[bool]:
    """The clause for what comes behind a page of a list that is ordered by incidents. Raises WrongCursor."""
    start = read_cursor(cursor, asked)
    if start is None:
        return true()
    named = select(Incident.id).where(Incident.public_id == start.id, visible(session, Incident.audience_id, reader))
    return behind(Incident.received_at, Incident.id, start, session.scalar(named))


def position_of(incident: FoundIncident) -> Position:
    """Where an incident stands in such a list."""
    return Position(incident.row.received_at, incident.row.public_id)


def case_summary(reports: Sequence[FoundIncident]) -> CaseSummary:
    """One case by those of its reports that the reader sees: at least one, the first report first."""
    first = reports[0]
    case_id = first.summary.case_id
    assert case_id is not None, "an incident without a case stands in none"
    return CaseSummary(
        id=case_id,
        title=first.summary.title,
        first_report_at=min(report.row.received_at for report in reports),
        last_report_at=max(report.row.received_at for report in reports),
        reports=len(reports),
        reporters=once(report.summary.reporter.name for report in reports),
        countries=once(country for report in reports for country in report.summary.countries),
        sectors=once(sector for report in reports for sector in report.summary.sectors),
    )


def by_case(incidents: Iterable[FoundIncident]) -> dict[int, list[FoundIncident]]:
    """Incidents under the keys of the reader's cases, in the order given."""
    cases: dict[int, list[FoundIncident]] = {}
    for incident in incidents:
        if incident.case_key is not None:
            cases.setdefault(incident.case_key, []).append(incident)
    return cases


def once(values: Iterable[str]) -> tuple[str, ...]:
    """Each value once, in the order of its first coming."""
    return tuple(dict.fromkeys(values))


def _found(row: Row[Any], case: SeenCase | None) -> FoundIncident:
    incident: Incident = row[0]
    facts = facts_codec.read(incident.facts)
    reporter = Reporter(row.name, row.country)
    level = Level(row.level)
    report = IncidentReport(_summary(incident, facts, reporter, level, case.id if case else None), facts)
    return FoundIncident(incident.id, case, row.campaign_id, incident, level, report)


def _summary(
    incident: Incident, facts: IncidentFacts, reporter: Reporter, level: Level, case_id: str | None
) -> IncidentSummary:
    return IncidentSummary(
        id=incident.public_id,
        stix_id=incident.stix_id,
        title=incident.title,
        reporter=reporter,
        tlp=level.label,
        received_at=incident.received_at,
        amended_at=incident.amended_at,
        happened_at=incident.happened_at,
        rsit_class=incident.rsit_class,
        rsit_type=incident.rsit_type,
        severity=incident.severity,
        status=incident.status,
        revoked=incident.revoked,
        countries=facts.countries,
        sectors=facts.sectors,
        case_id=case_id,
    )
