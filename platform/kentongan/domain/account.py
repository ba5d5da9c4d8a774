"""What a row, an event or a mail says of one incident, and the STIX objects that it comes to."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from kentongan.domain.gate import INCIDENT_EXTENSION_ID
from kentongan.domain.incident import Moment
from kentongan.domain.marking import Level
from kentongan.domain.observables import normal_form, recognise
from kentongan.domain.stix_making import FIRST_MOMENT, StixObject, made_id, marked, of_value, once, relationship, sdo
from kentongan.domain.timestamp import format_timestamp

Tell = Callable[[str, str], None]
"""Tells what could not be taken as it was said: a rule, and words that are the same for each case of it."""

_TECHNIQUE: Final = re.compile(r"T[0-9]{4}(?:\.[0-9]{3})?")
_CVE: Final = re.compile(r"CVE-[0-9]{4}-[0-9]{4,7}", re.IGNORECASE)
ANY: Final = "observable"
"""The kind of a value that has to say itself what it is."""


@dataclass(frozen=True, slots=True)
class Account:
    """One incident as somebody tells it. Moments are aware."""

    stix_id: str
    name: str
    created: datetime
    modified: datetime
    description: str = ""
    started: Moment | None = None
    threat_kind: str = ""
    victim: str = ""
    countries: Sequence[str] = ()
    sectors: Sequence[str] = ()
    labels: Sequence[str] = ()
    references: Sequence[str] = ()
    malware: Sequence[str] = ()
    techniques: Sequence[str] = ()
    """Numbers of ATT&CK or names."""
    vulnerabilities: Sequence[str] = ()
    observables: Sequence[tuple[str, str]] = ()
    """Kinds of domain/observables (or ANY) and values, as they were written."""
    level: Level | None = None


def in_stix(account: Account, tell: Tell) -> list[StixObject]:
    """The incident, and what belongs to it, tied by relationships."""
    created, modified = format_timestamp(account.created), format_timestamp(account.modified)
    own, shared = [*_observables(account, tell), *_victim(account, created, modified)], _further(account)
    around = once([*own, *shared])
    ties = [
        relationship(account.stix_id, _VERBS.get(obj["type"], "related-to"), obj["id"], created, modified)
        for obj in around
    ]
    # What says the same wherever it is named carries no marking of one incident: it would be another thing in each.
    return [*marked([_incident(account, created, modified), *once(own), *once(ties)], account.level), *once(shared)]


_VERBS: Final = {"identity": "targets", "malware": "uses", "attack-pattern": "uses"}


def _incident(account: Account, created: str, modified: str) -> StixObject:
    own: dict[str, Any] = {"extension_type": "property-extension"}
    if account.started is not None:
        own |= {
            "incident_start": format_timestamp(account.started.at),
            "incident_start_precision": account.started.precision,
        }
    own |= {"threat_kind": account.threat_kind[:250]} if account.threat_kind else {}
    labels = [*account.labels, *(f"country:{each}" for each in account.countries)]
    labels += [] if account.victim else [f"sector:{each}" for each in account.sectors]
    more = {
        "name": account.name,
        "description": account.description,
        "labels": list(dict.fromkeys(labels)),
        "external_references": [
            {"source_name": "reference", "url": each} for each in dict.fromkeys(account.references)
        ],
        "extensions": {INCIDENT_EXTENSION_ID: own} if len(own) > 1 else None,
    }
    return sdo("incident", account.stix_id, created, modified, **more)


def _observables(account: Account, tell: Tell) -> list[StixObject]:
    found = []
    for kind, raw in account.observables:
        known = recognise(raw) if kind == ANY else normal_form(kind, raw)
        made = of_value(known.kind, known.value) if known else None
        if made is None:
            tell(f"no-{kind}", f"a value is not what its column says ({kind}): it is left out")
            continue
        if known is not None and known.value != raw.strip():
            tell("in-normal-form", "values are written in their normal form (not defanged, hosts in small letters)")
        found.append(made)
    return found


def _victim(account: Account, created: str, modified: str) -> list[StixObject]:
    if not account.victim:
        return []
    stix_id = made_id("identity", account.stix_id, account.victim)
    sectors = list(account.sectors)
    return [
        sdo("identity", stix_id, created, modified, name=account.victim, identity_class="organization", sectors=sectors)
    ]


def _further(account: Account) -> list[StixObject]:
    """Objects that say the same wherever they are named, so they are the same everywhere."""
    found = [_named("malware", name, is_family=True) for name in account.malware]
    for name in account.techniques:
        number = _TECHNIQUE.search(name)
        references = [{"source_name": "mitre-attack", "external_id": number[0]}] if number else None
        found.append(_named("attack-pattern", name, external_references=references))
    for name in account.vulnerabilities:
        references = [{"source_name": "cve", "external_id": name.upper()}] if _CVE.fullmatch(name) else None
        found.append(_named("vulnerability", name, external_references=references))
    return found


def _named(kind: str, name: str, **properties: Any) -> StixObject:
    return sdo(kind, made_id(kind, name), FIRST_MOMENT, FIRST_MOMENT, name=name, **properties)
