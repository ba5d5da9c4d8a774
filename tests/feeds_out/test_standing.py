"""Who has a feed already is not sent it again, and is as soon as anything in it is another."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import pytest
from sqlalchemy import delete, select

from feed_stories import FeedDoor, FeedReader
from kentongan.domain.marking import Level
from kentongan.domain.naming import case_id
from kentongan.services.erase import Erase
from kentongan.storage.feed_states import FeedState
from kentongan.storage.incidents import Incident
from reading_stories import counted
from stories import Stix, domain_name, incident, indicator, ipv4, later, newer, tlp

NAMES = ("incidents.atom", "incidents.csv", "values.csv", "domains.txt", "rpz.zone", "misp/manifest.json")
EVIL = "kntg-c2-panel.com"


def hunted(value: str = EVIL, **more: object) -> Stix:
    return indicator(f"[domain-name:value = '{value}']", **more)  # type: ignore[arg-type]  # properties of any kind


class Polling:
    """A client that asks for feeds again and again, and keeps what it got."""

    def __init__(self, reader: FeedReader) -> None:
        self.reader = reader
        self.tags: dict[str, str] = {}
        self.dates: dict[str, str] = {}

    def by_tag(self) -> dict[str, int]:
        """Status by name."""
        return {name: self._ask(name, {"If-None-Match": self.tags.get(name, '"none"')}) for name in NAMES}

    def by_date(self) -> dict[str, int]:
        """The same, by clients that know dates only: they ask once more where they were told none."""
        for name in NAMES:
            self._ask(name, {})
        return {name: self._ask(name, {"If-Modified-Since": self.dates[name]}) for name in NAMES}

    def _ask(self, name: str, headers: dict[str, str]) -> int:
        answer = self.reader.ask(name, headers=headers)
        self.tags[name] = answer.headers["ETag"]
        if "Last-Modified" in answer.headers:
            self.dates[name] = answer.headers["Last-Modified"]
        assert (answer.data == b"") == (answer.status_code == 304) or name == "domains.txt"
        return answer.status_code


def settled(door: FeedDoor) -> None:
    """So much later that no indicator is new any more, in the same hour as any moment after it."""
    door.tick(hours=2)


@pytest.fixture
def polling(door: FeedDoor) -> Polling:
    """VNCERT polls; it has what ID-CERT reported."""
    door.reader("ID-CERT").sends(incident("First"), hunted())
    reader = door.reader("VNCERT")
    settled(door)
    client = Polling(reader)
    client.by_tag()
    door.tick(seconds=5)
    client.by_tag()
    return client


def owner_of(polling: Polling) -> FeedReader:
    door = polling.reader.door
    return door.reader("ThaiCERT")


def test_what_did_not_change_is_not_sent_again(polling: Polling) -> None:
    for _ in range(3):
        polling.reader.door.tick(minutes=3)
        assert set(polling.by_tag().values()) == {304}
        assert set(polling.by_date().values()) == {304}


def test_a_304_costs_no_look_at_any_value(polling: Polling) -> None:
    with counted(polling.reader.door.database) as said:
        assert set(polling.by_tag().values()) == {304}

    assert [each for each in said if "posting" in each.lower() or "observable" in each.lower()] == []


def test_the_tag_wins_over_the_date(polling: Polling) -> None:
    answer = polling.reader.ask(
        "domains.txt", headers={"If-None-Match": '"another"', "If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}
    )

    assert answer.status_code == 200


def test_a_weak_tag_and_a_list_of_tags_count_too(polling: Polling) -> None:
    tag = polling.tags["domains.txt"]

    for given in (f"W/{tag}", f'"other", {tag}', "*"):
        assert polling.reader.ask("domains.txt", headers={"If-None-Match": given}).status_code == 304
    for nonsense in ("yesterday", format_datetime(polling.reader.door.now - timedelta(days=9)), "\x7f"):
        assert polling.reader.ask("domains.txt", headers={"If-Modified-Since": nonsense}).status_code == 200


def test_each_feed_and_filter_has_a_tag_of_its_own(polling: Polling) -> None:
    names = [*NAMES, "domains.txt?country=ID", "domains.txt?country=TH", "domains.txt?kind=ipv4"]
    tags = [polling.reader.ask(name).headers["ETag"] for name in names]

    assert len(set(tags)) == len(tags)
    assert polling.reader.door.anybody().ask("public/domains.txt").headers["ETag"] not in tags


def test_whatever_changes_is_sent_again(polling: Polling) -> None:
    door = polling.reader.door
    owner = owner_of(polling)
    mine, mark = incident("Second"), hunted("kntg-two.net")

    def changed(what: str, expected: int = 200) -> None:
        door.tick(seconds=5)
        assert {what: set(polling.by_tag().values())} == {what: {expected}}
        door.tick(seconds=5)
        assert {what: set(polling.by_tag().values())} == {what: {304}}
        assert {what: set(polling.by_date().values())} == {what: {304}}

    owner.sends(mine, mark)
    settled(door)
    changed("reported")
    amended = newer(mine, name="Second, amended", modified=later(minutes=1))
    owner.sends(amended, mark)
    changed("amended")
    owner.sends(newer(amended, revoked=True, modified=later(minutes=2)))
    changed("withdrawn")
    other = incident("Third")
    owner.sends(other, domain_name("kntg-three.org"), ipv4("45.9.148.10"))
    changed("another")
    owner.sends(newer(other, object_marking_refs=[tlp(Level.RED)], modified=later(minutes=1)))
    changed("tightened beyond sight")
    owner.sends(incident("Fourth"), hunted("kntg-four.org"))
    settled(door)
    changed("a fourth")
    with door.database.writing() as session:
        assert owner.asker is not None
        fourth = session.scalars(select(Incident.public_id).where(Incident.title == "Fourth")).one()
        Erase(session, door.clock).incident(
            owner.asker.identity, owner.asker.identity.organization_id, fourth, "by mistake"
        )
    changed("erased")


def test_a_date_is_never_that_of_another_state(polling: Polling) -> None:
    """Two states of one second: the second has no date until that second is over, and then a later one."""
    door, owner = polling.reader.door, owner_of(polling)
    owner.sends(incident("Second"))
    settled(door)
    first = polling.reader.ask("incidents.csv")
    with door.database.writing() as session:
        session.execute(delete(Incident).where(Incident.title == "nothing"))
    owner.door.tick(seconds=-120)  # sending takes two minutes of these stories
    owner.sends(incident("Third"))

    second = polling.reader.ask("incidents.csv")

    assert "Last-Modified" not in first.headers
    assert "Last-Modified" not in second.headers
    door.tick(seconds=5)
    with door.database.reading() as session:
        (kept,) = session.scalars(select(FeedState).where(FeedState.kind == "incidents"))
    dated = polling.reader.ask("incidents.csv").headers["Last-Modified"]
    assert dated == format_datetime(kept.changed_at, usegmt=True)


def test_an_indicator_that_is_past_is_noticed_at_the_full_hour(polling: Polling) -> None:
    door, owner = polling.reader.door, owner_of(polling)
    owner.sends(incident("Second"), hunted("kntg-two.net", valid_until=later(hours=7, minutes=30)))
    settled(door)
    polling.by_tag()
    assert "kntg-two.net" in polling.reader.text("domains.txt")

    door.tick(hours=4)

    assert polling.by_tag()["domains.txt"] == 200
    assert "kntg-two.net" not in polling.reader.text("domains.txt")
    assert polling.by_tag()["incidents.csv"] == 304


def test_a_bundle_that_did_not_change_is_not_sent_again(polling: Polling) -> None:
    assert polling.reader.asker is not None
    shown = polling.reader.asker.get("/incidents").json
    assert shown is not None
    name = f"cases/{shown['items'][0]['case_id']}.json"
    first = polling.reader.ask(name)

    again = polling.reader.ask(name, headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]


def bundle_of_first(door: FeedDoor) -> str:
    with door.database.reading() as session:
        first = session.scalars(select(Incident.public_id).order_by(Incident.id)).first()
    return f"cases/{case_id(str(first))}.json"


def test_a_bundle_is_dated_from_when_it_was_first_seen_so(polling: Polling) -> None:
    door, reader, name = polling.reader.door, polling.reader, bundle_of_first(polling.reader.door)
    fresh = reader.ask(name)
    door.tick(seconds=5)
    first = reader.ask(name)
    dated = {"If-Modified-Since": first.headers["Last-Modified"]}
    door.tick(hours=3)

    same, by_another_tag = reader.ask(name, headers=dated), reader.ask(name, headers={**dated, "If-None-Match": '"x"'})

    assert "Last-Modified" not in fresh.headers  # another state could still follow in this second
    assert (same.status_code, same.data, by_another_tag.status_code) == (304, b"", 200)
    assert by_another_tag.headers["Last-Modified"] == first.headers["Last-Modified"]


@pytest.mark.parametrize("what", ["amended", "tightened", "erased"])
def test_a_bundle_that_changed_is_sent_to_who_knows_dates_alone(polling: Polling, what: str) -> None:
    """Also where less is left of it: no object has a later date then."""
    door, owner = polling.reader.door, owner_of(polling)
    event, beside = incident("Third"), hunted("kntg-three.net")
    owner.sends(event, beside)
    settled(door)
    with door.database.reading() as session:
        last = session.scalars(select(Incident.public_id).order_by(Incident.id.desc())).first()
    name = f"cases/{case_id(str(last))}.json"
    polling.reader.ask(name)
    door.tick(seconds=5)
    dated = {"If-Modified-Since": polling.reader.ask(name).headers["Last-Modified"]}
    assert polling.reader.ask(name, headers=dated).status_code == 304

    if what == "amended":
        owner.sends(newer(event, name="Third, amended"))
    elif what == "tightened":
        owner.sends(newer(beside, object_marking_refs=[tlp(Level.RED)]))
    else:
        assert owner.asker is not None
        with door.database.reading() as session:
            public_id = session.scalars(select(Incident.public_id).where(Incident.title == "Third")).one()
        with door.database.writing() as session:
            me = owner.asker.identity
            Erase(session, door.clock).incident(me, me.organization_id, public_id)

    again = polling.reader.ask(name, headers=dated)
    assert again.status_code == (404 if what == "erased" else 200)


def test_states_of_bundles_that_did_not_change_for_long_are_forgotten(polling: Polling) -> None:
    door, reader, name = polling.reader.door, polling.reader, bundle_of_first(polling.reader.door)
    reader.ask(name)
    owner_of(polling).sends(incident("Another"))
    door.tick(days=40)
    with door.database.reading() as session:
        last = session.scalars(select(Incident.public_id).order_by(Incident.id.desc())).first()
    reader.ask(f"cases/{case_id(str(last))}.json")

    with door.database.reading() as session:
        kept = session.scalars(select(FeedState.kind).where(FeedState.kind.startswith("b:"))).all()
    assert len(kept) == 1
