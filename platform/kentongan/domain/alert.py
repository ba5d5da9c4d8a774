"""What there is to tell: the kinds of alert, when each is due, what it carries, and how it leaves.

An alert is about one version of one incident, as one recipient may see it; a recall is about alerts that were told before.
What a recipient may not see changes nothing here: `Sight` holds only what is visible to it, so an alert can neither say nor
suggest that more exists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from kentongan.domain.incident import IncidentFacts, Observable
from kentongan.domain.marking import Level
from kentongan.domain.timestamp import format_timestamp


class AlertKind(StrEnum):
    """What happened, as the recipient may see it."""

    NEW_CASE = "new-case"
    NEW_REPORT = "new-report"
    CAMPAIGN_GREW = "campaign-grew"
    UPDATE = "update"
    RECALL = "recall"


INTRODUCTIONS = frozenset({AlertKind.NEW_CASE, AlertKind.NEW_REPORT})
"""A subscription hears one of these about an incident, once; later versions of it are updates."""


def alert_key(kind: AlertKind, incident_id: int, object_id: int) -> str:
    """The name of an alert. Example: `new-case:17:405`."""
    return f"{kind.value}:{incident_id}:{object_id}"


def recall_key(tombstone_id: int, incident_id: str) -> str:
    """The name of a recall of an incident (its public id). Example: `recall:3:0d5c...`."""
    return f"{AlertKind.RECALL.value}:{tombstone_id}:{incident_id}"


_CODE = re.compile(r"(HTTP|SMTP) \d{3}")


def proof_of(answer: str | None) -> str | None:
    """An answer without the receiver's own words, which may repeat what was sent. Example: `HTTP 200` of `HTTP 200: got it`."""
    code = _CODE.match(answer or "")
    return code[0] if code else answer


def message_id(delivery_public_id: str) -> str:
    """The stable message id that receivers recognise a repeat by. Example: `msg_0d5c...` with 32 hexadecimal digits."""
    return f"msg_{UUID(delivery_public_id).hex}"


def bundle_id(delivery_public_id: str) -> str:
    """The id of the bundle that an alert carries: the same at every attempt. Example: `bundle--0d5c...`."""
    return f"bundle--{UUID(delivery_public_id)}"


@dataclass(frozen=True, slots=True)
class Sight:
    """What one recipient may see around one incident."""

    version: int
    """Which version of the incident is the newest (the id of its object)."""
    revoked: bool = False
    earlier_version: bool = False
    """An earlier version of the same incident is visible too."""
    earlier_report: bool = False
    """Another report of the same case is visible and came first."""
    campaign_tie: bool = False
    """A link, its evidence and its other incident are visible, which tie the case to another case of a campaign."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a subscription was told of one incident before."""

    versions: frozenset[int] = frozenset()
    campaign: bool = False


def worth_telling(sight: Sight, heard: Heard, wants: Callable[[AlertKind], bool]) -> tuple[AlertKind, ...]:
    """The alerts that are due to one subscription about one incident. What was told once is never due again.

    An incident that concerns a subscription for the first time is a new case or a new report, whichever version it is at;
    to who does not want to hear of those, a later version is still an update.
    """
    due = [_about_the_report(sight, heard, wants)]
    if sight.campaign_tie and not heard.campaign and not sight.revoked and wants(AlertKind.CAMPAIGN_GREW):
        due.append(AlertKind.CAMPAIGN_GREW)
    return tuple(kind for kind in due if kind is not None)


def _about_the_report(sight: Sight, heard: Heard, wants: Callable[[AlertKind], bool]) -> AlertKind | None:
    if sight.version in heard.versions:
        return None
    introduction = AlertKind.NEW_REPORT if sight.earlier_report else AlertKind.NEW_CASE
    if not heard.versions and not sight.revoked and wants(introduction):
        return introduction
    if (heard.versions or sight.earlier_version) and wants(AlertKind.UPDATE):
        return AlertKind.UPDATE
    return None


@dataclass(frozen=True, slots=True)
class Related:
    """Another incident that the recipient may see, and why it stands beside this one."""

    id: str
    title: str
    kind: str
    """duplicate-of or related-to."""
    why: tuple[str, ...]
    """Each visible item of evidence, in words."""
    page: str


@dataclass(frozen=True, slots=True)
class AlertContent:
    """Everything an alert says, as its recipient may see it at the moment of sending."""

    kind: AlertKind
    created_at: datetime
    incident_id: str
    organization: str
    level: Level
    facts: IncidentFacts
    revoked: bool
    case_id: str | None
    campaign_id: str | None
    pages: Mapping[str, str]
    """Addresses of our own pages: incident, and case and campaign where there are any."""
    related: tuple[Related, ...]
    observables: tuple[Observable, ...]
    objects: Sequence[Mapping[str, Any]]
    complete: bool
    """False when observables or objects were left out because there are too many for one message."""

    def as_json(self, delivery_public_id: str) -> dict[str, Any]:
        """The payload of a webhook (docs/alerts.md), in this delivery."""
        return {
            "kind": self.kind.value,
            "timestamp": format_timestamp(self.created_at),
            "tlp": self.level.label,
            "incident": _incident_json(self),
            "case": self.case_id,
            "campaign": self.campaign_id,
            "pages": dict(self.pages),
            "related": [
                {"id": r.id, "title": r.title, "kind": r.kind, "why": list(r.why), "page": r.page} for r in self.related
            ],
            "observables": [{"kind": seen.kind, "value": seen.value} for seen in self.observables],
            "bundle": {"type": "bundle", "id": bundle_id(delivery_public_id), "objects": list(self.objects)},
            "complete": self.complete,
        }


def _incident_json(content: AlertContent) -> dict[str, Any]:
    facts = content.facts
    return {
        "id": content.incident_id,
        "stix_id": facts.stix_id,
        "title": facts.title,
        "organization": content.organization,
        "reporter": facts.reporter,
        "tlp": content.level.label,
        "countries": list(facts.countries),
        "sectors": list(facts.sectors),
        "rsit_class": facts.rsit_class,
        "rsit_type": facts.rsit_type,
        "severity": facts.severity,
        "status": facts.status,
        "happened": format_timestamp(facts.happened.at) if facts.happened else None,
        "happened_precision": facts.happened.precision if facts.happened else None,
        "revoked": content.revoked,
    }


@dataclass(frozen=True, slots=True)
class RecallContent:
    """What a recall says: which incident is gone, whose it was, and by which messages its recipient knew it; nothing else."""

    created_at: datetime
    incident_id: str
    organization: str
    message_ids: tuple[str, ...]

    def as_json(self, _delivery_public_id: str) -> dict[str, Any]:
        """The payload of a webhook (docs/alerts.md)."""
        return {
            "kind": AlertKind.RECALL.value,
            "timestamp": format_timestamp(self.created_at),
            "incident": {"id": self.incident_id},
            "organization": self.organization,
            "messages": list(self.message_ids),
        }


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message ready to leave; everything a channel needs, so that sending asks no database."""

    delivery_id: int
    message_id: str
    channel: str
    target: str
    secret: str = field(repr=False)
    subject: str
    text: str = field(repr=False)
    payload: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one attempt. `answer` is what the other side said, or why nothing was sent."""

    ok: bool
    answer: str
    permanent: bool = False
    """Trying again cannot help."""


class Channel(Protocol):
    """A way out. Raises nothing: what went wrong is a Receipt that is not ok."""

    def send(self, outgoing: Outgoing) -> Receipt:
        """Try once, within a bounded time."""
