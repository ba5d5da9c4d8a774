"""Feeds that come in, in the portal: administrators set up, try, change, fetch and remove; the others of the organization read."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from feeding_samples import COLUMNS, stix_21, table
from kentongan.domain.feeding import Fetched
from kentongan.domain.gate import Problem
from kentongan.domain.identity import Identity, OrganizationKind, Role, Scope
from kentongan.services.converting import prepare
from kentongan.services.push import Push
from kentongan.storage.feeds import FeedRow
from kentongan.storage.organizations import Organization
from kentongan.storage.submissions import Submission
from portal_stories import HOSTILE, Place, Visitor, assert_harmless


@pytest.fixture
def laos(kampung: Place) -> Identity:
    with kampung.region() as region:
        return region.joins("LaoCERT")


def admin(kampung: Place, who: Identity) -> Visitor:
    return kampung.signed_in(who, Role.ADMINISTRATOR)


def sets_up(visitor: Visitor, **fields: object) -> str:
    """A feed; the address of its page."""
    answer = visitor.send("/incoming", form_page="/incoming", **{"name": "partner", "kind": "stix", **fields})
    assert answer.status_code == 303, answer.text
    return answer.location


def feeds(kampung: Place) -> list[FeedRow]:
    with kampung.kentongan.database.reading() as session:
        return list(session.scalars(select(FeedRow)))


def pushes(kampung: Place, who: Identity, address: str, raw: bytes, name: str = "one.json") -> None:
    place, item = kampung.kentongan, Fetched(name, raw)
    with place.database.writing() as session:
        sender = session.get_one(Organization, who.organization_id).identity(frozenset({Scope.SUBMIT}))
        push = Push(session, place.clock, sender)
        target = push.target(address.rpartition("/")[2])
        feed = place.inbound.build(target.kind, target.source, target.options, "")
        broken = [Problem("$", "not-json", f"{name} is not JSON", "Check it.")]
        push.take(target, feed, item, prepare(feed, item, place.limits, place.book_of(sender)) if raw else broken)


def test_from_setting_up_to_removing(kampung: Place, laos: Identity) -> None:
    visitor = admin(kampung, laos)
    address = sets_up(visitor, source="https://partner.example/feed.json?key=1", every="15m", secret="tok3n")
    page = visitor.sees(address)
    assert "The feed is set up" in page
    assert "https://partner.example/feed.json?key=1" in page
    assert "15m" in page
    assert "tok3n" not in page

    changed = visitor.send(
        address, form_page=address, name="Partner", source="https://partner.example/feed.json?key=1", every=""
    )
    fetched = visitor.send(f"{address}/fetch", form_page=address)
    (row,) = feeds(kampung)
    assert (changed.status_code, fetched.status_code) == (303, 303)
    assert (row.name, row.every, row.next_at, row.secret is not None) == ("Partner", None, kampung.now, True)

    removed = visitor.send(f"{address}/remove", form_page=address)
    assert removed.location == "/incoming"
    assert feeds(kampung) == []
    assert visitor.get(address).status_code == 404


def test_a_mapping_is_tried_on_a_sample_and_nothing_is_kept(kampung: Place, laos: Identity) -> None:
    visitor = admin(kampung, laos)
    fields = {"kind": "csv", "csv.columns": COLUMNS, "csv.split": ";", "try": "1"}

    tried = visitor.send("/incoming", form_page="/incoming", sample=table(1, "เว็บเชลล์").decode(), **fields)
    wrong = visitor.send("/incoming", form_page="/incoming", sample="x", **{**fields, "csv.columns": "{}"})
    empty = visitor.send("/incoming", form_page="/incoming", sample="", **fields)

    assert tried.text.count("เว็บเชลล์") >= 2
    assert "198.51.100.1" in tried.text
    assert "column Ticket" in tried.text
    assert wrong.status_code == 422
    assert "columns is JSON" in wrong.text.lower() or "Columns is JSON" in wrong.text
    assert "table is empty" in empty.text
    assert json.loads(COLUMNS)["name"] in tried.text
    assert feeds(kampung) == []


def test_runs_and_items_are_shown_with_their_reasons(kampung: Place, laos: Identity) -> None:
    visitor = admin(kampung, laos)
    address = sets_up(visitor)
    pushes(kampung, laos, address, stix_21(1, "Web shell"))
    pushes(kampung, laos, address, b"", "broken.json")

    page, refused = visitor.sees(address), visitor.sees(f"{address}?refused=1")

    assert "one.json" in page
    assert "Broken.json is not JSON" in page
    assert "one.json" not in refused
    assert "Broken.json is not JSON" in refused
    assert "/receipt" not in page  # an administrator opens no receipts
    with kampung.kentongan.database.reading() as session:
        sent = session.scalars(select(Submission.public_id)).one()
    assert f"/submissions/{sent}" in kampung.signed_in(laos, Role.ANALYST).sees(address)


def test_an_analyst_reads_and_changes_nothing(kampung: Place, laos: Identity) -> None:
    address = sets_up(admin(kampung, laos), source="https://partner.example/feed.json?key=s3cret")
    analyst = kampung.signed_in(laos, Role.ANALYST)

    listed, page = analyst.sees("/incoming"), analyst.sees(address)

    assert "partner" in listed
    assert "A new one" not in listed
    assert "s3cret" not in page
    assert "Remove" not in page
    for act in (address, f"{address}/fetch", f"{address}/remove", "/incoming"):
        assert analyst.send(act, name="x").status_code == 403
    assert [row.name for row in feeds(kampung)] == ["partner"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "1 to 100 characters"),
        ({"source": "/etc"}, "set up by who runs the platform"),
        ({"source": "https://127.0.0.1/x"}, "not a public address"),
        ({"every": "soon", "source": "https://partner.example/x"}, "no pause between fetches"),
        ({"kind": "tea"}, "no kind of feed"),
    ],
)
def test_a_feed_that_cannot_be_is_refused_and_the_form_keeps_what_was_filled_in(
    kampung: Place, laos: Identity, fields: dict[str, str], words: str
) -> None:
    visitor = admin(kampung, laos)

    refused = visitor.send("/incoming", form_page="/incoming", **{"name": "partner", "kind": "stix", **fields})

    assert refused.status_code == 422
    assert words in refused.text
    assert f'value="{fields.get("source", "")}"' in refused.text
    assert feeds(kampung) == []


def test_a_subscriber_is_offered_none(kampung: Place) -> None:
    with kampung.region() as region:
        bank = region.joins("A bank", OrganizationKind.SUBSCRIBER)

    page = admin(kampung, bank).sees("/incoming")

    assert "A new one" not in page


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_and_items_are_text(kampung: Place, laos: Identity, text: str) -> None:
    visitor = admin(kampung, laos)
    address = sets_up(visitor, name=text[:100] if text[:100].isprintable() else "plain")
    pushes(kampung, laos, address, b"", text)

    assert_harmless(visitor.sees(address))
    assert_harmless(visitor.sees("/incoming"))
    tried = {"kind": "csv", "csv.columns": COLUMNS, "sample": f'Title,Date,IOC\n"{text}",2026-03-01,x', "try": "1"}
    assert_harmless(visitor.send("/incoming", form_page="/incoming", **tried).text)
