"""IntelMQ's events as incidents: however they are packed, with all that has a place and word of what has none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from feeding_stories import Station, alone, counts, fetched
from kentongan.domain.feeding import Converted
from kentongan.domain.gate import Unreadable, check, read
from kentongan.storage.database import Database

EVENT = {
    "time.source": "2026-03-01T10:00:00+00:00",
    "time.observation": "2026-03-01T11:00:00+00:00",
    "classification.taxonomy": "malicious-code",
    "classification.type": "infected-system",
    "source.ip": "198.51.100.7",
    "source.asn": 64500,
    "destination.ip": "203.0.113.9",
    "malware.name": "ExampleRAT",
    "feed.name": "Sinkhole",
    "raw": "c2VjcmV0",
}


@pytest.fixture
def station(sqlite_database: Database, tmp_path: Path) -> Station:
    return Station(sqlite_database, tmp_path / "installation")


def convert(station: Station, raw: bytes) -> Converted:
    return alone("intelmq", station.kentongan).convert(fetched(raw))


def objects(found: Converted) -> list[dict[str, Any]]:
    checked = [one for document in found.documents for one in check(read(document))]
    assert [one.problems for one in checked] == [()] * len(checked)
    return [one.obj for one in checked]


def test_an_event_is_an_incident(station: Station) -> None:
    found = convert(station, json.dumps(EVENT).encode())

    by_type = {obj["type"]: obj for obj in objects(found) if obj["type"] != "relationship"}
    assert by_type["incident"]["name"] == "infected-system: 198.51.100.7"
    assert by_type["incident"]["labels"] == ['rsit:malicious-code="infected-system"', "intelmq:feed.name=Sinkhole"]
    assert by_type["incident"]["created"] == "2026-03-01T10:00:00.000Z"
    assert by_type["ipv4-addr"]["value"] == "198.51.100.7"
    assert by_type["autonomous-system"]["number"] == 64500
    assert by_type["malware"]["name"] == "ExampleRAT"
    told = {change.path for change in found.changes if change.rule == "no-home"}
    assert told == {"$.destination.ip", "$.raw"}


def test_nested_a_list_and_lines_say_the_same(station: Station) -> None:
    nested: dict[str, Any] = {}
    for name, value in EVENT.items():
        inner = nested
        *above, last = name.split(".")
        for step in above:
            inner = inner.setdefault(step, {})
        inner[last] = value
    other = {**EVENT, "source.ip": "198.51.100.8"}
    lines = "\n".join(map(json.dumps, (EVENT, other))).encode()

    one = objects(convert(station, json.dumps(EVENT).encode()))

    assert objects(convert(station, json.dumps(nested).encode())) == one
    assert objects(convert(station, lines)) == objects(convert(station, json.dumps([EVENT, other]).encode()))


def test_an_event_without_a_moment_is_refused_and_the_others_are_taken(station: Station, tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").write_text(json.dumps(EVENT) + "\n" + json.dumps({"source.ip": "198.51.100.7"}) + "\n")

    done = station.run(station.add(tmp_path / "e.jsonl", "intelmq"))

    (item,) = station.items().values()
    assert counts(done) == (1, 0, 0, 0)
    assert [problem.path for problem in item.problems] == ["line 2"]


@pytest.mark.parametrize("raw", [b"", b"[]", b"[1]", b'"x"', b"{}", b'{"a": 1}\n{"b"', b'{"a": 1}\n5\n'])
def test_what_is_no_event_is_refused(station: Station, raw: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        convert(station, raw)

    assert refused.value.problems
