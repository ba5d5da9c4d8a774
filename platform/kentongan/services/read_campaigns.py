"""Campaigns as one reader may know them: what the rule of grouping makes of the cases this reader sees and the links it is told of.

They are looked for within the campaigns that the stages keep: so no reader has to be read all that hangs together somehow.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, func, select, tuple_
from sqlalchemy.orm import Session

from kentongan.domain import naming
from kentongan.domain.identity import Identity
from kentongan.services.errors import NotFound
from kentongan.services.paging import Page, Position, write_cursor
from kentongan.services.read_links import FoundLink, LinkView, links_found, visible_links
from kentongan.services.reading_trail import note_incidents
from kentongan.services.seen_cases import parted_by_people, report_named
from kentongan.services.settling import campaign_groups, strongest_between
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
from kentongan.storage.cases import RELATED_TO, Case, Link, Pair
from kentongan.storage.decisions import decisions_about
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
    """One campaign as one reader sees it: at least two cases that hang together. Reports in the order they came."""

    cases: dict[int, list[FoundIncident]]
    links: tuple[FoundLink, ...]

    @property
    def public_id(self) -> str:
        """The id of the campaign: it is called after the oldest report in it."""
        return naming.campaign_id(min(self.incidents, key=lambda incident: incident.key).row.public_id)

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
        walk = _Walk(self._session, reader, limit)
        shown = list(islice(walk.campaigns(behind), limit + 1))
        last = shown[limit - 1].incidents[-1].row if len(shown) > limit else walk.ended_at
        for campaign in shown[:limit]:
            note_incidents(self._session, reader, campaign.incidents)
        following = write_cursor(Position(last.received_at, last.public_id), _ASKED) if last is not None else None
        return Page(tuple(campaign.summary() for campaign in shown[:limit]), following)

    def campaign(self, reader: Identity, public_id: str) -> CampaignView:
        """One campaign, also by the id of one that was merged into it. Raises NotFound."""
        campaign = campaign_named(self._session, reader, public_id)
        note_incidents(self._session, reader, campaign.incidents)
        summaries = {incident.key: incident.summary for incident in campaign.incidents}
        return CampaignView(
            campaign=campaign.summary(),
            cases=tuple(case_summary(reports) for reports in campaign.cases.values()),
            links=tuple(link.view(summaries[link.left_key], summaries[link.right_key]) for link in campaign.links),
        )


def campaign_named(session: Session, reader: Identity, public_id: str) -> VisibleCampaign:
    """The campaign of this id, or that it was merged into, as the reader sees it. Raises NotFound."""
    named = report_named(session, reader, naming.named_by_campaign(public_id))
    incidents = found(session, reader, visible_incidents(session, reader).where(Incident.id == named))
    campaigns = campaigns_of(session, reader, incidents)
    if not incidents or incidents[0].case_key not in campaigns:
        raise NotFound("there is no such campaign")
    return campaigns[incidents[0].case_key]


def campaign_of_case(session: Session, reader: Identity, incident: FoundIncident) -> VisibleCampaign | None:
    """The campaign of an incident's case, if the reader sees one and the case in it."""
    campaign = campaigns_of(session, reader, [incident]).get(incident.case_key)
    if campaign is not None:
        note_incidents(session, reader, campaign.incidents[:1])  # it is called by its first report's title
    return campaign


def campaigns_of(
    session: Session, reader: Identity, incidents: Sequence[FoundIncident]
) -> dict[int | None, VisibleCampaign]:
    """The campaigns that these incidents' cases are in for this reader, by the keys of all their cases."""
    kept = {incident.key: incident.campaign_key for incident in incidents}
    keys = {kept[each.case.key] for each in incidents if each.case is not None and each.case.key in kept}
    # A case is looked for where its oldest report is.
    oldest = {each.case.key for each in incidents if each.case is not None} - kept.keys()
    if oldest:
        query = select(Case.campaign_id).join(Incident, Incident.case_id == Case.id)
        keys |= set(session.scalars(query.where(is_one_of(session, Incident.id, oldest))))
    every = visible_campaigns(session, reader, {key for key in keys if key is not None})
    return {case: campaign for some in every.values() for campaign in some for case in campaign.cases}


def visible_campaigns(
    session: Session, reader: Identity, keys: Collection[int]
) -> dict[int, tuple[VisibleCampaign, ...]]:
    """The campaigns the reader sees of what the stages keep as those of these row numbers, by row number; the largest first.

    A few queries for any number of them. Where what ties visible cases is hidden they are not in one campaign for this reader,
    but in several, or in none.
    """
    if not keys:
        return {}
    reports = _incidents_of(session, reader, keys)
    numbers = [report.key for report in reports]
    links = links_found(session, reader, _links_of(session, reader, numbers)) if len(numbers) > 1 else []
    cases = by_case(reports)
    people = decisions_about(session, numbers) if len(cases) > 2 else []  # two that are linked are not parted
    kept = {report.key: report.campaign_key for report in reports}
    found_in = {}
    for key in keys:
        own = {case: each for case, each in cases.items() if kept[case] == key}
        parted, since = parted_by_people(people, RELATED_TO, {report.key for each in own.values() for report in each})
        found_in[key] = _grouped(own, [link for link in links if _within(link, own)], parted, since)
    return found_in


def _grouped(
    cases: Mapping[int, list[FoundIncident]],
    links: Sequence[FoundLink],
    parted: Sequence[Pair],
    since: Mapping[Pair, int],
) -> tuple[VisibleCampaign, ...]:
    """The campaigns that these cases make, the largest first; of equals, the one that was reported first."""
    case_of = {report.key: case for case, reports in cases.items() for report in reports}
    lasting = sorted((report for each in cases.values() for report in each), key=lambda one: (one.row.stix_id, one.key))
    bits = {(link.left_key, link.right_key): link.tie.bits for link in links}
    ties = strongest_between(case_of, {pair: bits for pair, bits in sorted(bits.items()) if bits is not None})
    said = sorted(_said(links), key=lambda pair: since.get(pair, 0))
    groups = campaign_groups(
        list(dict.fromkeys(case_of[report.key] for report in lasting)),
        ties,
        list(strongest_between(case_of, dict.fromkeys(said, 0.0))),
        list(strongest_between(case_of, dict.fromkeys(parted, 0.0))),
    )
    made = []
    for group in groups:
        own = {case: reports for case, reports in cases.items() if case in group}
        made.append(VisibleCampaign(own, tuple(link for link in links if _within(link, own))))
    return tuple(
        sorted(made, key=lambda one: (-len(one.cases), one.incidents[0].row.received_at, one.incidents[0].key))
    )


def _incidents_of(session: Session, reader: Identity, keys: Collection[int]) -> list[FoundIncident]:
    """The visible reports in these campaigns, and what else is in one case with them for this reader."""
    # Cases are looked up first: SQLite does not drive a query from a table that it joins from the outside.
    cases = select(Case.id).where(Case.campaign_id.in_(keys))
    query = visible_incidents(session, reader)
    reports = found(session, reader, query.where(Incident.case_id.in_(cases)))
    further = {one for report in reports if report.case for one in report.case.members} - {each.key for each in reports}
    if further:
        reports += found(session, reader, query.where(is_one_of(session, Incident.id, further)))
    return sorted(reports, key=lambda one: (one.row.received_at, one.key))


def _links_of(session: Session, reader: Identity, some: Collection[int]) -> Select[*tuple[Any, ...]]:
    # Told the incidents, a database looks their links up; behind the second wall that is all it opens the evidence of.
    within = is_one_of(session, Link.left_id, some), is_one_of(session, Link.right_id, some)
    return visible_links(session, reader).where(Link.kind == RELATED_TO, *within)


class _Walk:
    """The reader's campaigns, that with the latest report first: the visible reports are walked in order, newest first, and a
    campaign is met where the walk comes by its latest.

    Campaigns are ordered by what the reader sees of them: their own numbers would tell of a hidden beginning. `ended_at` is where
    the walk ended before its time.
    """

    def __init__(self, session: Session, reader: Identity, about: int) -> None:
        self._session, self._reader, self._about = session, reader, about
        self._latest: dict[int, dict[int, VisibleCampaign]] = {}
        self._looked_at = 0
        self.ended_at: Row[Any] | None = None

    def campaigns(self, behind: ColumnElement[bool]) -> Iterator[VisibleCampaign]:
        """Those whose latest report is `behind`. About so many are wanted as was said: they are looked at in parts of this size."""
        last = None
        for reports in _walked(self._session, self._reader, behind, self._about * _REPORTS_OF_A_CAMPAIGN):
            for place, report in enumerate(reports):
                if report.campaign_key not in self._latest:
                    if self._looked_at >= _MOST_ROUNDS * self._about:
                        self.ended_at = last
                        return
                    self._look(reports[place:])
                campaign = self._latest[report.campaign_key].get(report.id)
                if campaign is not None:
                    yield campaign
                last = report

    def _look(self, reports: Sequence[Row[Any]]) -> None:
        new = dict.fromkeys(each.campaign_key for each in reports if each.campaign_key not in self._latest)
        some = list(new)[: self._about]
        several = _with_several_reports(self._session, self._reader, some)
        campaigns = visible_campaigns(self._session, self._reader, several)
        for key in some:
            self._latest[key] = {one.incidents[-1].key: one for one in campaigns.get(key, ())}
        self._looked_at += len(several)


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


def _with_several_reports(session: Session, reader: Identity, keys: Collection[int]) -> list[int]:
    """Those of these campaigns of which at least two reports are visible: the others are none for this reader."""
    query = (
        select(Case.campaign_id)
        .join(Incident, Incident.case_id == Case.id)
        .where(Case.campaign_id.in_(keys), visible(session, Incident.audience_id, reader))
        .group_by(Case.campaign_id)
        .having(func.count(Incident.id) > 1)
    )
    return sorted(session.scalars(query))


def _said(links: Iterable[FoundLink]) -> list[Pair]:
    return [(link.left_key, link.right_key) for link in links if link.tie.together]


def _within(link: FoundLink, cases: Collection[int]) -> bool:
    return link.left_case_key in cases and link.right_case_key in cases
