"""LaoCERT marks something; who may see it sees it everywhere, and to whom it is hidden nothing anywhere is any different.

The region asks everything it can ask before LaoCERT reports, and again afterwards. To whom the report is hidden, every answer
must be the same as before, to the byte: lists, counts, dates, orders, shares of evidence, cursors, errors and their headers.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select, true

from asking import Asker, Door
from kentongan.api.operation import OPERATIONS
from kentongan.domain.identity import OrganizationKind
from kentongan.domain.incident import Observable
from kentongan.domain.marking import Level
from kentongan.domain.policy import Audience, Memberships, may_see
from kentongan.services import read_links
from kentongan.services.read_objects import ReadObjects
from kentongan.storage import visibility
from kentongan.storage.alerts import Alert, Delivery, Subscription
from kentongan.storage.cases import Campaign, Case, Link
from kentongan.storage.database import Database
from kentongan.storage.groups import memberships
from kentongan.storage.incidents import Incident
from kentongan.storage.organizations import Organization
from reading_stories import Region, counted, reason
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
        f"/cases/{before.case}",
        f"/campaigns/{before.campaign}",
        *(f"/objects/{obj['id']}" for obj in (before.rat, before.shared, before.contested)),
        *(f"/objects/{obj['id']}/versions" for obj in (before.rat, before.shared, before.contested)),
        "/observables?value=evil.example",
        "/observables?value=EVIL[.]example&limit=1",
        "/observables?value=hidden.example",
        "/deliveries",
        "/subscriptions",
    ]


def asked(reader: Asker, addresses: list[str]) -> Answers:
    answers = {}
    for address in addresses:
        answer = reader.get(address)
        answers[address] = (answer.status_code, tuple(answer.headers), answer.data)
    return answers


@pytest.mark.parametrize("name", MARKS)
def test_what_is_hidden_changes_nothing_and_what_is_shared_is_shown(door: Door, name: str) -> None:
    region, before = readers(door), thailand_reports(door)
    mark, audience, groups = mark_of(door, region, name)
    addresses = everything_to_ask(before)
    left_out = {who: reader for who, reader in region.items() if not may_see(reader.identity, audience, groups)}
    earlier = {relation: asked(reader, addresses) for relation, reader in left_out.items()}

    marked = laos_reports(door, region["owner"], mark, before)

    for relation, reader in region.items():
        if relation not in left_out:
            everything_is_shown(reader, before, marked)
            continue
        now = asked(reader, addresses)
        changed = [address for address in addresses if now[address] != earlier[relation][address]]
        assert changed == [], f"{name} shows to the {relation}"
        hidden_is_as_unknown(reader, marked)


def everything_is_shown(reader: Asker, before: Open, marked: Marked) -> None:
    expected = {
        "/incidents": marked.incident,
        "/incidents?country=LA": marked.incident,
        "/incidents?observable=hidden.example": marked.incident,
        "/observables?value=evil.example": marked.incident,
        "/observables?value=hidden.example": marked.indicator,
        f"/cases/{before.case}": marked.incident,
        f"/incidents/{before.first}": "nothing secret but the other end",
        f"/campaigns/{before.campaign}": "seen in Laos too",
        f"/incidents/{before.second}": "Bridge",
        "/cases": marked.lonely_case,
        "/campaigns": marked.own_campaign,
    }
    for address, told in expected.items():
        assert told in reader.get(address).text, address
    for address in (
        f"/incidents/{marked.incident}",
        f"/incidents/{marked.stix_id}",
        f"/cases/{marked.lonely_case}",
        f"/campaigns/{marked.own_campaign}",
        f"/objects/{marked.indicator}",
        f"/objects/{marked.tie}",
    ):
        assert reader.get(address).status_code == 200, address


def hidden_is_as_unknown(reader: Asker, marked: Marked) -> None:
    """The answer for what is hidden is, byte by byte, the answer for what never was."""
    pairs = [
        (f"/incidents/{marked.incident}", f"/incidents/{UNKNOWN}"),
        (f"/incidents/{marked.stix_id}", f"/incidents/incident--{uuid4()}"),
        (f"/cases/{marked.lonely_case}", f"/cases/{UNKNOWN}"),
        (f"/campaigns/{marked.own_campaign}", f"/campaigns/{UNKNOWN}"),
        (f"/incidents?case={marked.lonely_case}", f"/incidents?case={UNKNOWN}"),
        (f"/incidents?campaign={marked.own_campaign}", f"/incidents?campaign={UNKNOWN}"),
        *((f"/objects/{hidden}", f"/objects/indicator--{uuid4()}") for hidden in (marked.indicator, marked.tie)),
        (f"/objects/{marked.indicator}/versions", f"/objects/indicator--{uuid4()}/versions"),
        (f"/incidents/{marked.incident}?x=1", f"/incidents/{UNKNOWN}?x=1"),
    ]
    for hidden, unknown in pairs:
        assert list(asked(reader, [hidden]).values()) == list(asked(reader, [unknown]).values()), hidden


@pytest.mark.parametrize("name", MARKS)
def test_behind_the_second_wall_nothing_is_shown_either(
    postgres_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    door = Door(postgres_database, tmp_path)
    region, before = readers(door), thailand_reports(door)
    mark, audience, groups = mark_of(door, region, name)
    addresses = everything_to_ask(before)
    left_out = {who: reader for who, reader in region.items() if not may_see(reader.identity, audience, groups)}
    earlier = {relation: asked(reader, addresses) for relation, reader in left_out.items()}
    marked = laos_reports(door, region["owner"], mark, before)

    without_the_filter(monkeypatch)

    for relation, reader in region.items():
        if relation not in left_out:
            everything_is_shown(reader, before, marked)
            continue
        now = asked(reader, addresses)
        changed = [address for address in addresses if now[address] != earlier[relation][address]]
        assert changed == [], f"{name} shows to the {relation}"
        hidden_is_as_unknown(reader, marked)


def test_the_filter_that_was_removed_was_the_first_wall(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(sqlite_database, tmp_path)
    region, before = readers(door), thailand_reports(door)
    marked = laos_reports(door, region["owner"], Level.RED, before)

    without_the_filter(monkeypatch)

    everything_is_shown(region["subscriber"], before, marked)


def without_the_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The application forgets the sharing policy: in its queries, and in what it leaves out after them."""
    patches = {
        "visible": (visibility.visible, lambda *_: true()),
        "audience_ids": (
            visibility.audience_ids,
            lambda session, _: frozenset(session.scalars(select(visibility.AudienceRow.id))),
        ),
        "evidence_for": (
            read_links.evidence_for,
            lambda _, stored, real=read_links.evidence_for: real(
                frozenset(number for item in stored for number in item["audiences"]), stored
            ),
        ),
    }
    for module in [each for name, each in sys.modules.items() if name.startswith("kentongan.services")]:
        for name, (real, forgetful) in patches.items():
            if getattr(module, name, None) is real:
                monkeypatch.setattr(module, name, forgetful)
    monkeypatch.setattr(ReadObjects, "_with_both_ends", lambda _self, _reader, contents: contents)


def test_what_is_hidden_costs_the_same_statements_as_what_never_was(door: Door) -> None:
    region, before = readers(door), thailand_reports(door)
    marked = laos_reports(door, region["owner"], Level.RED, before)
    sent = region["owner"].ask("POST", "/submissions", json=incident(marking=Level.CLEAR)).json["id"]
    subscribed = {"channel": "webhook", "target": "https://hooks.cert.example/in"}
    wanted = region["owner"].ask("POST", "/subscriptions", json=subscribed).json["subscription"]["id"]
    object_id, unknown_object = marked.indicator, f"indicator--{uuid4()}"
    pairs = {
        "/incidents/<incident_id>": (marked.incident, UNKNOWN),
        "/cases/<case_id>": (marked.lonely_case, UNKNOWN),
        "/campaigns/<campaign_id>": (marked.own_campaign, UNKNOWN),
        "/objects/<stix_id>": (object_id, unknown_object),
        "/objects/<stix_id>/versions": (object_id, unknown_object),
        "/submissions/<submission_id>": (sent, UNKNOWN),
        "/submissions/<submission_id>/content": (sent, UNKNOWN),
        "/subscriptions/<subscription_id>": (wanted, UNKNOWN),
        "/deliveries/<delivery_id>": (_delivery(door, region["owner"]), UNKNOWN),
        "/groups/<group_id>": (_group(door, region["owner"]), f"identity--{uuid4()}"),
    }
    named = {each.path for each in OPERATIONS if each.method == "GET" and "<" in each.path}
    assert named == set(pairs), "an address with an id that is not compared here"

    for path, (hidden, unknown) in pairs.items():
        answers = []
        for one in (hidden, unknown):
            with counted(door.database) as said:
                answers.append((asked(region["subscriber"], [re.sub("<.*>", one, path)]), len(said)))
        (there, statements), (nowhere, expected) = answers
        assert list(there.values()) == list(nowhere.values()), path
        assert next(iter(there.values()))[0] == 404
        assert statements == expected, path


def _group(door: Door, owner: Asker) -> str:
    with door.database.writing() as session:
        return group_of(session, "Quiet", session.get_one(Organization, owner.identity.organization_id)).stix_id


def _delivery(door: Door, owner: Asker) -> str:
    with door.database.writing() as session:
        region = Region(session)
        told = region.reports(owner.identity, "Told of")
        subscription = session.scalars(select(Subscription)).first()
        assert subscription is not None
        alert = Alert(
            key="new-case:1:1",
            kind="new-case",
            incident_id=told.id,
            object_id=told.object_id,
            submission_id=told.submission_id,
            created_at=NOON,
        )
        session.add(alert)
        session.flush()
        made = Delivery(
            public_id=str(uuid4()),
            alert_id=alert.id,
            subscription_id=subscription.id,
            organization_id=owner.identity.organization_id,
            state="waiting",
            created_at=NOON,
            tried_since=NOON,
        )
        session.add(made)
        session.flush()
        return made.public_id


def test_a_cursor_never_tells_whether_the_thing_it_names_is_there(door: Door) -> None:
    laos, vietnam = door.joins("LaoCERT"), door.joins("VNCERT")
    with door.database.writing() as session:
        region = Region(session)
        region.reports(laos.identity, "Open")
        hidden = [region.reports(laos.identity, "Hidden", Level.RED) for _ in range(2)]
        known = hidden[1].public_id
    cursor = laos.get("/incidents?limit=1").json["next"]

    assert known not in cursor
    assert [each["title"] for each in vietnam.get(f"/incidents?cursor={cursor}").json["items"]] == ["Open"]


def test_a_receipt_is_shown_to_nobody_but_its_organization(door: Door) -> None:
    laos, vietnam = door.joins("LaoCERT"), door.joins("VNCERT")
    sent = laos.ask("POST", "/submissions", json=incident(marking=Level.CLEAR)).json["id"]

    for address in (f"/submissions/{sent}", f"/submissions/{sent}/content"):
        hidden, unknown = vietnam.get(address), vietnam.get(address.replace(sent, UNKNOWN))

        assert laos.get(address).status_code == 200
        assert (hidden.status_code, list(hidden.headers), hidden.data) == (404, list(unknown.headers), unknown.data)


def test_sending_what_is_hidden_elsewhere_tells_nothing(door: Door) -> None:
    laos, vietnam = door.joins("LaoCERT"), door.joins("VNCERT")
    known, fresh = indicator(marking=Level.RED), indicator(marking=Level.RED)
    laos.ask("POST", "/submissions", json=known)

    for_hidden = vietnam.ask("POST", "/submissions?dry_run=true", json=known).json["objects"]
    for_fresh = vietnam.ask("POST", "/submissions?dry_run=true", json=fresh).json["objects"]

    assert [{**each, "id": ""} for each in for_hidden] == [{**each, "id": ""} for each in for_fresh]
