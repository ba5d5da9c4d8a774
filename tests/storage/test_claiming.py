"""A claim takes no more than it asked for, however the database chooses to look."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from kentongan.storage import jobs
from kentongan.storage.database import Database
from kentongan.storage.jobs import Stage
from stories import NOON

LEASE = timedelta(minutes=1)


@pytest.mark.parametrize("plan", ["as it likes", "by nested loops"])
def test_a_claim_takes_the_oldest_and_no_more_than_it_asked_for(database: Database, plan: str) -> None:
    with database.writing() as session:
        for subject in range(1, 61):
            jobs.add(session, Stage.INDEX, [subject], NOON + timedelta(seconds=subject))

    with database.writing() as session:
        if plan == "by nested loops" and not database.is_sqlite:
            # PostgreSQL then looks once for each row, and each time past the rows it has just locked, unless told not to.
            for other in ("hashjoin", "mergejoin", "hashagg", "sort", "material"):
                session.execute(text(f"SET LOCAL enable_{other} = off"))
        claimed = jobs.claim(session, Stage.INDEX, NOON + timedelta(hours=1), LEASE, 50)

    assert [job.subject_id for job in claimed] == list(range(1, 51))
    assert all(job.fence == 1 for job in claimed)


def test_a_second_claim_takes_what_the_first_left(database: Database) -> None:
    with database.writing() as session:
        jobs.add(session, Stage.INDEX, range(1, 6), NOON)

    with database.writing() as session:
        first = jobs.claim(session, Stage.INDEX, NOON, LEASE, 3)
    with database.writing() as session:
        second = jobs.claim(session, Stage.INDEX, NOON, LEASE, 3)

    assert [len(first), len(second)] == [3, 2]
    assert {job.subject_id for job in (*first, *second)} == {1, 2, 3, 4, 5}
