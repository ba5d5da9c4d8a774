"""Campaigns as one reader may know them: the visible cases that hang together by visible links, and nothing of the rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, case, func, select, tuple_
from sqlalchemy.orm import Session

from kentongan.domain.identity import Identity
from kentongan.services.errors import NotFound
from kentongan.services.living import living_key
from kentongan.services.paging import Page, Position, write_cursor
from kentongan.services.read_links import FoundLink, LinkView, links_found, visible_links
from kentongan.services.reading_trail import note_incidents
from kentongan.services.summaries import (
    CaseSummary,
    FoundIncident,
    behind_cursor,
    by_case,
    case_summary,
    found,
    once,
    visible_incidents,
)
from kentongan.storage.base import is_one_of
from kentongan.storage.cases import RELATED_TO, Campaign, Case, Link
from kentongan.storage.incidents import Incident
from kentongan.storage.visibility import visible

_ASKED: Final = {"list": "campaigns"}
_MOST_ROUNDS: Final = 4
_REPORTS_OF_A_CAMPAIGN: Final = 5
_MOST_AT_ONCE: Final = 4_000
_MANY: Final = 300


@dataclass(frozen=True, slots=True)
class CampaignBrief:
    """A campaign as a case or an incident names it; `cases` counts those the reader sees in it."""

    id: str
    title: str
    cases: int


@dataclass(frozen=True, slots=True)
class CampaignSummary:
    """One campaign in a list; everything is counted and dated by what the reader sees. `title` is the first report's."""

    id: str
    title: str
    first_report_at: datetime
    last_report_at: datetime
    cases: int
    reports: int
    reporters: tuple[str, ...]
    countries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CampaignView:
    """One campaign: its cases, first reported first, and the links between their incidents that hold them together."""

    campaign: CampaignSummary
    cases: tuple[CaseSummary, ...]
    links: tuple[LinkView, ...]


@dataclass(frozen=True, slots=True)
class VisibleCampaign:
    """What one reader sees of a campaign: at least two cases that hang together. Reports in the order they came."""

    public_id: str
    cases: dict[int, list[FoundIncident]]
    links: tuple[FoundLink, ...]

    @property
    def incidents(self) -> list[FoundIncident]:
        """All reports of all these cases, the first first."""
        every = (incident for reports in self.cases.values() for incident in reports)
        return sorted(every, key=lambda incident: (incident.row.received_at, incident.key))

    def brief(self) -> CampaignBrief:
        """As an incident or a case names it."""
        return CampaignBrief(self.public_id, self.incidents[0].summary.title, len(self.cases))

    def summary(self) -> CampaignSummary:
        """As a list names it."""
        incidents = self.incidents
        return CampaignSummary(
            id=self.public_id,
            title=incidents[0].summary.title,
            first_report_at=incidents[0].row.received_at,
            last_report_at=incidents[-1].row.received_at,
            cases=len(self.cases),
            reports=len(incidents),
            reporters=once(incident.summary.reporter.name for incident in incidents),
            countries=once(country for incident in incidents for country in incident.summary.countries),
        )


class ReadCampaigns:
    """What a reader may ask about campaigns."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def page(self, reader: Identity, limit: int = 50, cursor: str | None = None) -> Page[CampaignSummary]:
        """Campaigns the reader sees, that with the latest report first. Raises WrongCursor.

        A page may hold fewer than `limit` and still have a next one: whether a campaign hangs together for this reader is
        known only after its evidence was read, and one request reads only so much.
        """
        behind = behind_cursor(self._session, reader, cursor, _ASKED)
        waiting = _latest_reports(self._session, reader, behind, limit)
        shown: list[VisibleCampaign] = []
        last, looked_at = None, 0
        while len(shown) < limit and looked_at < _MOST_ROUNDS * limit:
            latest = list(islice(waiting, limit - len(shown)))
            campaigns = visible_campaigns(self._session, reader, [each.campaign_key for each in latest])
            shown.extend(campaigns[each.campaign_key] for each in latest if each.campaign_key in campaigns)
            if not latest:
                break
            last, looked_at = latest[-1], looked_at + len(latest)
        for campaign in shown:
            note_incidents(self._session, reader, campaign.incidents)
        following = None
        if last is not None and next(waiting, None) is not None:
            following = write_cursor(Position(last.received_at, last.public_id), _ASKED)
        return Page(tuple(campaign.summary() for campaign in shown), following)

    def campaign(self, reader: Identity, public_id: str) -> CampaignView:
        """One campaign, also by the id of one that was merged into it. Raises NotFound."""
        key = living_key(self._session, Campaign, public_id)
        campaign = visible_campaigns(self._session, reader, [key]).get(key)
        if campaign is None:
            raise NotFound("there is no such campaign")
        note_incidents(self._session, reader, campaign.incidents)
        summaries = {incident.key: incident.summary for incident in campaign.incidents}
        return CampaignView(
            campaign=campaign.summary(),
            cases=tuple(case_summary(reports) for reports in campaign.cases.values()),
            links=tuple(link.view(summaries[link.left_key], summaries[link.right_key]) for link in campaign.links),
        )


def visible_campaigns(session: Session, reader: Identity, keys: Collection[int]) -> dict[int, VisibleCampaign]:
    """Those of the campaigns of these row numbers that the reader sees, by row number; four queries for any number of them.

    Of a campaign whose visible cases fall apart, because what ties them is hidden, only the largest part is shown: to show
    two would tell that something ties them.
    """
    if not keys:
        return {}
    incidents = found(session, _incidents_of(session, reader, keys))
    links = links_found(session, reader, _links_of(session, reader, incidents))
    named = session.execute(select(Campaign.id, Campaign.public_id).where(Campaign.id.in_(keys)))
    ids = {row.id: row.public_id for row in named}
    parts = {key: _largest_part([i for i in incidents if i.campaign_key == key], links) for key in ids}
    return {
        key: VisibleCampaign(ids[key], cases, tuple(link for link in links if _within(link, cases)))
        for key, cases in parts.items()
        if len(cases) > 1
    }


def campaign_of_case(session: Session, reader: Identity, incident: FoundIncident) -> VisibleCampaign | None:
    """The campaign of an incident's case, if the reader sees one and the case in it."""
    if incident.campaign_key is None:
        return None
    campaign = visible_campaigns(session, reader, [incident.campaign_key]).get(incident.campaign_key)
    if campaign is None or incident.case_key not in campaign.cases:
        return None
    note_incidents(session, reader, campaign.incidents[:1])  # it is called by its first report's title
    return campaign


def _incidents_of(session: Session, reader: Identity, keys: Collection[int]) -> Select[*tuple[Any, ...]]:
    # Cases are looked up first: SQLite does not drive a query from a table that it joins from the outside.
    cases = select(Case.id).where(Case.campaign_id.in_(keys))
    query = visible_incidents(session, reader).where(Incident.case_id.in_(cases))
    return query.order_by(Incident.received_at, Incident.id)


def _links_of(session: Session, reader: Identity, incidents: Iterable[FoundIncident]) -> Select[*tuple[Any, ...]]:
    # Told the incidents, a database looks their links up; behind the second wall that is all it opens the evidence of.
    some = {incident.key for incident in incidents}
    within = is_one_of(session, Link.left_id, some), is_one_of(session, Link.right_id, some)
    return visible_links(session, reader).where(Link.kind == RELATED_TO, *within)


def _latest_reports(session: Session, reader: Identity, behind: ColumnElement[bool], about: int) -> Iterator[Row[Any]]:
    """The latest visible report of every campaign with at least two visible cases, newest first, as far as it is `behind`.

    About so many are wanted.

    Campaigns are ordered by what the reader sees of them: their own numbers would tell of a hidden beginning. The reports are
    walked in order, and the first of a campaign that is met is its latest unless one lies before the page: that costs as much
    as is shown, where asking of each report whether a later one is visible costs as much as there is.
    """
    met: set[int] = set()
    for reports in _walked(session, reader, behind, about * _REPORTS_OF_A_CAMPAIGN):
        first = {report.campaign_key: report for report in reversed(reports) if report.campaign_key not in met}
        met |= first.keys()
        begins = _beginning_here(session, reader, behind, first) if first else frozenset()
        yield from (each for each in reports if each.campaign_key in begins and first[each.campaign_key] is each)


def _walked(session: Session, reader: Identity, behind: ColumnElement[bool], many: int) -> Iterator[Sequence[Row[Any]]]:
    """The visible reports in campaigns, newest first, in parts that grow: most pages end in the first."""
    campaign = select(Case.campaign_id).where(Case.id == Incident.case_id).scalar_subquery()
    query = (
        select(Incident.id, Incident.received_at, Incident.public_id, campaign.label("campaign_key"))
        .where(visible(session, Incident.audience_id, reader), _in_a_campaign(session, campaign))
        .order_by(Incident.received_at.desc(), Incident.id.desc())
    )
    while True:
        reports = session.execute(query.where(behind).limit(many)).all()
        yield reports
        if len(reports) < many:
            return
        behind = tuple_(Incident.received_at, Incident.id) < (reports[-1].received_at, reports[-1].id)
        many = min(4 * many, _MOST_AT_ONCE)


def _in_a_campaign(session: Session, campaign: ScalarSelect[Any]) -> ColumnElement[bool]:
    """Of few cases the reports are fetched and put in order; of many, the newest are found by walking the incidents.

    No database can tell which it will be, as `seeking.among` says.
    """
    cases = select(Case.id).where(Case.campaign_id.is_not(None))
    some = session.scalar(select(func.count()).select_from(cases.limit(_MANY).subquery()))
    return Incident.case_id.in_(cases) if (some or 0) < _MANY else campaign.is_not(None)


def _beginning_here(
    session: Session, reader: Identity, behind: ColumnElement[bool], keys: Collection[int]
) -> frozenset[int]:
    """Those of these campaigns whose latest visible report is `behind`, and of which at least two cases are visible."""
    query = (
        select(Case.campaign_id)
        .join(Incident, Incident.case_id == Case.id)
        .where(Case.campaign_id.in_(keys), visible(session, Incident.audience_id, reader))
        .group_by(Case.campaign_id)
        .having(func.count(Case.id.distinct()) > 1, func.sum(case((behind, 0), else_=1)) == 0)
    )
    return frozenset(session.scalars(query))


def _largest_part(incidents: Sequence[FoundIncident], links: Iterable[FoundLink]) -> dict[int, list[FoundIncident]]:
    """The cases of the largest part that hangs together; of equals, the one that was reported first."""
    cases = by_case(incidents)
    parts = list(_parts(cases, links))
    largest: set[int] = max(parts, key=len, default=set())
    return {key: reports for key, reports in cases.items() if key in largest}


def _parts(cases: Iterable[int], links: Iterable[FoundLink]) -> Iterator[set[int]]:
    """The parts that these cases fall into, in the order of their first case."""
    neighbours: dict[int, set[int]] = {case: set() for case in cases}
    for link in links:
        left, right = link.left_case_key, link.right_case_key
        if left in neighbours and right in neighbours:
            neighbours[left].add(right)
            neighbours[right].add(left)
    while neighbours:
        part, waiting = set(), [next(iter(neighbours))]
        while waiting:
            case = waiting.pop()
            if case not in part:
                part.add(case)
                waiting.extend(neighbours.pop(case))
        yield part


def _within(link: FoundLink, cases: Collection[int]) -> bool:
    return link.left_case_key in cases and link.right_case_key in cases
