"""The books of a feed: when it is fetched, what is remembered, whose it is, and what keeps two processes apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from feeding_samples import mail, stix_20, stix_21
from feeding_stories import Station, counts, saying, serving
from kentongan import fetching
from kentongan.bootstrap import feed_reach
from kentongan.domain.feeding import Fetched, FetchFailed, Known, WrongFeed, duration, next_fetch, summed_up
from kentongan.domain.gate import Unreadable, check, read
from kentongan.domain.identity import OrganizationKind, Scope
from kentongan.domain.stix20 import in_stix_21
from kentongan.services.drafts import Drafts
from kentongan.services.erase import Erase
from kentongan.services.errors import Refused
from kentongan.services.feeds import FeedWish
from kentongan.services.fetching import Fetching
from kentongan.storage import jobs
from kentongan.storage.audit import AuditEntry
from kentongan.storage.database import Database
from kentongan.storage.feeds import FeedItem, FeedRow, FeedRun, LostFeed
from kentongan.storage.organizations import Organization
from kentongan.storage.submissions import IdempotencyKey, Submission
from kentongan_feeds.inbound import build
from stories import NOON, as_bytes, bundle, incident, newer, organization

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def station(database: Database, tmp_path: Path) -> Station:
    return Station(database, tmp_path / "installation")


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    folder = tmp_path / "drop"
    folder.mkdir()
    (folder / "1.json").write_bytes(stix_21(1, "Web shell"))
    return folder


def due(station: Station) -> int:
    return fetching.run_due(station.kentongan, lambda: True)


def next_at(station: Station) -> Any:
    with station.database.reading() as session:
        return session.scalars(select(FeedRow.next_at)).one()


def test_a_feed_is_fetched_when_it_is_due_and_then_after_its_pause(station: Station, drop: Path) -> None:
    station.add(drop, every=HOUR)

    first, at_once = due(station), due(station)
    station.now += HOUR
    later = due(station)

    assert (first, at_once, later) == (1, 0, 1)
    assert next_at(station) == NOON + 2 * HOUR
    assert station.submissions() == 1


def test_what_failed_is_tried_sooner_and_then_less_and_less_often(station: Station, tmp_path: Path) -> None:
    station.add(tmp_path / "not there", every=HOUR)
    waited = []

    for _ in range(8):
        assert due(station) == 1
        waited.append((next_at(station) - station.now) // MINUTE)
        station.now = next_at(station)
    (tmp_path / "not there").mkdir()
    due(station)

    assert waited == [1, 2, 4, 8, 16, 32, 60, 60]
    assert next_at(station) == station.now + HOUR


def test_a_feed_without_a_pause_waits_to_be_told(station: Station, drop: Path) -> None:
    feed = station.add(drop)

    assert due(station) == 0
    assert counts(station.run(feed)) == (1, 0, 0, 0)
    assert next_at(station) is None


def test_one_that_has_no_time_left_goes_on_in_its_next_turn_and_counts_each_item_once(
    station: Station, drop: Path
) -> None:
    for number in range(2, 6):
        (drop / f"{number}.json").write_bytes(stix_21(number, "Web shell"))
    station.add(drop, every=HOUR)
    turns = iter([True, True, False])
    fetching.run_due(station.kentongan, lambda: next(turns, False))
    between = station.submissions()

    due(station)

    with station.database.reading() as session:
        (run,) = session.scalars(select(FeedRun)).all()
    assert between < 5
    assert (run.new, run.unchanged, run.resumed, run.ended_at is None) == (5, 0, 1, False)


def test_two_processes_never_fetch_the_same_feed(station: Station, drop: Path) -> None:
    feed = station.add(drop, every=HOUR)
    with station.database.writing() as session:
        claimed = Fetching(session, lambda: station.now).claim()
    assert claimed is not None

    with pytest.raises(fetching.InOtherHands):
        station.run(feed)
    assert due(station) == 0

    station.now += timedelta(minutes=6)
    assert due(station) == 1
    with pytest.raises(LostFeed), station.database.writing() as session:
        Fetching(session, lambda: station.now).go_on(claimed, 1, None)


def test_one_that_is_removed_while_it_is_fetched_keeps_nothing_more(station: Station, drop: Path) -> None:
    station.add(drop, every=HOUR)
    with station.database.writing() as session:
        claimed = Fetching(session, lambda: station.now).claim()
        assert claimed is not None
    with station.database.writing() as session:
        feeds = station.feeds(session)
        feeds.remove(feeds.named("partner").public_id)

    with pytest.raises(LostFeed):
        fetching._Run(station.kentongan, claimed, lambda: True).run()

    with station.database.reading() as session:
        assert [session.query(table).count() for table in (FeedRow, FeedRun, FeedItem, Submission)] == [0, 0, 0, 0]


def test_what_it_brings_is_a_submission_of_its_organization_under_a_key_of_its_own(
    station: Station, drop: Path
) -> None:
    station.run(station.add(drop))

    with station.database.reading() as session:
        submission = session.scalars(select(Submission)).one()
        key = session.scalars(select(IdempotencyKey)).one()
        entries = session.scalars(select(AuditEntry).where(AuditEntry.act == "submitted")).all()
    assert submission.organization_id == key.organization_id == station.member
    assert key.submission_id == submission.id
    assert key.key.startswith("feed-")
    assert ["feed partner" in str(entry.details) for entry in entries] == [True]


def test_for_an_organization_that_has_left_nothing_is_fetched(station: Station, drop: Path) -> None:
    feed = station.add(drop)
    with station.database.writing() as session:
        session.execute(update(Organization).values(ended_at=station.now))

    done = station.run(feed)

    assert (done.state, station.submissions()) == ("failed", 0)


def test_a_subscriber_has_no_feeds(station: Station, drop: Path) -> None:
    with station.database.writing() as session, pytest.raises(Refused, match="submits nothing"):
        bank = organization(session, "A bank", kind=OrganizationKind.SUBSCRIBER)
        station.feeds(session).add(bank, FeedWish("x", "stix", str(drop)))


def test_what_was_erased_does_not_come_back_by_itself(station: Station, drop: Path) -> None:
    feed = station.add(drop)
    station.run(feed)
    (receipt,) = station.items()["1.json"].submissions
    with station.database.writing() as session:
        who = session.get_one(Organization, station.member).identity(frozenset({Scope.SUBMIT}))
        Erase(session, lambda: station.now).submission(who, station.member, receipt)

    unchanged, again = station.run(feed), station.run(feed, again=True)

    assert (counts(unchanged), counts(again)) == ((0, 0, 1, 0), (0, 0, 0, 1))
    assert station.items()["1.json"].problems[0].rule == "erased"
    assert station.submissions() == 0


def test_a_secret_is_stored_sealed_and_opens_for_its_feed_alone(station: Station, drop: Path) -> None:
    station.add(drop, name="one", secret="name:s3cret-of-one")
    station.add(drop, name="two", secret="name:s3cret-of-two")
    with station.database.writing() as session:
        one, two = session.scalars(select(FeedRow).order_by(FeedRow.name)).all()
        assert b"s3cret" not in (one.secret or b"")
        two.secret = one.secret
        number = two.id

    done = station.run(number)

    assert done.state == "failed"
    assert "add it anew" in (done.failure or "")


def test_conflicts_inside_a_receipt_are_told_by_the_report(station: Station, drop: Path) -> None:
    event = incident("One")
    (drop / "1.json").write_bytes(as_bytes(bundle(event, incident("Two"))))
    (drop / "2.json").write_bytes(as_bytes(bundle(newer(event, modified=event["modified"], name="Other"), incident())))

    done = station.run(station.add(drop))

    assert counts(done) == (2, 0, 0, 0)
    (problem,) = station.items()["2.json"].problems
    assert (problem.path, problem.rule) == (event["id"], "conflict")


def test_a_partly_valid_item_is_kept_in_its_valid_part_and_says_so(station: Station, drop: Path) -> None:
    (drop / "1.json").write_bytes(as_bytes(bundle(incident("One"), {**incident(), "created": "yesterday"})))

    station.run(station.add(drop))

    item = station.items()["1.json"]
    assert (item.accepted, item.refused) == (1, 1)
    assert item.problems[0].path.startswith("$.objects[1].created")


def test_trying_out_tells_of_every_item_and_stores_nothing(station: Station, drop: Path) -> None:
    (drop / "2.json").write_bytes(stix_20(2, "Old"))
    (drop / "3.json").write_bytes(b"nonsense")
    feed = station.add(drop)

    one, two, three = fetching.try_out(station.kentongan, feed)

    assert (one.accepted, two.accepted, three.accepted) == (2, 5, 0)
    assert {change.rule for change in two.changes} >= {"labels-to-indicator-types", "observables-unpacked"}
    assert three.problems[0].rule == "not-json"
    assert station.submissions() == 0
    assert station.items() == {}


def test_a_converter_that_stumbles_refuses_that_item_alone(
    station: Station, drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(bundle: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr("kentongan_feeds.inbound.stix.in_stix_21", stumble)
    (drop / "0.json").write_bytes(stix_20(2, "Old"))

    assert counts(station.run(station.add(drop))) == (1, 0, 0, 1)
    assert "ZeroDivisionError" in station.items()["0.json"].problems[0].reason


@pytest.mark.parametrize(
    ("kind", "source", "options", "words"),
    [
        ("tea", "/srv", {}, "no kind of feed"),
        ("stix", "relative/path", {}, "from the root on"),
        ("stix", "", {}, "1 to"),
        ("stix", "ftp://partner.example/x", {}, "https"),
        ("stix", "http://partner.example/x", {}, "no private|not encrypted|allowed"),
        ("stix", "https://me:secret@partner.example/x", {}, "user name or password"),
        ("stix", "https://10.0.0.1/x", {}, "not a public address"),
        ("stix", "/srv", {"colour": "red"}, "no option"),
    ],
)
def test_a_feed_that_cannot_be_is_refused_with_a_reason(
    station: Station, kind: str, source: str, options: dict[str, str], words: str
) -> None:
    reach = feed_reach(
        replace(station.kentongan, settings=station.kentongan.settings.model_copy(update={"egress_allow": ""}))
    )

    with pytest.raises(WrongFeed, match=words):
        build(kind, source, options, "", reach)


def test_a_name_that_turns_inward_after_it_was_allowed_is_refused_at_every_fetch(station: Station) -> None:
    reach = feed_reach(station.kentongan)
    inward = replace(reach, egress=replace(reach.egress, allowed=(), resolver=lambda name, port: ["127.0.0.1"]))

    with pytest.raises(FetchFailed, match="not a public address"):
        list(build("stix", "https://partner.example/x", {}, "", inward).fetch(Known()))


def test_an_address_that_fails_says_nothing_of_a_secret_in_its_query(station: Station) -> None:
    with serving(saying(b"", 500)) as server:
        done = station.run(station.add(server.url + "?key=s3cret"))

    assert "s3cret" not in (done.failure or "")


@pytest.mark.parametrize("text", ["", "1", "0m", "61x", "32d", "-1h", "1h30m", "1" * 20 + "m"])
def test_a_pause_is_at_least_a_minute_and_at_most_31_days(text: str) -> None:
    with pytest.raises(WrongFeed):
        duration(text)


def test_pauses() -> None:
    assert [duration(text) for text in ("1m", "6H", " 31d ")] == [MINUTE, 6 * HOUR, timedelta(days=31)]
    assert next_fetch(NOON, None, 3) is None


def test_many_changes_of_a_kind_are_counted_and_some_are_placed() -> None:
    _, changes = in_stix_21({"type": "bundle", "spec_version": "2.0", "objects": [{"type": "x-y"}] * 1_000})

    moved, added = summed_up(changes)

    assert (moved["count"], added["count"], len(added["paths"])) == (1, 1_000, 200)


def test_the_feed_that_the_document_writes_works(station: Station) -> None:
    text = (Path(__file__).parents[2] / "docs" / "feeds.md").read_text()
    written: dict[str, Any] = {"__name__": "written"}
    exec(text.split("```python\n", 1)[1].split("```", 1)[0], written)
    feed = written["DomainsFeed"]("/nowhere", {}, "", feed_reach(station.kentongan))

    found = feed.convert(Fetched("list.txt", b"# bad\nevil.example\n\nworse.example\n"))

    (document,) = found.documents
    assert [change.path for change in found.changes] == ["line 1"]
    assert [one.problems for one in check(read(document))] == [(), ()]
    for empty in (b"", b"# nothing\n", b"\xff"):
        with pytest.raises(Unreadable):
            feed.convert(Fetched("list.txt", empty))


def test_what_a_mailbox_brings_waits_as_a_draft_and_takes_part_in_nothing(station: Station, tmp_path: Path) -> None:
    folder = tmp_path / "mails"
    folder.mkdir()
    for number in (1, 2):
        (folder / f"{number}.eml").write_bytes(mail(number, f"Phishing {number}"))
    feed = station.add(folder, "mail")

    first, second = station.run(feed), station.run(feed, again=True)

    with station.database.reading() as session:
        who = session.get_one(Organization, station.member).identity(frozenset({Scope.SUBMIT}))
        waiting = Drafts(session, lambda: station.now).open(who)
        assert jobs.counts(session) == {"failed": 0}
    assert (counts(first), counts(second)) == ((2, 0, 0, 0), (0, 0, 2, 0))
    assert [(draft.title, draft.feed) for draft in waiting] == [("Phishing 1", "partner"), ("Phishing 2", "partner")]
    assert station.submissions() == 0
    assert station.items()["1.eml"].submissions == (f"draft {waiting[0].id}",)
