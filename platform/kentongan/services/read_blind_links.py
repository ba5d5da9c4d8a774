"""What the reporter of an incident may know of others over masked values; nobody else learns that there is any."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.domain.identity import Identity
from kentongan.services.read_links import EvidenceView, evidence_for
from kentongan.storage.blind import BlindLink
from kentongan.storage.incidents import Incident
from kentongan.storage.visibility import audience_ids, visible

SOMETHING_RELATED: Final = "another member holds something related; ask the coordinator"
"""All that is ever said of what others mask, and only where they allow it."""


@dataclass(frozen=True, slots=True)
class OverMasked:
    """An incident that shows what the reader masks, by its row number."""

    other_key: int
    found_at: datetime
    evidence: tuple[EvidenceView, ...]


def over_masked(session: Session, reader: Identity, incident: Incident, most: int) -> list[OverMasked]:
    """The incidents that the reader may see and that hold what it masks in this one, the newest link first."""
    if incident.organization_id != reader.organization_id:
        return []
    rows = session.execute(
        select(BlindLink.other_id, BlindLink.found_at, BlindLink.evidence)
        .join(Incident, Incident.id == BlindLink.other_id)
        .where(BlindLink.incident_id == incident.id, visible(Incident.audience_id, reader))
        .order_by(BlindLink.found_at.desc(), BlindLink.other_id.desc())
        .limit(most)
    ).all()
    mine = audience_ids(session, reader) if rows else frozenset()
    found = (OverMasked(row.other_id, row.found_at, evidence_for(mine, row.evidence)) for row in rows)
    return [each for each in found if each.evidence]


def something_related(session: Session, reader: Identity, incident: Incident) -> str | None:
    """The one sentence, to the reporter of an incident that holds what another member masks and lets it be told."""
    if incident.organization_id != reader.organization_id:
        return None
    told = select(BlindLink.other_id).where(BlindLink.incident_id == incident.id, BlindLink.told).limit(1)
    return SOMETHING_RELATED if session.scalar(told) is not None else None
