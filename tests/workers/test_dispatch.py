"""Draining the outbox: batches, failures that touch nobody else, leases that are lost, a stage after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.services.stage import StageService
from kentongan.storage import jobs
from kentongan.storage.database import Database
from kentongan.storage.jobs import JobRow, Stage
from kentongan_workers.dispatch import BATCH, ROAD, Dispatch
from kentongan_workers.failures import MOST_CLAIMS, pause_after
from stories import NOON

LEASE = timedelta(seconds=60)


@dataclass
class Work:
    """Stands for a stage's service: notes what it was given, fails where it is told to, passes on to the next stage."""

    stage: Stage
    next_stage: Stage | None = None
    fails_for: set[int] = field(default_factory=set)
    before: Callable[[], None] = lambda: None
    batches: list[list[int]] = field(default_factory=list)

    def service(self, session: Session) -> StageService[Sequence[int]]:
        work = self

        class Service(StageService[Sequence[int]]):
            def look(self, subject_ids: Sequence[int]) -> Sequence[int]:
                return subject_ids

            def keep(self, subject_ids: Sequence[int]) -> None:
                work.batches.append(list(subject_ids))
                work.before()
                if work.fails_for & set(subject_ids):
                    raise ValueError("this subject cannot be worked on")
                if work.next_stage:
                    jobs.add(session, work.next_stage, subject_ids, NOON)

        return Service(session, lambda: NOON)


class Drum:
    """Remembers which stages were nudged."""

    def __init__(self) -> None:
        self.struck: list[Stage] = []

    def __call__(self, stage: Stage) -> None:
        self.struck.append(stage)


def road(**changed: Work) -> dict[Stage, Work]:
    following = {**dict(pairwise(ROAD)), Stage.PUBLISH: None, Stage.MEET: None}
    return {stage: changed.get(stage.value, Work(stage, following[stage])) for stage in ROAD}


def dispatch(database: Database, works: dict[Stage, Work], drum: Drum | None = None) -> Dispatch:
    services = {stage: work.service for stage, work in works.items()}
    return Dispatch(database, lambda: NOON, LEASE, services, drum or Drum())


def promise(database: Database, stage: Stage, subjects: Sequence[int]) -> None:
    with database.writing() as session:
        jobs.add(session, stage, subjects, NOON)


def promised(database: Database) -> list[JobRow]:
    with database.reading() as session:
        return list(session.scalars(select(JobRow).order_by(JobRow.id)))


def always() -> bool:
    return True


def test_what_is_promised_walks_the_whole_road_in_batches(database: Database) -> None:
    works = road()
    promise(database, Stage.INDEX, range(1, BATCH + 11))

    kept = dispatch(database, works).drain(Stage.INDEX, always)

    promised_on = [stage for stage in ROAD if stage is not Stage.MEET]  # nothing promises it where nothing is masked
    assert kept == len(promised_on) * (BATCH + 10)
    assert [len(batch) for batch in works[Stage.INDEX].batches] == [BATCH, 10]
    assert sorted(chain.from_iterable(works[Stage.MATCH].batches)) == list(range(1, BATCH + 11))
    assert promised(database) == []


def test_a_drain_that_finds_nothing_writes_nothing(database: Database) -> None:
    works = road()

    kept = dispatch(database, works).drain(Stage.INDEX, always)

    assert kept == 0
    assert all(work.batches == [] for work in works.values())


def test_the_deliveries_are_woken_when_alerts_were_matched(database: Database) -> None:
    drum = Drum()
    promise(database, Stage.CORRELATE, [1])

    dispatch(database, road(), drum).drain(Stage.CORRELATE, always)

    assert drum.struck == [Stage.DELIVER]


def test_a_subject_that_fails_holds_up_no_other_and_keeps_its_reason(database: Database) -> None:
    works = road(deduplicate=Work(Stage.DEDUPLICATE, Stage.CORRELATE, fails_for={3}))
    promise(database, Stage.DEDUPLICATE, [1, 2, 3, 4])

    dispatch(database, works).drain(Stage.DEDUPLICATE, always)

    (left,) = promised(database)
    assert sorted(chain.from_iterable(works[Stage.MATCH].batches)) == [1, 2, 4]
    assert (left.subject_id, left.last_error) == (3, "ValueError: this subject cannot be worked on")
    assert left.available_at is not None
    assert NOON < left.available_at <= NOON + timedelta(seconds=3)


def test_what_a_failing_batch_wrote_is_rolled_back(database: Database) -> None:
    works = road(correlate=Work(Stage.CORRELATE, Stage.MATCH, fails_for={2}))
    promise(database, Stage.CORRELATE, [1, 2])

    dispatch(database, works).drain(Stage.CORRELATE, always)

    assert works[Stage.MATCH].batches == [[1]]


def test_a_job_that_failed_too_often_waits_for_an_operator(database: Database) -> None:
    promise(database, Stage.MATCH, [7])
    with database.writing() as session:
        session.scalars(select(JobRow)).one().fence = MOST_CLAIMS - 1
    works = road(match=Work(Stage.MATCH, fails_for={7}))

    dispatch(database, works).drain(Stage.MATCH, always)

    (left,) = promised(database)
    assert left.available_at is None
    assert left.last_error is not None


def test_a_job_that_kills_its_worker_each_time_is_set_aside_untried(database: Database) -> None:
    promise(database, Stage.MATCH, [7])
    with database.writing() as session:
        session.scalars(select(JobRow)).one().fence = MOST_CLAIMS
    works = road()

    dispatch(database, works).drain(Stage.MATCH, always)

    (left,) = promised(database)
    assert works[Stage.MATCH].batches == []
    assert left.available_at is None


def test_jobs_that_were_claimed_before_are_tried_alone(database: Database) -> None:
    promise(database, Stage.MATCH, [1, 2, 3, 4])
    with database.writing() as session:
        for row in session.scalars(select(JobRow).where(JobRow.subject_id.in_([2, 3]))):
            row.fence = 1
    works = road()

    dispatch(database, works).drain(Stage.MATCH, always)

    assert works[Stage.MATCH].batches[0] == [1, 4]
    assert sorted(works[Stage.MATCH].batches[1:]) == [[2], [3]]


def test_whoever_lost_its_lease_leaves_no_trace(database: Database) -> None:
    promise(database, Stage.CORRELATE, [1, 2])
    works = road()
    mine = dispatch(database, works)
    batch = mine._claim(Stage.CORRELATE)
    with database.writing() as session:
        jobs.claim(session, Stage.CORRELATE, NOON + 2 * LEASE, LEASE, 1)

    mine._keep(batch)

    assert works[Stage.CORRELATE].batches == [[2]], "the lost job was not worked on, its neighbour was"
    assert [(row.stage, row.subject_id) for row in promised(database)] == [("correlate", 1), ("match", 2)]


def test_asked_to_stop_it_finishes_its_batch_and_wakes_another_for_the_rest(database: Database) -> None:
    asked: list[bool] = []
    works = road(match=Work(Stage.MATCH, before=lambda: asked.append(True)))
    drum = Drum()
    promise(database, Stage.MATCH, range(BATCH + 1))

    kept = dispatch(database, works, drum).drain(Stage.MATCH, lambda: not asked)

    assert kept == BATCH
    assert len(promised(database)) == 1
    assert drum.struck[-1] is Stage.MATCH


def test_two_workers_share_what_is_due_without_meeting(postgres_database: Database) -> None:
    seen: list[list[int]] = []
    promise(postgres_database, Stage.MATCH, range(2 * BATCH))
    other = dispatch(postgres_database, road(match=Work(Stage.MATCH, batches=seen)))
    works = road(match=Work(Stage.MATCH, before=lambda: other._next_batch(Stage.MATCH, always) and None, batches=seen))

    dispatch(postgres_database, works)._next_batch(Stage.MATCH, always)

    assert [len(batch) for batch in seen] == [BATCH, BATCH]
    assert sorted(chain.from_iterable(seen)) == list(range(2 * BATCH))


@given(claims=st.integers(1, 40), jitter=st.floats(0, 1))
def test_pauses_grow_within_bounds_and_end(claims: int, jitter: float) -> None:
    pause = pause_after(claims, jitter)

    if claims >= MOST_CLAIMS:
        assert pause is None
    else:
        assert pause is not None
        assert timedelta(seconds=1) <= pause <= timedelta(minutes=15)


@pytest.mark.parametrize("claims", range(1, MOST_CLAIMS - 1))
def test_the_next_pause_is_never_shorter_at_the_same_jitter(claims: int) -> None:
    sooner, later = pause_after(claims, 0.5), pause_after(claims + 1, 0.5)

    assert sooner is not None
    assert later is not None
    assert sooner <= later
