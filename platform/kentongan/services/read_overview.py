"""What an organization finds on its desk: the documents it sent, and where their incidents landed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from kentongan.domain.identity import Identity
from kentongan.services.paging import Page, Position, cut, read_cursor
from kentongan.services.read_campaigns import CampaignBrief, VisibleCampaign, campaigns_of
from kentongan.services.reading_trail import note_incidents
from kentongan.services.summaries import FoundIncident, IncidentSummary, found, visible_incidents
from kentongan.storage.incidents import Incident
from kentongan.storage.submissions import Submission

_LIST: Final = "own submissions"


@dataclass(frozen=True, slots=True)
class SubmissionSummary:
    """One document in a list; `size` in bytes, `accepted` and `refused` in objects."""

    id: str
    received_at: datetime
    size: int
    accepted: int
    refused: int


@dataclass(frozen=True, slots=True)
class Landed:
    """One of the own incidents with what it became part of; `reports` of its case, 0 until it was compared with the others."""

    incident: IncidentSummary
    reports: int
    campaign: CampaignBrief | None


class OwnSubmissions:
    """What an organization sent; nobody else is told of it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def page(self, identity: Identity, cursor: str | None = None, limit: int = 25) -> Page[SubmissionSummary]:
        """Newest first. Raises WrongCursor on a cursor that no page of this list gave."""
        asked = {"list": _LIST, "organization": identity.organization_id}
        query = select(Submission).where(Submission.organization_id == identity.organization_id)
        if (start := read_cursor(cursor, asked)) is not None:
            query = query.where(self._behind(identity, start))
        rows = self._session.scalars(query.order_by(Submission.id.desc()).limit(limit + 1)).all()
        return cut(rows, limit, _position, asked, _summary)

    def landed(self, identity: Identity, stix_ids: Collection[str], limit: int = 50) -> tuple[Landed, ...]:
        """Where the organization's own incidents of these STIX ids are by now, as far as it may see; those not indexed are not
        among them. Four queries for any number.
        """
        own = visible_incidents(self._session, identity).where(
            Incident.stix_id.in_(stix_ids), Incident.organization_id == identity.organization_id
        )
        incidents = found(self._session, identity, own.order_by(Incident.id).limit(limit))
        note_incidents(self._session, identity, incidents)
        campaigns = campaigns_of(self._session, identity, incidents)
        for campaign in campaigns.values():
            note_incidents(self._session, identity, campaign.incidents[:1])  # it is called by its first report's title
        return tuple(_landed(incident, campaigns) for incident in incidents)

    def _behind(self, identity: Identity, start: Position) -> ColumnElement[bool]:
        # Where the last one shown was erased meanwhile, what came in the same moment is shown again rather than left out.
        own = select(Submission.id).where(
            Submission.public_id == start.id, Submission.organization_id == identity.organization_id
        )
        key = self._session.scalar(own)
        return Submission.id < key if key is not None else Submission.received_at <= start.at


def _position(submission: Submission) -> Position:
    return Position(submission.received_at, submission.public_id)


def _summary(submission: Submission) -> SubmissionSummary:
    return SubmissionSummary(
        submission.public_id, submission.received_at, submission.size, submission.accepted, submission.refused
    )


def _landed(incident: FoundIncident, campaigns: Mapping[int | None, VisibleCampaign]) -> Landed:
    campaign = campaigns.get(incident.case_key)
    reports = len(incident.case.members) if incident.case else 0
    return Landed(incident.summary, reports, campaign.brief() if campaign else None)
