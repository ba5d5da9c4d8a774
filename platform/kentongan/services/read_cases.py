"""Cases as one reader may know them: by their visible reports. With all others hidden, one looks like a case of one report."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from sqlalchemy import ColumnElement, tuple_
from sqlalchemy.orm import Session

from kentongan.domain.identity import Identity
from kentongan.domain.naming import named_by_case
from kentongan.services.errors import NotFound
from kentongan.services.paging import Page, cut
from kentongan.services.read_campaigns import CampaignBrief, campaign_of_case
from kentongan.services.read_links import LinkView, links_found, visible_links
from kentongan.services.reading_trail import note_incidents
from kentongan.services.seen_cases import report_named
from kentongan.services.summaries import (
    CaseSummary,
    FoundIncident,
    IncidentReport,
    behind_cursor,
    case_summary,
    found,
    position_of,
    visible_incidents,
)
from kentongan.storage.base import is_one_of
from kentongan.storage.cases import DUPLICATE_OF, Link
from kentongan.storage.incidents import Incident

_ASKED: Final = {"list": "cases"}
_MOST_AT_ONCE: Final = 4_000


@dataclass(frozen=True, slots=True)
class CaseView:
    """One case: its reports side by side, the first first; why they are the same event; the campaign it belongs to."""

    case: CaseSummary
    reports: tuple[IncidentReport, ...]
    links: tuple[LinkView, ...]
    campaign: CampaignBrief | None


class ReadCases:
    """What a reader may ask about cases."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def page(self, reader: Identity, limit: int = 50, cursor: str | None = None) -> Page[CaseSummary]:
        """Cases the reader sees, the last begun first. Raises WrongCursor."""
        behind = behind_cursor(self._session, reader, cursor, _ASKED)
        known: dict[int, FoundIncident] = {}
        firsts = list(islice(self._first_reports(reader, behind, limit, known), limit + 1))
        wanted = {one for first in firsts[:limit] for one in _members(first)}
        known |= {one.key: one for one in self._incidents(reader, wanted - known.keys())}
        reports = {first.key: _in_order([known[one] for one in _members(first)]) for first in firsts[:limit]}
        note_incidents(self._session, reader, chain.from_iterable(reports.values()))
        return cut(firsts, limit, position_of, _ASKED, lambda first: case_summary(reports[first.key]))

    def case(self, reader: Identity, public_id: str) -> CaseView:
        """One case, also by the id of one that was merged into it. Raises NotFound."""
        reports = reports_of_case(self._session, reader, public_id)
        note_incidents(self._session, reader, reports)
        campaign = campaign_of_case(self._session, reader, reports[0])
        return CaseView(
            case=case_summary(reports),
            reports=tuple(report.report for report in reports),
            links=self._links(reader, reports),
            campaign=campaign.brief() if campaign else None,
        )

    def _first_reports(
        self, reader: Identity, behind: ColumnElement[bool], about: int, known: dict[int, FoundIncident]
    ) -> Iterator[FoundIncident]:
        """The first visible report of every case, newest first; about so many are wanted. What is met goes into `known`.

        Cases are ordered by what the reader sees of them: their own numbers would tell of an earlier, hidden report. The reports
        are walked in order: which of them begins a case is known only from the links that the reader is told of.
        """
        query = visible_incidents(self._session, reader).where(Incident.case_id.is_not(None)).order_by(*_NEWEST_FIRST)
        many = about + about // 2 + 1
        while True:
            some = found(self._session, reader, query.where(behind).limit(many))
            known |= {one.key: one for one in some}
            yield from (one for one in some if one.case is not None and one.case.first == one.key)
            if len(some) < many:
                return
            behind = tuple_(Incident.received_at, Incident.id) < (some[-1].row.received_at, some[-1].key)
            many = min(2 * many, _MOST_AT_ONCE)

    def _incidents(self, reader: Identity, keys: Collection[int]) -> list[FoundIncident]:
        query = visible_incidents(self._session, reader).where(is_one_of(self._session, Incident.id, keys))
        return found(self._session, reader, query) if keys else []

    def _links(self, reader: Identity, reports: list[FoundIncident]) -> tuple[LinkView, ...]:
        summaries = {report.key: report.summary for report in reports}
        ends = (is_one_of(self._session, end, summaries) for end in (Link.left_id, Link.right_id))
        within = visible_links(self._session, reader).where(Link.kind == DUPLICATE_OF, *ends)
        links = links_found(self._session, reader, within) if len(reports) > 1 else []
        return tuple(link.view(summaries[link.left_key], summaries[link.right_key]) for link in links)


def reports_of_case(session: Session, reader: Identity, public_id: str) -> list[FoundIncident]:
    """The reports of the case of this id, or that it was merged into, as the reader sees it; the first first. Raises NotFound."""
    named = report_named(session, reader, named_by_case(public_id))
    one = found(session, reader, visible_incidents(session, reader).where(Incident.id == named))
    if not one or one[0].case is None:
        raise NotFound("there is no such case")
    if len(one[0].case.members) == 1:
        return one
    query = visible_incidents(session, reader).where(is_one_of(session, Incident.id, one[0].case.members))
    return found(session, reader, query.order_by(Incident.received_at, Incident.id))


def _members(incident: FoundIncident) -> tuple[int, ...]:
    assert incident.case is not None, "it was found through its case"
    return incident.case.members


def _in_order(reports: list[FoundIncident]) -> list[FoundIncident]:
    return sorted(reports, key=lambda one: (one.row.received_at, one.key))


_NEWEST_FIRST: Final = (Incident.received_at.desc(), Incident.id.desc())
