"""At the door of feeds: who may ask, what can be asked, what is answered, and what it costs."""

from __future__ import annotations

import csv
import io
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, select

from feed_stories import FeedDoor, FeedReader, basic
from kentongan.api import feed_answers
from kentongan.domain.identity import OrganizationKind, Scope
from kentongan.domain.incident import Observable
from kentongan.domain.marking import Level
from kentongan.services import read_feed
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from kentongan.storage.observables import Posting, StoredObservable, digest_of
from kentongan_feeds.outbound.formats import LISTS
from reading_stories import Region, counted
from stories import domain_name, incident, indicator

EVIL = "kntg-c2-panel.com"


@pytest.fixture
def reader(sqlite_door: FeedDoor) -> FeedReader:
    sqlite_door.reader("ID-CERT").sends(incident("First", labels=["country:ID"]), domain_name(EVIL))
    return sqlite_door.reader("VNCERT")


def test_feed_readers_show_the_token_as_a_password(reader: FeedReader) -> None:
    assert reader.asker is not None
    anybody = reader.door.anybody()

    assert anybody.ask("domains.txt", headers=basic(reader.asker.secret)).text == f"{EVIL}\n"
    refused = anybody.ask("domains.txt")
    assert refused.status_code == 401
    assert refused.mimetype == "application/problem+json"
    assert "Basic " in refused.headers["WWW-Authenticate"]
    for wrong in (basic("kt_wrong"), basic(""), {"Authorization": "Basic !!"}, {"Authorization": "Bearer"}):
        assert anybody.ask("domains.txt", headers=wrong).status_code == 401


def test_a_token_in_the_address_is_refused(reader: FeedReader) -> None:
    assert reader.asker is not None

    for name in ("domains.txt", "public/domains.txt"):
        answer = reader.door.anybody().ask(f"{name}?token={reader.asker.secret}")
        assert answer.status_code == 400
        assert reader.asker.secret not in answer.text


def test_a_token_needs_the_scope_read(sqlite_door: FeedDoor) -> None:
    other = sqlite_door.reader("VNCERT", scopes=frozenset({Scope.SUBMIT, Scope.TAXII}))

    assert other.ask("domains.txt").status_code == 403


def test_there_are_no_public_feeds_unless_the_operator_wants_them(sqlite_database: Database, tmp_path: Path) -> None:
    door = FeedDoor(sqlite_database, tmp_path)

    for name in (*LISTS, "index.json"):
        assert door.anybody().ask(f"public/{name}").status_code == 404
        assert door.reader(f"Reader of {name}").ask(f"public/{name}").status_code == 404


@pytest.mark.parametrize(
    "name",
    [
        "nothing.txt",
        "domains",
        "../healthz",
        "misp/",
        "misp/x.json",
        "cases/x.json",
        "public/nothing",
        "DOMAINS.TXT",
        "%00",
    ],
)
def test_what_is_no_feed_is_a_404(reader: FeedReader, name: str) -> None:
    answer = reader.ask(name)

    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize(
    "query",
    [
        "tlp=purple",
        "received_after=yesterday",
        "country=",
        "country=ID&country=TH",
        "limit=5",
        "kind=nothing",
        "case=00000000-0000-4000-8000-000000000000",
        "sector=%0a",
        "x=1",
    ],
)
def test_what_cannot_be_asked_is_a_400_that_says_where(reader: FeedReader, query: str) -> None:
    answer = reader.ask(f"values.csv?{query}")

    assert answer.status_code == 400
    assert answer.json is not None
    (problem,) = answer.json["problems"]
    assert problem["path"] == query.partition("=")[0]
    assert problem["hint"]


def test_kinds_are_for_values_and_nothing_is_for_an_event(reader: FeedReader) -> None:
    assert reader.ask("incidents.csv?kind=domain").status_code == 400
    assert reader.ask("misp/00000000-0000-4000-8000-000000000000.json?country=ID").status_code == 400
    assert reader.ask("index.json?country=ID").status_code == 400


def test_only_reading_is_done_here(reader: FeedReader) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert reader.ask("domains.txt", method=method).status_code == 405
    head = reader.ask("domains.txt", method="HEAD")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["ETag"] == reader.ask("domains.txt").headers["ETag"]


def test_the_index_names_every_feed_and_each_is_there(reader: FeedReader) -> None:
    for who, below in ((reader, ""), (reader.door.anybody(), "public/")):
        told: dict[str, Any] = who.ask(f"{below}index.json").json  # type: ignore[assignment]  # it is JSON
        site = f"https://kentongan.example/feeds/{below}"
        assert [each["url"] for each in told["feeds"]] == [site + name for name in LISTS]
        for each in told["feeds"]:
            answer = who.ask(each["url"].removeprefix("https://kentongan.example/feeds/"))
            made = LISTS[each["url"].removeprefix(site)]
            assert (answer.status_code, answer.headers["Content-Type"]) == (200, made.media_type)
            cached = "public" if below else "private"
            assert answer.headers["Cache-Control"].startswith(cached)
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_feed_is_narrowed_by_what_incidents_are(sqlite_door: FeedDoor) -> None:
    owner, reader = sqlite_door.reader("ID-CERT"), sqlite_door.reader("VNCERT")
    owner.sends(incident("Here", labels=["country:ID"]), domain_name("kntg-one.com"))
    sqlite_door.tick(hours=1)
    owner.sends(incident("There", labels=["country:TH"]), domain_name("kntg-two.net"))

    queries = ("country=ID", "country=th", "country=VN", "q=here", "received_after=2026-03-02T12:30:00Z", "reporter=x")
    found = {query: (sorted(reader.lines(f"domains.txt?{query}")), _titles(reader, query)) for query in queries}

    assert found == {
        "country=ID": (["kntg-one.com"], ["Here"]),
        "country=th": (["kntg-two.net"], ["There"]),
        "country=VN": ([], []),
        "q=here": (["kntg-one.com", "kntg-two.net"], ["There", "Here"]),
        "received_after=2026-03-02T12:30:00Z": (["kntg-two.net"], ["There"]),
        "reporter=x": ([], []),
    }


def _titles(reader: FeedReader, query: str) -> list[str]:
    lines = csv.DictReader(io.StringIO(reader.text(f"incidents.csv?{query}"), newline=""))
    return [line["title"] for line in lines]


@pytest.mark.parametrize("name", ["incidents.atom", "incidents.csv", "values.csv", "domains.txt", "misp/manifest.json"])
def test_giving_out_what_is_marked_amber_is_an_entry_its_owner_reads(door: FeedDoor, name: str) -> None:
    owner, reader = door.reader("ID-CERT"), door.reader("SingCERT")
    owner.sends(
        incident("Secret", marking=Level.AMBER), indicator(f"[domain-name:value = '{EVIL}']", marking=Level.AMBER)
    )
    owner.sends(incident("Another", marking=Level.AMBER))

    reader.ask(name, method="HEAD")
    reader.ask(name)

    assert owner.asker is not None
    (entry,) = owner.asker.get("/audit?act=exported").json["items"]  # type: ignore[index]  # it is JSON
    assert (entry["organization"], entry["subject"]) == ("SingCERT", f"feed {name}")
    assert owner.asker.get("/audit?act=read").json["items"] == []  # type: ignore[index]  # it is JSON


def test_a_bundle_or_event_with_something_amber_is_entered_by_its_ids(door: FeedDoor) -> None:
    owner, reader = door.reader("ID-CERT"), door.reader("SingCERT")
    owner.sends(incident("Secret", marking=Level.AMBER))
    assert reader.asker is not None
    assert owner.asker is not None
    with door.database.reading() as session:
        public_id = session.scalars(select(Incident.public_id)).one()

    assert reader.ask(f"misp/{public_id}.json").status_code == 200

    (entry,) = owner.asker.get("/audit?act=read").json["items"]  # type: ignore[index]  # it is JSON
    assert entry["details"]["shown"] == [f"incident {public_id}"]


def test_what_is_green_leaves_no_entry(reader: FeedReader) -> None:
    for name in LISTS:
        reader.ask(name)
        reader.door.anybody().ask(f"public/{name}")

    owner = reader.door.reader("Another")
    assert owner.asker is not None
    assert owner.asker.get("/audit?act=exported").json["items"] == []  # type: ignore[index]  # it is JSON


def many_values(door: FeedDoor, how_many: int) -> FeedReader:
    """So many values in one incident, as the stage `index` leaves them."""
    with door.database.writing() as session:
        region = Region(session)
        owner = region.joins("ID-CERT")
        row = region.reports(owner, "Many")
        values = [Observable("domain", f"kntg-{number}.com") for number in range(how_many)]
        rows = [{"digest": digest_of(one), "kind": one.kind, "value": one.value} for one in values]
        session.execute(insert(StoredObservable), rows)
        numbers = session.scalars(select(StoredObservable.id)).all()
        session.execute(
            insert(Posting),
            [
                {
                    "observable_id": one,
                    "organization_id": row.organization_id,
                    "incident_id": row.id,
                    "audience_id": row.audience_id,
                    "origin": "sco",
                }
                for one in numbers
            ],
        )
    return door.reader("VNCERT")


def test_memory_is_flat_however_long_the_feed_is(sqlite_door: FeedDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = many_values(sqlite_door, 50_000)
    fetched: list[int] = []
    real = read_feed.ReadFeed.values

    def watched(self: read_feed.ReadFeed, after: bytes, most: int = read_feed.VALUES_AT_ONCE) -> read_feed.ValuesPart:
        part = real(self, after, most)
        fetched.append(len(part.rows))
        return part

    monkeypatch.setattr(read_feed.ReadFeed, "values", watched)
    reader.text("ipv4.txt")  # what is read once for each process
    fetched.clear()

    answer = reader.ask("domains.txt")
    assert answer.is_streamed
    pieces = iter(answer.response)
    tracemalloc.start()
    size = 0
    while size < 450_000:  # what is remembered of the last values for all feeds is full by then
        size += len(next(pieces))
    half, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    size += sum(len(piece) for piece in pieces)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size > 700_000
    assert sum(fetched) == 50_000
    assert max(fetched) <= read_feed.VALUES_AT_ONCE
    assert most - half < 2_000_000, most - half


def test_no_connection_is_held_while_a_feed_is_on_its_way(sqlite_door: FeedDoor) -> None:
    reader = many_values(sqlite_door, 3_000)
    answer = reader.ask("domains.txt")
    pieces = iter(answer.response)
    next(pieces)
    open_now: list[int] = []
    event.listen(sqlite_door.database.engine, "checkout", lambda *_: open_now.append(1))
    event.listen(sqlite_door.database.engine, "checkin", lambda *_: open_now.append(-1))

    list(pieces)

    assert open_now
    assert sum(open_now) == 0
    assert all(sum(open_now[: place + 1]) <= 1 for place in range(len(open_now)))


def test_a_part_costs_the_same_statements_wherever_it_is(sqlite_door: FeedDoor) -> None:
    reader = many_values(sqlite_door, 4_000)
    costs = []
    with counted(sqlite_door.database) as said:
        answer = reader.ask("values.csv")
        for _ in answer.response:
            costs.append(len(said))
            said.clear()

    rows = list(csv.reader(io.StringIO(reader.text("values.csv"), newline="")))
    assert len(rows) == 4_001
    assert max(costs[1:]) <= 12


def test_a_database_that_is_away_is_a_503(reader: FeedReader, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError  # noqa: PLC0415

    def away(*_: Any) -> Any:
        raise OperationalError("SELECT", {}, Exception("away"), connection_invalidated=True)

    monkeypatch.setattr(feed_answers, "read_no_further", away)

    assert reader.ask("domains.txt").status_code == 503


def test_who_only_reads_is_not_refused_because_nothing_can_be_written(
    reader: FeedReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError  # noqa: PLC0415

    reader.text("incidents.csv")

    def busy(*_: Any) -> Any:
        raise OperationalError("INSERT", {}, Exception("busy"))

    monkeypatch.setattr(feed_answers.FeedStates, "remember", busy)

    answer = reader.ask("domains.txt")
    assert (answer.status_code, answer.text) == (200, f"{EVIL}\n")
    assert "ETag" in answer.headers
    assert "Last-Modified" not in answer.headers


def test_a_subscriber_is_given_what_it_may_see(sqlite_door: FeedDoor) -> None:
    owner, bank = sqlite_door.reader("ID-CERT"), sqlite_door.reader("A bank", OrganizationKind.SUBSCRIBER)
    owner.sends(incident("Green"), domain_name("kntg-green.com"))
    owner.sends(
        incident("Amber", marking=Level.AMBER), indicator("[domain-name:value = 'kntg-amber.com']", marking=Level.AMBER)
    )

    assert bank.lines("domains.txt") == ["kntg-green.com"]
    assert sorted(owner.lines("domains.txt")) == ["kntg-amber.com", "kntg-green.com"]
