"""What real publishers send goes in, the report says what became of each file, and what is read out is what went in.

A handful of small files is kept beside this test; all others are looked for as in tests/domain/test_gate_publishers.py.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from feeding_stories import Station, alone, counts, fetched
from kentongan.domain.identity import Scope
from kentongan.storage.database import Database
from kentongan.storage.organizations import Organization
from taxii_stories import TaxiiDoor

SHARED = Path(os.environ.get("KENTONGAN_SHARED") or Path(__file__).parents[3] / "shared")
KEPT_HERE = Path(__file__).parent / "published"
NO_DATA = f"no published data under {SHARED.name}/data; set KENTONGAN_SHARED to the folder that holds data/"


@pytest.fixture
def station(sqlite_database: Database, tmp_path: Path) -> Station:
    return Station(sqlite_database, tmp_path)


def canonical(obj: Any) -> bytes:
    return orjson.dumps(obj, option=orjson.OPT_SORT_KEYS)


def exported(station: Station) -> list[dict[str, Any]]:
    """Everything that the member reads over TAXII, in all versions."""
    door = TaxiiDoor(station.database, station.folder)
    with station.database.reading() as session:
        who = session.get_one(Organization, station.member).identity(frozenset(Scope))
    client = door.client_of(who)
    pages = client.pages(1_000, match_version="all")
    return [obj for page in pages for obj in page.get("objects", [])]


def sent(station: Station, kind: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Every object of the folder as the feed turns it into STIX 2.1."""
    feed = alone(kind, station.kentongan)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        for document in feed.convert(fetched(path.read_bytes(), path.name)).documents:
            tree = json.loads(document)
            yield from tree["objects"] if tree["type"] == "bundle" else [tree]


def tied(obj: dict[str, Any]) -> set[str]:
    """The ends of a relationship: without both of them it is shown to nobody."""
    return {obj["source_ref"], obj["target_ref"]} if obj["type"] == "relationship" else set()


def goes_in_and_comes_out(station: Station, kind: str, folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]

    done = station.run(station.add(folder, kind))

    assert (done.state, counts(done)) == ("done", (len(files), 0, 0, 0))
    wanted = {canonical(obj): obj for obj in sent(station, kind, folder)}
    there = {obj["id"] for obj in wanted.values()}
    shown = {text for text, obj in wanted.items() if tied(obj) <= there}
    found = [canonical(obj) for obj in exported(station)]
    assert set(found) <= set(wanted), "nothing comes out that did not go in"
    missing = [wanted[text] for text in shown - set(found)]
    conflicts = Counter(
        problem.path for item in station.items().values() for problem in item.problems if problem.rule == "conflict"
    )
    assert all(item.refused == len(item.problems) for item in station.items().values()), "each refusal has its reason"
    assert Counter(obj["id"] for obj in missing) == conflicts, "what is missing is what the report calls a conflict"
    assert set(conflicts) <= {json.loads(text)["id"] for text in found}


def test_a_few_published_stix_files_go_in_and_come_out_the_same(station: Station) -> None:
    goes_in_and_comes_out(station, "stix", KEPT_HERE / "stix")


@pytest.mark.timeout(200)
def test_all_published_stix_goes_in_and_comes_out_the_same(station: Station) -> None:
    if not (SHARED / "data" / "stix").is_dir():
        pytest.skip(NO_DATA)

    goes_in_and_comes_out(station, "stix", SHARED / "data" / "stix")


def test_a_published_misp_event_goes_in_and_comes_out_the_same(station: Station) -> None:
    goes_in_and_comes_out(station, "misp", KEPT_HERE / "misp")


@pytest.mark.timeout(200)
def test_all_published_misp_events_go_in_and_come_out_the_same(station: Station) -> None:
    if not (SHARED / "data" / "misp-events").is_dir():
        pytest.skip(NO_DATA)

    goes_in_and_comes_out(station, "misp", SHARED / "data" / "misp-events")

    assert sum(item.refused for item in station.items().values()) == 0


def test_of_what_was_2_0_the_report_says_each_change(station: Station) -> None:
    station.run(station.add(KEPT_HERE / "stix"))

    items = station.items()

    changed = {name for name, item in items.items() if item.changes}
    assert changed == {"2024-02-15-Bradesco-phishing.json", "2024-03-04-GootLoader.json"}
    assert {change.rule: list(change.paths) for change in items["2024-03-04-GootLoader.json"].changes} == {
        "version-moved": ["$.spec_version"],
        "version-added": ["$.objects[0].spec_version", "$.objects[1].spec_version"],
        "labels-to-report-types": ["$.objects[0].labels"],
        "labels-to-indicator-types": ["$.objects[1].labels"],
        "pattern-type-added": ["$.objects[1].pattern_type"],
    }
