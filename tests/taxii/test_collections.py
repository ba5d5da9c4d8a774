"""Which collections there are, and what is in those of groups and subscriptions."""

from __future__ import annotations

import orjson
import pytest
from sqlalchemy import select

from alert_stories import subscribed
from kentongan.domain.identity import OrganizationKind
from kentongan.domain.marking import Level
from kentongan.services.groups import Groups
from kentongan.services.index import Index
from kentongan.storage.alerts import Subscription
from kentongan.storage.organizations import Organization
from kentongan.storage.submissions import Submission
from stories import CONSOLE, Stix, group_of, incident, indicator, newer, sharing_marking
from taxii_stories import Poller, TaxiiClient, TaxiiDoor


@pytest.fixture
def lao(door: TaxiiDoor) -> TaxiiClient:
    return door.client("LaoCERT")


@pytest.fixture
def viet(door: TaxiiDoor) -> TaxiiClient:
    return door.client("VNCERT")


def listed(client: TaxiiClient) -> list[Stix]:
    return list(orjson.loads(client.ask("GET", "collections/").data)["collections"])


def titled(client: TaxiiClient, title: str) -> str:
    return str(next(one["id"] for one in listed(client) if one["title"].startswith(title)))


def index_all(door: TaxiiDoor) -> None:
    with door.database.writing() as session:
        Index(session, door.clock).run(list(session.scalars(select(Submission.id).order_by(Submission.id))))


def test_who_finds_which_collections(door: TaxiiDoor, lao: TaxiiClient) -> None:
    bank = door.client("A bank", OrganizationKind.SUBSCRIBER)
    with door.database.writing() as session:
        group_of(session, "Quiet", session.get_one(Organization, lao.identity.organization_id))

    assert [one["title"] for one in listed(lao)] == [
        *("Everything you may read", "Cases and campaigns", "Public", "Inbox", "Sharing group Quiet"),
    ]
    assert [one["title"] for one in listed(bank)] == ["Everything you may read", "Cases and campaigns", "Public"]
    assert bank.get(collection=titled(lao, "Sharing group")).status_code == 404
    assert {one["id"] for one in listed(lao)} & {one["id"] for one in listed(bank)} == {titled(bank, "Public")}


def test_a_groups_collection_holds_what_is_for_the_group_and_nothing_red(
    door: TaxiiDoor, lao: TaxiiClient, viet: TaxiiClient
) -> None:
    with door.database.writing() as session:
        home, other = (session.get_one(Organization, who.identity.organization_id) for who in (lao, viet))
        group = group_of(session, "Banks", home, other).stix_id
    marking = sharing_marking(level=Level.AMBER, groups=[group])
    red = sharing_marking(level=Level.RED, groups=[group], recipients=[other.stix_id])
    inside = indicator(marking=marking)
    lao.adds(marking, red, inside, indicator(marking=red), indicator())
    shared = titled(viet, "Sharing group Banks")

    assert viet.ids(collection=shared) == lao.ids(collection=shared) == [inside["id"]]
    assert viet.adds(indicator(), collection=shared).status_code == 403
    assert len(viet.ids(match_type="indicator")) == 3

    with door.database.writing() as session:
        organization = session.get_one(Organization, other.id)
        Groups(session, door.clock, CONSOLE).dismiss(group, organization)

    assert viet.get(collection=shared).status_code == 404


def test_a_subscriptions_collection_holds_the_incidents_its_filter_wants(
    door: TaxiiDoor, lao: TaxiiClient, viet: TaxiiClient
) -> None:
    with door.database.writing() as session:
        subscribed(session, session.get_one(Organization, viet.identity.organization_id), {"text": "flood"})
    wanted, other = incident("A flood of packets"), incident("Something else")
    lao.adds(other, wanted, indicator(), incident("A secret flood", marking=Level.RED))
    index_all(door)
    own = titled(viet, "Subscription")

    assert viet.found(collection=own) == [wanted]
    assert viet.get(collection=own, match_type="indicator").json == {"more": False}
    assert lao.get(collection=own).status_code == 404
    with door.database.writing() as session:
        session.scalars(select(Subscription)).one().filter = {"text": "else"}
    assert viet.get(collection=own).status_code == 404
    assert viet.found(collection=titled(viet, "Subscription")) == [other]


def test_an_incident_that_is_indexed_late_is_not_missed(door: TaxiiDoor, lao: TaxiiClient, viet: TaxiiClient) -> None:
    with door.database.writing() as session:
        subscribed(session, session.get_one(Organization, viet.identity.organization_id), {"text": "flood"})
    own = titled(viet, "Subscription")

    class Own(Poller):
        def polls(self) -> list[str]:
            since = {"added_after": self.after} if self.after else {}
            answer = self.client.get(collection=own, **since)
            self.after = answer.headers.get("X-TAXII-Date-Added-Last", self.after)
            return [one["id"] for one in orjson.loads(answer.data).get("objects", [])]

    poller = Own(viet)
    first, second = incident("A flood"), incident("Another flood")
    lao.adds(first)
    index_all(door)
    lao.adds(newer(first, name="A larger flood"))
    lao.adds(second)

    assert poller.polls() == []  # the new version is not indexed, and what is behind it waits
    index_all(door)
    assert poller.polls() == [first["id"], second["id"]]
    assert poller.polls() == []
