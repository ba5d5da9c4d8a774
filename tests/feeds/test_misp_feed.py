"""A MISP feed behind a manifest: only what changed is asked for, and a manifest leads nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feeding_samples import misp_event
from feeding_stories import Station, counts, saying, serving
from kentongan.storage.database import Database

UUIDS = [f"0b6d4e5c-1c7e-4b0e-8e0e-{number:012}" for number in range(8)]


@pytest.fixture
def station(sqlite_database: Database, tmp_path: Path) -> Station:
    return Station(sqlite_database, tmp_path / "installation")


class Publisher:
    """A feed as MISP writes it."""

    def __init__(self) -> None:
        self.manifest: Any = {uuid: {"timestamp": f"{1_700_000_000 + n}"} for n, uuid in enumerate(UUIDS[:3])}
        self.events = {uuid: misp_event(n, "Event") for n, uuid in enumerate(UUIDS[:3])}

    def __call__(self, handler: Any) -> None:
        name = handler.path.rpartition("/")[2].removesuffix(".json")
        found = json.dumps(self.manifest).encode() if name == "manifest" else self.events.get(name)
        saying(found or b"", 200 if found else 404)(handler)


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


@pytest.fixture
def server(publisher: Publisher) -> Iterator[Any]:
    with serving(publisher) as there:
        there.manifest = there.url.replace("/feed", "/osint/manifest.json")
        yield there


def asked(server: Any) -> list[str]:
    found = [path.rpartition("/")[2] for path, _ in server.asked]
    server.asked.clear()
    return found


def test_only_what_changed_is_asked_for(station: Station, server: Any, publisher: Publisher) -> None:
    feed = station.add(server.manifest, "misp", secret="k3y")
    first = station.run(feed)
    keys = {headers["Authorization"] for _, headers in server.asked}
    whole = asked(server)
    publisher.manifest[UUIDS[1]]["timestamp"] = "1800000000"
    publisher.events[UUIDS[1]] = misp_event(1, "Event, with more known").replace(b"1700000000", b"1800000000")
    second = station.run(feed)

    assert (counts(first), counts(second)) == ((3, 0, 0, 0), (0, 1, 2, 0))
    assert keys == {"k3y"}
    assert whole == ["manifest.json", *(f"{uuid}.json" for uuid in UUIDS[:3])]
    assert asked(server) == ["manifest.json", f"{UUIDS[1]}.json"]


def test_an_event_that_is_missing_is_asked_for_again(station: Station, server: Any, publisher: Publisher) -> None:
    missing = publisher.events.pop(UUIDS[1])
    feed = station.add(server.manifest, "misp")
    first = station.run(feed)
    publisher.events[UUIDS[1]] = missing
    second = station.run(feed)

    assert (counts(first), counts(second)) == ((2, 0, 0, 1), (1, 0, 2, 0))


def test_where_all_are_missing_it_is_the_source(station: Station, server: Any, publisher: Publisher) -> None:
    publisher.manifest = {uuid: {"timestamp": "1"} for uuid in UUIDS}
    publisher.events = {}

    failed = station.run(station.add(server.manifest, "misp"))

    assert (failed.state, counts(failed)) == ("failed", (0, 0, 0, 5))


@pytest.mark.parametrize("manifest", [[], {"../../etc/passwd": {}}, {"": {}}, {"x" * 36: {}}, "x"])
def test_a_manifest_leads_nowhere_but_to_events(
    station: Station, server: Any, publisher: Publisher, manifest: Any
) -> None:
    publisher.manifest = manifest

    failed = station.run(station.add(server.manifest, "misp"))

    assert failed.state == "failed"
    assert asked(server) == ["manifest.json"]


def test_a_folder_may_hold_a_manifest_too(station: Station, tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "manifest.json").write_text("{}")
    (tmp_path / "drop" / f"{UUIDS[0]}.json").write_bytes(misp_event(0, "Event"))

    assert counts(station.run(station.add(tmp_path / "drop", "misp"))) == (1, 0, 0, 0)
