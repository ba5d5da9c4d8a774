"""Sending: several at a time, none held up by a slow one, each recorded by itself, repeated rather than forgotten."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.storage import jobs
from kentongan.storage.database import Database
from kentongan.storage.jobs import JobRow, Stage
from kentongan_workers.deliveries import Deliveries
from stories import NOON

LEASE = timedelta(seconds=60)
PATIENCE = 10.0


@dataclass(frozen=True)
class Letter:
    """A message of the service below."""

    delivery_id: int


@dataclass
class Post:
    """Stands for services/deliver.py and its channels. Letters to `slow` wait until another was recorded."""

    settled: set[int] = field(default_factory=set)
    unplannable: set[int] = field(default_factory=set)
    unsendable: set[int] = field(default_factory=set)
    slow: set[int] = field(default_factory=set)
    recorded: list[int] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _another: threading.Event = field(default_factory=threading.Event)

    def plan(self, session: Session, delivery_ids: Sequence[int]) -> list[Letter]:
        if self.unplannable & set(delivery_ids):
            raise ValueError("cannot be planned")
        return [Letter(number) for number in delivery_ids if number not in self.settled]

    def send(self, letter: Letter) -> str:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        if letter.delivery_id in self.slow:
            self._another.wait(PATIENCE)
        with self._lock:
            self.at_once -= 1
        if letter.delivery_id in self.unsendable:
            raise ValueError("a fault of ours")
        return "204"

    def record(self, session: Session, delivery_id: int, answer: Any) -> None:
        assert answer == "204"
        self.recorded.append(delivery_id)
        self._another.set()


def promise(database: Database, deliveries: Sequence[int]) -> None:
    with database.writing() as session:
        jobs.add(session, Stage.DELIVER, deliveries, NOON)


def promised(database: Database) -> list[JobRow]:
    with database.reading() as session:
        return list(session.scalars(select(JobRow).order_by(JobRow.id)))


def deliveries(database: Database, post: Post, senders: int = 4) -> Deliveries:
    return Deliveries(database, lambda: NOON, LEASE, post, senders)


def always() -> bool:
    return True


def test_what_is_due_is_sent_and_recorded_once(database: Database) -> None:
    post = Post()
    promise(database, range(1, 21))

    kept = deliveries(database, post).drain(always)

    assert kept == 20
    assert sorted(post.recorded) == list(range(1, 21))
    assert post.most_at_once <= 4
    assert promised(database) == []


def test_a_slow_receiver_holds_up_no_other(database: Database) -> None:
    post = Post(slow={1})
    promise(database, range(1, 7))

    deliveries(database, post, senders=2).drain(always)

    assert post.recorded[-1] != post.recorded[0]
    assert post.recorded[0] != 1
    assert sorted(post.recorded) == list(range(1, 7))


def test_what_the_plan_settled_needs_no_sending(database: Database) -> None:
    post = Post(settled={2})
    promise(database, [1, 2, 3])

    deliveries(database, post).drain(always)

    assert sorted(post.recorded) == [1, 3]
    assert promised(database) == []


def test_what_cannot_be_planned_or_sent_is_put_off_alone(database: Database) -> None:
    post = Post(unplannable={2}, unsendable={3})
    promise(database, [1, 2, 3, 4])

    deliveries(database, post).drain(always)

    left = {row.subject_id: row.last_error for row in promised(database)}
    assert sorted(post.recorded) == [1, 4]
    assert left == {2: "ValueError: cannot be planned", 3: "ValueError: a fault of ours"}
    assert all(row.available_at is not None and row.available_at > NOON for row in promised(database))


def test_asked_to_stop_it_records_what_is_under_way_and_claims_no_more(database: Database) -> None:
    post = Post()
    promise(database, range(1, 9))
    answers = iter([True])

    kept = deliveries(database, post, senders=3).drain(lambda: next(answers, False))

    assert kept == 3
    assert sorted(post.recorded) == [1, 2, 3]
    assert len(promised(database)) == 5


def test_a_delivery_that_another_worker_took_over_is_not_recorded(database: Database) -> None:
    post = Post(slow={1})
    promise(database, [1])
    sending = threading.Thread(target=deliveries(database, post).drain, args=[always])
    sending.start()
    while post.at_once == 0:
        sending.join(0.005)

    with database.writing() as session:
        jobs.claim(session, Stage.DELIVER, NOON + 2 * LEASE, LEASE, 1)
    post._another.set()
    sending.join(PATIENCE)

    assert post.recorded == []
    assert [row.fence for row in promised(database)] == [2]
