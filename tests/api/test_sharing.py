"""LaoCERT marks something; who may see it sees it everywhere, and to whom it is hidden nothing anywhere is any different.

The region asks everything it can ask before LaoCERT reports, and again afterwards. To whom the report is hidden, every answer
must be the same as before, to the byte: lists, counts, dates, orders, shares of evidence, cursors, errors and their headers.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select, true

from asking import Asker, Door
from kentongan.api.operation import OPERATIONS
from kentongan.domain.marking import Level
from kentongan.domain.policy import may_see
from kentongan.services import read_links
from kentongan.services.read_objects import ReadObjects
from kentongan.storage import visibility
from kentongan.storage.alerts import Alert, Delivery, Subscription
from kentongan.storage.database import Database
from kentongan.storage.organizations import Organization
from reading_stories import Region, counted
from sharing_stories import (
    MARKS,
    UNKNOWN,
    Marked,
    Open,
    asked,
    everything_to_ask,
    laos_reports,
    mark_of,
    readers,
    thailand_reports,
)
from stories import (
    NOON,
    group_of,
    incident,
    indicator,
)


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
        f"/incidents/{before.first}/decisions": "as we say in Laos",
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
    brings = {"name": "Partner", "kind": "stix"}
    feed = region["owner"].ask("POST", "/feeds", json=brings).json["id"]
    object_id, unknown_object = marked.indicator, f"indicator--{uuid4()}"
    pairs = {
        "/incidents/<incident_id>": (marked.incident, UNKNOWN),
        "/incidents/<incident_id>/explanation/<other_id>": (marked.incident, UNKNOWN),
        "/incidents/<incident_id>/decisions": (marked.incident, UNKNOWN),
        "/cases/<case_id>": (marked.lonely_case, UNKNOWN),
        "/campaigns/<campaign_id>": (marked.own_campaign, UNKNOWN),
        "/objects/<stix_id>": (object_id, unknown_object),
        "/objects/<stix_id>/versions": (object_id, unknown_object),
        "/submissions/<submission_id>": (sent, UNKNOWN),
        "/submissions/<submission_id>/content": (sent, UNKNOWN),
        "/subscriptions/<subscription_id>": (wanted, UNKNOWN),
        "/deliveries/<delivery_id>": (_delivery(door, region["owner"]), UNKNOWN),
        "/feeds/<feed_id>": (feed, UNKNOWN),
        "/feeds/<feed_id>/runs": (feed, UNKNOWN),
        "/feeds/<feed_id>/items": (feed, UNKNOWN),
        "/groups/<group_id>": (_group(door, region["owner"]), f"identity--{uuid4()}"),
    }
    named = {each.path for each in OPERATIONS if each.method == "GET" and "<" in each.path}
    assert named == set(pairs), "an address with an id that is not compared here"
    region["subscriber"].get("/incidents")  # that its token is used is noted once a minute, by whatever comes first

    for path, (hidden, unknown) in pairs.items():
        answers = []
        for one in (hidden, unknown):
            with counted(door.database) as said:
                answers.append((asked(region["subscriber"], [re.sub("<[^>]*>", one, path)]), len(said)))
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
