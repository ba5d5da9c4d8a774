"""LaoCERT marks parts of what it sends; who may not see a part gets the rest as if the part had never been."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from alert_stories import subscribed
from asking import Door
from kentongan.domain.gate import content_sha256
from kentongan.domain.identity import OrganizationKind
from kentongan.domain.marking import Level
from kentongan.domain.redaction import redact
from kentongan.storage.objects import CarrierPart
from kentongan.storage.organizations import Organization
from matching_stories import sha256
from redaction_stories import asked, marked, region, seen, sends, settle, told
from stories import (
    Stix,
    domain_name,
    file_hash,
    group_of,
    identity,
    incident,
    indicator,
    newer,
    relationship,
    sdo,
    sharing_marking,
    tlp,
)

STRICT = Level.AMBER_STRICT
OUTSIDE = ("subscriber", "coordinator")
INSIDE = ("owner", "member")
SECRET = "The vault at Sisavangvong Road"


def described(**more: Any) -> Stix:
    """A GREEN incident whose description is for member CERTs."""
    return incident(**{"description": SECRET, "granular_markings": [marked(STRICT, "description")], **more})


def rest_of(obj: Stix, *selectors: str) -> Stix:
    rest = redact(obj, selectors)
    assert rest is not None
    return rest


def test_a_subscriber_reads_a_green_incident_without_its_strict_description_and_members_with_it(door: Door) -> None:
    readers, sent = region(door), described()

    sends(door, readers["owner"], sent)

    for inside in INSIDE:
        assert seen(readers[inside], sent["id"]) == sent
    for outside in OUTSIDE:
        assert seen(readers[outside], sent["id"]) == rest_of(sent, "description")
        view = asked(readers[outside], f"/incidents/{sent['id']}")
        assert view["facts"]["description"] == ""
        assert SECRET not in repr(view)
        assert STRICT.label not in repr(view)


def test_the_versions_name_the_content_as_it_is_seen_and_answer_to_that_name_alone(door: Door) -> None:
    readers, sent = region(door), described()
    sends(door, readers["owner"], sent)
    whole, part = content_sha256(sent).hex(), content_sha256(rest_of(sent, "description")).hex()

    for reader, name, other in (("member", whole, part), ("subscriber", part, whole)):
        asker, address = readers[reader], f"/objects/{sent['id']}"
        (version,) = asked(asker, f"{address}/versions")
        (listed,) = asked(asker, f"/incidents/{sent['id']}")["versions"]

        assert version == listed
        assert version["sha256"] == name
        assert asker.get(f"{address}?sha256={name}").status_code == 200
        assert asker.get(f"{address}?sha256={other}").status_code == 404


def test_a_red_reference_is_for_nobody_else_and_the_others_close_up(door: Door) -> None:
    readers = region(door)
    references = [{"source_name": name, "url": f"https://{name}.example/"} for name in ("public", "secret", "news")]
    sent = incident(
        external_references=references,
        granular_markings=[
            marked(Level.RED, "external_references.[1]"),
            marked(Level.GREEN, "external_references.[2]"),
        ],
    )

    sends(door, readers["owner"], sent)

    assert seen(readers["owner"], sent["id"]) == sent
    for reader in ("member", *OUTSIDE):
        shown = seen(readers[reader], sent["id"])
        assert shown is not None
        assert shown["external_references"] == [references[0], references[2]]
        assert shown["granular_markings"] == [marked(Level.GREEN, "external_references.[1]")]
        assert tlp(Level.RED) not in str(shown)
        assert "secret.example" not in readers[reader].get(f"/incidents/{sent['id']}").text


def test_one_label_is_hidden_from_facts_and_filters_too(door: Door) -> None:
    readers = region(door)
    sent = incident(labels=["country:LA", "country:TH"], granular_markings=[marked(STRICT, "labels.[1]")])

    sends(door, readers["owner"], sent)

    shown = seen(readers["subscriber"], sent["id"])
    assert shown is not None
    assert shown["labels"] == ["country:LA"]
    for reader in readers.values():
        assert asked(reader, f"/incidents/{sent['id']}")["facts"]["countries"] == ["LA"]
        assert asked(reader, "/incidents?country=TH")["items"] == []
        assert len(asked(reader, "/incidents?country=LA")["items"]) == 1


def test_a_name_can_not_be_hidden_so_the_incident_is_withheld_and_the_receipt_says_so(door: Door) -> None:
    readers = region(door)
    sent = incident("Hidden name", granular_markings=[marked(STRICT, "name")])

    (outcome,) = sends(door, readers["owner"], sent)

    (warning,) = [each for each in outcome["warnings"] if each["rule"] == "granular-marking"]
    assert warning["path"] == "$.objects[0].granular_markings[0].selectors[0]"
    assert "'name'" in warning["reason"]
    assert seen(readers["member"], sent["id"]) == sent
    for reader in OUTSIDE:
        assert seen(readers[reader], sent["id"]) is None
        assert asked(readers[reader], "/incidents")["items"] == []


def test_a_hidden_value_is_found_by_nobody_who_may_not_see_it(door: Door) -> None:
    readers = region(door)
    sent = described(description="IOC:\nC2: hidden-place[.]com", labels=["x"])
    tip = indicator(description="IOC:\nhidden-place[.]com", granular_markings=[marked(STRICT, "description")])

    sends(door, readers["owner"], sent, tip)

    for spelling in ("hidden-place.com", "hidden-place[.]com"):
        for reader in INSIDE:
            found = asked(readers[reader], f"/observables?value={spelling}")
            assert len(found["incidents"]["items"]) == 1
            assert set(found["objects"]) == {sent["id"], tip["id"]}
            assert len(asked(readers[reader], f"/incidents?observable={spelling}")["items"]) == 1
        for reader in OUTSIDE:
            found = asked(readers[reader], f"/observables?value={spelling}")
            assert (found["incidents"]["items"], found["objects"]) == ([], [])
            assert asked(readers[reader], f"/incidents?observable={spelling}")["items"] == []
            assert "hidden-place.com" not in readers[reader].get(f"/incidents/{sent['id']}").text
    assert "hidden-place.com" in readers["member"].get(f"/incidents/{sent['id']}").text


def test_of_an_object_with_two_parts_the_values_in_them_are_found_by_who_may_see_both(door: Door) -> None:
    readers, named = region(door), door.joins("A bank that is named", OrganizationKind.SUBSCRIBER)
    with door.database.reading() as session:
        team = session.get_one(Organization, named.identity.organization_id).stix_id
    red = sharing_marking(level=Level.RED, recipients=[team])
    sent = described(
        description="IOC:\nC2: one-place[.]com",
        external_references=[{"source_name": "IOC", "url": "hxxp://two-place[.]com/x"}],
        granular_markings=[marked(STRICT, "description"), marked(red, "external_references.[0]")],
    )

    sends(door, readers["owner"], red, sent)

    assert seen(readers["member"], sent["id"]) == rest_of(sent, "external_references.[0]")
    assert seen(named, sent["id"]) == rest_of(sent, "description")
    assert seen(readers["subscriber"], sent["id"]) == rest_of(sent, "external_references.[0]", "description")
    for reader, expected in ((readers["owner"], 1), (readers["member"], 0), (named, 0)):
        assert len(asked(reader, "/incidents?observable=one-place.com")["items"]) == expected


def test_a_link_whose_evidence_stands_in_a_hidden_part_is_not_shown(door: Door) -> None:
    readers, thailand = region(door), door.joins("ThaiCERT")
    files = [sha256(name) for name in ("locker", "dropper", "loader")]
    other = incident("Hospital encrypted", labels=["country:TH"])
    sent = described(description="Files:\n" + "\n".join(files), name="Bank robbed")
    sends(door, thailand, other, *(file_hash(each, marking=Level.GREEN) for each in files))

    sends(door, readers["owner"], sent)

    for reader in INSIDE:
        assert asked(readers[reader], f"/incidents/{sent['id']}")["links"] != []
    for reader in OUTSIDE:
        view = asked(readers[reader], f"/incidents/{sent['id']}")
        assert view["links"] == []
        assert asked(readers[reader], f"/incidents/{other['id']}")["links"] == []
        assert not any(each in repr(view) for each in files)


def test_an_alert_brings_each_recipient_what_it_may_see(door: Door) -> None:
    readers = region(door)
    sent = described(description=f"{SECRET}\nIOC:\nhidden-place[.]com")
    tip = indicator(description=SECRET, granular_markings=[marked(STRICT, "description")])
    with door.database.writing() as session:
        for reader in ("member", "subscriber"):
            subscribed(session, session.get_one(Organization, readers[reader].identity.organization_id))

    sends(door, readers["owner"], sent, tip)

    with door.database.writing() as session:
        alerts = told(session)
    (for_member,) = alerts[readers["member"].identity.organization_id]
    (for_bank,) = alerts[readers["subscriber"].identity.organization_id]
    assert for_member["bundle"]["objects"] == [sent, tip]
    assert for_bank["bundle"]["objects"] == [rest_of(sent, "description"), rest_of(tip, "description")]
    assert SECRET not in repr(for_bank)
    assert "hidden-place.com" not in repr(for_bank)
    assert "hidden-place.com" in repr(for_member["observables"])


def test_an_alert_about_an_earlier_version_hides_its_parts_too(door: Door) -> None:
    readers, first = region(door), described()
    with door.database.writing() as session:
        subscribed(session, session.get_one(Organization, readers["subscriber"].identity.organization_id))
    sends(door, readers["owner"], first)

    sends(door, readers["owner"], newer(first, name="Amended"))

    with door.database.writing() as session:
        alerts = told(session)[readers["subscriber"].identity.organization_id]
    assert [each["incident"]["title"] for each in alerts] == [first["name"], "Amended"]
    assert SECRET not in repr(alerts)


def test_an_amendment_that_hides_a_part_withholds_the_earlier_version_that_shows_it(door: Door) -> None:
    readers, open_one = region(door), incident(description=SECRET)
    sends(door, readers["owner"], open_one)
    assert SECRET in readers["subscriber"].get(f"/objects/{open_one['id']}").text

    amended = newer(open_one, granular_markings=[marked(STRICT, "description")])
    sends(door, readers["owner"], amended)

    assert len(asked(readers["member"], f"/objects/{open_one['id']}/versions")) == 2
    (version,) = asked(readers["subscriber"], f"/objects/{open_one['id']}/versions")
    assert version["sha256"] == content_sha256(rest_of(amended, "description")).hex()
    assert SECRET not in readers["subscriber"].get(f"/objects/{open_one['id']}?modified={open_one['modified']}").text


def test_an_amendment_that_hides_the_same_part_leaves_the_earlier_version_as_it_was(door: Door) -> None:
    readers, first = region(door), described()
    sends(door, readers["owner"], first)

    sends(door, readers["owner"], newer(first, name="Amended"))

    versions = asked(readers["subscriber"], f"/objects/{first['id']}/versions")
    assert [each["newest"] for each in versions] == [True, False]
    earlier = readers["subscriber"].get(f"/objects/{first['id']}?modified={first['modified']}")
    assert earlier.json == rest_of(first, "description")


def test_a_stricter_amendment_takes_the_earlier_versions_parts_along(door: Door) -> None:
    readers = region(door)
    first = described(marking=Level.GREEN, granular_markings=[marked(Level.RED, "description")])
    sends(door, readers["owner"], first)

    sends(door, readers["owner"], newer(first, object_marking_refs=[tlp(STRICT)]))

    assert seen(readers["subscriber"], first["id"]) is None
    earlier = readers["member"].get(f"/objects/{first['id']}?modified={first['modified']}")
    assert earlier.json == rest_of(first, "description")
    assert seen(readers["owner"], first["id"]) is not None


def test_an_older_version_that_comes_late_shows_nothing_that_the_newest_hides(door: Door) -> None:
    readers, older = region(door), incident(description=SECRET)
    sends(door, readers["owner"], newer(older, granular_markings=[marked(STRICT, "description")]))

    (outcome,) = sends(door, readers["owner"], older)

    assert outcome["outcome"] == "older version kept"
    assert len(asked(readers["member"], f"/objects/{older['id']}/versions")) == 2
    assert len(asked(readers["subscriber"], f"/objects/{older['id']}/versions")) == 1


def test_contents_that_differ_in_what_is_hidden_are_one_to_who_may_not_see_it(door: Door) -> None:
    readers, thailand = region(door), door.joins("ThaiCERT")
    shared = domain_name(x_note=SECRET, granular_markings=[marked(STRICT, "x_note")], marking=Level.GREEN)
    other = {**shared, "x_note": "Another secret"}
    sends(door, readers["owner"], incident(), shared)
    sends(door, thailand, incident(), other)

    assert len(asked(readers["member"], f"/objects/{shared['id']}/versions")) == 2
    (version,) = asked(readers["subscriber"], f"/objects/{shared['id']}/versions")
    assert version["organizations"] == ["LaoCERT", "ThaiCERT"]
    assert seen(readers["subscriber"], shared["id"]) == rest_of(shared, "x_note")


def test_who_guesses_what_is_hidden_and_sends_it_does_not_learn_that_it_was_right(door: Door) -> None:
    readers, bank = region(door), door.joins("A curious bank", OrganizationKind.SUBSCRIBER)
    sent = described()
    sends(door, readers["owner"], sent)
    right, wrong = sent, {**sent, "description": "Some other vault"}

    def answers(guess: Stix) -> list[Any]:
        sends(door, bank, guess)
        versions = asked(bank, f"/objects/{sent['id']}/versions")
        return [(each["newest"], each["organizations"], each["tlp"]) for each in versions]

    with_right = answers(right)
    other_door = {**wrong, "id": incident()["id"]}
    again = {**described(), "id": other_door["id"]}
    sends(door, readers["owner"], again)
    sends(door, bank, other_door)
    versions = asked(bank, f"/objects/{again['id']}/versions")

    assert with_right == [(each["newest"], each["organizations"], each["tlp"]) for each in versions]


def test_a_part_is_seen_by_who_is_given_the_same_content_without_it_being_one(door: Door) -> None:
    """ThaiCERT does not know the marking, which then says nothing: who hears of the object from ThaiCERT sees all of it."""
    readers, thailand = region(door), door.joins("ThaiCERT")
    with door.database.writing() as session:
        own = group_of(session, "Own", session.get_one(Organization, readers["owner"].identity.organization_id))
        strict = sharing_marking(level=STRICT, groups=[own.stix_id], object_marking_refs=[tlp(Level.RED)])
    shared = domain_name(x_note=SECRET, granular_markings=[marked(strict, "x_note")], marking=Level.GREEN)
    sends(door, readers["owner"], strict, incident(), shared)
    assert seen(readers["subscriber"], shared["id"]) == rest_of(shared, "x_note")

    sends(door, thailand, incident(), shared)

    versions = asked(readers["subscriber"], f"/objects/{shared['id']}/versions")
    assert sorted(each["organizations"] for each in versions) == [["LaoCERT"], ["ThaiCERT"]]
    assert asked(readers["subscriber"], f"/objects/{shared['id']}?sha256={content_sha256(shared).hex()}") == shared


def test_what_comes_unmarked_beside_a_hidden_part_is_as_strict_as_the_part(door: Door) -> None:
    readers, sent, beside = region(door), described(), domain_name("evil.example")

    sends(door, readers["owner"], sent, beside, open_one := domain_name("open.example", marking=Level.GREEN))

    assert seen(readers["member"], beside["id"]) == beside
    assert seen(readers["subscriber"], beside["id"]) is None
    assert seen(readers["subscriber"], open_one["id"]) == open_one
    found = asked(readers["subscriber"], f"/incidents/{sent['id']}")["observables"]
    assert [each["value"] for each in found] == ["open.example"]


def test_a_sighting_is_shown_by_the_ends_that_are_shown(door: Door) -> None:
    readers = region(door)
    place, threat = identity("A ministry", marking=STRICT), indicator()
    sighting = sdo(
        "sighting",
        sighting_of_ref=threat["id"],
        where_sighted_refs=[place["id"]],
        granular_markings=[marked(STRICT, "where_sighted_refs")],
    )
    tie = relationship(threat, "targets", place)

    sends(door, readers["owner"], incident(), place, threat, sighting, tie)

    assert seen(readers["member"], sighting["id"]) == sighting
    assert seen(readers["subscriber"], sighting["id"]) == rest_of(sighting, "where_sighted_refs")
    assert seen(readers["subscriber"], tie["id"]) is None
    assert seen(readers["owner"], tie["id"]) == tie


def test_a_language_marking_and_one_for_everybody_hide_nothing_and_need_no_row(door: Door) -> None:
    readers = region(door)
    sent = incident(
        description="ເປີດ",
        granular_markings=[{"lang": "lo", "selectors": ["description"]}, marked(Level.CLEAR, "name")],
    )

    (outcome,) = sends(door, readers["owner"], sent)

    assert "granular-marking" not in str(outcome)
    with door.database.reading() as session:
        assert session.scalars(select(CarrierPart)).all() == []
    for reader in readers.values():
        assert seen(reader, sent["id"]) == sent


def test_sending_the_same_again_under_another_bundle_changes_nothing(door: Door) -> None:
    readers, sent = region(door), described()
    sends(door, readers["owner"], sent)
    before = readers["subscriber"].get(f"/objects/{sent['id']}").data

    (outcome, _) = sends(door, readers["owner"], sent, indicator())
    settle(door)

    assert outcome["outcome"] == "unchanged"
    assert readers["subscriber"].get(f"/objects/{sent['id']}").data == before
    assert seen(readers["owner"], sent["id"]) == sent


@pytest.mark.parametrize("selector", ["description", "labels"])
def test_a_hidden_part_leaves_no_trace_next_to_a_twin_that_never_had_it(door: Door, selector: str) -> None:
    """The subscriber's answers about a redacted incident are those about one that was sent without the part."""
    readers = region(door)
    whole = incident(description=SECRET, labels=["x"], granular_markings=[marked(STRICT, selector)])
    plain = rest_of(whole, selector)

    sends(door, readers["owner"], whole)
    sends(door, readers["member"], {**plain, "id": (twin := incident()["id"])})

    shown = readers["subscriber"].get(f"/objects/{whole['id']}").text.replace(whole["id"], twin)
    assert shown == readers["subscriber"].get(f"/objects/{twin}").text


def test_before_sending_it_is_told_who_would_see_which_part(door: Door) -> None:
    readers, sent = region(door), described(description=SECRET)

    answer = readers["owner"].ask("POST", "/submissions?dry_run=true", json=sent)

    whole, part = json.loads(answer.data)["readers"]
    assert (whole["selectors"], part["selectors"]) == ([], ["description"])
    assert "A bank" in whole["organizations"]
    assert part["organizations"] == ["LaoCERT", "VNCERT"]
    assert part["tlp"] == STRICT.label
