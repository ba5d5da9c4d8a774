"""LaoCERT masks what is personal: it still links, the owner reads everything, and to all others it could be anything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select, text

from asking import Door
from kentongan.domain.marking import Level
from kentongan.domain.masking import MaskingWish
from kentongan.services.errors import NotFound
from kentongan.services.maskings import Maskings
from kentongan.services.read_blind_links import SOMETHING_RELATED
from kentongan.storage.blind import BlindLink, BlindPosting
from kentongan.storage.observables import StoredObservable
from kentongan.storage.organizations import Organization
from masking_stories import (
    GUESS,
    MASKED_BY_YOU,
    SECRET,
    are_the_same,
    emptied,
    incident_row,
    plain_mail,
    same_ids_each_time,
    told_anew,
    why,
    wishes,
    with_mail,
    world,
)
from redaction_stories import asked, marked, region, seen, sends
from stories import (
    Stix,
    bundle,
    identity,
    incident,
    indicator,
    mail_address,
    masking,
    newer,
    relationship,
    sharing_marking,
    tlp,
)

OTHERS = ("member", "subscriber", "coordinator")


def masked_mail(mask: Stix, value: str = SECRET) -> Stix:
    return mail_address(value, object_marking_refs=[tlp(Level.GREEN), mask["id"]])


def test_the_owner_reads_exactly_what_it_sent_and_nobody_else_reads_the_masked_object(door: Door) -> None:
    readers, mask = region(door), masking()
    sent = with_mail(incident("Phishing of a ministry"), masked_mail(mask))

    sends(door, readers["owner"], mask, *sent)

    for obj in sent:
        assert seen(readers["owner"], obj["id"]) == obj
    (submission,) = asked(readers["owner"], "/submissions")["items"]
    kept = readers["owner"].get(f"/submissions/{submission['id']}/content").data
    assert json.loads(kept)["objects"] == [mask, *sent]
    for who in OTHERS:
        assert seen(readers[who], sent[0]["id"]) == sent[0]
        assert seen(readers[who], sent[1]["id"]) is None, "the mailbox itself"
        assert seen(readers[who], sent[2]["id"]) is None, "what names it by the id that is made of it"
        view = asked(readers[who], f"/incidents/{sent[0]['id']}")
        assert SECRET not in json.dumps(view)
        assert sent[1]["id"] not in json.dumps(view)


def test_a_masked_address_links_to_the_same_one_shown_and_the_owner_alone_is_shown_the_link(door: Door) -> None:
    readers, mask = region(door), masking()
    mine = with_mail(incident("Phishing of a ministry"), masked_mail(mask))
    theirs = with_mail(incident("A mailbox that sends malware"), plain_mail())

    sends(door, readers["owner"], mask, *mine)
    sends(door, readers["member"], *theirs)

    assert why(readers["owner"], mine[0]["id"]) == [MASKED_BY_YOU]
    (link,) = asked(readers["owner"], f"/incidents/{mine[0]['id']}")["links"]
    assert (link["kind"], link["other"]["stix_id"]) == ("related-to", theirs[0]["id"])
    assert link["evidence"][0]["observable"] is None
    for who in OTHERS:
        for event in (mine[0], theirs[0]):
            view = asked(readers[who], f"/incidents/{event['id']}")
            assert (view["links"], view["something_related"]) == ([], None)
    for reader in readers.values():
        assert [case["reports"] for case in asked(reader, "/cases")["items"]] == [1, 1]
        assert asked(reader, "/campaigns")["items"] == []


def test_the_order_of_arrival_makes_no_difference(door: Door) -> None:
    readers, mask = region(door), masking()
    mine = with_mail(incident("Phishing of a ministry"), masked_mail(mask))

    sends(door, readers["member"], *with_mail(incident("A mailbox that sends malware"), plain_mail()))
    sends(door, readers["owner"], mask, *mine)

    assert why(readers["owner"], mine[0]["id"]) == [MASKED_BY_YOU]


@pytest.mark.parametrize("tells", [True, False])
def test_that_something_related_exists_is_told_to_the_reporter_alone_and_only_if_the_owner_allows(
    door: Door, *, tells: bool
) -> None:
    readers, mask = region(door), masking(tell_others=tells)
    theirs = with_mail(incident("A mailbox that sends malware"), plain_mail())

    sends(door, readers["owner"], mask, *with_mail(incident("Phishing"), masked_mail(mask)))
    sends(door, readers["member"], *theirs)

    said = {who: asked(reader, f"/incidents/{theirs[0]['id']}")["something_related"] for who, reader in readers.items()}
    assert said == {**dict.fromkeys(readers), "member": SOMETHING_RELATED if tells else None}
    assert why(readers["member"], theirs[0]["id"]) == []


def test_two_that_mask_the_same_are_linked_and_neither_is_shown_the_other(door: Door) -> None:
    readers, mine, theirs = region(door), masking(tell_others=True), masking()
    one = with_mail(incident("Phishing of a ministry"), masked_mail(mine))
    other = with_mail(incident("A mailbox that sends malware"), masked_mail(theirs))

    sends(door, readers["owner"], mine, *one)
    sends(door, readers["member"], theirs, *other)

    with door.database.reading() as session:
        # Only LaoCERT lets it be told, so only the other side is.
        (link,) = session.scalars(select(BlindLink)).all()
        assert link.incident_id == incident_row(door, other[0]["id"]).id
    assert (why(readers["owner"], one[0]["id"]), why(readers["member"], other[0]["id"])) == ([], [])
    assert asked(readers["owner"], f"/incidents/{one[0]['id']}")["something_related"] is None
    assert asked(readers["member"], f"/incidents/{other[0]['id']}")["something_related"] == SOMETHING_RELATED


def test_ones_own_masked_values_link_ones_own_incidents(door: Door) -> None:
    readers, mask = region(door), masking()
    one = with_mail(incident("Phishing of a ministry"), masked_mail(mask))
    other = with_mail(incident("Phishing of a bank"), masked_mail(mask))

    sends(door, readers["owner"], mask, *one)
    sends(door, readers["owner"], *other)

    assert why(readers["owner"], one[0]["id"]) == [MASKED_BY_YOU]
    assert why(readers["owner"], other[0]["id"]) == [MASKED_BY_YOU]
    assert why(readers["member"], other[0]["id"]) == []


def test_a_link_to_an_incident_that_the_owner_of_the_mask_may_not_see_is_not_shown(door: Door) -> None:
    readers, mask = region(door), masking()
    mine = with_mail(incident("Phishing"), masked_mail(mask))
    red = incident("A mailbox that sends malware", marking=Level.RED)

    sends(door, readers["owner"], mask, *mine)
    sends(door, readers["member"], *with_mail(red, mail_address(SECRET, object_marking_refs=[tlp(Level.RED)])))

    assert why(readers["owner"], mine[0]["id"]) == []


def test_the_masked_name_of_a_victim_is_withheld_from_others_and_links_by_its_spelling_key(door: Door) -> None:
    readers, mask = region(door), masking()
    event = incident("Ransomware at a power plant")
    victim = identity(
        "Électricité du Laos", sectors=["energy"], granular_markings=[marked(mask, "name")], roles=["victim"]
    )
    theirs = incident("Encrypted servers of a supplier")
    plain = identity("ELECTRICITE DU LAOS", roles=["victim"])

    sends(door, readers["owner"], mask, event, victim, relationship(event, "targets", victim))
    sends(door, readers["member"], theirs, plain, relationship(theirs, "targets", plain))

    for who in OTHERS:
        shown = seen(readers[who], victim["id"])
        assert shown == {**{k: v for k, v in victim.items() if k != "granular_markings"}, "name": "[undisclosed]"}
        facts = asked(readers[who], f"/incidents/{event['id']}")["facts"]
        assert facts["victims"] == [{"name": None, "sectors": ["energy"], "countries": []}]
    assert seen(readers["owner"], victim["id"]) == victim
    assert ["the same victim, masked by you"] in why(readers["owner"], event["id"])
    assert why(readers["member"], theirs["id"]) == []


def test_a_masked_pattern_takes_its_whole_indicator_along(door: Door) -> None:
    readers, mask = region(door), masking()
    hunted = indicator(f"[email-addr:value = '{SECRET}']", granular_markings=[marked(mask, "pattern")])

    (*_, outcome) = sends(door, readers["owner"], mask, incident("Phishing"), hunted)

    assert [each["rule"] for each in outcome["warnings"]] == ["granular-marking"]
    assert seen(readers["owner"], hunted["id"]) == hunted
    assert [seen(readers[who], hunted["id"]) for who in OTHERS] == [None] * 3


def test_a_new_version_without_the_mask_shows_everything_and_links_openly(door: Door) -> None:
    readers, mask = region(door), masking()
    event = incident("Phishing", description=f"IOC: {SECRET}", granular_markings=[marked(mask, "description")])
    theirs = with_mail(incident("A mailbox that sends malware"), plain_mail())
    sends(door, readers["owner"], mask, event)
    sends(door, readers["member"], *theirs)
    assert why(readers["owner"], event["id"]) == [MASKED_BY_YOU]

    shown = newer(event, granular_markings=None)
    sends(door, readers["owner"], shown)

    assert seen(readers["member"], event["id"]) == shown
    words = why(readers["member"], event["id"])
    assert len(words) == 1
    assert SECRET in words[0][0]
    assert MASKED_BY_YOU not in why(readers["owner"], event["id"])
    with door.database.reading() as session:
        assert session.scalars(select(BlindPosting)).all() == []


def test_masking_a_new_version_takes_its_history_along(door: Door) -> None:
    readers, mask = region(door), masking()
    event = incident("Phishing", description=f"IOC: {SECRET}")
    sends(door, readers["owner"], mask, event)

    hidden = newer(event, granular_markings=[marked(mask, "description")])
    sends(door, readers["owner"], hidden)

    for who in OTHERS:
        assert "description" not in (seen(readers[who], event["id"]) or {"description": "nothing at all is shown"})
        assert asked(readers[who], f"/objects/{event['id']}/versions") != []
        assert SECRET not in readers[who].get(f"/objects/{event['id']}?modified={event['modified']}").text
        assert asked(readers[who], f"/incidents?observable={SECRET}")["items"] == []
    assert seen(readers["owner"], event["id"]) == hidden


def test_a_masked_incident_is_its_owners_alone_and_takes_part_by_keyed_hash(door: Door) -> None:
    readers, mask = region(door), masking(tell_others=True)
    event = incident("Extortion", object_marking_refs=[tlp(Level.GREEN), mask["id"]])
    theirs = with_mail(incident("A mailbox that sends malware"), plain_mail())

    sends(door, readers["owner"], mask, event, masked_mail(mask), relationship(event, "related-to", masked_mail(mask)))
    sends(door, readers["member"], *theirs)

    assert why(readers["owner"], event["id"]) == [MASKED_BY_YOU]
    assert readers["member"].get(f"/incidents/{event['id']}").status_code == 404


def test_no_table_holds_a_masked_value_but_in_what_was_received(door: Door) -> None:
    readers, mask = region(door), masking(tell_others=True)
    sends(door, readers["owner"], mask, *with_mail(incident("Phishing"), masked_mail(mask)))

    with door.database.reading() as session:
        assert SECRET not in session.scalars(select(StoredObservable.value)).all()
        (posting,) = session.scalars(select(BlindPosting)).all()
        assert len(posting.digest) == 32
        tables = ["incident", "incident_tag", "blind_link", "blind_posting", "alert", "job", "audit_entry", "link"]
        for table in tables:
            assert SECRET not in repr(session.execute(text(f"SELECT * FROM {table}")).all()), table


def test_an_erased_submission_leaves_no_keyed_hash(door: Door) -> None:
    readers, mask = region(door), masking()
    sends(door, readers["owner"], mask, *with_mail(incident("Phishing"), masked_mail(mask)))
    (submission,) = asked(readers["owner"], "/submissions")["items"]

    assert readers["owner"].ask("DELETE", f"/submissions/{submission['id']}").status_code == 200

    with door.database.reading() as session:
        assert session.scalars(select(BlindPosting)).all() == []


def test_red_incidents_take_part_by_keyed_hash_while_their_owner_wishes_so_also_those_sent_before(door: Door) -> None:
    readers = region(door)
    recipients = sharing_marking(
        level=Level.RED, recipients=[stix_id_of(door, readers["member"])], object_marking_refs=[tlp(Level.CLEAR)]
    )
    red = [recipients["id"]]
    mine = with_mail(incident("Extortion", object_marking_refs=red), mail_address(SECRET, object_marking_refs=red))
    mine = [{**obj, "object_marking_refs": red} for obj in mine]
    theirs = with_mail(incident("A mailbox that sends malware"), plain_mail())
    sends(door, readers["owner"], recipients, *mine)
    sends(door, readers["member"], *theirs)
    openly = why(readers["member"], theirs[0]["id"])
    assert any(SECRET in words for words in openly[0])

    wishes(door, readers["owner"], red=True, tell_others=True)

    assert why(readers["owner"], mine[0]["id"]) == [MASKED_BY_YOU]
    assert why(readers["member"], theirs[0]["id"]) == []
    assert asked(readers["member"], f"/incidents/{theirs[0]['id']}")["something_related"] == SOMETHING_RELATED
    assert seen(readers["member"], mine[0]["id"]) == mine[0], "the recipient reads it as before"
    assert asked(readers["subscriber"], f"/incidents/{theirs[0]['id']}")["something_related"] is None
    assert incident_row(door, mine[0]["id"]).case_id != incident_row(door, theirs[0]["id"]).case_id

    wishes(door, readers["owner"], red=False)

    assert why(readers["member"], theirs[0]["id"]) == openly
    assert asked(readers["member"], f"/incidents/{theirs[0]['id']}")["something_related"] is None


def stix_id_of(door: Door, reader: Any) -> str:
    with door.database.reading() as session:
        return session.get_one(Organization, reader.identity.organization_id).stix_id


def test_a_wish_is_of_ones_own_organization_alone_and_stands_in_the_trail(door: Door) -> None:
    readers = region(door)

    with door.database.writing() as session, pytest.raises(NotFound):
        owner = readers["owner"].identity.organization_id
        Maskings(session, door.clock).change(readers["member"].identity, owner, MaskingWish(red=True))
    wishes(door, readers["owner"], red=True)

    told = [each for each in asked(readers["owner"], "/audit")["items"] if each["subject"] == "masking of LaoCERT"]
    assert [each["details"]["after"] for each in told] == [{"red": True, "tell_others": False, "personal": False}]


@pytest.mark.parametrize(
    "content",
    [
        {"extension_type": "property-extension"},
        {"extension_type": "property-extension", "masked": False},
        {"extension_type": "property-extension", "masked": True, "tell_others": "yes"},
        {"extension_type": "property-extension", "masked": True, "more": 1},
    ],
)
def test_a_mask_that_is_none_is_refused_and_stores_nothing(door: Door, content: Stix) -> None:
    (owner, mask) = door.joins("LaoCERT"), masking()
    (extension,) = mask["extensions"]

    answer = owner.ask("POST", "/submissions", json=bundle({**mask, "extensions": {extension: content}}))

    assert answer.status_code == 422
    assert "masking-extension" in answer.text
    assert asked(owner, "/submissions")["items"] == []


@pytest.mark.parametrize("seed", range(2))
def test_to_all_others_the_world_is_the_same_whatever_was_masked(door: Door, seed: int) -> None:
    mask = masking()
    event = incident(
        f"Phishing {SECRET}" if seed else "Phishing",
        description=f"IOC:\n{SECRET}\n",
        labels=["rsit:fraud", SECRET],
        external_references=[
            {"source_name": SECRET, "description": SECRET},
            {"source_name": "open", "description": "Known."},
        ],
        granular_markings=[
            marked(mask, "description", "labels.[1]", "external_references.[0]"),
            *([marked(mask, "name")] if seed else []),
        ],
    )
    victim = identity(SECRET, roles=["victim"], granular_markings=[marked(mask, "name")])
    objects = [mask, *with_mail(event, masked_mail(mask)), victim, relationship(event, "targets", victim)]
    objects += [indicator(f"[email-addr:value = '{SECRET}']", granular_markings=[marked(mask, "pattern")]), event]
    objects = [obj for number, obj in enumerate(objects) if obj not in objects[:number]]
    objects.append(objects.pop(1))
    swapped = told_anew(objects, {SECRET: GUESS, plain_mail()["id"]: plain_mail(GUESS)["id"]})
    known = [obj for obj, other in zip(objects, swapped, strict=True) if obj["id"] == other["id"]]
    assert len(known) == len(objects) - 1
    emptied(door.database)  # so that both begin with the same row numbers
    with pytest.MonkeyPatch.context() as patch:
        same_ids_each_time(patch)
        one = world(door, objects)
    emptied(door.database)
    with pytest.MonkeyPatch.context() as patch:
        same_ids_each_time(patch)
        other = world(door, swapped)

    are_the_same(one, other)
