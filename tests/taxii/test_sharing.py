"""What a TAXII client finds is what its organization may see, and what it comes to see later it finds later."""

from __future__ import annotations

import orjson
import pytest

from kentongan.domain.identity import OrganizationKind
from kentongan.domain.marking import Level
from kentongan.domain.masking import MaskingWish
from kentongan.services.groups import Groups
from kentongan.services.maskings import Maskings
from kentongan.storage.organizations import Organization
from stories import (
    CONSOLE,
    Stix,
    domain_name,
    identity,
    incident,
    indicator,
    malware,
    newer,
    relationship,
    sharing_marking,
    tlp,
    tlp_definition,
)
from taxii_stories import FIRST, LAST, Poller, TaxiiClient, TaxiiDoor


@pytest.fixture
def lao(door: TaxiiDoor) -> TaxiiClient:
    return door.client("LaoCERT")


@pytest.fixture
def viet(door: TaxiiDoor) -> TaxiiClient:
    return door.client("VNCERT")


@pytest.fixture
def bank(door: TaxiiDoor) -> TaxiiClient:
    return door.client("A bank", OrganizationKind.SUBSCRIBER)


def grouped(door: TaxiiDoor, owner: TaxiiClient, name: str = "Banks") -> str:
    """A sharing group of one member alone."""
    with door.database.writing() as session:
        mine = session.get_one(Organization, owner.identity.organization_id)
        return Groups(session, door.clock, CONSOLE).create(mine, name).id


def change(door: TaxiiDoor, group: str, other: TaxiiClient, what: str = "admit") -> None:
    with door.database.writing() as session:
        groups = Groups(session, door.clock, CONSOLE)
        getattr(groups, what)(group, session.get_one(Organization, other.identity.organization_id))


def test_what_is_hidden_shows_neither_in_objects_nor_in_more_nor_in_dates(
    lao: TaxiiClient, bank: TaxiiClient, viet: TaxiiClient
) -> None:
    shown = [indicator() for _ in range(2)]
    lao.adds(shown[0])
    lao.adds(indicator(marking=Level.AMBER))
    lao.adds(shown[1])
    lao.adds(indicator(marking=Level.RED))

    page = bank.get(limit=2)

    assert [one["id"] for one in page.json["objects"]] == [one["id"] for one in shown]  # type: ignore[index]
    assert page.json["more"] is False  # type: ignore[index]
    assert (page.headers[FIRST], page.headers[LAST]) == tuple(bank.dates().values())
    assert len(viet.ids()) == 3
    assert len(lao.ids()) == 4


def test_hidden_and_unknown_are_the_same_answer(lao: TaxiiClient, viet: TaxiiClient) -> None:
    hidden = indicator(marking=Level.RED)
    lao.adds(hidden)

    for tail in ("objects/{}/", "objects/{}/versions/"):
        one, other = (viet.get(tail.format(each)) for each in (hidden["id"], indicator()["id"]))
        assert one.status_code == 404
        assert (one.data, list(one.headers)) == (other.data, list(other.headers))
    assert viet.get(match_id=hidden["id"]).data == viet.get(match_id=indicator()["id"]).data


def test_nobody_asks_for_anothers_collection(lao: TaxiiClient, viet: TaxiiClient) -> None:
    theirs = lao.get("").json["id"]  # type: ignore[index]
    lao.adds(indicator())

    assert lao.get(collection=theirs).status_code == 200
    assert [viet.get(tail, collection=theirs).status_code for tail in ("", "objects/", "manifest/")] == [404] * 3
    assert viet.adds(indicator(), collection=theirs).status_code == 404


def test_red_is_in_no_shared_collection_and_the_public_one_is_clear(lao: TaxiiClient, bank: TaxiiClient) -> None:
    clear = indicator(marking=Level.CLEAR)
    lao.adds(clear, *(indicator(marking=level) for level in Level if level is not Level.CLEAR))

    assert lao.ids(collection="public") == bank.ids(collection="public") == [clear["id"]]
    assert len(lao.ids()) == 5


def test_a_version_for_more_readers_is_found_by_who_was_past_it(lao: TaxiiClient, bank: TaxiiClient) -> None:
    secret, poller = indicator(marking=Level.AMBER), Poller(bank)
    lao.adds(secret, indicator())
    assert len(poller.polls()) == 1

    lao.adds(newer(secret, object_marking_refs=[tlp(Level.GREEN)]))

    assert poller.polls() == [secret["id"]]
    assert poller.polls() == []


def test_a_tightened_object_goes_and_comes_again_to_nobody(
    lao: TaxiiClient, viet: TaxiiClient, bank: TaxiiClient
) -> None:
    wide, poller = indicator(), Poller(viet)
    lao.adds(wide)
    poller.polls()

    tight = newer(wide, object_marking_refs=[tlp(Level.AMBER)])
    lao.adds(tight)

    assert bank.get(match_version="all").json == {"more": False}
    assert poller.polls() == [wide["id"]]  # the new version, once
    assert viet.found(match_version="all") == [wide, tight]
    assert viet.found() == [tight]


@pytest.mark.parametrize("what", ["admit", "dismiss"])
def test_who_is_let_into_a_group_finds_what_was_there_and_nobody_else_gets_it_again(
    door: TaxiiDoor, lao: TaxiiClient, viet: TaxiiClient, what: str
) -> None:
    group = grouped(door, lao)
    marking = sharing_marking(level=Level.AMBER, groups=[group])
    mine, theirs = Poller(lao, limit=2), Poller(viet, limit=2)
    lao.adds(marking)
    for_group = [indicator(marking=marking) for _ in range(3)]
    lao.adds(*for_group)
    lao.adds(indicator())
    mine.polls()
    before = theirs.polls()
    assert not {one["id"] for one in for_group} & set(before)

    change(door, group, viet)
    got = theirs.polls()
    if what == "dismiss":
        change(door, group, viet, "dismiss")
        assert not {one["id"] for one in for_group} & set(viet.ids())
        change(door, group, viet)
        got = theirs.polls()

    assert {one["id"] for one in for_group} <= set(got)
    assert theirs.polls() == []
    assert mine.polls() == []
    assert len(viet.ids()) == len(set(viet.ids()))


def test_a_relationship_is_found_when_its_missing_end_comes(lao: TaxiiClient, viet: TaxiiClient) -> None:
    rat, victim = malware(), identity()
    tie = relationship(rat, "targets", victim)
    poller = Poller(viet)
    lao.adds(tie)
    lao.adds(rat)
    assert poller.polls() == [rat["id"]]

    lao.adds(victim)

    assert poller.polls() == [victim["id"], tie["id"]]
    assert tie["id"] in lao.ids()


def test_a_relationship_with_a_hidden_end_is_hidden_until_that_is_shown(
    lao: TaxiiClient, viet: TaxiiClient, bank: TaxiiClient
) -> None:
    rat, victim = malware(), identity(marking=Level.AMBER)
    tie = relationship(rat, "targets", victim)
    lao.adds(rat, victim, tie)
    poller, members = Poller(bank), Poller(viet)
    assert poller.polls() == [rat["id"]]
    assert tie["id"] in members.polls()

    lao.adds(newer(victim, object_marking_refs=[tlp(Level.GREEN)]))

    assert poller.polls() == [victim["id"], tie["id"]]


def test_nobodys_newer_version_takes_the_place_of_anothers_object(
    door: TaxiiDoor, lao: TaxiiClient, viet: TaxiiClient, bank: TaxiiClient
) -> None:
    real = indicator()
    lao.adds(real)

    viet.adds(newer(real, name="Not what it was"))

    assert bank.found(match_version="all") == [real]
    assert viet.found() == [real]  # whose the id is comes first for everybody


def test_what_another_sent_under_an_id_is_found_as_long_as_the_owners_is_hidden(
    lao: TaxiiClient, viet: TaxiiClient, bank: TaxiiClient
) -> None:
    real = indicator(marking=Level.AMBER)
    lao.adds(real)
    copy = {**real, "object_marking_refs": [tlp(Level.GREEN)]}
    viet.adds(copy)
    poller = Poller(bank)
    assert bank.found() == [copy]
    poller.polls()

    own = newer(real, object_marking_refs=[tlp(Level.GREEN)])
    lao.adds(own)

    assert bank.found() == [own]
    assert poller.polls() == [real["id"]]


def test_the_same_value_of_two_organizations_is_there_once(lao: TaxiiClient, viet: TaxiiClient) -> None:
    value = domain_name(object_marking_refs=[tlp(Level.GREEN)])
    poller = Poller(viet)
    lao.adds(value)
    assert poller.polls() == [value["id"]]

    viet.adds(value)

    assert poller.polls() == []
    assert viet.found(match_version="all") == [value]


def test_when_the_last_version_is_deleted_the_one_before_is_added_anew(lao: TaxiiClient, viet: TaxiiClient) -> None:
    old = indicator()
    new = newer(old)
    lao.adds(old)
    lao.adds(new)
    poller = Poller(viet)  # it never saw the first version
    assert poller.polls() == [old["id"]]

    assert lao.deletes(old["id"], match_version=new["modified"]).status_code == 200

    assert viet.found() == [old]
    assert poller.polls() == [old["id"]]


def test_nobody_deletes_what_another_sent(lao: TaxiiClient, viet: TaxiiClient) -> None:
    theirs, hidden = indicator(), indicator(marking=Level.RED)
    lao.adds(theirs, hidden)

    assert viet.deletes(theirs["id"]).status_code == 403
    assert viet.deletes(hidden["id"]).status_code == 404
    assert len(lao.ids()) == 2


def test_deleting_takes_back_ones_own_and_leaves_the_rest_of_the_document(
    door: TaxiiDoor, lao: TaxiiClient, viet: TaxiiClient
) -> None:
    goes, stays, shared = incident(), indicator(), domain_name(object_marking_refs=[tlp(Level.GREEN)])
    lao.adds(goes, stays, shared)
    viet.adds(shared)

    assert lao.deletes(goes["id"]).status_code == 200
    assert lao.deletes(shared["id"]).status_code == 200

    assert set(viet.ids()) == {stays["id"], shared["id"]}
    assert lao.deletes(goes["id"]).status_code == 404
    assert viet.deletes(shared["id"]).status_code == 200
    assert viet.ids() == lao.ids() == [stays["id"]]


def test_parts_for_fewer_are_cut_out(lao: TaxiiClient, viet: TaxiiClient) -> None:
    definition = tlp_definition(Level.RED)
    told: Stix = incident(
        description="The password is 1234",
        granular_markings=[{"marking_ref": definition["id"], "selectors": ["description"]}],
    )
    lao.adds(told)

    (seen,) = viet.found(match_type="incident")

    assert seen == {name: value for name, value in told.items() if name not in ("description", "granular_markings")}
    assert lao.found(match_type="incident") == [told]


def test_a_place_to_go_on_belongs_to_reader_collection_and_filter(lao: TaxiiClient, viet: TaxiiClient) -> None:
    lao.adds(*(indicator(marking=Level.CLEAR) for _ in range(4)))
    page = orjson.loads(lao.get(limit=2).data)
    going_on = page["next"]

    assert lao.get(limit=1, next=going_on).status_code == 200
    wrong = [
        viet.get(limit=2, next=going_on),
        lao.get(limit=2, next=going_on, collection="public"),
        lao.get(limit=2, next=going_on, match_type="indicator"),
        lao.get(limit=2, next=going_on, added_after="2026-01-01T00:00:00Z"),
        lao.get(limit=2, next=going_on[:-1] + ("A" if going_on[-1] != "A" else "Q")),
        lao.get(limit=2, next="B" + going_on[1:]),
        lao.get(limit=2, next=""),
        lao.get(limit=2, next="ü"),
    ]
    assert [answer.status_code for answer in wrong] == [400] * len(wrong)


def test_reading_what_is_amber_leaves_an_entry_and_green_none(
    door: TaxiiDoor, lao: TaxiiClient, viet: TaxiiClient
) -> None:
    secret = indicator(marking=Level.AMBER)
    lao.adds(indicator(), secret)
    for tail in ("objects/", "manifest/", f"objects/{secret['id']}/", f"objects/{secret['id']}/versions/"):
        viet.get(tail)
    viet.get(collection="public")

    answer = lao.client.get("/api/v1/audit?act=read", headers={"Authorization": f"Bearer {lao.secret}"})

    entries = answer.json["items"]  # type: ignore[index]
    assert [entry["organization"] for entry in entries] == ["VNCERT"] * 4
    assert {tuple(entry["details"]["shown"]) for entry in entries} == {(f"object {secret['id']}",)}


def test_what_an_organization_has_masked_shows_in_no_object_though_no_marking_points_at_it(
    door: TaxiiDoor, lao: TaxiiClient, viet: TaxiiClient
) -> None:
    with door.database.writing() as session:
        wish = MaskingWish(personal=True)
        Maskings(session, door.clock).change(lao.identity, lao.identity.organization_id, wish)
    victim = identity("Surya Kartikatama")
    event = incident("Surya Kartikatama was hit", description="Says noc@surya-kartikatama.co.id")

    lao.adds(victim, event, relationship(event, "targets", victim))

    assert {obj["id"] for obj in viet.found()} >= {victim["id"], event["id"]}
    assert "kartikatama" not in repr(viet.found()).lower()
    assert event in lao.found()
