"""Erasing while stages are at work on the very thing, and while the power goes: what is gone does not come back."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from dying import die_while_erasing
from erasing_stories import Region, where_it_stands
from kentongan.services.correlate import Correlate
from kentongan.services.deduplicate import Deduplicate
from kentongan.services.index import Index
from kentongan.services.match import Match
from kentongan.storage import jobs
from kentongan.storage.alerts import Alert
from kentongan.storage.cases import Link
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from kentongan.storage.jobs import Job, LostLease, Stage
from matching_stories import about
from stories import newer

FILES = ["dropper", "implant", "stealer"]
PATIENCE = 60.0


@pytest.fixture
def region(database: Database) -> Region:
    return Region(database)


@pytest.fixture
def elsewhere(region: Region) -> Iterator[Database]:
    """The same database, as another process has it."""
    other = Database(region.database.engine.url.render_as_string(hide_password=False))
    yield other
    other.close()


def claimed(database: Database, stage: Stage, region: Region) -> list[Job]:
    with database.writing() as session:
        return jobs.claim(session, stage, region.now, timedelta(minutes=1), 50)


def looked(database: Database, service: Any, held: list[Job], region: Region) -> Any:
    with database.reading() as session:
        return service(session, lambda: region.now).look([job.subject_id for job in held])


def kept(database: Database, service: Any, held: list[Job], found: Any, region: Region) -> None:
    with database.writing() as session:
        jobs.finish(session, held)
        service(session, lambda: region.now).keep(found)


def step(region: Region, stage: Stage, service: Any) -> None:
    while region._step(stage, service):
        pass


@pytest.mark.parametrize("again", [False, True], ids=["and stays away", "and comes again"])
def test_what_was_looked_at_before_it_was_erased_is_not_indexed(
    region: Region, elsewhere: Database, again: bool
) -> None:
    objects = about("Kenari intrusion", victim="PT Kenari", files=FILES)
    region.submit("CERT-ID", objects)
    sent = region.newest_of("CERT-ID").public_id
    held = claimed(elsewhere, Stage.INDEX, region)
    found = looked(elsewhere, Index, held, region)

    region.erases("CERT-ID", sent)
    if again:
        region.submit("CERT-ID", about("Tirta intrusion", victim="PT Tirta", files=FILES))
    kept(elsewhere, Index, held, found, region)
    region.settle()

    assert where_it_stands(region.database, "Kenari") == set()
    assert [row.title for row in region.incidents()] == (["Tirta intrusion"] if again else [])
    assert region.promised() == []


@pytest.mark.parametrize(("stage", "service"), [(Stage.DEDUPLICATE, Deduplicate), (Stage.CORRELATE, Correlate)])
def test_what_was_compared_before_it_was_erased_is_not_linked(
    region: Region, elsewhere: Database, stage: Stage, service: Any
) -> None:
    region.report("CERT-PH", "Infection", victim="Tirta Energi", files=FILES)
    region.submit("CERT-ID", about("Kenari intrusion", victim="Tirta Energi", files=FILES))
    sent = region.newest_of("CERT-ID").public_id
    step(region, Stage.INDEX, Index)
    if stage is Stage.CORRELATE:
        step(region, Stage.DEDUPLICATE, Deduplicate)
    held = claimed(elsewhere, stage, region)
    found = looked(elsewhere, service, held, region)

    region.erases("CERT-ID", sent)
    kept(elsewhere, service, held, found, region)
    region.settle()

    assert where_it_stands(region.database, "Kenari") == set()
    with region.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Link)) == 0
        assert session.scalar(select(func.count()).select_from(Incident)) == 1
    assert region.promised() == []


def test_facts_of_an_erased_first_version_do_not_come_back_with_an_amendment_under_way(
    region: Region, elsewhere: Database
) -> None:
    objects = about("First words", victim="PT Kenari", files=FILES)
    first = region.sends("CERT-ID", *objects)
    region.submit("CERT-ID", [newer(objects[0], name="Second words")])
    held = claimed(elsewhere, Stage.INDEX, region)
    found = looked(elsewhere, Index, held, region)

    region.erases("CERT-ID", first)
    kept(elsewhere, Index, held, found, region)
    region.settle()

    assert where_it_stands(region.database, "Kenari") == set()
    assert [row.title for row in region.incidents()] == ["Second words"]


def test_nobody_is_told_of_what_is_erased_before_it_is_matched(region: Region, elsewhere: Database) -> None:
    region.subscribes("CERT-MY")
    region.submit("CERT-ID", about("Kenari intrusion", files=FILES))
    sent = region.newest_of("CERT-ID").public_id
    for stage, service in ((Stage.INDEX, Index), (Stage.DEDUPLICATE, Deduplicate), (Stage.CORRELATE, Correlate)):
        step(region, stage, service)
    held = claimed(elsewhere, Stage.MATCH, region)
    found = looked(elsewhere, Match, held, region)

    region.erases("CERT-ID", sent)
    kept(elsewhere, Match, held, found, region)

    with region.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Alert)) == 0
    assert region.deliver() == []


def test_who_erases_waits_for_who_is_keeping_and_then_takes_all_of_it(region: Region, elsewhere: Database) -> None:
    region.submit("CERT-ID", about("Kenari intrusion", victim="PT Kenari", files=FILES))
    sent = region.newest_of("CERT-ID").public_id
    held = claimed(elsewhere, Stage.INDEX, region)
    found = looked(elsewhere, Index, held, region)
    keeping, erased = threading.Event(), threading.Event()

    def erase() -> None:
        keeping.wait(PATIENCE)
        region.erases("CERT-ID", sent)
        erased.set()

    with ThreadPoolExecutor(1) as pool:
        erasing = pool.submit(erase)
        with elsewhere.writing() as session:
            jobs.finish(session, held)
            Index(session, lambda: region.now).keep(found)
            session.flush()
            keeping.set()
            assert not erased.wait(0.5), "it must not erase beside who is writing the very thing"
        erasing.result(PATIENCE)
    region.settle()

    assert where_it_stands(region.database, "Kenari") == set()
    assert region.incidents() == []


def test_members_report_and_erase_at_once_and_nothing_of_the_erased_is_left(region: Region) -> None:
    """Three at a time: two that submit and take back, and the stages over it all; no error, no deadlock, no rest."""
    rounds = 12
    for name in ("CERT-ID", "CERT-PH"):
        region.asks(name)
    region.report("CERT-MY", "Infection stays", victim="Tirta Energi", files=FILES)
    url = region.database.engine.url.render_as_string(hide_password=False)
    done = threading.Event()

    def member(name: str) -> None:
        mine = Region(Database(url), region.now, dict(region.members))
        for number in range(rounds):
            mine.submit(
                name, about(f"Kenari {number} by {name}", victim="Tirta Energi", files=[*FILES, f"{name}{number}"])
            )
            mine.erases(name, mine.newest_of(name).public_id)
        mine.database.close()

    def stages() -> None:
        mine = Region(Database(url), region.now + timedelta(hours=1), dict(region.members))
        while not done.is_set():
            _patiently(mine.settle)
        mine.database.close()

    with ThreadPoolExecutor(3) as pool:
        working = pool.submit(stages)
        members = [pool.submit(member, name) for name in ("CERT-ID", "CERT-PH")]
        try:
            for each in members:
                each.result(PATIENCE)
        finally:
            done.set()
        working.result(PATIENCE)
    region.now += timedelta(hours=2)
    region.settle()

    assert where_it_stands(region.database, "Kenari") == set()
    assert [row.title for row in region.incidents()] == ["Infection stays"]
    assert region.promised() == []


def _patiently(settle: Callable[[], None]) -> None:
    with suppress(LostLease):  # as the workers do: the promise was taken away with what it was about
        settle()


def test_who_is_killed_while_erasing_has_erased_nothing(region: Region) -> None:
    sent = region.sends("CERT-ID", *about("Kenari intrusion", victim="PT Kenari", files=FILES))
    before = where_it_stands(region.database, "Kenari")
    url = region.database.engine.url.render_as_string(hide_password=False)
    eraser = multiprocessing.get_context("spawn").Process(
        target=die_while_erasing, args=(url, region.now, region.asks("CERT-ID"), sent)
    )

    eraser.start()
    eraser.join(PATIENCE)

    assert eraser.exitcode == -signal.SIGKILL
    assert where_it_stands(region.database, "Kenari") == before
    region.erases("CERT-ID", sent)
    assert where_it_stands(region.database, "Kenari") == set()
