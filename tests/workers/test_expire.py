"""The scheduler's task that removes what is over: registered, routed, scheduled, and at work on a real installation."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from erasing_stories import Region
from kentongan.bootstrap import Kentongan
from kentongan.domain.retention import Retention
from kentongan.services.retention import Expire, Retentions
from kentongan.settings import Settings
from kentongan.storage.database import Database
from kentongan.storage.jobs import Stage
from kentongan_workers.broker import EXPIRE, STAGES, celery_app
from kentongan_workers.stages import stages_app
from kentongan_workers.tasks import expire
from stories import incident


def test_it_is_scheduled_on_the_queue_of_the_stages(tmp_path: Path) -> None:
    app = celery_app(Settings(data_dir=tmp_path))
    worker = stages_app(Settings(data_dir=tmp_path))

    (entry,) = [each for each in app.conf.beat_schedule.values() if each["task"] == EXPIRE]
    assert entry["options"]["queue"] == app.conf.task_routes[EXPIRE]["queue"] == STAGES
    assert entry["schedule"] <= 3600
    assert EXPIRE in worker.tasks


def test_it_goes_on_where_it_was_told_to_stop(database: Database, tmp_path: Path) -> None:
    region = Region(database)
    for number in range(Expire.SUBMISSIONS + 1):
        region.submit("CERT-ID", [incident(f"Event {number}")])
    who = region.asks("CERT-ID")
    with database.writing() as session:
        Retentions(session, lambda: region.now).change(who, who.organization_id, Retention(incident_days=30))
    region.now += timedelta(days=31)
    kentongan = Kentongan(Settings(data_dir=tmp_path), database, lambda: region.now, lambda _stage: None)
    answers = iter([True])

    assert expire(kentongan, lambda: next(answers, False)) == Expire.SUBMISSIONS
    assert expire(kentongan, lambda: True) == 1


@pytest.mark.parametrize("over", [False, True])
def test_it_removes_all_that_is_over_and_wakes_who_compares_anew(
    database: Database, tmp_path: Path, over: bool
) -> None:
    region, nudged = Region(database), list[Stage]()
    for number in range(Expire.SUBMISSIONS + 1):
        region.submit("CERT-ID", [incident(f"Event {number}")])
    region.settle()
    who = region.asks("CERT-ID")
    with database.writing() as session:
        Retentions(session, lambda: region.now).change(who, who.organization_id, Retention(incident_days=30))
    region.now += timedelta(days=31 if over else 29)
    kentongan = Kentongan(Settings(data_dir=tmp_path), database, lambda: region.now, nudged.append)

    removed = expire(kentongan, lambda: True)

    assert removed == (Expire.SUBMISSIONS + 1 if over else 0)
    assert len(region.incidents()) == (0 if over else Expire.SUBMISSIONS + 1)
    assert nudged == ([Stage.DEDUPLICATE] if over else [])
