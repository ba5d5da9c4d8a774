"""Processes that are killed in the middle of their work, importable by the interpreter that runs them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from kentongan.bootstrap import Kentongan, no_nudge
from kentongan.domain.alert import Outgoing, Receipt
from kentongan.domain.identity import Identity
from kentongan.fetching import run_one
from kentongan.services.deliver import Deliver
from kentongan.services.erase import Erase
from kentongan.settings import Settings
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from kentongan_workers.deliveries import Deliveries


class Dies:
    """A channel that sends, and whose worker is then killed before it can write that down."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def send(self, outgoing: Outgoing) -> Receipt:
        """It leaves, and nobody remembers it."""
        with self._log.open("a") as log:
            log.write(f"{outgoing.message_id} {outgoing.payload['kind']}\n")
        os.kill(os.getpid(), signal.SIGKILL)
        return Receipt(True, "HTTP 200")


def die_while_sending(url: str, now: datetime, log: Path) -> None:
    """A worker that is killed once its first message has left."""
    service = Deliver(lambda: now, {"webhook": Dies(log)}, "https://kentongan.example")
    Deliveries(Database(url), lambda: now, timedelta(minutes=1), service).drain(lambda: True)


def die_while_erasing(url: str, now: datetime, who: Identity, public_id: str) -> None:
    """Killed when all is deleted and nothing is committed."""
    with Database(url).writing() as session:
        Erase(session, lambda: now).submission(who, who.organization_id, public_id)
        assert session.query(Incident).count() == 0
        session.flush()
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Moment:
    """Right before or right after the commit of the writing transaction of this number, counted from 1."""

    number: int
    before: bool

    def __str__(self) -> str:
        return f"{'before' if self.before else 'after'} commit {self.number}"


def kill() -> None:
    """This process, at once."""
    os.kill(os.getpid(), signal.SIGKILL)


class DyingDatabase(Database):
    """Ends its process at a moment."""

    moment: Moment
    count = 0
    die: Callable[[], None] = staticmethod(kill)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """As ever, but for that."""
        self.count += 1
        with super().writing() as session:
            yield session
            if self.count == self.moment.number and self.moment.before:
                session.flush()
                self.die()
        if self.count == self.moment.number:
            self.die()


def die_while_fetching(url: str, folder: Path, now: datetime, feed_id: int, moment: Moment) -> None:
    """A process that fetches and is killed then."""
    database = DyingDatabase(url)
    database.moment = moment
    settings = Settings(data_dir=folder, egress_allow="127.0.0.0/8")
    run_one(Kentongan(settings, database, lambda: now, no_nudge), feed_id)
