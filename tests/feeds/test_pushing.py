"""Pushes at the same moment, beside a fetch, and killed: nothing is lost, nothing is kept twice, and all of it is accounted."""

from __future__ import annotations

import shutil
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from dying import DyingDatabase, Moment
from feeding_samples import COLUMNS, stix_21, table
from feeding_stories import Station, counts, saying, serving
from kentongan import fetching
from kentongan.domain.feeding import Fetched, item_name
from kentongan.domain.identity import Identity, Scope
from kentongan.services.converting import prepare
from kentongan.services.errors import NotFound, Refused
from kentongan.services.push import Push, Pushed
from kentongan.services.read_feeds import ReadFeeds, RunView
from kentongan.storage import feeds as storage
from kentongan.storage.database import Database
from kentongan.storage.feeds import FeedItem, FeedRow
from kentongan.storage.organizations import Organization

HOUR = timedelta(hours=1)


@pytest.fixture
def station(database: Database, tmp_path: Path) -> Station:
    return Station(database, tmp_path / "installation")


def member(station: Station) -> Identity:
    with station.database.reading() as session:
        return session.get_one(Organization, station.member).identity(frozenset({Scope.SUBMIT, Scope.ADMIN}))


def id_of(station: Station, feed: int) -> str:
    with station.database.reading() as session:
        return session.get_one(FeedRow, feed).public_id


def push(station: Station, feed: int, raw: bytes, name: str = "", database: Database | None = None) -> Pushed:
    """As a door does it."""
    who, place, public_id = member(station), station.kentongan, id_of(station, feed)
    with place.database.reading_for(who) as session:
        target = Push(session, place.clock, who).target(public_id)
    built = place.inbound.build(target.kind, target.source, target.options, "")
    item = Fetched(name or item_name(raw), raw)
    prepared = prepare(built, item, place.limits, place.book_of(who))
    with (database or place.database).writing() as session:
        return Push(session, place.clock, who).take(target, built, item, prepared)


def runs(station: Station, feed: int) -> tuple[RunView, ...]:
    who = member(station)
    with station.database.reading_for(who) as session:
        return ReadFeeds(session, who).runs(id_of(station, feed), 1_000)


def test_the_same_pushed_by_many_at_once_is_kept_once(station: Station) -> None:
    feed, raw, begin = station.add(""), stix_21(1, "Web shell"), threading.Barrier(6)
    outcomes: list[str] = []

    def pushing(name: str) -> None:
        begin.wait(10)
        outcomes.append(push(station, feed, raw, name).outcome)

    threads = [threading.Thread(target=pushing, args=(f"file {n % 2}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(outcomes) == ["unchanged"] * 5 + ["new"] or sorted(outcomes) == ["new"] + ["unchanged"] * 5
    assert station.submissions() == 1
    with station.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(FeedItem)) == 2
    assert len(runs(station, feed)) == 6


def test_beside_a_fetch_both_are_taken_and_the_fetch_keeps_the_feed(station: Station) -> None:
    pushed: list[Pushed] = []

    def answer(handler: object) -> None:
        """While it is asked, somebody pushes, more often than fetches are remembered."""
        for number in range(storage.MOST_RUNS + 5):
            pushed.append(push(station, feed, stix_21(2 + number % 3, "Pushed")))
        saying(stix_21(1, "Fetched"))(handler)

    with serving(answer) as server:
        feed = station.add(server.url, every=HOUR)
        fetched = station.run(feed)

    assert (fetched.state, counts(fetched)) == ("done", (1, 0, 0, 0))
    assert [each.outcome for each in pushed[:4]] == ["new", "new", "new", "unchanged"]
    assert station.submissions() == 4
    every = runs(station, feed)
    assert (sum(run.pushed for run in every), sum(not run.pushed for run in every)) == (storage.MOST_RUNS, 1)
    with station.database.reading() as session:
        row = session.get_one(FeedRow, feed)
        assert (row.next_at, row.failures, row.leased_until) == (station.now + HOUR, 0, None)


class Over(BaseException):
    """The process is over: nothing that follows is done."""


@pytest.mark.parametrize("before", [True, False])
def test_killed_before_or_after_its_commit_it_is_sent_again_and_kept_once(station: Station, before: bool) -> None:
    def over() -> None:
        raise Over

    feed, raw = station.add(""), stix_21(1, "Web shell")
    database = DyingDatabase(station.database.engine.url.render_as_string(hide_password=False))
    database.moment, database.die = Moment(1, before=before), over  # type: ignore[method-assign]  # that is what it is for

    with pytest.raises(Over):
        push(station, feed, raw, database=database)
    database.close()
    again = push(station, feed, raw)

    assert again.outcome == ("new" if before else "unchanged")
    assert station.submissions() == 1
    assert [counts(run) for run in runs(station, feed)] == ([(1, 0, 0, 0)] if before else [(0, 0, 1, 0), (1, 0, 0, 0)])


ACTS = st.lists(
    st.tuples(st.sampled_from(["push", "nameless", "file", "fetch"]), st.integers(1, 3), st.integers(1, 2)), max_size=12
)


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(acts=ACTS)
def test_pushed_or_fetched_in_whatever_order_each_document_is_kept_once_and_every_coming_is_counted(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, int, int]]
) -> None:
    """Of three names, each with one of two contents: what there is at the end follows from what came, not from how."""
    folder = tmp_path_factory.mktemp("law")
    shutil.copy(sqlite_template, folder / "law.sqlite")
    station = Station(Database(f"sqlite:///{folder / 'law.sqlite'}"), folder)
    drop = folder / "drop"
    drop.mkdir()
    feed, came, lying = station.add(drop), set[bytes](), dict[str, bytes]()

    for act, name, content in acts:
        raw = stix_21(10 * name + content, f"{name} {content}")
        if act == "file":
            lying[f"{name}.json"] = raw
            (drop / f"{name}.json").write_bytes(raw)
        elif act == "fetch":
            done = station.run(feed)
            assert sum(counts(done)) == len(lying)
            came |= set(lying.values())
        else:
            known = raw in came
            outcome = push(station, feed, raw, "" if act == "nameless" else f"{name}.json").outcome
            assert outcome in (("unchanged", "changed") if known else ("new", "changed"))
            came.add(raw)
        assert station.submissions() == len(came)

    for name, raw in lying.items():
        push(station, feed, raw, name)
    assert counts(station.run(feed)) == (0, 0, len(lying), 0)
    station.database.close()


def test_what_was_pushed_long_ago_is_forgotten_and_still_not_kept_twice(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "MOST_PUSHED", 2)
    feed = station.add("")
    for number in range(5):
        push(station, feed, stix_21(number, "Pushed"))

    with station.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(FeedItem)) == 2
    assert push(station, feed, stix_21(0, "Pushed")).outcome == "unchanged"
    assert station.submissions() == 5


def test_into_a_feed_that_was_changed_or_removed_meanwhile_nothing_goes(station: Station) -> None:
    feed = station.add("", "csv", options={"columns": COLUMNS, "split": ";"})
    who, place = member(station), station.kentongan
    with place.database.reading_for(who) as session:
        target = Push(session, place.clock, who).target(id_of(station, feed))
    built = place.inbound.build(target.kind, target.source, target.options, "")
    item = Fetched("t", table(1, "Old mapping"))
    prepared = prepare(built, item, place.limits, place.book_of(who))
    with place.database.writing() as session:
        station.feeds(session, who).change(target.feed_id, options={"columns": COLUMNS})

    with place.database.writing() as session, pytest.raises(NotFound):
        Push(session, place.clock, who).take(target, built, item, prepared)

    assert (station.submissions(), runs(station, feed)) == (0, ())


def test_with_another_mapping_all_is_looked_at_again_and_nothing_is_kept_twice(
    station: Station, tmp_path: Path
) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "a.csv").write_bytes(table(1, "One"))
    columns = {"columns": COLUMNS, "split": ";"}
    feed = station.add(drop, "csv", options=columns)
    first = station.run(feed)
    with station.database.writing() as session:
        station.feeds(session).change(id_of(station, feed), options={**columns, "tlp": "green"})
    marked = station.run(feed)
    with station.database.writing() as session:
        station.feeds(session).change(id_of(station, feed), options=columns)
    back = station.run(feed)

    assert [counts(run) for run in (first, marked, back)] == [(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0)]
    assert station.submissions() == 2


def test_a_feed_that_is_changed_while_it_is_fetched_is_lost_to_that_fetch(station: Station) -> None:
    def answer(handler: object) -> None:
        with station.database.writing() as session:
            station.feeds(session).change(id_of(station, feed), source=other.url)
        saying(stix_21(1, "Of the old source"), etag='"old"')(handler)

    with serving(answer) as server, serving(saying(stix_21(2, "Of the new one"))) as other:
        feed = station.add(server.url)
        with pytest.raises(storage.LostFeed):
            station.run(feed)
        done = station.run(feed)

        assert (station.submissions(), counts(done), done.resumed) == (1, (1, 0, 0, 0), 0)
        assert "If-None-Match" not in other.asked[0][1]
    broken_off = runs(station, feed)[-1]
    assert (broken_off.state, broken_off.failure) == ("failed", "the feed was changed meanwhile")


def test_asked_to_fetch_now_the_next_turn_of_a_worker_does(station: Station) -> None:
    with serving(saying(stix_21(1, "Web shell"))) as server:
        feed = station.add(server.url)
        nothing = fetching.run_due(station.kentongan, lambda: True)
        with station.database.writing() as session:
            station.feeds(session, member(station)).fetch_soon(id_of(station, feed))

        assert (nothing, fetching.run_due(station.kentongan, lambda: True)) == (0, 1)
        assert fetching.run_due(station.kentongan, lambda: True) == 0
    assert station.submissions() == 1


def test_what_is_only_pushed_is_not_fetched(station: Station) -> None:
    feed = station.add("")

    with station.database.writing() as session, pytest.raises(Refused, match="sent to it"):
        station.feeds(session).fetch_soon(id_of(station, feed))
    assert station.run(feed).state == "failed"


def test_of_another_organizations_feed_nothing_is_known(station: Station) -> None:
    feed = id_of(station, station.add(""))
    with station.database.writing() as session:
        other = session.get_one(Organization, station.member)
        stranger = Identity(other.id + 1, "ThaiCERT", other.identity().kind, frozenset({Scope.ADMIN, Scope.SUBMIT}))
        doing = station.feeds(session, stranger)

        for wish in (
            lambda: doing.change(feed, name="x"),
            lambda: doing.remove(feed),
            lambda: doing.fetch_soon(feed),
            lambda: ReadFeeds(session, stranger).view(feed),
            lambda: Push(session, station.kentongan.clock, stranger).target(feed),
        ):
            with pytest.raises(NotFound):
                wish()
        assert ReadFeeds(session, stranger).all() == ()
