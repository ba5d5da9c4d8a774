"""From the objects of one submission to facts and observables, incident by incident."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kentongan.domain.belonging import StixObject, Surroundings, incidents_of, listed
from kentongan.domain.facts import facts
from kentongan.domain.incident import IncidentFacts, Observable, SeenObservable, StixId
from kentongan.domain.observables import found_in_text, normal_form
from kentongan.domain.observables.carriers import CYBER_OBSERVABLE_TYPES, in_cyber_observable
from kentongan.domain.observables.patterns import in_pattern

_TEXTS = {
    "incident": ("name", "description"),
    "indicator": ("name", "description"),
    "note": ("abstract", "content"),
    "report": ("description",),
    "grouping": ("description",),
    "sighting": ("description",),
}
_CARRIERS = re.compile(
    r"urlhaus|threat\s?fox|malware\s?bazaar|abuse\.?ch|virus\s?total|phish\s?tank|open\s?phish|urlscan|hybrid[- ]analysis|"
    r"\biocs?\b|indicators?\b|malicious|phishing",
    re.IGNORECASE,
)
_HASH = re.compile(r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{64}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{32})(?![0-9A-Za-z])")
_ITSELF_MALICIOUS = re.compile(r"\biocs?\b|indicators?\b|malicious|phishing (?:site|page|url)", re.IGNORECASE)
_DEFANGED = re.compile(r"^\s*h(?:xx|xt|tx|\*\*)p|[\[({]\.[\])}]|\[:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Extract:
    """One incident of a submission: its facts and the values seen in its objects."""

    facts: IncidentFacts
    observables: tuple[SeenObservable, ...]


def extract(objects: Sequence[dict[str, Any]]) -> tuple[list[Extract], list[SeenObservable]]:
    """All accepted objects of one submission -> one Extract per incident, and the observables of no incident.

    Objects are parsed STIX 2.1 with `type` and `id`. Of several versions of an object the last one given counts.
    """
    around = Surroundings.of(objects)
    current = list(around.objects.values())
    watches = [stix for stix in current if stix["type"] == "observed-data"]
    observed = {ref for watch in watches for ref in listed(watch, "object_refs") if isinstance(ref, str)}
    seen = {stix["id"]: tuple(_seen(stix, stix["id"] in observed)) for stix in current}
    own: dict[str, list[StixObject]] = defaultdict(list)
    alone: list[SeenObservable] = []
    belongs = incidents_of(current)
    for stix in current:
        for incident in belongs.get(stix["id"], ()):
            own[incident].append(stix)
        alone += () if stix["id"] in belongs else seen[stix["id"]]
    incidents = [stix for stix in current if stix["type"] == "incident"]
    return [_one_incident(stix, own[stix["id"]], around, seen) for stix in incidents], alone


def _one_incident(
    incident: StixObject,
    own: Sequence[StixObject],
    around: Surroundings,
    seen: Mapping[str, tuple[SeenObservable, ...]],
) -> Extract:
    return Extract(facts(incident, own, around), tuple(one for stix in own for one in seen[stix["id"]]))


def _seen(stix: StixObject, observed: bool) -> Iterator[SeenObservable]:
    """The values one object carries, each in the strongest way it carries it."""
    taken: set[Observable] = set()
    for origin, observable in _carried(stix, observed):
        if observable not in taken:
            taken.add(observable)
            yield SeenObservable(observable, StixId(stix["id"]), origin)


def _carried(stix: StixObject, observed: bool) -> Iterator[tuple[str, Observable]]:
    kind = stix["type"]
    if kind in CYBER_OBSERVABLE_TYPES:
        origin = "observed-data" if observed else "sco"
        yield from ((origin, one) for one in in_cyber_observable(stix))
        return
    if kind == "indicator" and _says_benign(stix):
        return
    if kind == "indicator" and stix.get("pattern_type") == "stix" and isinstance(stix.get("pattern"), str):
        yield from (("pattern", one) for one in in_pattern(stix["pattern"]))
    if kind in _TEXTS:
        yield from (("external-reference", one) for one in _in_references(stix))
        for name in _TEXTS[kind]:
            if isinstance(stix.get(name), str):
                yield from (("text", one) for one in found_in_text(stix[name]))


def _says_benign(indicator: StixObject) -> bool:
    """Indicators of harmless things are published to be left out."""
    return indicator.get("indicator_types") == ["benign"]


def _in_references(stix: StixObject) -> Iterator[Observable]:
    """Values in external references that lead to an indicator rather than to an article.

    A sample's page (VirusTotal, MalwareBazaar, ...) gives its hash; an address that is defanged or said to be
    malicious gives itself. An ordinary address is a reference (IncidentFacts.references), not an observable.
    """
    for reference in listed(stix, "external_references"):
        if not isinstance(reference, dict):
            continue
        told = " ".join(str(reference.get(name, "")) for name in ("source_name", "description"))
        url, number = (str(reference.get(name, "")) for name in ("url", "external_id"))
        if _CARRIERS.search(told) or _CARRIERS.search(url):
            for digits in _HASH.findall(f"{url} {number}"):
                yield from _known(normal_form("md5", digits))
        if url and (_ITSELF_MALICIOUS.search(told) or _DEFANGED.search(url)):
            yield from _known(normal_form("url", url))


def _known(found: Observable | None) -> tuple[Observable, ...]:
    return (found,) if found else ()
