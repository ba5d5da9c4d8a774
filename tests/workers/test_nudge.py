"""Waking a worker: quick, silent about failures, each stage once however often it was asked for."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest
import redis

from kentongan.bootstrap import broker_nudge
from kentongan.settings import Settings
from kentongan.storage.jobs import Stage
from kentongan_workers import nudge as nudging
from kentongan_workers.broker import STAGES, celery_app, wake
from kentongan_workers.nudge import CeleryNudge, celery_nudge

PATIENCE = 10.0


class Line:
    """A way to send that can be blocked, and remembers what went over it."""

    def __init__(self) -> None:
        self.sent: list[Stage] = []
        self.open = threading.Event()
        self.entered = threading.Event()
        self._changed = threading.Condition()

    def send(self, stage: Stage) -> None:
        self.entered.set()
        self.open.wait(PATIENCE)
        with self._changed:
            self.sent.append(stage)
            self._changed.notify_all()

    def wait_for(self, count: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.sent) >= count, PATIENCE)


def wait_until_received(client: redis.Redis, queue: str, count: int) -> int:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        length = client.llen(queue)
        assert isinstance(length, int)
        if length >= count:
            return length
        time.sleep(0.005)
    return 0


def test_many_wishes_for_a_stage_are_one_message(valkey_url: str) -> None:
    line = Line()
    nudge = CeleryNudge(line.send)
    nudge(Stage.INDEX)
    line.entered.wait(PATIENCE)

    for _ in range(1000):
        nudge(Stage.MATCH)
        nudge(Stage.INDEX)
    line.open.set()

    assert line.wait_for(3)
    assert line.sent == [Stage.INDEX, Stage.INDEX, Stage.MATCH]


def test_under_load_one_message_stands_for_what_comes_soon_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nudging, "_REST_SECONDS", 1.0)
    line = Line()
    line.open.set()
    nudge = CeleryNudge(line.send)
    nudge(Stage.INDEX)
    assert line.wait_for(1)

    for _ in range(20):
        nudge(Stage.INDEX)
        time.sleep(0.002)

    assert line.wait_for(2)
    assert line.sent == [Stage.INDEX, Stage.INDEX]


def test_asking_takes_no_time_while_the_broker_hangs() -> None:
    line = Line()
    nudge = CeleryNudge(line.send)

    started = time.monotonic()
    for _ in range(100):
        nudge(Stage.INDEX)
    took = time.monotonic() - started

    line.open.set()
    assert took < 1.0


def test_a_failure_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nudging, "_SILENCE_SECONDS", 0.0)
    line = Line()
    line.open.set()
    failures = [OSError("the broker is gone")]

    def send(stage: Stage) -> None:
        if failures:
            raise failures.pop()
        line.send(stage)

    nudge = CeleryNudge(send)
    nudge(Stage.INDEX)
    until = time.monotonic() + PATIENCE
    while failures and time.monotonic() < until:
        time.sleep(0.001)
    nudge(Stage.DELIVER)

    assert line.wait_for(1)
    assert line.sent == [Stage.DELIVER]


def test_the_message_lies_in_its_queue(valkey: redis.Redis, valkey_url: str) -> None:
    nudge = celery_nudge(Settings(redis_url=valkey_url))

    nudge(Stage.INDEX)
    nudge(Stage.DELIVER)

    assert wait_until_received(valkey, "stages", 1) == 1
    assert wait_until_received(valkey, "deliver", 1) == 1


def test_the_bootstrap_finds_the_nudge_of_the_workers(valkey: redis.Redis, valkey_url: str) -> None:
    nudge = broker_nudge(Settings(redis_url=valkey_url))

    nudge(Stage.INDEX)

    assert wait_until_received(valkey, "stages", 1) == 1


def test_a_broker_that_never_answers_is_given_up_within_its_time(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "deaf.sock"))
        deaf.listen()
        app = celery_app(Settings(redis_url=f"redis+socket://{tmp_path}/deaf.sock"), socket_timeout=0.2)

        started = time.monotonic()
        with pytest.raises(Exception):  # noqa: B017  # whichever of its errors the client takes for this
            wake(app, Stage.INDEX)

        assert time.monotonic() - started < 5


def test_a_path_with_blanks_is_understood(valkey: redis.Redis, valkey_socket: Path, tmp_path: Path) -> None:
    beside = tmp_path / "a folder"
    beside.symlink_to(valkey_socket.parent)
    url = f"redis+socket://{beside}/{valkey_socket.name}".replace(" ", "%20")

    wake(celery_app(Settings(redis_url=url), socket_timeout=1.0), Stage.INDEX)

    assert valkey.llen(STAGES) == 1


def test_wake_ups_that_nobody_hears_do_not_pile_up(valkey: redis.Redis, valkey_url: str) -> None:
    app = celery_app(Settings(redis_url=valkey_url), socket_timeout=1.0)

    for _ in range(300):
        wake(app, Stage.INDEX)

    length = valkey.llen(STAGES)
    assert isinstance(length, int)
    assert length <= 110
