"""Relink: after rules change the whole store is as if it had been linked by the new ones, and nobody hears of it again."""

from __future__ import annotations

import multiprocessing
import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from deciding_stories import analyst, decide, groups_of, picture, seven_reports, undo
from erasing_stories import Region
from kentongan.domain import campaigns, duplicates
from kentongan.domain.decisions import Verdict
from kentongan.domain.relinking import Changes, Regrouped, regrouped
from kentongan.services import relink as relinking
from kentongan.services.foresee_relink import ForeseeRelink
from kentongan.services.relink import Relink
from kentongan.storage.alerts import Alert
from kentongan.storage.cases import DUPLICATE_OF, RELATED_TO
from kentongan.storage.database import Database
from kentongan.storage.relinks import RelinkRun, last_incident, newest_run
from stories import NOON
from working import LATER, relink_slowly


def walk(database: Database, portion: int = 2) -> dict[str, Any]:
    """All of it, as the command does."""
    with database.writing() as session:
        Relink(session, lambda: LATER).begin()
    while True:
        with database.reading() as session:
            found = Relink(session, lambda: LATER, portion).look()
        if found is None:
            break
        with database.writing() as session:
            Relink(session, lambda: LATER, portion).keep(found)
    with database.writing() as session:
        told = Relink(session, lambda: LATER).finish()
    assert told is not None
    return told


def foresee(database: Database, portion: int = 3) -> dict[str, Any]:
    foreseeing, after = ForeseeRelink(lambda: LATER, portion), 0
    with database.reading() as session:
        last = last_incident(session)
        while (done := foreseeing.look(session, after, last)) is not None:
            after = done
        return foreseeing.report(session)


@pytest.fixture
def region(database: Database) -> Region:
    return Region(database)


def other_rules(patch: pytest.MonkeyPatch, same_event: float, related: float) -> None:
    patch.setattr(duplicates, "SAME_EVENT", same_event)
    patch.setattr(campaigns, "RELATED", related)


OTHERS = {"stricter": (0.999999, 0.97), "looser": (0.2, 0.1)}


@pytest.mark.parametrize("name", OTHERS)
def test_the_store_is_as_if_the_new_rules_had_linked_it(region: Region, name: str) -> None:
    reports = seven_reports(region)
    for sector, days in (
        ("energy", 9),
        ("finance", 0),
    ):  # perhaps one event: more than one half and less than what makes a link
        at = NOON + timedelta(days=days)
        files = ["rare", "rarer"]
        told = {"victim": "Bank Anggrek", "sector": sector, "happened": at, "files": files}
        reports.append(region.report("CERT-TH", "Bank in trouble", **told))
    with pytest.MonkeyPatch.context() as patch:
        other_rules(patch, *OTHERS[name])
        walk(region.database)
        otherwise = picture(region.database)
        foreseen = foresee(region.database)
    before = region.database

    told = walk(before)
    fresh = picture(before)
    with pytest.MonkeyPatch.context() as patch:
        other_rules(patch, *OTHERS[name])
        back = foresee(before)
        assert back == walk(before)
        again = picture(before)

    assert otherwise["links"] != fresh["links"]
    assert told["links"] and told["incidents"] == len(reports)
    assert again["places"] == otherwise["places"]
    assert [_without_dates(row) for row in again["links"]] == [_without_dates(row) for row in otherwise["links"]]
    assert foreseen["links"] == {}
    assert foreseen["cases"] == foreseen["campaigns"] == {"merged": 0, "split": 0}


def _without_dates(row: str) -> str:
    return row.rsplit("datetime.datetime", 1)[0]


def test_the_same_rules_change_nothing(region: Region) -> None:
    seven_reports(region)
    before = picture(region.database)

    told = walk(region.database)

    assert told["links"] == told["rules"] == {}
    assert picture(region.database) == before


def test_a_dry_run_says_what_the_walk_then_does_and_stores_nothing(region: Region) -> None:
    seven_reports(region)
    before = picture(region.database)

    with pytest.MonkeyPatch.context() as patch:
        other_rules(patch, 0.999999, 0.97)
        foreseen = foresee(region.database)
        untouched = picture(region.database)
        with region.database.reading() as session:
            assert session.scalar(select(func.count(RelinkRun.id))) == 0
        told = walk(region.database)

    assert untouched == before
    assert foreseen == told
    assert told["links"][DUPLICATE_OF]["lost"] > 0 and told["links"][RELATED_TO]["lost"] > 0
    assert told["cases"]["split"] > 0 and told["campaigns"]["split"] > 0
    assert told["rules"]["value"]["lost"] > 0


def test_nobody_is_alerted(region: Region) -> None:
    region.subscribes("CERT-VN")
    seven_reports(region)
    region.deliver()
    with region.database.reading() as session:
        told = session.scalar(select(func.count(Alert.id)))
    region.subscribes("CERT-TH")  # who came later is not told of what is old either

    with pytest.MonkeyPatch.context() as patch:
        other_rules(patch, 0.999999, 0.97)
        walk(region.database)
        region.settle()
    walk(region.database)
    region.settle()

    assert region.deliver() == []
    with region.database.reading() as session:
        assert session.scalar(select(func.count(Alert.id))) == told


def test_what_people_decided_stands_and_can_still_be_taken_back(region: Region) -> None:
    reports = seven_reports(region)
    who = analyst(region, "CERT-ID")
    before = picture(region.database)
    made = [
        decide(region, who, reports[0], reports[1], Verdict.APART),
        decide(region, who, reports[5], reports[6], Verdict.TOGETHER),
    ]
    foreseen = foresee(region.database)
    decided = groups_of(region.database)

    with pytest.MonkeyPatch.context() as patch:
        other_rules(patch, 0.999999, 0.97)
        walk(region.database)
        assert region.case_of(reports[0]) != region.case_of(reports[1])
        assert region.case_of(reports[5]) == region.case_of(reports[6])
    walk(region.database)

    assert groups_of(region.database) == decided
    assert foreseen["links"] == {}
    assert foreseen["cases"] == foreseen["campaigns"] == {"merged": 0, "split": 0}
    for one in made:
        undo(region, who, one.id)
    assert picture(region.database)["places"] == before["places"]


def test_it_goes_on_where_it_was_killed(region: Region) -> None:
    seven_reports(region)
    fresh = picture(region.database)
    with pytest.MonkeyPatch.context() as patch:
        other_rules(patch, 0.999999, 0.97)
        walk(region.database)
    url = region.database.engine.url.render_as_string(hide_password=False)
    walking = multiprocessing.get_context("spawn").Process(target=relink_slowly, args=(url,))
    walking.start()

    deadline = time.monotonic() + 60
    while _done(region.database) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    walking.kill()
    walking.join()
    done = _done(region.database)
    told = walk(region.database, portion=1)

    assert 2 <= done < len(fresh["places"]), "it was killed in the middle"
    assert told["incidents"] == len(fresh["places"])
    assert picture(region.database)["places"] == fresh["places"]
    with region.database.reading() as session:
        assert session.scalar(select(func.count(RelinkRun.id)).where(RelinkRun.finished_at.is_(None))) == 0


def _done(database: Database) -> int:
    """How many incidents the unfinished run has done."""
    with database.reading() as session:
        run = newest_run(session)
        return run.changes.get("incidents", 0) if run is not None and run.finished_at is None else 0


def test_with_other_rules_it_begins_anew(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    seven_reports(region)
    with region.database.writing() as session:
        run = Relink(session, lambda: LATER).begin()
        run.position = 5

    with region.database.writing() as session:
        assert Relink(session, lambda: LATER).begin().position == 5
    monkeypatch.setattr(relinking, "rules_version", lambda: "of tomorrow")
    with region.database.writing() as session:
        assert Relink(session, lambda: LATER).begin().position == 0


def test_two_walkers_share_the_way(region: Region) -> None:
    reports = seven_reports(region)
    with region.database.writing() as session:
        Relink(session, lambda: LATER).begin()
    with region.database.reading() as session:
        mine = Relink(session, lambda: LATER, 3).look()
    with region.database.reading() as session:
        theirs = Relink(session, lambda: LATER, 3).look()
    assert mine is not None and theirs is not None

    with region.database.writing() as session:
        assert Relink(session, lambda: LATER).keep(mine)
    with region.database.writing() as session:
        assert not Relink(session, lambda: LATER).keep(theirs)

    assert walk(region.database)["incidents"] == len(reports)


def test_groups_are_compared_by_who_is_in_them() -> None:
    assert regrouped({1: "a", 2: "a", 3: "b"}, {1: "x", 2: "y", 3: "y"}) == Regrouped(merged=1, split=1)
    assert regrouped({1: None, 2: None}, {1: "x", 2: "x"}) == Regrouped(merged=1, split=0)
    assert regrouped({1: "a", 2: "a"}, {1: "a", 3: "a"}) == Regrouped(merged=0, split=0)


def test_changes_add_up() -> None:
    first = Changes()
    first.note("gained", DUPLICATE_OF, ["value", "value"])
    told = first.as_json()
    second = Changes.of(told)
    second.note("lost", DUPLICATE_OF, ["value"])

    assert told["links"][DUPLICATE_OF] == {"gained": 1, "lost": 0, "reweighed": 0}
    assert second.rules == {"value": {"gained": 1, "lost": 1}}
