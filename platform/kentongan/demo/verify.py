"""Checks of what arrived, against what was sent: from the bundles alone, not from what the platform says of itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kentongan.demo.cast import Listener
from kentongan.demo.incidents import DemoSubmission
from kentongan.domain.identity import Identity, OrganizationKind
from kentongan.domain.marking import DEFAULT_LEVEL, Level, Terms, terms_defined, terms_of
from kentongan.domain.policy import Audience, may_see
from kentongan.trial.receivers import Arrival

_NOT_THE_OWNER = -1


@dataclass(frozen=True, slots=True)
class SentIncident:
    """What the demonstration knows of an incident it sent."""

    stix_id: str
    title: str
    reporter: str
    level: Level
    countries: frozenset[str]


def sent_incidents(submissions: Iterable[DemoSubmission]) -> dict[str, SentIncident]:
    """Every incident of these submissions, by its STIX id."""
    return {
        obj["id"]: _sent(obj, each.reporter, terms_defined(each.bundle["objects"]))
        for each in submissions
        for obj in each.bundle["objects"]
        if _is_incident(obj)
    }


def fault_of(arrival: Arrival, listener: Listener, kind: OrganizationKind, sent: Mapping[str, SentIncident]) -> str:
    """What is wrong with an alert that arrived; empty if its signature and content hold."""
    if arrival.fault:
        return arrival.fault
    if not arrival.message_id:
        return "it has no message id"
    return (
        _fault_of_mail(arrival, sent)
        if arrival.channel == "email"
        else _fault_of_webhook(arrival, listener, kind, sent)
    )


def told_incident(arrival: Arrival, sent: Mapping[str, SentIncident]) -> str | None:
    """The STIX id of the incident an alert tells of. A mail names it by its title alone, before those of related ones:
    None where several incidents have that title."""
    if arrival.channel != "email":
        return str(arrival.content["incident"]["stix_id"])
    text = arrival.content["text"]
    titles = {each.title for each in sent.values() if each.title in text}
    first = min(titles, key=lambda title: (text.index(title), -len(title)), default=None)
    named = [each.stix_id for each in sent.values() if each.title == first]
    return named[0] if len(named) == 1 else None


def expected(listener: Listener, kind: OrganizationKind, sent: Mapping[str, SentIncident]) -> set[str]:
    """The incidents this listener must be told of at least once, by country and marking alone."""
    countries = set(listener.filter.get("countries", ()))
    return {
        each.stix_id
        for each in sent.values()
        if countries & each.countries and each.reporter != listener.organization and _visible(each.level, kind)
    }


def _fault_of_webhook(
    arrival: Arrival, listener: Listener, kind: OrganizationKind, sent: Mapping[str, SentIncident]
) -> str:
    told = arrival.content["incident"]
    incident = sent.get(told["stix_id"])
    if incident is None or incident.title != told["title"]:
        return f"it tells of an incident that nobody sent so: {told['stix_id']}"
    if incident.reporter != listener.organization and not _visible(incident.level, kind):
        return f"it tells a {kind.value} of an incident marked {incident.level.label}"
    if arrival.content["tlp"] != incident.level.label:
        return f"it says {arrival.content['tlp']} where the incident is {incident.level.label}"
    countries = set(listener.filter.get("countries", ()))
    return "it is outside the subscription's filter" if countries and not countries & incident.countries else ""


def _fault_of_mail(arrival: Arrival, sent: Mapping[str, SentIncident]) -> str:
    subject, text = arrival.content["subject"], arrival.content["text"]
    if "TLP:" not in subject:
        return "its subject names no TLP level"
    if "http://" in text.replace("http://127.0.0.1", "") or "https://" in text:
        return "it holds an address that a mail client would make a link of"
    return "" if any(each.title in text for each in sent.values()) else "it tells of an incident that nobody sent"


def _visible(level: Level, kind: OrganizationKind) -> bool:
    return may_see(Identity(0, "", kind), Audience(_NOT_THE_OWNER, level))


def _is_incident(obj: Mapping[str, Any]) -> bool:
    return bool(obj["type"] == "incident")


def _sent(obj: Mapping[str, Any], reporter: str, defined: Mapping[str, Terms]) -> SentIncident:
    level = terms_of(obj, defined).level
    countries = frozenset(
        label.partition(":")[2].upper() for label in obj.get("labels", ()) if label.startswith("country:")
    )
    return SentIncident(obj["id"], obj["name"], reporter, DEFAULT_LEVEL if level is None else level, countries)
