"""What the rules of matching, filtering and showing know of one incident, whoever reported it and however it was worded."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType

StixId = NewType("StixId", str)


@dataclass(frozen=True, slots=True, order=True)
class Observable:
    """A value that was seen, in its normal form.

    `kind` is one of: ipv4, ipv6, cidr, domain, url, email, md5, sha1, sha256, sha512, ssdeep, tlsh, imphash, mac, asn,
    mutex, registry-key, file-name, user-agent, wallet, certificate, user-account, software, process, other.
    Example: Observable("domain", "evil.example") is the normal form of `EVIL[.]example.`
    """

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class SeenObservable:
    """One observable as one object of a submission carries it; `origin` says how:
    sco, pattern, observed-data, external-reference, text."""

    observable: Observable
    object_id: StixId
    origin: str


@dataclass(frozen=True, slots=True)
class Moment:
    """A time of the event as well as its reporter knew it.

    `precision` is one of: second, minute, hour, day, week, month, year, unknown. `at` is aware, in UTC.
    """

    at: datetime
    precision: str


@dataclass(frozen=True, slots=True)
class Victim:
    """One targeted party. `name` is None where the reporter withheld it."""

    name: str | None
    sectors: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IncidentFacts:
    """One incident, read out of the STIX objects it was submitted with (docs/stix.md says where each field comes from).

    Unknown values are kept as sent. Countries are upper-case ISO 3166-1 alpha-2 where the source gives one, else as sent.
    """

    stix_id: StixId
    title: str
    description: str = ""
    reporter: str | None = None
    rsit_class: str | None = None
    rsit_type: str | None = None
    severity: str | None = None
    threat_kind: str | None = None
    reporting_phase: str | None = None
    status: str | None = None
    determination: str | None = None
    criticality: int | None = None
    impacts: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    sectors: tuple[str, ...] = ()
    victims: tuple[Victim, ...] = ()
    happened: Moment | None = None
    ended: Moment | None = None
    techniques: tuple[str, ...] = ()
    malware: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    vulnerabilities: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    object_ids: tuple[StixId, ...] = field(default=())
    """Ids of the objects of the same submission that belong to this incident (itself not among them)."""
