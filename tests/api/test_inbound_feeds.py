"""Feeds that bring something in, over the API: set up, pushed to, read and removed by who they belong to."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from asking import Asker, Door
from feeding_samples import COLUMNS, SAMPLES, Sample, mail, misp_event, stix_20, stix_21, table
from kentongan.domain.identity import OrganizationKind, Scope
from kentongan.services.tokens import Tokens
from kentongan.storage.database import Database
from kentongan.storage.drafts import Draft
from kentongan.storage.feeds import FeedRow
from kentongan.storage.jobs import Stage
from kentongan.storage.objects import StixObject
from kentongan.storage.organizations import Organization
from kentongan.storage.submissions import Submission
from stories import CONSOLE

TYPES = {"mail": "message/rfc822", "csv": "text/csv"}
PUSHED = [pytest.param(sample, id=name) for name, sample in SAMPLES.items() if sample.kind != "taxii"]


@dataclass
class Desk:
    """CERT-ID with a token of every scope, and what it does with its feeds."""

    door: Door
    asker: Asker

    def makes(self, kind: str = "stix", name: str = "partner", **more: Any) -> str:
        """Sets up a feed; its id."""
        made = self.asker.ask("POST", "/feeds", json={"name": name, "kind": kind, **more})
        assert made.status_code == 201, made.text
        return str(made.json["id"])  # type: ignore[index]  # it is JSON

    def pushes(self, feed: str, raw: bytes, kind: str = "stix", query: str = "", **headers: str) -> Any:
        """Sends a document to a feed."""
        told = {"Content-Type": TYPES.get(kind, "application/json"), **headers}
        return self.asker.ask("POST", f"/feeds/{feed}/push{query}", data=raw, headers=told)

    def reads(self, address: str) -> Any:
        """What stands there."""
        answer = self.asker.get(address)
        assert answer.status_code == 200, answer.text
        return answer.json

    def stored(self, what: type = Submission) -> int:
        """How many there are."""
        with self.door.database.reading() as session:
            return session.scalar(select(func.count()).select_from(what)) or 0


@pytest.fixture
def desk(door: Door) -> Desk:
    return Desk(door, door.joins("CERT-ID"))


@pytest.fixture
def small(sqlite_database: Database, tmp_path: Path) -> Desk:
    door = Door(sqlite_database, tmp_path, max_bytes=20_000, egress_allow="127.0.0.0/8")
    return Desk(door, door.joins("CERT-ID"))


def counted(run: dict[str, Any]) -> tuple[int, int, int, int]:
    return run["new"], run["changed"], run["unchanged"], run["refused"]


@pytest.mark.parametrize("sample", PUSHED)
def test_what_is_pushed_goes_the_road_of_what_is_fetched_and_the_same_again_changes_nothing(
    small: Desk, sample: Sample
) -> None:
    feed = small.makes(sample.kind, options=dict(sample.options))

    first, again, other = (small.pushes(feed, sample.make(number, "Web shell"), sample.kind) for number in (1, 1, 2))

    assert [answer.status_code for answer in (first, again, other)] == [202] * 3, first.text
    assert [answer.json["outcome"] for answer in (first, again, other)] == ["new", "unchanged", "new"]
    runs = small.reads(f"/feeds/{feed}/runs")
    assert [counted(run) for run in runs] == [(1, 0, 0, 0), (0, 0, 1, 0), (1, 0, 0, 0)]
    assert all(run["pushed"] and run["state"] == "done" for run in runs)
    assert small.stored(Draft if sample.kind == "mail" else Submission) == 2
    assert small.reads(f"/feeds/{feed}")["last_push"]["new"] == 1
    assert (Stage.INDEX in small.door.nudged) == (sample.kind != "mail")


@pytest.mark.parametrize("sample", PUSHED)
def test_under_a_name_of_the_sender_it_is_the_same_item_that_changed(small: Desk, sample: Sample) -> None:
    feed = small.makes(sample.kind, options=dict(sample.options))

    small.pushes(feed, sample.make(1, "Web shell"), sample.kind, "?name=a/1")
    changed = small.pushes(feed, sample.make(2, "Another"), sample.kind, "?name=a/1")

    assert changed.json["outcome"] == "changed"
    (item,) = small.reads(f"/feeds/{feed}/items?name=a/1")
    assert item["pushed"]
    assert item["accepted"] > 0


def test_what_becomes_stix_is_told_with_each_change(desk: Desk) -> None:
    feed = desk.makes()

    pushed = desk.pushes(feed, stix_20(1, "Old"))

    told = {change["rule"] for change in pushed.json["item"]["changes"]}
    assert told >= {"version-moved", "labels-to-indicator-types", "observables-unpacked"}
    assert pushed.json["item"]["submissions"]


@pytest.mark.parametrize("sample", PUSHED)
def test_what_is_empty_or_broken_is_refused_with_its_place_accounted_and_nothing_is_stored(
    small: Desk, sample: Sample
) -> None:
    feed = small.makes(sample.kind, options=dict(sample.options))

    answers = [small.pushes(feed, raw, sample.kind) for raw in (b"", b"\xff\xfe\x00", b" ")]

    assert {answer.status_code for answer in answers} <= {400, 422}
    assert all(answer.content_type == "application/problem+json" for answer in answers)
    assert all(one["hint"] for answer in answers for one in answer.json["problems"])
    assert [counted(run) for run in small.reads(f"/feeds/{feed}/runs")] == [(0, 0, 0, 1)] * 3
    assert all(item["problems"] for item in small.reads(f"/feeds/{feed}/items?refused=true"))
    assert small.stored() == small.stored(Draft) == 0


@pytest.mark.parametrize("sample", PUSHED)
@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(data=st.data())
def test_cut_anywhere_or_scratched_it_is_taken_or_a_clear_refusal(
    small: Desk, sample: Sample, data: st.DataObject
) -> None:
    feed = small.makes(sample.kind, name=f"feed {small.stored(FeedRow)}", options=dict(sample.options))
    raw = bytearray(sample.make(1, "เว็บเชลล์"))
    if data.draw(st.booleans()):
        del raw[data.draw(st.integers(0, len(raw) - 1)) :]
    for at in data.draw(st.lists(st.integers(0, max(0, len(raw) - 1)), max_size=3)):
        raw[at : at + 1] = data.draw(st.binary(max_size=2))

    answer = small.pushes(feed, bytes(raw), sample.kind)

    assert answer.status_code in (202, 400, 413, 422), answer.text
    assert answer.status_code == 202 or answer.json["problems"]
    (run,) = small.reads(f"/feeds/{feed}/runs")
    assert (run["refused"] == 0) == (answer.status_code == 202)


def test_too_large_is_413_before_it_is_read_and_a_bomb_while_it_is_unpacked(small: Desk) -> None:
    feed = small.makes()

    large = small.pushes(feed, b" " * 20_001)
    bomb = small.pushes(feed, gzip.compress(bytes(10_000_000)), **{"Content-Encoding": "gzip"})
    packed = small.pushes(feed, gzip.compress(stix_21(1, "Packed")), **{"Content-Encoding": "gzip"})

    assert [large.status_code, bomb.status_code, packed.status_code] == [413, 413, 202]
    assert len(small.reads(f"/feeds/{feed}/runs")) == 1


@pytest.mark.parametrize(("kind", "wrong"), [("stix", "text/csv"), ("csv", "application/json"), ("mail", "text/plain")])
def test_another_content_type_is_415_and_says_which_it_takes(small: Desk, kind: str, wrong: str) -> None:
    feed = small.makes(kind, options=dict(SAMPLES["csv"].options) if kind == "csv" else {})

    refused = small.pushes(feed, b"x", kind, **{"Content-Type": wrong})

    assert refused.status_code == 415
    assert TYPES.get(kind, "application/stix+json") in refused.headers["Accept"]
    assert small.reads(f"/feeds/{feed}/runs") == []


def test_a_taxii_feed_is_only_fetched(small: Desk) -> None:
    refused = small.asker.ask("POST", "/feeds", json={"name": "x", "kind": "taxii"})
    feed = small.makes("taxii", source="https://partner.example/collections/x/")

    assert refused.status_code == 422
    assert small.pushes(feed, b"{}").status_code == 422


def test_a_dry_run_says_what_would_become_of_it_and_stores_nothing(desk: Desk) -> None:
    feed = desk.makes("misp")

    tried = desk.pushes(feed, misp_event(1, "Phishing"), "misp", "?dry_run=true")
    broken = desk.pushes(feed, b"{}", "misp", "?dry_run=true")

    assert tried.status_code == broken.status_code == 200
    assert tried.json["accepted"] > 0
    assert tried.json["documents"][0]["type"] == "bundle"
    assert broken.json["problems"][0]["rule"] == "no-event"
    assert desk.stored() == 0
    assert desk.reads(f"/feeds/{feed}/runs") == []


def test_a_mapping_of_columns_is_tried_on_a_sample_before_there_is_a_feed(desk: Desk) -> None:
    columns = {"name": "Title", "started": "Date", "observable": "IOC"}
    wish = {"kind": "csv", "options": {"columns": columns, "split": ";"}, "sample": table(1, "เว็บเชลล์").decode()}

    tried = desk.asker.ask("POST", "/feeds/preview", json=wish)
    wrong = desk.asker.ask("POST", "/feeds/preview", json={**wish, "options": {"columns": {"name": "Nothing"}}})
    missing = desk.asker.ask("POST", "/feeds/preview", json={**wish, "sample": "Title\nx\n"})

    names = [obj["name"] for obj in tried.json["documents"][0]["objects"] if obj["type"] == "incident"]
    assert names == ["เว็บเชลล์"] * 2
    assert [change["paths"] for change in tried.json["changes"] if change["rule"] == "column-left-out"] == [
        ["column Ticket"]
    ]
    assert wrong.status_code == 422
    assert "created or started" in wrong.json["detail"]
    assert missing.json["problems"][0]["rule"] == "missing-column"
    assert desk.stored() == desk.stored(FeedRow) == 0


def test_rows_of_two_pushed_tables_are_incidents_of_their_own(desk: Desk) -> None:
    """What a row is called follows from its source: two feeds that are only pushed are two sources."""
    raw = table(1, "Same words")
    one, other = (desk.makes("csv", name, options={"columns": COLUMNS, "split": ";"}) for name in ("one", "other"))

    first, second = desk.pushes(one, raw, "csv"), desk.pushes(other, raw, "csv")

    assert (first.json["outcome"], second.json["outcome"]) == ("new", "new")
    with desk.door.database.reading() as session:
        incidents = session.scalars(select(StixObject.stix_id).where(StixObject.type == "incident")).all()
    assert len(set(incidents)) == 4


def test_from_setting_up_to_removing(desk: Desk) -> None:
    feed = desk.makes(source="https://partner.example/feed.json?key=s3cret", every="15m", secret="tok3n")
    listed = desk.reads("/feeds")
    changed = desk.asker.ask("PATCH", f"/feeds/{feed}", json={"name": "Partner", "every": None})
    soon = desk.asker.ask("POST", f"/feeds/{feed}/run")
    removed = desk.asker.ask("DELETE", f"/feeds/{feed}")

    assert [each["id"] for each in listed] == [feed]
    assert (listed[0]["every_seconds"], listed[0]["has_secret"]) == (900, True)
    assert "tok3n" not in json.dumps(listed)
    assert (changed.json["name"], changed.json["every_seconds"], changed.json["next_fetch"]) == ("Partner", None, None)
    assert (soon.status_code, soon.json["next_fetch"] is not None) == (202, True)
    assert removed.status_code == 204
    assert desk.asker.get(f"/feeds/{feed}").status_code == 404
    acts = [
        (entry["act"], entry["subject"])
        for entry in desk.reads("/audit")["items"]
        if entry["subject"].startswith("feed ")
    ]
    assert acts == [
        ("ended", "feed Partner"),
        ("changed", "feed Partner"),
        ("changed", "feed Partner"),
        ("added", "feed partner"),
    ]
    assert "s3cret" not in json.dumps(desk.reads("/audit"))


@pytest.mark.parametrize(
    ("wish", "status", "words"),
    [
        ({"kind": "tea"}, 422, "no kind of feed"),
        ({"source": "/etc/passwd"}, 422, "set up by who runs the platform"),
        ({"source": "/srv/feeds"}, 422, "set up by who runs the platform"),
        ({"source": "file:///etc/passwd"}, 422, "https"),
        ({"source": "http://partner.example/x"}, 422, "https|encrypted"),
        ({"source": "https://10.0.0.1/x"}, 422, "not a public address"),
        ({"source": "https://169.254.169.254/latest"}, 422, "not a public address"),
        ({"source": "pushed:2d5c4c5e-0000-4000-8000-000000000000"}, 422, "leave the source empty"),
        ({"source": "https://partner.example/x", "every": "1s"}, 400, "every"),
        ({"source": "https://partner.example/x", "every": "99d"}, 422, "at most 31d"),
        ({"every": "1h"}, 422, "neither a pause"),
        ({"secret": "x"}, 422, "neither a pause"),
        ({"options": {"colour": "red"}}, 422, "no option"),
        ({"name": ""}, 400, "name"),
        ({"name": "\u202e"}, 422, "invisible"),
        ({"colour": "red"}, 400, "not taken"),
    ],
)
def test_a_feed_that_cannot_be_is_refused_with_a_reason_and_nothing_is_kept(
    desk: Desk, wish: dict[str, Any], status: int, words: str
) -> None:
    refused = desk.asker.ask("POST", "/feeds", json={"name": "x", "kind": "stix", **wish})

    assert refused.status_code == status, refused.text
    assert any(word in refused.text for word in words.split("|"))
    assert desk.stored(FeedRow) == 0


def test_a_secret_is_not_sent_to_another_source(desk: Desk) -> None:
    feed = desk.makes(source="https://partner.example/feed.json", secret="tok3n")

    moved = desk.asker.ask("PATCH", f"/feeds/{feed}", json={"source": "https://other.example/feed.json"})
    given = desk.asker.ask("PATCH", f"/feeds/{feed}", json={"source": "https://other.example/x", "secret": ""})

    assert moved.status_code == 422
    assert "give it again" in moved.text
    assert (given.status_code, given.json["has_secret"]) == (200, False)


def test_organizations_name_their_feeds_for_themselves(desk: Desk) -> None:
    other = Desk(desk.door, desk.door.joins("ThaiCERT"))

    assert desk.makes(name="partner") != other.makes(name="partner")
    again = desk.asker.ask("POST", "/feeds", json={"name": "partner", "kind": "stix"})
    assert again.status_code == 422


def test_who_only_reads_sees_no_query_of_an_address_and_changes_nothing(desk: Desk) -> None:
    feed = desk.makes(source="https://partner.example/feed.json?key=s3cret")
    with desk.door.database.writing() as session:
        mine = session.get_one(Organization, desk.asker.identity.organization_id)
        secret = Tokens(session, desk.door.clock, CONSOLE).create(mine, frozenset({Scope.READ, Scope.SUBMIT})).secret
    analyst = replace(desk, asker=replace(desk.asker, secret=secret))

    assert analyst.reads(f"/feeds/{feed}")["source"] == "https://partner.example/feed.json"
    assert analyst.asker.ask("PATCH", f"/feeds/{feed}", json={"name": "x"}).status_code == 403
    assert analyst.asker.ask("DELETE", f"/feeds/{feed}").status_code == 403
    assert analyst.pushes(feed, stix_21(1, "x")).status_code == 202


def test_a_subscriber_has_no_feeds(door: Door) -> None:
    bank = door.joins("A bank", OrganizationKind.SUBSCRIBER)

    refused = bank.ask("POST", "/feeds", json={"name": "x", "kind": "stix"})

    assert refused.status_code == 422
    assert "submits nothing" in refused.json["detail"]  # type: ignore[index]  # it is JSON


def test_a_mail_becomes_a_draft_once(desk: Desk) -> None:
    feed = desk.makes("mail")

    first, again = desk.pushes(feed, mail(1, "Report"), "mail"), desk.pushes(feed, mail(1, "Report"), "mail")

    assert (first.json["outcome"], again.json["outcome"]) == ("new", "unchanged")
    assert first.json["item"]["submissions"][0].startswith("draft ")
    assert (desk.stored(Draft), desk.stored()) == (1, 0)
