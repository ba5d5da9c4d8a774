"""What every kind of feed must bear: empty, huge, Unicode, duplicate, cut, killed, and sources that lie."""

from __future__ import annotations

import gzip
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dying import DyingDatabase, Moment, die_while_fetching
from feeding_samples import SAMPLES, Sample
from feeding_stories import Station, alone, bomb, counts, fetched, hanging, saying, serving
from kentongan.domain.feeding import Converted
from kentongan.domain.gate import Unreadable
from kentongan.fetching import run_one
from kentongan.services.read_feeds import RunView
from kentongan.storage.database import Database
from kentongan_feeds.inbound import kinds, sources
from kentongan_feeds.inbound.feed import Feed

WORDS = "เว็บเชลล์ — ຂ່າວ — ဖြားယောင်းခြင်း — \N{FIRE}\N{ZERO WIDTH JOINER}e\N{COMBINING ACUTE ACCENT} — \N{RIGHT-TO-LEFT MARK}שלום"
EVERY = [pytest.param(sample, id=name) for name, sample in SAMPLES.items()]
IN_FOLDERS = [pytest.param(sample, id=name) for name, sample in SAMPLES.items() if sample.reads_folders]
AT_ADDRESSES = [pytest.param(sample, id=name) for name, sample in SAMPLES.items() if sample.path is not None]
ASKING = [pytest.param(s, id=n) for n, s in SAMPLES.items() if s.path is not None and s.asks_whether_changed]


@pytest.fixture
def station(sqlite_database: Database, tmp_path: Path) -> Station:
    return Station(sqlite_database, tmp_path / "installation")


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


def put(folder: Path, sample: Sample, *numbers: int, words: str = "Web shell") -> None:
    for number in numbers:
        write(folder / f"{number}{sample.suffix}", sample.make(number, words))


def write(path: Path, content: bytes) -> None:
    """A file that was not touched for a minute, so that its times tell whether it is the same."""
    path.write_bytes(content)
    past = path.stat().st_mtime - 60
    os.utime(path, (past, past))


def of(station: Station, sample: Sample) -> Feed:
    source = "/nowhere" if sample.reads_folders else f"https://partner.example{sample.path}"
    return alone(sample.kind, station.kentongan, sample.options, source)


def convert(station: Station, sample: Sample, raw: bytes) -> Converted | None:
    """None: refused with reasons."""
    try:
        return of(station, sample).convert(fetched(raw, f"one{sample.suffix}"))
    except Unreadable as error:
        assert error.problems
        return None


def test_every_kind_is_put_to_these_tests() -> None:
    assert {sample.kind for sample in SAMPLES.values()} == set(kinds())


@pytest.mark.parametrize("sample", IN_FOLDERS)
def test_what_is_there_is_kept_once(station: Station, drop: Path, sample: Sample) -> None:
    put(drop, sample, 1, 2, words=WORDS)
    feed = station.add(drop, sample.kind, options=sample.options)

    first, second, again = station.run(feed), station.run(feed), station.run(feed, again=True)

    assert (first.state, counts(first)) == ("done", (2, 0, 0, 0))
    assert counts(second) == counts(again) == (0, 0, 2, 0)
    assert station.kept() == 2
    assert all(item.accepted and not item.refused and len(item.submissions) == 1 for item in station.items().values())


@pytest.mark.parametrize("sample", IN_FOLDERS)
def test_every_letter_arrives(station: Station, drop: Path, sample: Sample) -> None:
    put(drop, sample, 1, words=WORDS)

    station.run(station.add(drop, sample.kind, options=sample.options))

    assert WORDS in str(station.objects()).replace("\\u200d", "\N{ZERO WIDTH JOINER}").replace(
        "\\u200f", "\N{RIGHT-TO-LEFT MARK}"
    )


@pytest.mark.parametrize("sample", IN_FOLDERS)
def test_what_changed_is_taken_again_and_only_that(station: Station, drop: Path, sample: Sample) -> None:
    put(drop, sample, 1, 2)
    feed = station.add(drop, sample.kind, options=sample.options)
    station.run(feed)
    put(drop, sample, 2, 3, words="Something else")
    write(drop / f"2{sample.suffix}", sample.make(4, "Something else"))

    assert counts(station.run(feed)) == (1, 1, 1, 0)
    assert station.kept() == 4


@pytest.mark.parametrize("sample", IN_FOLDERS)
def test_the_same_twice_is_stored_once(station: Station, drop: Path, sample: Sample) -> None:
    put(drop, sample, 1)
    write(drop / f"copy{sample.suffix}", sample.make(1, "Web shell"))

    station.run(station.add(drop, sample.kind, options=sample.options))

    ids = [obj["id"] for obj in station.objects()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("sample", IN_FOLDERS)
def test_what_is_empty_huge_or_a_bomb_is_refused_and_the_rest_is_taken(
    station: Station, drop: Path, sample: Sample
) -> None:
    station.settings = {"max_bytes": 20_000}
    put(drop, sample, 1, 2)
    write(drop / f"empty{sample.suffix}", b"")
    write(drop / f"huge{sample.suffix}", b" " * 20_001)
    write(drop / f"bomb{sample.suffix}.gz", bomb())
    write(drop / f"packed{sample.suffix}.gz", gzip.compress(sample.make(3, "Packed")))
    write(drop / f"torn{sample.suffix}.gz", gzip.compress(sample.make(4, "Torn"))[:-9])

    done = station.run(station.add(drop, sample.kind, options=sample.options))

    assert counts(done) == (3, 0, 0, 4)
    refused = {name.partition(".")[0]: item for name, item in station.items().items() if not item.submissions}
    assert set(refused) == {"empty", "huge", "bomb", "torn"}
    assert all(item.problems for item in refused.values())
    assert [refused[name].problems[0].rule for name in ("huge", "bomb", "torn")] == [
        "too-large",
        "too-large",
        "gzip",
    ]


@pytest.mark.parametrize("sample", EVERY)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_cut_anywhere_or_scratched_it_is_converted_or_refused_and_nothing_else(
    station: Station, sample: Sample, data: st.DataObject
) -> None:
    raw = bytearray(sample.make(1, WORDS))
    if data.draw(st.booleans()):
        del raw[data.draw(st.integers(0, len(raw) - 1)) :]
    for at in data.draw(st.lists(st.integers(0, max(0, len(raw) - 1)), max_size=3)):
        raw[at : at + 1] = data.draw(st.binary(max_size=2))

    assert convert(station, sample, bytes(raw)) == convert(station, sample, bytes(raw))


@pytest.mark.parametrize("sample", IN_FOLDERS)
def test_a_link_and_a_pipe_are_left_alone(station: Station, drop: Path, tmp_path: Path, sample: Sample) -> None:
    secret = tmp_path / f"secret{sample.suffix}"
    secret.write_bytes(sample.make(9, "Not in the folder"))
    (drop / f"link{sample.suffix}").symlink_to(secret)
    os.mkfifo(drop / f"pipe{sample.suffix}")
    put(drop, sample, 1)

    assert counts(station.run(station.add(drop, sample.kind, options=sample.options))) == (1, 0, 0, 2)


@pytest.mark.parametrize("sample", IN_FOLDERS)
@pytest.mark.parametrize("longer", [True, False])
def test_a_file_that_changes_while_it_is_read_is_left_until_the_next_run(
    station: Station, drop: Path, sample: Sample, longer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at it and the reading somebody writes: what was read is of neither state."""
    put(drop, sample, 1)
    (file,) = drop.iterdir()
    whole, number, looks = file.read_bytes(), file.stat().st_ino, iter(range(100))

    def look_and_let_it_be_written(descriptor: int, look: Callable[[int], os.stat_result] = os.fstat) -> os.stat_result:
        seen = look(descriptor)
        if seen.st_ino == number and next(looks) == 0:
            file.write_bytes(whole + b" " if longer else whole[: len(whole) // 2])
        return seen

    feed = station.add(drop, sample.kind, options=sample.options)
    with monkeypatch.context() as patch:
        patch.setattr(sources.os, "fstat", look_and_let_it_be_written)
        assert counts(station.run(feed)) == (0, 0, 0, 1)
    file.write_bytes(whole)

    assert counts(station.run(feed))[0] == 1


def run_of(station: Station, feed: int, moment: Moment) -> int:
    """A process that fetches and is killed at that moment; how it ended."""
    url = station.database.engine.url.render_as_string(hide_password=False)
    arguments = (url, station.folder, station.now, feed, moment)
    process = multiprocessing.get_context("spawn").Process(target=die_while_fetching, args=arguments)
    process.start()
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


KILLED_AT = [Moment(1, before=True), Moment(2, before=True), Moment(3, before=False), Moment(4, before=True)]
"""The first transaction takes the feed, the next three keep one item each, the last one settles."""


class Over(BaseException):
    """The process is over: nothing that follows is done."""


def over() -> None:
    raise Over


@pytest.mark.parametrize("sample", IN_FOLDERS)
@pytest.mark.parametrize("moment", KILLED_AT, ids=str)
def test_broken_off_between_two_steps_it_goes_on_and_nothing_is_lost_or_doubled(
    station: Station, drop: Path, sample: Sample, moment: Moment
) -> None:
    put(drop, sample, 1, 2, 3)
    feed = station.add(drop, sample.kind, options=sample.options)
    database = DyingDatabase(station.database.engine.url.render_as_string(hide_password=False))
    database.moment, database.die = moment, over  # type: ignore[method-assign]  # that is what it is for

    with pytest.raises(Over):
        run_one(replace(station.kentongan, database=database), feed)

    database.close()
    gone_on_with(station, feed, moment)


def gone_on_with(station: Station, feed: int, moment: Moment) -> None:
    station.now += timedelta(minutes=6)
    done = station.run(feed)

    assert (done.state, counts(done), done.resumed) == ("done", (3, 0, 0, 0), 0 if moment == KILLED_AT[0] else 1)
    assert station.kept() == 3
    ids = [obj["id"] for obj in station.objects()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("moment", KILLED_AT, ids=str)
def test_killed_between_two_steps_it_goes_on_and_nothing_is_lost_or_doubled(
    database: Database, tmp_path: Path, drop: Path, moment: Moment
) -> None:
    sample, station = SAMPLES["stix-2.1"], Station(database, tmp_path / "installation")
    put(drop, sample, 1, 2, 3)
    feed = station.add(drop, sample.kind, options=sample.options)

    assert run_of(station, feed, moment) == -signal.SIGKILL
    gone_on_with(station, feed, moment)


@pytest.mark.parametrize("sample", ASKING)
def test_an_address_is_fetched_and_then_asked_whether_it_changed(station: Station, sample: Sample) -> None:
    def answer(handler: object) -> None:
        same = server.asked[-1][1].get("If-None-Match") == '"1"'
        saying(b"" if same else sample.make(1, "Web shell"), 304 if same else 200, etag='"1"')(handler)

    with serving(answer) as server:
        feed = station.add(server.url + (sample.path or ""), sample.kind, options=sample.options, secret="s3cret")

        first, second = station.run(feed), station.run(feed)

    assert (counts(first), counts(second)) == ((1, 0, 0, 0), (0, 0, 1, 0))
    assert all(headers["Authorization"].endswith("s3cret") for _, headers in server.asked)
    assert len(server.asked) == 2


@pytest.mark.parametrize("sample", AT_ADDRESSES)
def test_a_packed_answer_is_unpacked_and_a_bomb_is_not(station: Station, sample: Sample) -> None:
    with serving(saying(gzip.compress(sample.make(1, "Web shell")), content_encoding="gzip")) as server:
        feed = station.add(server.url + (sample.path or ""), sample.kind, options=sample.options)
        packed = station.run(feed)
        server.answer = saying(bomb(), content_encoding="gzip")
        exploded = station.run(feed)

    assert counts(packed) == (1, 0, 0, 0)
    assert is_turned_down(exploded)


def is_turned_down(run: RunView) -> bool:
    """The item is refused, or the fetch fails where an answer has to be understood to go on."""
    return run.new == run.changed == 0 and (run.refused == 1) != (run.state == "failed")


LIARS = {
    "says more than it sends": (saying(b'{"type": "bundle"', length=1_000), "without sending"),
    "says more than is taken": (saying(b"{", length=10**12), "too large"),
    "leads inward": (saying(b"", 302, location="http://127.0.0.1:1/secret"), "not followed"),
    "leads to itself": (saying(b"", 301, location="/feed"), "not followed"),
    "does not let us in": (saying(b"", 401), "secret"),
    "is broken": (saying(b"", 500), "HTTP 500"),
}


@pytest.mark.parametrize("sample", AT_ADDRESSES)
@pytest.mark.parametrize("liar", LIARS)
def test_a_source_that_lies_fails_the_fetch_and_is_tried_again(station: Station, sample: Sample, liar: str) -> None:
    answer, words = LIARS[liar]
    with serving(answer) as server:
        feed = station.add(
            server.url + (sample.path or ""), sample.kind, options=sample.options, every=timedelta(hours=6)
        )
        failed = station.run(feed)
        server.answer = saying(sample.make(1, "Web shell"))
        done = station.run(feed)

    assert failed.state == "failed"
    assert words in (failed.failure or "")
    assert (done.state, counts(done)) == ("done", (1, 0, 0, 0))


@pytest.mark.parametrize("sample", AT_ADDRESSES)
def test_one_that_says_less_than_it_sends_is_cut_there_and_refused(station: Station, sample: Sample) -> None:
    whole = sample.make(1, "Web shell")
    with serving(saying(whole, length=len(whole) // 2)) as server:
        feed = station.add(server.url + (sample.path or ""), sample.kind, options=sample.options)
        cut = station.run(feed)
        server.answer = saying(whole)
        done = station.run(feed)

    assert is_turned_down(cut)
    assert counts(done) == (1, 0, 0, 0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("kentongan_feeds.inbound.feed.SECONDS_OF_A_REQUEST", 0.5)
    yield


@pytest.mark.parametrize("sample", AT_ADDRESSES)
def test_one_that_hangs_is_given_up(station: Station, sample: Sample, impatient: None) -> None:
    with serving(hanging) as server:
        failed = station.run(station.add(server.url + (sample.path or ""), sample.kind, options=sample.options))

    assert failed.state == "failed"
    assert "no answer in time" in (failed.failure or "")
