"""What one of several workers does, importable by the process that runs it."""

from __future__ import annotations

from datetime import UTC, datetime
from multiprocessing.synchronize import Event
from time import sleep

from sqlalchemy.exc import OperationalError

from kentongan.cli.evaluate import work_off
from kentongan.services.relink import Relink
from kentongan.storage import jobs
from kentongan.storage.database import Database
from kentongan.storage.jobs import Stage

LATER = datetime(2030, 1, 1, tzinfo=UTC)


def work_until_done(url: str, done: Event) -> None:
    """Run the stages until `done` is set and no job is left."""
    database = Database(url)
    while True:
        finished = done.is_set()
        try:
            work_off(database, lambda: LATER)
        except (jobs.LostLease, OperationalError):
            continue
        with database.reading() as session:
            waiting = jobs.counts(session)
        if finished and not any(
            waiting.get(stage.value) for stage in (Stage.INDEX, Stage.DEDUPLICATE, Stage.CORRELATE)
        ):
            break
        done.wait(0.05)
    database.close()


def relink_slowly(url: str) -> None:
    """Walk over the store one by one, with a pause before each: somebody means to kill this."""
    database = Database(url)
    with database.writing() as session:
        Relink(session, lambda: LATER).begin()
    while True:
        with database.reading() as session:
            found = Relink(session, lambda: LATER, 1).look()
        if found is None:
            break
        with database.writing() as session:
            Relink(session, lambda: LATER, 1).keep(found)
        sleep(0.3)
