"""The jobs of `deliver`: claimed, sent by a few threads outside any transaction, and each recorded in its own.

A delivery that was sent and not recorded, because the worker died in between, is sent again: under the same message id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy.orm import Session

from kentongan.storage import jobs
from kentongan.storage.database import Database
from kentongan.storage.jobs import Job, Stage
from kentongan_workers.dispatch import KeepOn
from kentongan_workers.failures import Failures, was_disconnected

SENDERS = 16
_LOOK_AGAIN_SECONDS = 0.1
"""While slow receivers are waited for, newly promised deliveries are looked for this often."""

Flying = dict["Future[Any]", Job]
"""What is being sent. The answer's type is the service's own affair: it goes from `send` to `record` untouched."""


class Outgoing(Protocol):
    """A message ready to be sent."""

    @property
    def delivery_id(self) -> int:
        """Whose message it is."""


class DeliveryService(Protocol):
    """What `deliver` is made of, with the channels it was given."""

    def plan(self, session: Session, delivery_ids: Sequence[int]) -> Sequence[Outgoing]:
        """The messages to send now. A delivery without one is settled: `plan` has written down why."""

    def send(self, message: Any) -> Any:
        """Send one; called in any thread, outside any transaction. Whatever a receiver does is an answer, not an error."""

    def record(self, session: Session, delivery_id: int, answer: Any) -> None:
        """Write down the answer; promises the next attempt (a new job) if there is to be one."""


class Deliveries:
    """Keeps the jobs of `deliver`, several at a time."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        lease: timedelta,
        service: DeliveryService,
        senders: int = SENDERS,
    ) -> None:
        self._database = database
        self._clock = clock
        self._lease = lease
        self._service = service
        self._senders = senders
        self._failures = Failures(database, clock)
        self._threads = ThreadPoolExecutor(senders, thread_name_prefix="deliver")

    def drain(self, keep_on: KeepOn) -> int:
        """Send what is due until nothing is or `keep_on` says no, then wait for what is under way; counts the jobs.

        A thread that is free gets the next message at once, so one slow receiver holds up one thread.
        """
        flying: Flying = {}
        kept = 0
        while keep_on():
            claimed = self._claim(self._senders - len(flying))
            kept += len(claimed)
            self._launch(claimed, flying)
            if not claimed and not flying:
                return kept
            self._land(flying, _LOOK_AGAIN_SECONDS)
        while flying:
            self._land(flying, None)
        return kept

    def _claim(self, free: int) -> list[Job]:
        if free <= 0:
            return []
        with self._database.reading() as session:
            if not jobs.is_due(session, Stage.DELIVER, self._clock()):
                return []
        with self._database.writing() as session:
            return jobs.claim(session, Stage.DELIVER, self._clock(), self._lease, free)

    def _launch(self, claimed: list[Job], flying: Flying) -> None:
        """Plan all in one transaction, or one by one where that fails, and give the messages to the threads."""
        if not claimed:
            return
        if len(claimed) == 1 and self._failures.never_came_back(claimed[0]):
            return
        try:
            messages = self._plan(claimed)
        except Exception as error:
            self._plan_alone(claimed, flying, error)
            return
        job_of = {job.subject_id: job for job in claimed}
        for message in messages:
            flying[self._threads.submit(self._service.send, message)] = job_of[message.delivery_id]

    def _plan_alone(self, claimed: list[Job], flying: Flying, error: Exception) -> None:
        if was_disconnected(error):
            raise error
        if len(claimed) == 1:
            self._failures.failed(claimed[0], error)
            return
        for job in claimed:
            self._launch([job], flying)

    def _plan(self, claimed: list[Job]) -> Sequence[Outgoing]:
        with self._database.writing() as session:
            messages = self._service.plan(session, [job.subject_id for job in claimed])
            to_send = {message.delivery_id for message in messages}
            jobs.finish(session, [job for job in claimed if job.subject_id not in to_send])
            return messages

    def _land(self, flying: Flying, seconds: float | None) -> None:
        """Record what has arrived; waits up to `seconds` for the first."""
        landed, _ = wait(flying, seconds, FIRST_COMPLETED)
        for future in landed:
            job = flying.pop(future)
            try:
                self._record(job, future.result())
            except Exception as error:
                if was_disconnected(error):
                    raise
                self._failures.failed(job, error)

    def _record(self, job: Job, answer: Any) -> None:
        with self._database.writing() as session:
            jobs.finish(session, [job])
            self._service.record(session, job.subject_id, answer)
