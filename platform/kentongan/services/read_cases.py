"""Cases as one reader may know them: by their visible reports. With all others hidden, one looks like a case of one report."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session, aliased

from kentongan.domain.identity import Identity
from kentongan.services.errors import NotFound
from kentongan.services.living import living_key
from kentongan.services.paging import Page, cut
from kentongan.services.read_campaigns import CampaignBrief, campaign_of_case
from kentongan.services.read_links import Left, LinkView, Right, links_found, visible_links
from kentongan.services.reading_trail import note_incidents
from kentongan.services.summaries import (
    CaseSummary,
    FoundIncident,
    IncidentReport,
    behind_cursor,
    by_case,
    case_summary,
    found,
    position_of,
    visible_incidents,
)
from kentongan.storage.cases import DUPLICATE_OF, Case, Link
from kentongan.storage.incidents import Incident
from kentongan.storage.visibility import visible

_ASKED: Final = {"list": "cases"}


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
        firsts = found(self._session, _first_reports(self._session, reader).where(behind).limit(limit + 1))
        keys = [first.case_key for first in firsts[:limit]]
        reports = by_case(found(self._session, _reports(self._session, reader).where(Incident.case_id.in_(keys))))
        note_incidents(self._session, reader, chain.from_iterable(reports.values()))
        return cut(firsts, limit, position_of, _ASKED, lambda first: case_summary(reports[_case_key(first)]))

    def case(self, reader: Identity, public_id: str) -> CaseView:
        """One case, also by the id of one that was merged into it. Raises NotFound."""
        key = living_key(self._session, Case, public_id)
        reports = found(self._session, _reports(self._session, reader).where(Incident.case_id == key))
        if not reports:
            raise NotFound("there is no such case")
        note_incidents(self._session, reader, reports)
        campaign = campaign_of_case(self._session, reader, reports[0])
        return CaseView(
            case=case_summary(reports),
            reports=tuple(report.report for report in reports),
            links=self._links(reader, reports),
            campaign=campaign.brief() if campaign else None,
        )

    def _links(self, reader: Identity, reports: list[FoundIncident]) -> tuple[LinkView, ...]:
        within = visible_links(self._session, reader).where(
            Link.kind == DUPLICATE_OF, Left.case_id == reports[0].case_key, Right.case_id == reports[0].case_key
        )
        summaries = {report.key: report.summary for report in reports}
        links = links_found(self._session, reader, within) if len(reports) > 1 else []
        return tuple(link.view(summaries[link.left_key], summaries[link.right_key]) for link in links)


def _case_key(incident: FoundIncident) -> int:
    assert incident.case_key is not None, "it was found through its case"
    return incident.case_key


def _reports(session: Session, reader: Identity) -> Select[*tuple[Any, ...]]:
    return visible_incidents(session, reader).order_by(Incident.received_at, Incident.id)


def _first_reports(session: Session, reader: Identity) -> Select[*tuple[Any, ...]]:
    """The first visible report of every case, newest first.

    Cases are ordered by what the reader sees of them: their own numbers would tell of an earlier, hidden report.
    """
    other = aliased(Incident)
    earlier = (
        select(other.id)
        .where(
            other.case_id == Incident.case_id,
            tuple_(other.received_at, other.id) < tuple_(Incident.received_at, Incident.id),
            visible(session, other.audience_id, reader),
        )
        .correlate(Incident)
    )
    return (
        visible_incidents(session, reader)
        .where(Incident.case_id.is_not(None), ~earlier.exists())
        .order_by(Incident.received_at.desc(), Incident.id.desc())
    )
