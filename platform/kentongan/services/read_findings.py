"""Links and campaigns as STIX objects, as one reader may know them."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.domain.campaigns import RELATED
from kentongan.domain.date_added import as_version, from_timestamp
from kentongan.domain.duplicates import SAME_EVENT
from kentongan.domain.identity import Identity
from kentongan.domain.marking import TLP_2_IDS, Level
from kentongan.domain.object_filter import ObjectFilter
from kentongan.services.evidence_codec import told_of_links
from kentongan.services.read_campaigns import VisibleCampaign, visible_campaigns
from kentongan.services.reading_trail import NOTED_FROM
from kentongan.storage.audit import note_read
from kentongan.storage.cases import DUPLICATE_OF, RELATED_TO
from kentongan.storage.collection_pages import FoundEntry
from kentongan.storage.findings import GROUPING, Finding, findings_after
from kentongan.storage.incidents import Incident
from kentongan.storage.visibility import AudienceRow, audience_ids, visible

_CONFIDENCE: Final = {DUPLICATE_OF: round(SAME_EVENT * 100), RELATED_TO: round(RELATED * 100)}
"""What every link of the kind reaches at least. Its own score is for nobody: beside a part of the evidence it would tell that there
is more (services/read_links.py)."""
_MARKINGS: Final = {level: marking for marking, level in TLP_2_IDS.items()}
_ALWAYS: Final = "2026-01-01T00:00:00.000Z"
_NAMESPACE: Final = uuid.UUID("5c1f1d9e-6d0b-5e0a-9a55-2f1d3ac0b8c7")
_FIRST: Final = 1
"""The number of the platform's own identity: before everything it made."""


class Findings:
    """The content of the collection of cases and campaigns. `key` is the installation's own: its identity follows from it."""

    def __init__(self, session: Session, key: bytes, reader: Identity, asked: ObjectFilter) -> None:
        self._session = session
        self._reader = reader
        self._asked = asked
        self._platform = f"identity--{uuid.uuid5(_NAMESPACE, hmac.digest(key, b'who says so', hashlib.sha256).hex())}"
        self._mine = audience_ids(session, reader)

    def following(self, after: int, most: int) -> tuple[list[FoundEntry], int | None]:
        """What the reader sees of the next ones, and where to go on; None: there is nothing behind."""
        versions = self._asked.versions
        numbers = versions.moments if not (versions.first or versions.last or versions.all) else None
        rows = findings_after(self._session, after, most, self._asked.ids, self._asked.types, numbers)
        campaigns = self._campaigns(rows)
        first = [self._identity()] if after < _FIRST and self._is_asked_for(numbers) else []
        told = [self._told(row, campaigns) for row in rows]
        return first + [one for one in told if one is not None], rows[-1].number if len(rows) == most else None

    def note(self, shown: Iterable[FoundEntry]) -> None:
        """The audit trail learns of the incidents that these name."""
        named = {ref for entry in shown if entry.level >= NOTED_FROM for ref in _refs(orjson.loads(entry.body))}
        if not named:
            return
        query = select(Incident.organization_id, Incident.public_id).join(
            AudienceRow, AudienceRow.id == Incident.audience_id
        )
        strict = AudienceRow.level >= int(NOTED_FROM)
        rows = query.where(
            Incident.stix_id.in_(sorted(named)), visible(self._session, Incident.audience_id, self._reader), strict
        )
        for organization_id, public_id in self._session.execute(rows):
            note_read(self._session, self._reader, organization_id, f"incident {public_id}")

    def _is_asked_for(self, versions: frozenset[int] | None) -> bool:
        asked = (
            (self._asked.ids, self._platform),
            (self._asked.types, "identity"),
            (versions, from_timestamp(_ALWAYS)),
        )
        return all(wanted is None or own in wanted for wanted, own in asked)

    def _identity(self) -> FoundEntry:
        stix = {
            "type": "identity",
            "spec_version": "2.1",
            "id": self._platform,
            "created": _ALWAYS,
            "modified": _ALWAYS,
            "name": "Kentongan",
            "description": "The platform that found the links and campaigns of this collection.",
            "identity_class": "system",
            "object_marking_refs": [_MARKINGS[Level.CLEAR]],
        }
        return _entry(_FIRST, 0, Level.CLEAR, stix)._replace(version=from_timestamp(_ALWAYS) or _FIRST)

    def _campaigns(self, rows: Sequence[Finding]) -> dict[int, VisibleCampaign]:
        living = {row.campaign_id for row in rows if row.campaign_id is not None and not row.revoked}
        # What the stages keep as one is told as one: of several campaigns that this reader makes of it, the largest.
        parts = visible_campaigns(self._session, self._reader, living)
        return {key: some[0] for key, some in parts.items() if some}

    def _told(self, row: Finding, campaigns: dict[int, VisibleCampaign]) -> FoundEntry | None:
        seen = told_of_links(self._mine, row.evidence)
        if not seen:
            return None
        level = Level(max(item["level"] for item in seen))
        if row.type != GROUPING:
            return self._entry(row, level, _link(row, seen))
        refs = sorted({ref for item in seen for ref in item["refs"]})
        if not row.revoked:
            campaign = campaigns.get(row.campaign_id or 0)
            if campaign is None:
                return None
            refs = list(dict.fromkeys(incident.row.stix_id for incident in campaign.incidents))
            level = max(incident.level for incident in campaign.incidents)
        return self._entry(row, level, {"context": "suspicious-activity", "object_refs": refs})

    def _entry(self, row: Finding, level: Level, own: dict[str, Any]) -> FoundEntry:
        stix = {
            "type": row.type,
            "spec_version": "2.1",
            "id": row.stix_id,
            "created_by_ref": self._platform,
            "created": as_version(row.created),
            "modified": as_version(row.number),
            **({"revoked": True} if row.revoked else {}),
            **own,
            "object_marking_refs": [_MARKINGS[level]],
        }
        return _entry(row.number, row.id, level, stix)


def _link(row: Finding, seen: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    source, target = seen[0]["refs"]
    words = "; ".join(item["words"] for item in sorted(seen, key=lambda item: -item["weight"]) if item["words"])
    return {
        "relationship_type": row.kind,
        **({"description": words} if words else {}),
        "source_ref": source,
        "target_ref": target,
        **({} if row.revoked else {"confidence": _CONFIDENCE[row.kind]}),
    }


def _refs(stix: dict[str, Any]) -> set[str]:
    return {*stix.get("object_refs", ()), *(stix[name] for name in ("source_ref", "target_ref") if name in stix)}


def _entry(number: int, row_id: int, level: Level, stix: dict[str, Any]) -> FoundEntry:
    body = orjson.dumps(stix).decode()
    return FoundEntry(number, row_id, stix["id"], stix["type"], number, 0, int(level), divided=False, body=body)
