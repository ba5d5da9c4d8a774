"""What LaoCERT hides from some, and everything the region can ask: for tests that nothing of it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from asking import Asker, Door
from kentongan.domain.identity import OrganizationKind
from kentongan.domain.incident import Observable
from kentongan.domain.marking import Level
from kentongan.domain.policy import Audience, Memberships
from kentongan.storage.cases import Campaign, Case, Link
from kentongan.storage.groups import memberships
from kentongan.storage.incidents import Incident
from kentongan.storage.organizations import Organization
from reading_stories import Region, reason
from stories import (
    NOON,
    Stix,
    domain_name,
    group_of,
    identity,
    incident,
    indicator,
    malware,
    newer,
    relationship,
    sharing_marking,
)

EVIL = Observable("domain", "evil.example")
UNKNOWN = "00000000-0000-4000-8000-000000000000"

Answers = Mapping[str, tuple[int, tuple[tuple[str, str], ...], bytes]]


@dataclass
class Open:
    """What ThaiCERT shared with everybody before: two reports of one campaign, and what they were sent with."""

    first: str
    second: str
    case: str
    campaign: str
    rat: Stix
    shared: Stix
    contested: Stix
    rows: tuple[int, int, int, int, int]


@dataclass
class Marked:
    """What LaoCERT reported at some level."""

    incident: str
    stix_id: str
    lonely: str
    lonely_case: str
    own_campaign: str
    indicator: str
    tie: str
    contested: str


MARKS: dict[str, Callable[[str, str], Level | Stix]] = {
    **{level.label: lambda *_, level=level: level for level in Level},
    "TLP:AMBER for a group": lambda group, _: sharing_marking(level=Level.AMBER, groups=[group]),
    "TLP:AMBER+STRICT for a group": lambda group, _: sharing_marking(level=Level.AMBER_STRICT, groups=[group]),
    "TLP:RED to a team": lambda _, team: sharing_marking(level=Level.RED, recipients=[team]),
    "TLP:RED to a team of a group": lambda group, team: sharing_marking(groups=[group], recipients=[team]),
}
"""What LaoCERT marks with, given the STIX ids of a group and of a team that is not in it."""


def readers(door: Door) -> dict[str, Asker]:
    """One for every relation to what LaoCERT marks."""
    return {
        "owner": door.joins("LaoCERT"),
        "other member": door.joins("VNCERT"),
        "member of the group": door.joins("BruCERT"),
        "constituent of the group": door.joins("A bank of the group", OrganizationKind.SUBSCRIBER),
        "named team": door.joins("CamCERT"),
        "subscriber": door.joins("A bank", OrganizationKind.SUBSCRIBER),
        "coordinator": door.joins("The coordinator", OrganizationKind.COORDINATOR),
    }


def mark_of(door: Door, region: Mapping[str, Asker], name: str) -> tuple[Level | Stix, Audience, Memberships]:
    """LaoCERT's mark of this name, whom it is for, and who is in which group."""
    with door.database.writing() as session:
        owner, member, constituent, team = (
            session.get_one(Organization, region[relation].identity.organization_id)
            for relation in ("owner", "member of the group", "constituent of the group", "named team")
        )
        group = group_of(session, "Some", owner, member, constituent)
        mark = MARKS[name](group.stix_id, team.stix_id)
        return mark, Region(session).who_may_see(owner.identity(), mark), memberships(session)


def thailand_reports(door: Door) -> Open:
    with door.database.writing() as session:
        region = Region(session)
        thailand = region.joins("ThaiCERT")
        campaign = region.campaign()
        case, other_case = region.case(campaign), region.case(campaign)
        rat, shared = malware("RAT"), domain_name("evil.example")
        first = region.reports(
            thailand,
            "Web shell",
            objects=(rat, shared),
            seen=(EVIL,),
            case=case,
            countries=("TH",),
            sectors=("energy",),
        )
        second = region.reports(thailand, "Web shell again", seen=(EVIL,), case=other_case, severity="C3")
        link = region.related(first, second)
        contested = indicator(name="As ThaiCERT has it")
        region.sends(thailand, contested)
        rows = (first.id, second.id, case.id, campaign.id, link.id)
        return Open(first.public_id, second.public_id, case.public_id, campaign.public_id, rat, shared, contested, rows)


def laos_reports(door: Door, laos: Asker, level: Level | Stix, before: Open) -> Marked:
    """Into ThaiCERT's case and campaign, earlier than all; and with a campaign of its own."""
    with door.database.writing() as session:
        region = Region(session, NOON + timedelta(hours=1))
        first, second, case, campaign, link = before.rows
        mine, victim = incident("Web shell", marking=level), identity("A ministry", marking=level)
        hunted = indicator(marking=level)
        tie = relationship(before.rat, "targets", victim, marking=Level.GREEN)
        theirs = newer(before.contested, name="As LaoCERT has it", object_marking_refs=mine["object_marking_refs"])
        twin = region.reports(
            laos.identity,
            "Web shell",
            level,
            stix=mine,
            objects=(victim, hunted, tie, before.shared, theirs),
            seen=(EVIL, Observable("domain", "hidden.example")),
            case=session.get_one(Case, case),
            countries=("TH", "LA"),
            sectors=("energy",),
            severity="C3",
            rsit_class="intrusions",
        )
        own = region.campaign()
        bridge = region.reports(
            laos.identity, "Bridge", level, case=region.case(session.get_one(Campaign, campaign)), seen=(EVIL,)
        )
        lonely = region.reports(laos.identity, "Lonely", level, case=region.case(own))
        region.related(lonely, region.reports(laos.identity, "Its other", level, case=region.case(own)))
        for row in (twin, bridge):
            row.received_at = NOON - timedelta(days=1)
        audience = region.audience(laos.identity, level)
        region.duplicates(session.get_one(Incident, first), twin, reason("nothing secret but the other end", []))
        region.decides(laos.identity, session.get_one(Incident, first), twin, "together", "as we say in Laos")
        region.related(session.get_one(Incident, second), bridge)
        region.posts(session.get_one(Incident, first), Observable("domain", "hidden.example"), audience)
        region.carries(hunted["id"], Observable("domain", "hidden.example"))
        told = session.get_one(Link, link)
        told.evidence = [*told.evidence, reason("seen in Laos too", [audience], 3.0, "hidden.example")]
        session.flush()
        return Marked(
            incident=twin.public_id,
            stix_id=mine["id"],
            lonely=lonely.public_id,
            lonely_case=session.get_one(Case, lonely.case_id).public_id,
            own_campaign=own.public_id,
            indicator=hunted["id"],
            tie=tie["id"],
            contested=theirs["id"],
        )


def everything_to_ask(before: Open) -> list[str]:
    """Every address that could tell something, with every filter."""
    filters = [
        *("country=LA", "country=TH", "sector=energy", "rsit_class=intrusions", "rsit_type=x", "severity=C3"),
        *("reporter=LaoCERT", "observable=evil.example", "observable=hidden.example", "q=bridge", "q=web"),
        *("received_before=2026-03-02T12:00:00Z", "received_after=2026-03-02T12:00:00Z", "limit=1"),
        *(f"tlp={level.label.replace('+', '%2B')}" for level in Level),
        *(f"case={before.case}", f"campaign={before.campaign}"),
    ]
    return [
        "/incidents",
        *(f"/incidents?{each}" for each in filters),
        *(f"/{name}{query}" for name in ("cases", "campaigns") for query in ("", "?limit=1")),
        f"/incidents/{before.first}",
        f"/incidents/{before.second}",
        f"/incidents/{before.first}/decisions",
        f"/cases/{before.case}",
        f"/campaigns/{before.campaign}",
        *(f"/objects/{obj['id']}" for obj in (before.rat, before.shared, before.contested)),
        *(f"/objects/{obj['id']}/versions" for obj in (before.rat, before.shared, before.contested)),
        "/observables?value=evil.example",
        "/observables?value=EVIL[.]example&limit=1",
        "/observables?value=hidden.example",
        "/deliveries",
        "/matching-report",
        "/subscriptions",
    ]


def asked(reader: Asker, addresses: list[str]) -> Answers:
    answers = {}
    for address in addresses:
        answer = reader.get(address)
        answers[address] = (answer.status_code, tuple(answer.headers), answer.data)
    return answers
