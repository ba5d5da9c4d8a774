"""The scheduler has the head of the audit trail signed once an hour."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from kentongan.bootstrap import Kentongan, no_nudge
from kentongan.domain.audit import Act
from kentongan.domain.identity import PLATFORM
from kentongan.services.audit_heads import Heads
from kentongan.settings import Settings
from kentongan.storage.audit import note
from kentongan.storage.database import Database
from kentongan_workers.broker import DELIVER, HEAD, celery_app
from kentongan_workers.stages import deliver_app
from kentongan_workers.tasks import sign_head_if_due
from stories import NOON


def test_a_head_is_signed_once_an_hour_however_often_it_is_asked_for(database: Database, tmp_path: Path) -> None:
    now = NOON
    kentongan = Kentongan(Settings(data_dir=tmp_path), database, lambda: now, no_nudge)

    def numbers_after(moment: datetime) -> list[int]:
        nonlocal now
        now = moment
        with database.writing() as session:
            note(session, PLATFORM, Act.CHANGED, "platform started")
        sign_head_if_due(kentongan)
        with database.reading() as session:
            return [head.number for head in Heads(session).page().items]

    assert numbers_after(NOON) == [1]
    assert numbers_after(NOON + timedelta(minutes=5)) == [1]
    assert numbers_after(NOON + timedelta(minutes=60)) == [3, 1]


def test_the_scheduler_wakes_the_process_that_signs(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, redis_url="redis://127.0.0.1:1/0")

    (wanted,) = [entry for entry in celery_app(settings).conf.beat_schedule.values() if entry["task"] == HEAD]

    assert wanted["options"]["queue"] == DELIVER
    assert wanted["schedule"] <= 3600
    assert HEAD in deliver_app(settings).tasks
