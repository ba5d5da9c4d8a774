"""Two reports of one event that arrive at the same instant, through two workers, still find each other: a thousand times."""

from __future__ import annotations

import multiprocessing
import time

from sqlalchemy import func, select

from kentongan.storage.cases import DUPLICATE_OF, Case, Link
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from meeting import EVENTS, PATIENCE, ROUNDS, work
from stories import organization


def test_two_that_arrive_together_find_each_other_a_thousand_times(postgres_database: Database) -> None:
    with postgres_database.writing() as session:
        members = [organization(session, name).id for name in ("CERT-0", "CERT-1")]
    url = postgres_database.engine.url.render_as_string(hide_password=False)
    spawning = multiprocessing.get_context("spawn")
    together = spawning.Barrier(len(members))
    workers = [spawning.Process(target=work, args=(url, n, number, together)) for n, number in enumerate(members)]

    for worker in workers:
        worker.start()
    end = time.monotonic() + PATIENCE
    for worker in workers:
        worker.join(max(0.0, end - time.monotonic()))
    for worker in workers:
        worker.kill()

    assert [worker.exitcode for worker in workers] == [0, 0]
    with postgres_database.reading() as session:
        in_case = session.execute(
            select(Incident.case_id, func.count(), func.count(func.distinct(Incident.organization_id))).group_by(
                Incident.case_id
            )
        ).all()
        links = session.scalar(select(func.count()).select_from(Link).where(Link.kind == DUPLICATE_OF))
        cases = session.scalar(select(func.count()).select_from(Case))
    assert sorted({(count, reporters) for _, count, reporters in in_case}) == [(2, 2)]
    assert (len(in_case), links, cases) == (ROUNDS * EVENTS,) * 3
