"""What one of several workers does, importable by the process that runs it."""

from __future__ import annotations

from datetime import UTC, datetime
from multiprocessing.synchronize import Event

from sqlalchemy.exc import OperationalError

from kentongan.cli.evaluate import work_off
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
