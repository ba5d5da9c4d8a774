"""The TAXII client takes everything from our own server while others write, and comes through servers of every sort."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server

from dying import DyingDatabase, Moment
from feeding_samples import stix_20, stix_21
from feeding_stories import Station, counts, saying, serving
from kentongan.domain.feeding import WrongFeed
from kentongan.fetching import run_one
from kentongan.storage.database import Database
from kentongan.storage.feeds import FeedRow
from kentongan.storage.migrate import migrate
from stories import incident
from taxii_stories import ROOT, TaxiiClient, TaxiiDoor

HOUR = timedelta(hours=1)


@pytest.fixture
def station(sqlite_database: Database, tmp_path: Path) -> Station:
    return Station(sqlite_database, tmp_path / "installation")


@pytest.fixture
def partner(tmp_path: Path) -> Iterator[TaxiiClient]:
    """A member of another installation, with a token there."""
    database = Database(f"sqlite:///{tmp_path / 'partner.sqlite'}")
    migrate(database)
    yield TaxiiDoor(database, tmp_path / "partner").client("CERT-TH")
    database.close()


@contextmanager
def listening(client: TaxiiClient) -> Iterator[str]:
    """The partner's server; the address of its collection."""
    server = make_server("127.0.0.1", 0, client.client.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{ROOT}collections/everything/"
    finally:
        server.shutdown()
        thread.join(10)


def published(partner: TaxiiClient, count: int, name: str = "Event") -> set[str]:
    events = [incident(f"{name} {number}") for number in range(count)]
    assert partner.adds(*events).status_code == 202
    return {event["id"] for event in events}


def taken(station: Station) -> list[str]:
    return [obj["id"] for obj in station.objects()]


def test_a_collection_is_taken_page_by_page_and_then_what_was_added(station: Station, partner: TaxiiClient) -> None:
    first = published(partner, 7)
    with listening(partner) as address:
        feed = station.add(address, "taxii", options={"limit": "3"}, secret=f"client:{partner.secret}")
        whole, again = station.run(feed), station.run(feed)
        later = published(partner, 2, "Later")
        added = station.run(feed)

    assert (counts(whole), counts(again)[:2], counts(added)) == ((3, 0, 0, 0), (0, 0), (1, 0, 0, 0))
    assert len(taken(station)) == 9
    assert set(taken(station)) == first | later


def test_what_comes_out_of_one_installation_and_goes_into_another_is_the_same(
    station: Station, partner: TaxiiClient
) -> None:
    published(partner, 5)
    with listening(partner) as address:
        station.run(station.add(address, "taxii", secret=partner.secret))

    assert {json.dumps(obj, sort_keys=True) for obj in station.objects()} == {
        json.dumps(obj, sort_keys=True) for obj in partner.found()
    }


@pytest.mark.parametrize(
    "moment", [Moment(number, before) for number in (2, 3, 4) for before in (True, False)], ids=str
)
def test_broken_off_between_two_pages_it_goes_on_with_the_next(
    station: Station, partner: TaxiiClient, moment: Moment
) -> None:
    ids = published(partner, 10)
    database = DyingDatabase(station.database.engine.url.render_as_string(hide_password=False))

    class Over(BaseException):
        pass

    def over() -> None:
        raise Over

    database.moment, database.die = moment, over  # type: ignore[method-assign]  # that is what it is for
    with listening(partner) as address:
        feed = station.add(address, "taxii", options={"limit": "3"}, secret=partner.secret)
        with pytest.raises(Over):
            run_one(replace(station.kentongan, database=database), feed)
        database.close()
        ids |= published(partner, 3, "Meanwhile")
        station.now += HOUR
        done = station.run(feed)

    assert done.state == "done"
    assert sorted(taken(station)) == sorted(ids)


def test_a_poller_misses_nothing_that_others_write_meanwhile(station: Station, partner: TaxiiClient) -> None:
    ids: set[str] = set()

    def writes() -> None:
        for number in range(12):
            ids.update(published(partner, 3, f"Round {number},"))

    with listening(partner) as address:
        feed = station.add(address, "taxii", options={"limit": "4"}, secret=partner.secret)
        writer = threading.Thread(target=writes)
        writer.start()
        while writer.is_alive():
            station.run(feed)
        writer.join()
        station.run(feed)

    assert sorted(taken(station)) == sorted(ids)


Answer = tuple[dict[str, Any], str]


def moment_of(number: int) -> str:
    return f"2026-01-01T00:00:{number:02}.000000Z"


@contextmanager
def server_that(answers: Callable[[dict[str, str]], Answer | int]) -> Iterator[Any]:
    """A server whose answers, or status, follow from the query."""

    def answer(handler: Any) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(handler.path).query).items()}
        found = answers(query)
        if isinstance(found, int):
            saying(b"{}", found)(handler)
            return
        page, last = found
        headers = {"X_TAXII_Date_Added_Last": last} if last else {}
        saying(json.dumps(page).encode(), **headers)(handler)

    with serving(answer) as server:
        server.collection = server.url.replace("/feed", "/api1/collections/one/")
        yield server


EVENTS = [incident(f"Event {number}") for number in range(6)]
IDS = [event["id"] for event in EVENTS]


def since(query: dict[str, str], *, inclusive: bool = False) -> list[int]:
    after = query.get("added_after", "")
    return [n for n in range(6) if moment_of(n) > after or (inclusive and moment_of(n) == after)]


def by_dates_alone(query: dict[str, str]) -> Answer:
    found = since(query)
    return {"more": len(found) > 2, "objects": [EVENTS[n] for n in found[:2]]}, moment_of(found[1]) if found else ""


def inclusive(query: dict[str, str]) -> Answer:
    found = since(query, inclusive=True)
    start = found[int(query.get("next", "0")) :]
    more = {"more": True, "next": str(int(query.get("next", "0")) + 2)} if len(start) > 2 else {"more": False}
    return {**more, "objects": [EVENTS[n] for n in start[:2]]}, moment_of(start[:2][-1]) if start else ""


def without_dates(query: dict[str, str]) -> Answer:
    start = int(query.get("next", "0"))
    more = {"more": True, "next": str(start + 2)} if start < 4 else {}
    return {**more, "objects": EVENTS[start : start + 2]}, ""


def with_nonsense_for_dates(query: dict[str, str]) -> Answer:
    page, _ = without_dates(query)
    return page, "Tuesday"


@pytest.mark.parametrize("server", [by_dates_alone, inclusive, without_dates, with_nonsense_for_dates])
def test_servers_that_page_in_their_own_way_are_read_to_the_end_and_twice_the_same(
    station: Station, server: Callable[[dict[str, str]], Answer]
) -> None:
    with server_that(server) as there:
        feed = station.add(there.collection, "taxii")
        first, second = station.run(feed), station.run(feed)

    assert (first.state, second.state) == ("done", "done")
    assert taken(station) == IDS


def test_a_page_keeps_the_filter_that_its_walk_began_with(station: Station) -> None:
    with server_that(without_dates) as there:
        station.run(station.add(there.collection, "taxii", options={"added_after": moment_of(0)}))

    asked = [parse_qs(urlsplit(path).query) for path, _ in there.asked]
    assert [query["added_after"] for query in asked] == [[moment_of(0)]] * 3
    assert {headers["Accept"] for _, headers in there.asked} == {"application/taxii+json;version=2.1"}


CIRCLES: dict[str, Callable[[dict[str, str]], Answer | int]] = {
    "the same page again": lambda query: ({"more": True, "next": "same", "objects": EVENTS[:1]}, moment_of(0)),
    "more without a way": lambda query: ({"more": True, "objects": EVENTS[:1]}, ""),
    "not how to ask": lambda query: ({"more": True, "objects": []}, ""),
    "no list": lambda query: ({"objects": {"a": 1}}, ""),
    "asked too often": lambda query: 429,
}


@pytest.mark.parametrize("circle", CIRCLES)
def test_a_server_that_leads_in_a_circle_fails_the_fetch(station: Station, circle: str) -> None:
    with server_that(CIRCLES[circle]) as there:
        done = station.run(station.add(there.collection, "taxii"))

    assert done.state == "failed"


def test_a_page_that_the_server_has_forgotten_is_asked_for_by_date(station: Station) -> None:
    forgets = False

    def answers(query: dict[str, str]) -> Answer | int:
        after, _, start = query.get("next", f"{query.get('added_after', '')}|0").partition("|")
        if "next" in query and not after:
            return 404 if forgets else 503
        found = since({"added_after": after})[int(start) :]
        more = {"more": True, "next": f"{after}|{int(start) + 2}"} if len(found) > 2 else {}
        shown = found[:2]
        return {**more, "objects": [EVENTS[n] for n in shown]}, moment_of(shown[-1]) if shown else ""

    with server_that(answers) as there:
        feed = station.add(there.collection, "taxii")
        broken = station.run(feed)
        forgets = True
        with station.database.reading() as session:
            cursor = session.scalars(select(FeedRow.cursor)).one()
        done = station.run(feed)

    assert (broken.state, cursor["next"], done.state) == ("failed", "|2", "done")
    assert taken(station) == IDS


def test_more_objects_than_a_submission_may_have_are_divided(station: Station) -> None:
    station.settings = {"max_objects": 4}
    with server_that(lambda query: ({"objects": EVENTS if "added_after" not in query else []}, moment_of(5))) as there:
        done = station.run(station.add(there.collection, "taxii"))

    assert counts(done) == (1, 0, 0, 0)
    assert (taken(station), station.submissions()) == (IDS, 2)


def test_objects_of_stix_20_in_a_page_are_told_in_words_of_21_and_the_others_stay_as_they_are(station: Station) -> None:
    old, new = json.loads(stix_20(1, "Old"))["objects"], json.loads(stix_21(2, "New"))["objects"]
    without = [
        {name: value for name, value in obj.items() if name != "spec_version"} for obj in new if "created" not in obj
    ]
    page = [old[0], *new, *old[1:], *without]
    with server_that(lambda query: ({"objects": page if "added_after" not in query else []}, moment_of(5))) as there:
        done = station.run(station.add(there.collection, "taxii"))

    (item,) = station.items().values()
    stored = {obj["id"]: obj for obj in station.objects()}
    assert (counts(done), item.refused) == ((1, 0, 0, 0), 0), item.problems
    assert {change.rule for change in item.changes} >= {
        "version-added",
        "labels-to-indicator-types",
        "observables-unpacked",
    }
    assert next(change for change in item.changes if change.rule == "version-added").paths == tuple(
        f"$.objects[{page.index(obj)}].spec_version" for obj in old
    )
    assert {obj["id"] for obj in old} <= set(stored)
    assert all(stored[obj["id"]] == obj for obj in new if "created" in obj)


@pytest.mark.parametrize(
    ("source", "options"),
    [
        ("/a/folder/collections/x/", {}),
        ("https://partner.example/taxii2/", {}),
        ("https://partner.example/collections/x/?limit=3", {}),
        ("https://partner.example/collections/x/", {"limit": "0"}),
        ("https://partner.example/collections/x/", {"limit": "many"}),
        ("https://partner.example/collections/x/", {"added_after": "yesterday"}),
    ],
)
def test_what_is_no_collection_is_refused(station: Station, source: str, options: dict[str, str]) -> None:
    with pytest.raises(WrongFeed):
        station.add(source, "taxii", options=options)
