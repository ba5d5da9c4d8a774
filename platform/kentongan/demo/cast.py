"""Who takes part in the demonstration: the region's CERTs, and those who listen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kentongan.demo.incidents import ATTACK_FLOW_REPORTER, attack_flow, stream
from kentongan.domain.identity import OrganizationKind, Role

MEMBER_STATES = ("BN", "KH", "ID", "LA", "MY", "MM", "PH", "SG", "TH", "VN", "TL")


@dataclass(frozen=True, slots=True)
class Player:
    """One organization."""

    name: str
    kind: OrganizationKind
    country: str | None


@dataclass(frozen=True, slots=True)
class Listener:
    """One subscription: who hears what, over which channel. `slug` names its receiver."""

    slug: str
    organization: str
    channel: str
    filter: dict[str, Any] = field(default_factory=dict)


LISTENERS = (
    Listener("bank-nusantara", "Bank Nusantara", "webhook", {"countries": ["ID"]}),
    Listener("straits-telecom", "Straits Telecom", "email", {"countries": ["SG"]}),
    Listener("cert-my", "CERT-MY", "webhook", {"countries": ["MY", "SG"]}),
    Listener("regional", "ASEAN Regional CERT", "webhook", {"kinds": ["new-report", "campaign-grew"]}),
)
_SUBSCRIBERS = {"Bank Nusantara": "ID", "Straits Telecom": "SG"}


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody to look around as."""

    name: str
    organization: str
    role: Role

    @property
    def email(self) -> str:
        """The name to sign in with. Example: `dewi@demonstration.example`."""
        return f"{self.name.lower()}@demonstration.example"


GUESTS = (
    Guest("Dewi", "CERT-ID", Role.ANALYST),
    Guest("Linh", "CERT-VN", Role.ANALYST),
    Guest("Rizal", "Bank Nusantara", Role.SUBSCRIBER),
    Guest("Malee", ATTACK_FLOW_REPORTER, Role.COORDINATOR),
    Guest("Arun", ATTACK_FLOW_REPORTER, Role.OPERATOR),
    Guest("Sari", "CERT-ID", Role.ADMINISTRATOR),
)


def players() -> list[Player]:
    """One national CERT for each of the eleven member states, the other teams that report, the coordinator, the subscribers."""
    reporters = {submission.reporter for submission in (*stream(), *attack_flow())}
    national = {f"CERT-{country}" for country in MEMBER_STATES}
    teams = [_member(name) for name in sorted(national | (reporters - {ATTACK_FLOW_REPORTER}))]
    office = Player(ATTACK_FLOW_REPORTER, OrganizationKind.COORDINATOR, None)
    listening = [Player(name, OrganizationKind.SUBSCRIBER, country) for name, country in _SUBSCRIBERS.items()]
    return [*teams, office, *listening]


def _member(name: str) -> Player:
    return Player(name, OrganizationKind.MEMBER, name.rpartition("-")[2])
