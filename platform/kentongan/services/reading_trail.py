"""What the audit trail learns of reading: everything marked AMBER or stricter that somebody is shown, the own included."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy.orm import Session

from kentongan.domain.identity import Identity
from kentongan.domain.marking import Level
from kentongan.services.summaries import FoundIncident
from kentongan.storage.audit import note_read

NOTED_FROM: Final = Level.AMBER


def note_incidents(session: Session, reader: Identity, shown: Iterable[FoundIncident]) -> None:
    """These incidents are shown to the reader."""
    for incident in shown:
        if incident.level >= NOTED_FROM:
            note_read(session, reader, incident.row.organization_id, f"incident {incident.row.public_id}")
