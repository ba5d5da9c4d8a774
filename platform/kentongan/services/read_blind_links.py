"""What the reporter of an incident may know of others over masked values; nobody else learns that there is any."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import and_, select
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


@dataclass(frozen=True, slots=True)
class KnownOverMasked:
    """What is known over masked values: incidents to show, the newest link first, and the sentence where it may be said."""

    links: tuple[OverMasked, ...] = ()
    something_related: str | None = None


def known_over_masked(session: Session, reader: Identity, incident: Incident, most: int) -> KnownOverMasked:
    """What this reader may know of an incident's links over masked values (at most `most`): nothing unless it reported it."""
    if incident.organization_id != reader.organization_id:
        return KnownOverMasked()
    shown = and_(Incident.id == BlindLink.other_id, visible(session, Incident.audience_id, reader))
    rows = session.execute(
        select(Incident.id, BlindLink.found_at, BlindLink.evidence, BlindLink.told)
        .select_from(BlindLink)
        .outerjoin(Incident, shown)
        .where(BlindLink.incident_id == incident.id)
        .order_by(BlindLink.told.desc(), BlindLink.found_at.desc(), BlindLink.other_id.desc())
        .limit(most)
    ).all()
    if not rows:
        return KnownOverMasked()
    mine = audience_ids(session, reader)
    found = (OverMasked(row.id, row.found_at, evidence_for(mine, row.evidence)) for row in rows if row.id is not None)
    links = sorted((each for each in found if each.evidence), key=lambda each: each.found_at, reverse=True)
    return KnownOverMasked(tuple(links), SOMETHING_RELATED if any(row.told for row in rows) else None)
