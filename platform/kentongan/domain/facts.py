"""The facts of one incident, read out of the objects it was submitted with (docs/stix.md holds the table)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from kentongan.domain.belonging import StixObject, Surroundings, listed
from kentongan.domain.gate.extension import INCIDENT_CORE_ID, INCIDENT_EXTENSION_ID
from kentongan.domain.incident import IncidentFacts, Moment, StixId, Victim
from kentongan.domain.moments import stated, timestamp
from kentongan.domain.observables import mentions, normal_form
from kentongan.domain.victims import victim, victims_of
from kentongan.domain.vocabulary import country, rsit

_COUNTRY_LABEL = re.compile(
    r"(?:misp-galaxy:)?(?:country|target-location|target-country)\s*[:=]\s*\"?([^\"]+)\"?", re.IGNORECASE
)
_CVE = re.compile(r"\bCVE-(\d{4})-(\d{4,7})\b", re.IGNORECASE)
_TECHNIQUE = re.compile(r"T\d{4}(?:\.\d{3})?|[A-Z]{2,5}[-.]?T?\d{3,5}(?:\.\d{3})?")
_AT = frozenset({"located-at", "targets", "occurred-at"})
_TELLERS = frozenset({"incident", "report", "grouping", "note"})
_STARTS = ("incident_start", "incident_date", "start_time", "started", "first_seen", "occurred")
_ENDS = ("incident_end", "end_time", "ended", "last_seen")


def facts(incident: StixObject, own: Sequence[StixObject], around: Surroundings) -> IncidentFacts:
    """One incident's facts. `own` are the objects that belong to it (itself among them or not), `around` is the whole
    submission: identities and locations are looked up there. Nothing is guessed; unknown is None or empty."""
    hit = [victim(one, _places(one["id"], around)) for one in victims_of(incident, own)]
    rsit_class, rsit_type = _rsit(incident)
    ours, core = _extension(incident, INCIDENT_EXTENSION_ID), _extension(incident, INCIDENT_CORE_ID)
    return IncidentFacts(
        stix_id=StixId(incident["id"]),
        title=_text(incident, "name") or "",
        description=_text(incident, "description") or "",
        reporter=_text(around.objects.get(str(incident.get("created_by_ref")), {}), "name"),
        rsit_class=rsit_class,
        rsit_type=rsit_type,
        severity=_text(ours, "severity"),
        threat_kind=_text(ours, "threat_kind"),
        reporting_phase=_text(ours, "reporting_phase"),
        status=_text(core, "investigation_status"),
        determination=_text(core, "determination"),
        criticality=_number(core, "criticality"),
        impacts=_once(_text(stix, "impact_category") for stix in own if stix["type"] == "impact"),
        countries=_countries(incident, own, hit, around),
        sectors=_once(chain.from_iterable(one.sectors for one in hit)),
        victims=tuple(dict.fromkeys(hit)),
        happened=_happened(incident, own),
        ended=_ended(incident, own),
        techniques=_once(_technique(stix) for stix in own if stix["type"] == "attack-pattern"),
        malware=_once(_text(stix, "name") for stix in own if stix["type"] == "malware"),
        actors=_once(_text(stix, "name") for stix in own if stix["type"] in ("threat-actor", "intrusion-set")),
        vulnerabilities=_vulnerabilities(incident, own),
        references=_references(incident, own),
        labels=_once(_labels(incident)),
        object_ids=tuple(StixId(stix["id"]) for stix in own if stix["id"] != incident["id"]),
    )


def _once(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))


def _text(stix: StixObject, name: str) -> str | None:
    value = stix.get(name)
    return value if isinstance(value, str) and value else None


def _number(stix: StixObject, name: str) -> int | None:
    value = stix.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _extensions(stix: StixObject) -> Iterator[StixObject]:
    held = stix.get("extensions")
    yield from (one for one in (held.values() if isinstance(held, dict) else ()) if isinstance(one, dict))


def _extension(stix: StixObject, extension_id: str) -> StixObject:
    held = stix.get("extensions")
    found = held.get(extension_id) if isinstance(held, dict) else None
    return found if isinstance(found, dict) else {}


def _labels(incident: StixObject) -> list[str]:
    return [label for label in listed(incident, "labels") if isinstance(label, str)]


def _rsit(incident: StixObject) -> tuple[str | None, str | None]:
    """The first tag that names a type, else the first that names a class."""
    tags = [tag for tag in map(rsit, _labels(incident)) if tag]
    return next((tag for tag in tags if tag[1]), tags[0] if tags else (None, None))


def _places(owner: str, around: Surroundings) -> list[str]:
    """Countries an object is `located-at` (or, for an incident, `targets`)."""
    places = [one for one in around.relations.get(owner, ()) if one.get("relationship_type") in _AT]
    return [found for one in places for found in _country(around.objects.get(str(one.get("target_ref")), {}))]


def _country(location: StixObject) -> list[str]:
    sent = _text(location, "country") if location.get("type") == "location" else None
    return [country(sent)] if sent else []


def _countries(
    incident: StixObject, own: Sequence[StixObject], hit: Sequence[Victim], around: Surroundings
) -> tuple[str, ...]:
    """Labels first, then where the incident and its victims are, then locations that nothing else claims: an
    attacker's server also stands somewhere."""
    labels = [match for label in _labels(incident) if (match := _COUNTRY_LABEL.fullmatch(label))]
    loose = (found for stix in own if stix["id"] not in around.claimed for found in _country(stix))
    victims = chain.from_iterable(one.countries for one in hit)
    return _once([*(country(match.group(1)) for match in labels), *_places(incident["id"], around), *victims, *loose])


def _told_times(incident: StixObject, names: Sequence[str]) -> Iterator[Moment]:
    """Times in the incident itself: our extension first, then any other property extension, then plain properties."""
    for part in (_extension(incident, INCIDENT_EXTENSION_ID), *_extensions(incident), incident):
        for name in names:
            found = timestamp(part.get(name), part.get(f"{name}_precision", part.get(f"{name}_fidelity")))
            if found:
                yield found


def _object_times(own: Sequence[StixObject], kind: str, name: str) -> list[Moment]:
    found = [timestamp(stix.get(name), stix.get(f"{name}_fidelity")) for stix in own if stix["type"] == kind]
    return sorted((one for one in found if one), key=lambda one: one.at)


def _happened(incident: StixObject, own: Sequence[StixObject]) -> Moment | None:
    found = next(_told_times(incident, _STARTS), None) or next(iter(_object_times(own, "event", "start_time")), None)
    if found:
        return found
    seen = [*_object_times(own, "observed-data", "first_observed"), *_object_times(own, "sighting", "first_seen")]
    return min(seen, key=lambda one: one.at, default=None) or stated(_text(incident, "description") or "")


def _ended(incident: StixObject, own: Sequence[StixObject]) -> Moment | None:
    return next(_told_times(incident, _ENDS), None) or next(reversed(_object_times(own, "event", "end_time")), None)


def _external(stix: StixObject) -> list[StixObject]:
    return [one for one in listed(stix, "external_references") if isinstance(one, dict)]


def _technique(pattern: StixObject) -> str | None:
    """ATT&CK's (or CAPEC's) id; the name as sent where there is none."""
    ids = [(_text(one, "source_name") or "", _text(one, "external_id") or "") for one in _external(pattern)]
    attack = [number for source, number in ids if source.startswith("mitre") and _TECHNIQUE.fullmatch(number)]
    return next(iter(attack), None) or next((number for _, number in ids if number), _text(pattern, "name"))


def _vulnerabilities(incident: StixObject, own: Sequence[StixObject]) -> tuple[str, ...]:
    """CVE ids of vulnerability objects and of the incident's own words; another name as sent."""
    found: list[str | None] = []
    for stix in own:
        if stix["type"] == "vulnerability":
            ids = [_text(one, "external_id") or "" for one in _external(stix) if one.get("source_name") == "cve"]
            name = _text(stix, "name") or ""
            found += cves(" ".join([name, *ids])) or [name]
    told = " ".join(_text(incident, name) or "" for name in ("name", "description"))
    return _once([*found, *cves(told)])


def cves(text: str) -> list[str]:
    """CVE ids in upper case, each once. Example: `cve-2022-1388` is `CVE-2022-1388`."""
    return list(dict.fromkeys(f"CVE-{year}-{number}" for year, number in _CVE.findall(text)))


def _references(incident: StixObject, own: Sequence[StixObject]) -> tuple[str, ...]:
    """Normal forms of the addresses of reports about the incident: external references, and plain URLs in prose."""
    tellers = [incident, *(stix for stix in own if stix["type"] in _TELLERS and stix["id"] != incident["id"])]
    sent = [url for stix in tellers for one in _external(stix) if (url := _text(one, "url"))]
    told = mentions(_text(incident, "description") or "")
    prose = [one.observable.value for one in told if one.observable.kind == "url" and not one.telling]
    return _once([*map(_reference, sent), *prose])


def _reference(url: str) -> str:
    found = normal_form("url", url)
    return found.value if found else url
