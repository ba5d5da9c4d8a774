"""The same incidents make the same cases and campaigns, in whatever order they come and however many workers there are."""

from __future__ import annotations

import gzip
import multiprocessing
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
import pytest

from kentongan.cli.evaluate import Line, feed, submit_line, work_off
from kentongan.storage.cases import whereabouts
from kentongan.storage.database import Database
from matching_stories import sha256
from stories import file_hash
from working import work_until_done

SHUFFLES = 20
LINES = 50
LATER = datetime(2030, 1, 1, tzinfo=UTC)
Groups = tuple[frozenset[frozenset[str]], frozenset[frozenset[str]]]


@pytest.fixture(scope="session")
def stream() -> list[Line]:
    """Real reports with duplicates and campaigns: the beginning of the demonstration's stream."""
    packed = files("kentongan.demo.incidents").joinpath("stream.jsonl.gz").read_bytes()
    told = [orjson.loads(line) for line in gzip.decompress(packed).splitlines()[:LINES]]
    return [_line(number, **one) for number, one in enumerate(told, start=1)]


def _line(number: int, received: str, reporter: str, bundle: dict[str, Any], **_more: Any) -> Line:
    incident_id = next(one["id"] for one in bundle["objects"] if one["type"] == "incident")
    return Line(number, datetime.fromisoformat(received), reporter, incident_id, orjson.dumps(bundle))


@pytest.fixture
def fresh(sqlite_template: Path, tmp_path: Path) -> Callable[[], Database]:
    """Makes stores with all tables and no rows."""
    made: list[Database] = []

    def make() -> Database:
        path = tmp_path / f"{len(made)}.sqlite"
        path.write_bytes(sqlite_template.read_bytes())
        made.append(Database(f"sqlite:///{path}"))
        return made[-1]

    return make


def groups(store: Database) -> Groups:
    """The incidents of each case, and those of each campaign or case alone."""
    in_case: dict[str, set[str]] = defaultdict(set)
    in_cluster: dict[str, set[str]] = defaultdict(set)
    with store.reading() as session:
        for at in whereabouts(session):
            in_case[at.first_of_case or at.stix_id].add(at.stix_id)
            in_cluster[at.cluster].add(at.stix_id)
    return frozenset(map(frozenset, in_case.values())), frozenset(map(frozenset, in_cluster.values()))


def in_order(store: Database, lines: Sequence[Line]) -> Groups:
    """One after the other, each worked off before the next comes."""
    for line in lines:
        feed(store, line)
    return groups(store)


def test_twenty_shuffles_of_a_stream_give_the_same_cases_and_campaigns(
    stream: list[Line], fresh: Callable[[], Database]
) -> None:
    expected = in_order(fresh(), stream)
    cases, clusters = expected
    assert len(cases) < len(stream) and any(len(cluster) > 3 for cluster in clusters)

    for seed in range(SHUFFLES):
        shuffled = random.Random(seed).sample(stream, len(stream))
        assert in_order(fresh(), shuffled) == expected, f"in the order of seed {seed}"


def test_what_comes_at_once_gives_the_same_as_what_comes_one_by_one(
    stream: list[Line], fresh: Callable[[], Database]
) -> None:
    at_once = fresh()
    for line in stream:
        submit_line(at_once, line)
    work_off(at_once, lambda: LATER)

    assert groups(at_once) == in_order(fresh(), stream)


def test_four_workers_give_the_same_as_one(
    stream: list[Line], fresh: Callable[[], Database], postgres_database: Database
) -> None:
    shuffled = random.Random(4).sample(stream, len(stream))
    url = postgres_database.engine.url.render_as_string(hide_password=False)
    spawning = multiprocessing.get_context("spawn")
    done = spawning.Event()
    workers = [spawning.Process(target=work_until_done, args=(url, done)) for _ in range(4)]
    for worker in workers:
        worker.start()

    for line in shuffled:
        submit_line(postgres_database, line)
    done.set()
    for worker in workers:
        worker.join(120)
        worker.kill()

    assert [worker.exitcode for worker in workers] == [0] * 4
    assert groups(postgres_database) == in_order(fresh(), stream)


def test_earlier_versions_leave_nothing_behind_whether_they_come_before_or_after(
    stream: list[Line], fresh: Callable[[], Database]
) -> None:
    """Each report has an earlier version that names one more file, the same in all of them."""
    newest = [_version(line, "2026-11-01T00:00:00.000Z") for line in stream]
    earlier = [_version(line, "2026-10-01T00:00:00.000Z", file_hash(sha256("in all drafts"))) for line in stream]
    mixed = random.Random(7).sample([*newest, *earlier], 2 * len(stream))

    assert in_order(fresh(), mixed) == in_order(fresh(), newest)


def _version(line: Line, modified: str, *more: dict[str, Any]) -> Line:
    bundle = orjson.loads(line.bundle)
    objects = [one | {"modified": modified} if one["type"] == "incident" else one for one in bundle["objects"]]
    return replace(line, bundle=orjson.dumps(bundle | {"objects": [*objects, *more]}))
