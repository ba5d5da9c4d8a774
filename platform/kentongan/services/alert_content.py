"""What an alert says, as its recipient may see it now, of the very version of the incident it was made about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import orjson
from sqlalchemy.orm import Session

from kentongan.domain import naming
from kentongan.domain.alert import AlertContent, AlertKind, Related
from kentongan.domain.extract import Extract, extract
from kentongan.domain.incident import IncidentFacts, Observable
from kentongan.domain.marking import Level
from kentongan.domain.policy import Audience
from kentongan.services import facts_codec
from kentongan.services.alert_material import Beside, Material, Stored
from kentongan.services.read_links import evidence_for
from kentongan.storage.alerts import Alert
from kentongan.storage.cases import DUPLICATE_OF, RELATED_TO
from kentongan.storage.incidents import Incident

MOST_OBSERVABLES: Final = 100
MOST_OBJECTS: Final = 200
MOST_BYTES: Final = 1024 * 1024
MOST_RELATED: Final = 20
_MOST_LOOKED_AT: Final = 2 * MOST_OBJECTS
_ENDS: Final = {
    "relationship": ("source_ref", "target_ref"),
    "sighting": ("sighting_of_ref", "where_sighted_refs"),
}

Stix = dict[str, Any]  # a parsed STIX object holds whatever JSON held
Visible = frozenset[int]
"""The audiences that a recipient belongs to."""


@dataclass(frozen=True, slots=True)
class _Version:
    """One version of an incident as one recipient may see it."""

    level: Level
    body: Stix
    facts: IncidentFacts
    observables: tuple[Observable, ...]
    """One more than are told, if there are more."""
    objects: tuple[Stix, ...]
    complete: bool


class AlertContents:
    """The contents of some alerts; what recipients of one policy class are told is made once."""

    def __init__(
        self,
        session: Session,
        alerts: Sequence[tuple[Alert, Incident]],
        audiences: Mapping[int, Audience],
        public_url: str,
    ) -> None:
        self._audiences = audiences
        self._public_url = public_url.rstrip("/")
        self._material = Material(session, alerts)
        self._facts = {incident.id: facts_codec.read(incident.facts) for _, incident in alerts}
        self._material.load(one for _, incident in alerts for one in self._belonging(incident))
        self._made: dict[tuple[int, Visible], AlertContent | None] = {}

    def content(self, alert: Alert, incident: Incident, visible: Visible) -> AlertContent | None:
        """The alert for who belongs to `visible`; None if it may not see the incident, that version, or what made it news."""
        key = (alert.id, visible)
        if key not in self._made:
            self._made[key] = self._content(alert, incident, visible)
        return self._made[key]

    def _content(self, alert: Alert, incident: Incident, visible: Visible) -> AlertContent | None:
        version = self._version(alert, incident, visible) if incident.audience_id in visible else None
        related = self._related(incident, visible)
        kind = AlertKind(alert.kind)
        grew = kind is AlertKind.CAMPAIGN_GREW
        if version is None or (grew and not any(other.kind == RELATED_TO for other in related)):
            return None
        setting = self._material.settings[incident.id]
        case = self._material.case(incident.id, visible) if setting.is_compared else None
        case_id = case.id if case else None
        campaign_id = self._campaign_id(incident, visible) if grew else None
        return AlertContent(
            kind=kind,
            created_at=alert.created_at,
            incident_id=incident.public_id,
            organization=setting.organization,
            level=version.level,
            facts=version.facts,
            revoked=bool(version.body.get("revoked")),
            case_id=case_id,
            campaign_id=campaign_id,
            pages=self._pages(incident=incident.public_id, case=case_id, campaign=campaign_id),
            related=related,
            observables=version.observables[:MOST_OBSERVABLES],
            objects=version.objects,
            complete=version.complete and len(version.observables) <= MOST_OBSERVABLES,
        )

    def _version(self, alert: Alert, incident: Incident, visible: Visible) -> _Version | None:
        carried_to = self._material.carried(alert.submission_id).get(alert.object_id)
        own = next((one for one in self._material.contents(incident.stix_id) if one.id == alert.object_id), None)
        own = self._shown(own, incident.organization_id, visible) if own and carried_to in visible else None
        if own is None or carried_to is None:
            return None
        if alert.object_id == incident.object_id:
            facts = self._facts[incident.id]
            seen = self._material.observables(incident.id, visible)
        else:
            told = self._told_before(alert, own, incident.organization_id, visible)
            facts = told.facts
            seen = iter(sorted({one.observable for one in told.observables}))
        objects, complete = self._objects(own, alert, incident, facts, visible)
        return _Version(
            level=max(self._level(carried_to), self._level(incident.audience_id)),
            body=objects[0],
            facts=facts,
            observables=tuple(islice(seen, MOST_OBSERVABLES + 1)),
            objects=objects,
            complete=complete,
        )

    def _told_before(self, alert: Alert, own: Stored, sender: int, visible: Visible) -> Extract:
        """Facts of a version that is no longer the newest, from what its submission carried for this recipient."""
        whole = self._material.whole(alert.submission_id)
        self._material.load(one.object.stix_id for one in whole)
        told = (
            self._shown(Stored(one.object.id, one.object.stix_id, one.object.body), sender, visible)
            for one in whole
            if one.audience_id in visible and (one.object.stix_id != own.stix_id or one.object.id == own.id)
        )
        bodies = [orjson.loads(one.body) for one in told if one is not None]
        return next(one for one in extract(bodies)[0] if one.facts.stix_id == own.stix_id)

    def _objects(
        self, own: Stored, alert: Alert, incident: Incident, facts: IncidentFacts, visible: Visible
    ) -> tuple[tuple[Stix, ...], bool]:
        """The incident and the visible objects around it, as sent; and whether these are all."""
        body: Stix = orjson.loads(own.body)
        wanted = [one for one in _wanted(facts, body) if one != own.stix_id]
        self._material.load(wanted[:_MOST_LOOKED_AT])
        chosen, size, complete = [body], len(own.body), len(wanted) <= _MOST_LOOKED_AT
        for stix_id in wanted[:_MOST_LOOKED_AT]:
            found = self._chosen(stix_id, alert, incident, visible)
            if found is None:
                continue
            size += len(found.body)
            if len(chosen) >= MOST_OBJECTS or size > MOST_BYTES:
                complete = False
                break
            chosen.append(orjson.loads(found.body))
        return self._with_both_ends(chosen, visible), complete

    def _chosen(self, stix_id: str, alert: Alert, incident: Incident, visible: Visible) -> Stored | None:
        """An object as the alert's submission carried it, else (an amendment may come alone) as its reporter last sent it."""
        contents = self._material.contents(stix_id)
        carried = self._material.carried(alert.submission_id)
        with_it = [one for one in contents if one.id in carried]
        if with_it:
            found = with_it[-1]
            return self._shown(found, incident.organization_id, visible) if carried[found.id] in visible else None
        theirs = [one for one in contents if self._was_sent_by(incident.organization_id, one)]
        if not theirs or not self._was_sent_by(incident.organization_id, theirs[-1], visible):
            return None
        return self._shown(theirs[-1], incident.organization_id, visible)

    def _shown(self, content: Stored, organization_id: int, visible: Visible) -> Stored | None:
        """A content as this organization shows it, or whoever else does where it does not any more; None: nobody does."""
        carriers = [number for number in self._material.audiences(content.id) if number in visible]
        own = [number for number in carriers if self._audiences[number].owner_id == organization_id]
        return self._material.shown(content, own or carriers, visible) if carriers else None

    def _was_sent_by(self, organization_id: int, content: Stored, visible: Visible | None = None) -> bool:
        return any(
            self._audiences[number].owner_id == organization_id and (visible is None or number in visible)
            for number in self._material.audiences(content.id)
        )

    def _with_both_ends(self, objects: Sequence[Stix], visible: Visible) -> tuple[Stix, ...]:
        """Without the ties of which an end is stored here and hidden: a tie is visible only if both its ends are."""
        here = {obj["id"] for obj in objects}
        elsewhere = {end for obj in objects for end in _ends(obj)} - here
        self._material.load(elsewhere)
        hidden = {end for end in elsewhere if self._is_hidden(end, visible)}
        return tuple(obj for obj in objects if hidden.isdisjoint(_ends(obj)))

    def _is_hidden(self, stix_id: str, visible: Visible) -> bool:
        contents = self._material.contents(stix_id)
        return bool(contents) and not any(self._material.is_seen(one.id, visible) for one in contents)

    def _level(self, audience_id: int) -> Level:
        return self._audiences[audience_id].level

    def _related(self, incident: Incident, visible: Visible) -> tuple[Related, ...]:
        beside = (one for one in self._material.links(incident.id) if one.audience_id in visible)
        related = (self._one_related(one, visible) for one in beside if self._is_so(one, incident, visible))
        return tuple(islice((one for one in related if one.why), MOST_RELATED))

    def _is_so(self, other: Beside, incident: Incident, visible: Visible) -> bool:
        """Reports of one event are told as duplicates, and those of two as related."""
        if not self._material.settings[incident.id].is_compared:
            return False
        same = other.key in self._material.case(incident.id, visible).members
        return other.kind == (DUPLICATE_OF if same else RELATED_TO)

    def _campaign_id(self, incident: Incident, visible: Visible) -> str:
        """A campaign is called after its oldest report: by the oldest that is told here, which leads to it at least."""
        beside = (one for one in self._material.links(incident.id) if one.audience_id in visible)
        told = {
            one.key: one.id
            for one in beside
            if self._is_so(one, incident, visible) and evidence_for(visible, one.evidence)
        }
        case = self._material.case(incident.id, visible)
        told[case.key] = case.oldest
        return naming.campaign_id(told[min(told)])

    def _one_related(self, other: Beside, visible: Visible) -> Related:
        why = tuple(item.words for item in evidence_for(visible, other.evidence))
        return Related(other.id, other.title, other.kind, why, f"{self._public_url}/incidents/{other.id}")

    def _belonging(self, incident: Incident) -> Iterator[str]:
        yield incident.stix_id
        yield from self._facts[incident.id].object_ids[:_MOST_LOOKED_AT]

    def _pages(self, **ids: str | None) -> dict[str, str]:
        return {name: f"{self._public_url}/{name}s/{number}" for name, number in ids.items() if number is not None}


def _wanted(facts: IncidentFacts, body: Stix) -> list[str]:
    """The ids of what belongs in the bundle: who reported, how it is marked, then what belongs to the incident."""
    first = [body.get("created_by_ref"), *(body.get("object_marking_refs") or ())]
    return list(dict.fromkeys(str(one) for one in (*first, *facts.object_ids) if one))


def _ends(obj: Stix) -> Iterator[str]:
    for name in _ENDS.get(obj["type"], ()):
        value = obj.get(name)
        yield from (str(one) for one in (value if isinstance(value, list) else [value]) if one)
