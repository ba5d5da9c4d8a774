"""Processes that are killed in the middle of their work, importable by the interpreter that runs them."""

from __future__ import annotations

import os
import signal
from datetime import datetime, timedelta
from pathlib import Path

from kentongan.domain.alert import Outgoing, Receipt
from kentongan.domain.identity import Identity
from kentongan.services.deliver import Deliver
from kentongan.services.erase import Erase
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
