"""What becomes of a job that could not be kept: tried again after a growing pause, and at last left to an operator."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import DBAPIError

from kentongan.storage import jobs
from kentongan.storage.database import Database
from kentongan.storage.jobs import Job, LostLease

MOST_CLAIMS = 12
_FIRST_PAUSE = timedelta(seconds=2)
_LONGEST_PAUSE = timedelta(minutes=10)

_log = structlog.get_logger(__name__)


def pause_after(claims: int, jitter: float) -> timedelta | None:
    """How long a job rests that failed at its `claims`-th claim: 2 s, doubling up to 10 min, times 0.5 to 1.5.

    `jitter` lies between 0 and 1. None: it failed too often and waits for an operator.
    """
    if claims >= MOST_CLAIMS:
        return None
    pause: timedelta = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (claims - 1))
    return pause * (0.5 + jitter)


def was_disconnected(error: BaseException) -> bool:
    """Whether the database itself is gone: no job is to blame, and the leases end by themselves."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


@dataclass(frozen=True, slots=True)
class Failures:
    """Puts off what failed, each in a transaction of its own."""

    database: Database
    clock: Callable[[], datetime]

    def failed(self, job: Job, error: Exception) -> None:
        """Keeping this job ended in an error; a lost lease is none, for then another worker has the job."""
        if isinstance(error, LostLease):
            _log.info("another worker has taken over", stage=job.stage.value, job=job.id)
            return
        _log.error("a job failed", stage=job.stage.value, job=job.id, claims=job.fence, exc_info=error)
        self._put_off(job, f"{type(error).__name__}: {error}")

    def never_came_back(self, job: Job) -> bool:
        """Whether this job was claimed too often, and each time its worker ended before it was done; then it is put off."""
        if job.fence <= MOST_CLAIMS:
            return False
        self._put_off(job, "claimed again and again, and each time its worker ended before it was done")
        return True

    def _put_off(self, job: Job, reason: str) -> None:
        pause = pause_after(job.fence, random.random())  # noqa: S311  # jitter, not a secret
        with self.database.writing() as session:
            jobs.postpone(session, job, self.clock() + pause if pause else None, reason)
