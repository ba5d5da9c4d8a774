"""The jobs of the stages: claimed in batches, kept, and where that fails tried alone and put off.

The database is the truth. Whoever drains takes whatever is due; being woken twice, or never, changes nothing but the moment.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from kentongan.services.stage import StageService
from kentongan.storage import jobs
from kentongan.storage.database import Database
from kentongan.storage.jobs import Job, Stage
from kentongan_workers.failures import Failures, was_disconnected

BATCH = 50
ROAD = [Stage.INDEX, Stage.DEDUPLICATE, Stage.CORRELATE, Stage.MATCH, Stage.PUBLISH, Stage.MEET]
"""The stages that change nothing but the database. `deliver` reaches outside: deliveries.py."""

LAST = frozenset({Stage.PUBLISH, Stage.MEET})
"""Nothing in these promises the stage after it. `meet` stands behind the road, because nearly nothing ever needs it."""

GATHER_SECONDS = 0.1
"""When more came while a small batch was worked on, the next one is let grow for so long: ten incidents in one batch cost little
more than one. Whoever submits alone is never kept waiting."""


StageServices = Mapping[Stage, Callable[[Session], StageService[Any]]]
"""The services of services/<stage>.py."""
KeepOn = Callable[[], bool]
"""Whether there is time left and nobody asked us to stop."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Walks the road from one stage on, batch by batch."""

    database: Database
    clock: Callable[[], datetime]
    lease: timedelta
    services: StageServices
    nudge: Callable[[Stage], None]
    rest: Callable[[float], None] = time.sleep

    @property
    def _failures(self) -> Failures:
        return Failures(self.database, self.clock)

    def drain(self, first: Stage, keep_on: KeepOn) -> int:
        """Keep what is due in `first` and in what follows from it, until nothing is or `keep_on` says no; counts the jobs.

        The next stage runs here too, right after each batch: handing it over would cost a message and another process's start.
        """
        road = ROAD[ROAD.index(first) :]
        kept = 0
        while keep_on():
            kept_now = sum(self._next_batch(stage, keep_on) for stage in road)
            if not kept_now:
                return kept
            kept += kept_now
            if kept_now < BATCH and self._is_due(first):
                self.rest(GATHER_SECONDS)
        self._wake_for_the_rest(road)
        return kept

    def _next_batch(self, stage: Stage, keep_on: KeepOn) -> int:
        """A batch of `stage`, and what the same transactions claimed of the stages after it."""
        claimed = self._claim(stage) if keep_on() and self._is_due(stage) else []
        kept = 0
        while claimed:
            kept += len(claimed)
            if len(claimed) == BATCH:
                self.nudge(claimed[0].stage)  # there is more: another process may lend a hand
            claimed = self._keep_all(claimed)
        return kept

    def _is_due(self, stage: Stage) -> bool:
        """Looked up without the write lock, so that an idle worker never stands in the way of a submission."""
        with self.database.reading() as session:
            return jobs.is_due(session, stage, self.clock())

    def _claim(self, stage: Stage) -> list[Job]:
        with self.database.writing() as session:
            return jobs.claim(session, stage, self.clock(), self.lease, BATCH)

    def _keep_all(self, claimed: list[Job]) -> list[Job]:
        """Fresh jobs as one batch. One that was claimed before may have killed its worker: it is tried alone, in random order,
        so that it takes the same others with it only now and then. Returns what was claimed of the next stage."""
        fresh = [job for job in claimed if job.fence == 1]
        tried = [job for job in claimed if job.fence > 1]
        following = self._keep(fresh) if fresh else []
        for job in random.sample(tried, len(tried)):
            following += self._keep([job], and_claim=1)
        return following

    def _keep(self, batch: list[Job], and_claim: int = BATCH) -> list[Job]:
        if self._failures.never_came_back(batch[0]):
            return []
        try:
            return self._run(batch, and_claim)
        except Exception as error:
            if was_disconnected(error):
                raise
            if len(batch) > 1:
                return [following for job in batch for following in self._keep([job], and_claim=1)]
            self._failures.failed(batch[0], error)
            return []

    def _run(self, batch: list[Job], and_claim: int) -> list[Job]:
        """One transaction that writes: the jobs done, their work, and some of the next stage's jobs claimed, which saves one."""
        stage = batch[0].stage
        with self.database.reading() as session:
            found = self.services[stage](session).look([job.subject_id for job in batch])
        with self.database.writing() as session:
            # Finished first: from here on the database itself keeps others off, also when the lease ends while we work.
            jobs.finish(session, batch)
            self.services[stage](session).keep(found)
            last = stage in LAST
            following = [] if last else jobs.claim(session, _following(stage), self.clock(), self.lease, and_claim)
        if stage is Stage.MATCH:
            self.nudge(Stage.DELIVER)
        return following

    def _wake_for_the_rest(self, road: Sequence[Stage]) -> None:
        for stage in road:
            if self._is_due(stage):
                self.nudge(stage)
                return


def _following(stage: Stage) -> Stage:
    return ROAD[ROAD.index(stage) + 1]
