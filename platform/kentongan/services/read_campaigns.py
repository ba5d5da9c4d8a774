"""Campaigns as one reader may know them: the visible cases that hang together by visible links, and nothing of the rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session, aliased

from kentongan.domain.identity import Identity
from kentongan.services.errors import NotFound
from kentongan.services.living import living_key
from kentongan.services.paging import Page, write_cursor
from kentongan.services.read_links import FoundLink, Left, LinkView, Right, links_found, visible_links
from kentongan.services.reading_trail import note_incidents
from kentongan.services.summaries import (
    CaseSummary,
    FoundIncident,
    behind_cursor,
    by_case,
    case_summary,
    found,
    once,
    position_of,
    visible_incidents,
)
from kentongan.storage.cases import RELATED_TO, Campaign, Case, Link
from kentongan.storage.incidents import Incident
from kentongan.storage.visibility import visible

_ASKED: Final = {"list": "campaigns"}
_MOST_ROUNDS: Final = 4


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
        shown: list[CampaignSummary] = []
        for _ in range(_MOST_ROUNDS):
            latest = found(self._session, _latest_reports(reader).where(behind).limit(limit + 1))
            campaigns = visible_campaigns(self._session, reader, [_campaign_key(each) for each in latest])
            for number, each in enumerate(latest[:limit], 1):
                following = write_cursor(position_of(each), _ASKED)
                if campaign := campaigns.get(_campaign_key(each)):
                    note_incidents(self._session, reader, campaign.incidents)
                    shown.append(campaign.summary())
                if len(shown) == limit:
                    return Page(tuple(shown), following if number < len(latest) else None)
            if len(latest) <= limit:
                return Page(tuple(shown))
            behind = behind_cursor(self._session, reader, following, _ASKED)
        return Page(tuple(shown), following)

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
    incidents = found(session, _incidents_of(reader, keys))
    links = links_found(session, reader, _links_of(reader, keys))
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


def _campaign_key(incident: FoundIncident) -> int:
    assert incident.campaign_key is not None, "it was found through its campaign"
    return incident.campaign_key


def _incidents_of(reader: Identity, keys: Collection[int]) -> Select[*tuple[Any, ...]]:
    return visible_incidents(reader).where(Case.campaign_id.in_(keys)).order_by(Incident.received_at, Incident.id)


def _links_of(reader: Identity, keys: Collection[int]) -> Select[*tuple[Any, ...]]:
    left_case, right_case = aliased(Case), aliased(Case)
    return (
        visible_links(reader)
        .join(left_case, left_case.id == Left.case_id)
        .join(right_case, right_case.id == Right.case_id)
        .where(
            Link.kind == RELATED_TO,
            left_case.campaign_id.in_(keys),
            right_case.campaign_id == left_case.campaign_id,
        )
    )


def _latest_reports(reader: Identity) -> Select[*tuple[Any, ...]]:
    """The latest visible report of every campaign with at least two visible cases, newest first.

    Campaigns are ordered by what the reader sees of them: their own numbers would tell of a hidden beginning.
    """
    other, other_case = aliased(Incident), aliased(Case)
    others = (
        select(other.id)
        .join(other_case, other_case.id == other.case_id)
        .where(other_case.campaign_id == Case.campaign_id, visible(other.audience_id, reader))
        .correlate(Case, Incident)
    )
    later = others.where(tuple_(other.received_at, other.id) > tuple_(Incident.received_at, Incident.id))
    return (
        visible_incidents(reader)
        .where(Case.campaign_id.is_not(None), ~later.exists(), others.where(other.case_id != Case.id).exists())
        .order_by(Incident.received_at.desc(), Incident.id.desc())
    )


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
