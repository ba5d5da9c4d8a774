"""A case or campaign as STIX: its reports, what came with them, what these refer to, and the links that the platform found.

The closure is read part by part: of what was given out already nothing is kept but the ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.domain.closure import named_by
from kentongan.domain.identity import Identity
from kentongan.domain.object_filter import ObjectFilter
from kentongan.services.read_campaigns import campaign_named
from kentongan.services.read_cases import reports_of_case
from kentongan.services.read_collection import objects_named
from kentongan.services.read_findings import Findings
from kentongan.services.reading_trail import note_incidents
from kentongan.services.summaries import FoundIncident
from kentongan.storage.findings import Finding

AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class BundleStart:
    """Where a bundle begins: the ids to read first, and what the platform itself says, as JSON."""

    ids: tuple[str, ...]
    findings: tuple[str, ...]


class ReadBundle:
    """What a reader may ask for as a bundle. `key` is the installation's own: the platform's STIX identity follows from it."""

    def __init__(self, session: Session, key: bytes) -> None:
        self._session = session
        self._key = key

    def case(self, reader: Identity, public_id: str) -> BundleStart:
        """Of a case, also by the id of one that was merged into it. Raises NotFound."""
        return self._start(reader, reports_of_case(self._session, reader, public_id), None)

    def campaign(self, reader: Identity, public_id: str) -> BundleStart:
        """Of a campaign, as `case`. Raises NotFound."""
        incidents = campaign_named(self._session, reader, public_id).incidents
        return self._start(reader, incidents, incidents[0].campaign_key)

    def part(self, reader: Identity, ids: Iterable[str]) -> tuple[list[str], frozenset[str]]:
        """The objects under these ids as the reader sees them, and the ids of all that they name; give at most AT_ONCE."""
        bodies = [entry.body for entry in objects_named(self._session, reader, frozenset(ids), are_shown=True)]
        return bodies, frozenset(named for text in bodies for named in named_by(orjson.loads(text)))

    def _start(self, reader: Identity, reports: Sequence[FoundIncident], campaign: int | None) -> BundleStart:
        note_incidents(self._session, reader, reports)
        ids = dict.fromkeys(report.row.stix_id for report in reports)
        ids |= dict.fromkeys(str(named) for report in reports for named in report.report.facts.object_ids)
        findings = self._findings(reader, [report.key for report in reports], campaign)
        return BundleStart(tuple(ids), findings)

    def _findings(self, reader: Identity, keys: Sequence[int], campaign: int | None) -> tuple[str, ...]:
        """The links among these incidents and the campaign, and who says so."""
        within = Finding.left_id.in_(keys) & Finding.right_id.in_(keys)
        wanted = within if campaign is None else within | (Finding.campaign_id == campaign)
        ids = frozenset(self._session.scalars(select(Finding.stix_id).where(wanted, ~Finding.revoked)))
        told = self._told(reader, ids)
        makers = frozenset(str(maker) for text in told if (maker := orjson.loads(text).get("created_by_ref")))
        return (*self._told(reader, makers), *told)

    def _told(self, reader: Identity, ids: frozenset[str]) -> tuple[str, ...]:
        if not ids:
            return ()
        source = Findings(self._session, self._key, reader, ObjectFilter(ids=ids))
        told: list[str] = []
        place: int | None = 0
        while place is not None:
            seen, place = source.following(place, AT_ONCE)
            source.note(seen)
            told += [entry.body for entry in seen]
        return tuple(told)
