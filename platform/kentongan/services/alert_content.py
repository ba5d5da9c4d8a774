"""What an alert says, as its recipient may see it now, of the very version of the incident it was made about."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import orjson
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from kentongan.domain.alert import AlertContent, AlertKind, Related
from kentongan.domain.extract import Extract, extract
from kentongan.domain.identity import Identity
from kentongan.domain.incident import IncidentFacts, Observable
from kentongan.domain.marking import Level
from kentongan.domain.policy import Audience
from kentongan.services import facts_codec
from kentongan.services.read_links import links_found, visible_links
from kentongan.services.summaries import found, visible_incidents
from kentongan.storage.alerts import Alert
from kentongan.storage.cases import RELATED_TO, Campaign, Case, Link
from kentongan.storage.incidents import Incident
from kentongan.storage.objects import ObjectCarrier, StixObject, newest_carried
from kentongan.storage.observables import WITHIN, Posting, StoredObservable
from kentongan.storage.organizations import Organization
from kentongan.storage.submissions import Submission

MOST_OBSERVABLES: Final = 100
MOST_OBJECTS: Final = 200
MOST_BYTES: Final = 1024 * 1024
MOST_RELATED: Final = 20
_AT_ONCE: Final = 400
_ENDS: Final = {
    "relationship": ("source_ref", "target_ref"),
    "sighting": ("sighting_of_ref", "where_sighted_refs"),
}

Stix = dict[str, Any]  # a parsed STIX object holds whatever JSON held


@dataclass(frozen=True, slots=True)
class Reading:
    """One recipient with the audiences it belongs to."""

    reader: Identity
    visible: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Version:
    """One version of an incident as one recipient may see it."""

    level: Level
    body: Stix
    facts: IncidentFacts
    observables: tuple[Observable, ...]
    objects: tuple[Stix, ...]
    complete: bool


class AlertContents:
    """Makes contents; alerts and recipients of one policy class that come up several times in a batch are made once."""

    def __init__(self, session: Session, audiences: Mapping[int, Audience], public_url: str) -> None:
        self._session = session
        self._audiences = audiences
        self._public_url = public_url.rstrip("/")
        self._made: dict[tuple[int, frozenset[int]], AlertContent | None] = {}

    def content(self, alert: Alert, incident: Incident, reading: Reading) -> AlertContent | None:
        """The alert for this recipient; None if it may not see the incident, that version of it, or what made it news."""
        key = (alert.id, reading.visible)
        if key not in self._made:
            self._made[key] = self._content(alert, incident, reading)
        return self._made[key]

    def _content(self, alert: Alert, incident: Incident, reading: Reading) -> AlertContent | None:
        if incident.audience_id not in reading.visible or not self._seen([alert.object_id], reading):
            return None
        related = self._related(incident, reading)
        kind = AlertKind(alert.kind)
        if kind is AlertKind.CAMPAIGN_GREW and not any(other.kind == RELATED_TO for other in related):
            return None
        version = self._version(alert, incident, reading)
        if version is None:
            return None
        case_id, campaign_id = self._case_and_campaign(incident)
        campaign_id = campaign_id if kind is AlertKind.CAMPAIGN_GREW else None
        return AlertContent(
            kind=kind,
            created_at=alert.created_at,
            incident_id=incident.public_id,
            organization=self._session.get_one(Organization, incident.organization_id).name,
            level=version.level,
            facts=version.facts,
            revoked=bool(version.body.get("revoked")),
            case_id=case_id,
            campaign_id=campaign_id,
            pages=self._pages(incident=incident.public_id, case=case_id, campaign=campaign_id),
            related=related,
            observables=version.observables[:MOST_OBSERVABLES],
            bundle=_bundle(alert.key, version.objects),
            complete=version.complete and len(version.observables) <= MOST_OBSERVABLES,
        )

    def _seen(self, object_ids: Collection[int], reading: Reading) -> set[int]:
        carried = select(ObjectCarrier.object_id).where(
            ObjectCarrier.object_id.in_(object_ids), ObjectCarrier.audience_id.in_(reading.visible)
        )
        return set(self._session.scalars(carried))

    def _version(self, alert: Alert, incident: Incident, reading: Reading) -> _Version | None:
        carried = self._carried(alert.submission_id, reading)
        own = self._session.get_one(StixObject, alert.object_id)
        body: Stix = orjson.loads(own.body)
        if alert.object_id not in carried:
            return None
        level = max(self._level(carried[alert.object_id]), self._level(incident.audience_id))
        if alert.object_id == incident.object_id:
            facts = facts_codec.read(incident.facts)
            observables = self._observables(incident, reading)
        else:
            told = self._extracted(body["id"], alert.object_id, carried, reading)
            facts = told.facts
            observables = tuple(sorted({seen.observable for seen in told.observables}))
        objects, complete = self._objects(own, _wanted(facts, body), carried, reading)
        return _Version(level, body, facts, observables, objects, complete)

    def _carried(self, submission_id: int, reading: Reading) -> dict[int, int]:
        """The objects that this submission carried to audiences of the recipient: object id to audience id."""
        pairs = self._session.scalars(select(Submission.carried).where(Submission.id == submission_id)).one()
        return {object_id: audience for object_id, audience in pairs if audience in reading.visible}

    def _level(self, audience_id: int) -> Level:
        return self._audiences[audience_id].level

    def _observables(self, incident: Incident, reading: Reading) -> tuple[Observable, ...]:
        rows = self._session.execute(
            select(StoredObservable.kind, StoredObservable.value)
            .join(Posting, Posting.observable_id == StoredObservable.id)
            .where(
                Posting.incident_id == incident.id,
                Posting.audience_id.in_(reading.visible),
                Posting.origin != WITHIN,
            )
            .order_by(StoredObservable.id)
            .limit(MOST_OBSERVABLES + 1)
        )
        return tuple(Observable(row.kind, row.value) for row in rows)

    def _extracted(self, stix_id: str, object_id: int, carried: Mapping[int, int], reading: Reading) -> Extract:
        """Facts of a version that is no longer the newest, from what its submission carried for this recipient."""
        seen = self._seen_bodies(list(carried), reading)
        bodies = [body for number, body in seen if body["id"] != stix_id or number == object_id]
        return next(one for one in extract(bodies)[0] if one.facts.stix_id == stix_id)

    def _seen_bodies(self, object_ids: Sequence[int], reading: Reading) -> Iterator[tuple[int, Stix]]:
        for some in _in_parts(object_ids):
            seen = self._seen(some, reading)
            query = select(StixObject.id, StixObject.body).where(StixObject.id.in_(seen)).order_by(StixObject.id)
            yield from ((row.id, orjson.loads(row.body)) for row in self._session.execute(query))

    def _objects(
        self, own: StixObject, wanted: Sequence[str], carried: Mapping[int, int], reading: Reading
    ) -> tuple[tuple[Stix, ...], bool]:
        """The incident and the visible objects around it, as sent; and whether these are all."""
        chosen: list[Stix] = [orjson.loads(own.body)]
        size = len(own.body)
        for row in self._around(own, wanted, carried, reading):
            size += len(row.body)
            if len(chosen) >= MOST_OBJECTS or size > MOST_BYTES:
                return self._with_both_ends(chosen, reading), False
            chosen.append(orjson.loads(row.body))
        return self._with_both_ends(chosen, reading), True

    def _around(
        self, own: StixObject, wanted: Sequence[str], carried: Mapping[int, int], reading: Reading
    ) -> Iterator[StixObject]:
        """What belongs to the incident: as its submission carried it, else (an amendment may come alone) as sent before."""
        for some in _in_parts([one for one in wanted if one != own.stix_id]):
            rows = [row for row in self._session.scalars(_named(some)) if row.id in carried]
            missing = sorted(set(some) - {row.stix_id for row in rows})
            rows += self._sent_before(missing, own.owner_id, reading)
            seen = self._seen([row.id for row in rows], reading)
            yield from (row for row in rows if row.id in seen)

    def _sent_before(self, stix_ids: Sequence[str], organization_id: int, reading: Reading) -> list[StixObject]:
        earlier = newest_carried(self._session, stix_ids, organization_id) if stix_ids else []
        return [one.object for one in earlier if one.audience_id in reading.visible]

    def _with_both_ends(self, objects: Sequence[Stix], reading: Reading) -> tuple[Stix, ...]:
        """Without the ties of which an end is stored here and hidden: a tie is visible only if both its ends are."""
        named = {end for obj in objects for end in _ends(obj)} - {obj["id"] for obj in objects}
        hidden = self._hidden(named, reading)
        return tuple(obj for obj in objects if hidden.isdisjoint(_ends(obj)))

    def _hidden(self, stix_ids: Collection[str], reading: Reading) -> set[str]:
        stored: dict[int, str] = {}
        for some in _in_parts(sorted(stix_ids)):
            rows = self._session.execute(select(StixObject.id, StixObject.stix_id).where(StixObject.stix_id.in_(some)))
            stored.update((row.id, row.stix_id) for row in rows)
        seen = {stored[number] for some in _in_parts(sorted(stored)) for number in self._seen(some, reading)}
        return set(stored.values()) - seen

    def _related(self, incident: Incident, reading: Reading) -> tuple[Related, ...]:
        here = visible_links(reading.reader).where(or_(Link.left_id == incident.id, Link.right_id == incident.id))
        links = links_found(self._session, reading.reader, here)[:MOST_RELATED]
        keys = [link.right_key if link.left_key == incident.id else link.left_key for link in links]
        those = visible_incidents(reading.reader).where(Incident.id.in_(keys))
        others = {other.key: other for other in found(self._session, those)} if keys else {}
        return tuple(
            Related(
                id=others[key].summary.id,
                title=others[key].summary.title,
                kind=link.kind,
                why=tuple(item.words for item in link.evidence),
                page=f"{self._public_url}/incidents/{others[key].summary.id}",
            )
            for link, key in zip(links, keys, strict=True)
            if key in others
        )

    def _case_and_campaign(self, incident: Incident) -> tuple[str | None, str | None]:
        row = self._session.execute(
            select(Case.public_id, Campaign.public_id)
            .outerjoin(Campaign, Campaign.id == Case.campaign_id)
            .where(Case.id == incident.case_id)
        ).one_or_none()
        return (row[0], row[1]) if row else (None, None)

    def _pages(self, **ids: str | None) -> dict[str, str]:
        return {name: f"{self._public_url}/{name}s/{number}" for name, number in ids.items() if number is not None}


def _wanted(facts: IncidentFacts, body: Stix) -> list[str]:
    """The ids of what belongs in the bundle: who reported, how it is marked, then what belongs to the incident."""
    first = [body.get("created_by_ref"), *(body.get("object_marking_refs") or ())]
    return list(dict.fromkeys(str(one) for one in (*first, *facts.object_ids) if one))


def _named(stix_ids: Sequence[str]) -> Any:  # Select, whose parameters the caller's row type tells
    return select(StixObject).where(StixObject.stix_id.in_(stix_ids)).order_by(StixObject.id)


def _ends(obj: Stix) -> Iterator[str]:
    for name in _ENDS.get(obj["type"], ()):
        value = obj.get(name)
        yield from (str(one) for one in (value if isinstance(value, list) else [value]) if one)


def _bundle(key: str, objects: Sequence[Stix]) -> Stix:
    """The same alert gives the same bundle id."""
    return {"type": "bundle", "id": f"bundle--{uuid5(NAMESPACE_URL, key)}", "objects": list(objects)}


def _in_parts(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """A statement takes a bounded number of parameters."""
    return (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))
