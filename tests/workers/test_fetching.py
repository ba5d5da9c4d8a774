"""The scheduler wakes the process that sends, which fetches what is due beside its other work."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

from feeding_samples import stix_21
from feeding_stories import Station
from kentongan.settings import Settings
from kentongan.storage.database import Database
from kentongan_workers.broker import DELIVER, FETCH, celery_app
from kentongan_workers.stages import deliver_app
from kentongan_workers.tasks import Turns, fetching_turns


def test_it_is_scheduled_on_the_queue_of_the_process_that_sends(tmp_path: Path) -> None:
    app = celery_app(Settings(data_dir=tmp_path))

    (entry,) = [each for each in app.conf.beat_schedule.values() if each["task"] == FETCH]

    assert entry["options"]["queue"] == app.conf.task_routes[FETCH]["queue"] == DELIVER
    assert entry["schedule"] <= 60


def test_a_turn_fetches_in_a_thread_of_its_own_what_is_due(sqlite_database: Database, tmp_path: Path) -> None:
    station = Station(sqlite_database, tmp_path)
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "1.json").write_bytes(stix_21(1, "Web shell"))
    station.add(tmp_path / "drop", every=timedelta(hours=1))

    thread = fetching_turns(station.kentongan).start()
    assert thread is not None
    thread.join(30)

    assert station.submissions() == 1
    assert FETCH in deliver_app(Settings(data_dir=tmp_path)).tasks


def test_a_turn_that_is_not_over_gets_no_other_beside_it() -> None:
    going, over = threading.Event(), threading.Event()

    def turn() -> None:
        going.set()
        over.wait(10)

    turns = Turns(turn)
    first = turns.start()
    assert first is not None
    going.wait(10)
    beside = turns.start()
    over.set()
    first.join(10)
    after = turns.start()
    assert after is not None
    after.join(10)

    assert beside is None
