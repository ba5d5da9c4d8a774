"""Rows of tables as incidents, by a saved mapping of columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from feeding_stories import Station, alone, counts, fetched
from kentongan import fetching
from kentongan.domain.feeding import Converted, WrongFeed
from kentongan.domain.gate import INCIDENT_EXTENSION_ID, Unreadable, check, read
from kentongan.domain.marking import Level
from kentongan.storage.database import Database
from stories import tlp

FULL = {
    "id": "Ticket",
    "modified": "Changed",
    "name": "Title",
    "started": "Date",
    "victim": "Victim",
    "country": "CC",
    "sector": "Sector",
    "malware": "Malware",
    "technique": "ATT&CK",
    "vulnerability": "CVE",
    "reference": "Link",
    "tlp": "TLP",
    "observable": ["IOC", "More"],
    "sha256": "Hash",
}
HEADER = "Ticket,Changed,Title,Date,Victim,CC,Sector,Malware,ATT&CK,CVE,Link,TLP,IOC,More,Hash,Internal"
ROW = (
    "T-1,2026-03-02T10:00:00+07:00,Web shell,2026-03,A ministry,ID,government,ExampleRAT,T1505.003,CVE-2026-1,"
    f"https://news.example/a,amber,evil[.]example;hxxp://b.example/x,198.51.100.7,{'a' * 64},secret note"
)


@pytest.fixture
def station(sqlite_database: Database, tmp_path: Path) -> Station:
    return Station(sqlite_database, tmp_path / "installation")


def convert(station: Station, text: str | bytes, columns: Any = FULL, **options: str) -> Converted:
    feed = alone("csv", station.kentongan, {"columns": json.dumps(columns), "split": ";", **options})
    return feed.convert(fetched(text if isinstance(text, bytes) else text.encode(), "t.csv"))


def objects(found: Converted) -> dict[str, list[dict[str, Any]]]:
    by_type: dict[str, list[dict[str, Any]]] = {}
    for document in found.documents:
        for one in check(read(document)):
            assert one.problems == ()
            by_type.setdefault(one.obj["type"], []).append(one.obj)
    return by_type


def test_a_row_is_an_incident_with_all_that_its_columns_say(station: Station) -> None:
    found = convert(station, f"{HEADER}\n{ROW}\n")

    made = objects(found)
    (incident,) = made["incident"]
    assert (incident["name"], incident["labels"]) == ("Web shell", ["country:ID"])
    assert (incident["created"], incident["modified"]) == ("2026-03-01T00:00:00.000Z", "2026-03-02T03:00:00.000Z")
    assert incident["object_marking_refs"] == [tlp(Level.AMBER)]
    own = incident["extensions"][INCIDENT_EXTENSION_ID]
    assert (own["incident_start"], own["incident_start_precision"]) == ("2026-03-01T00:00:00.000Z", "month")
    assert (made["identity"][0]["name"], made["identity"][0]["sectors"]) == ("A ministry", ["government"])
    assert [each["value"] for each in made["domain-name"]] == ["evil.example"]
    assert [each["value"] for each in made["url"]] == ["http://b.example/x"]
    assert made["file"][0]["hashes"] == {"SHA-256": "a" * 64}
    assert made["attack-pattern"][0]["external_references"][0]["external_id"] == "T1505.003"
    assert {tie["source_ref"] for tie in made["relationship"]} == {incident["id"]}
    assert {change.path for change in found.changes if change.rule == "column-left-out"} == {"column Internal"}


def test_a_newer_row_is_a_newer_version_and_an_older_one_is_kept_behind_it(station: Station, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    feed = station.add(drop, "csv", options={"columns": json.dumps(FULL), "split": ";"})
    (drop / "t.csv").write_text(f"{HEADER}\n{ROW}\n")
    station.run(feed)
    (drop / "t.csv").write_text(
        f"{HEADER}\n{ROW.replace('2026-03-02', '2026-03-03').replace('Web shell', 'Two web shells')}\n"
    )

    done = station.run(feed)

    assert counts(done) == (0, 1, 0, 0)
    incidents = [obj for obj in station.objects() if obj["type"] == "incident"]
    assert len({obj["id"] for obj in incidents}) == 1
    assert [obj["name"] for obj in incidents] == ["Web shell", "Two web shells"]


def test_a_row_that_says_no_incident_is_refused_and_the_others_are_taken(station: Station, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "Title,Date,TLP\nOne,2026-03-01,\n,2026-03-01,\nThree,soon,\nFour,2026-03-01,purple\nFive,2026-03-05,red\n"
    )
    columns = json.dumps({"name": "Title", "started": "Date", "tlp": "TLP"})

    done = station.run(station.add(tmp_path / "t.csv", "csv", options={"columns": columns}))

    (item,) = station.items().values()
    assert counts(done) == (1, 0, 0, 0)
    assert [(each.path, each.rule) for each in item.problems] == [
        ("row 3", "no-name"),
        ("row 4", "no-moment"),
        ("row 5", "tlp"),
    ]
    assert [obj["name"] for obj in station.objects() if obj["type"] == "incident"] == ["One", "Five"]


def test_what_shares_a_value_shares_an_object_and_stays_apart_as_incidents(station: Station) -> None:
    text = "Title,Date,IOC\nOne,2026-03-01,evil.example\nTwo,2026-03-02,EVIL[.]example.\n"

    made = objects(convert(station, text, {"name": "Title", "started": "Date", "observable": "IOC"}))

    (name,) = made["domain-name"]
    assert len(made["incident"]) == 2
    assert {tie["target_ref"] for tie in made["relationship"]} == {name["id"]}


def test_a_value_that_is_not_what_its_column_says_is_told(station: Station) -> None:
    found = convert(station, "T,D,I\nOne,2026-03-01,no address\n", {"name": "T", "created": "D", "ipv4": "I"})

    assert [(change.path, change.rule) for change in found.changes] == [("row 2", "no-ipv4")]


def test_a_preview_is_a_dry_run(station: Station, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"{HEADER}\n{ROW}\n")
    feed = station.add(tmp_path / "t.csv", "csv", options={"columns": json.dumps(FULL), "split": ";"})

    (seen,) = fetching.try_out(station.kentongan, feed)

    assert seen.accepted == len(orjson.loads(seen.documents[0])["objects"])
    assert station.submissions() == 0


def test_a_long_table_is_divided(station: Station) -> None:
    rows = "".join(f"Event {n},2026-03-01,h{n}.example\n" for n in range(1_200))

    found = convert(station, f"T,D,I\n{rows}", {"name": "T", "started": "D", "domain": "I"})

    assert len(found.documents) == 3
    assert len(objects(found)["incident"]) == 1_200


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "empty"),
        ("T,D\n", "empty"),
        ("T,X\na,b\n", "missing-column"),
        ("T,T,D\na,b,c\n", "doubled-column"),
        ('T,D\n"a,b\n', "not-csv"),
        ("T,D\na,2026-01-01,c\n", "ragged"),
        (b"T,D\n\xff,b\n", "not-utf8"),
    ],
)
def test_what_is_no_such_table_is_refused_whole(station: Station, text: str | bytes, rule: str) -> None:
    with pytest.raises(Unreadable) as refused:
        convert(station, text, {"name": "T", "started": "D"})

    assert refused.value.problems[0].rule == rule


@pytest.mark.parametrize(
    "columns",
    [
        "",
        "[]",
        "{}",
        '{"name": "T"}',
        '{"name": "T", "started": 3}',
        '{"name": "T", "started": "D", "colour": "C"}',
        '{"name": "T", "id": "I", "started": "D"}',
    ],
)
def test_a_mapping_that_cannot_be_is_refused(station: Station, columns: str) -> None:
    with pytest.raises(WrongFeed):
        alone("csv", station.kentongan, {"columns": columns})


@pytest.mark.parametrize("options", [{"delimiter": "dot"}, {"tlp": "purple"}])
def test_options_that_cannot_be_are_refused(station: Station, options: dict[str, str]) -> None:
    with pytest.raises(WrongFeed):
        convert(station, "T,D\na,2026-01-01\n", {"name": "T", "started": "D"}, **options)
