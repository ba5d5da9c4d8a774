"""Mail received by SMTP: a reception on loopback, and senders that speak to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from dying import DyingDatabase, Moment
from kentongan.bootstrap import Kentongan, no_nudge
from kentongan.mail_reception import receive
from kentongan.settings import Settings

DOMAIN = "kentongan.example"


@contextmanager
def receiving(kentongan: Kentongan) -> Iterator[int]:
    """A reception on loopback; its port."""
    ready, ports, failed, ending = threading.Event(), list[int](), list[BaseException](), list[Callable[[], object]]()

    def is_ready(port: int) -> None:
        ports.append(port)
        ready.set()

    async def run() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        ending.append(lambda: loop.call_soon_threadsafe(stop.set))
        await receive(kentongan, "127.0.0.1", 0, stop, is_ready)

    def begin() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # told to the test
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=begin)
    thread.start()
    ready.wait(30)
    if failed:
        raise failed[0]
    try:
        yield ports[0]
    finally:
        ending[0]()
        thread.join(30)


def reception_settings(folder: Path, **more: Any) -> Settings:
    """Of an installation that receives mail."""
    return Settings(data_dir=folder, mail_in="127.0.0.1:0", mail_in_domain=DOMAIN, **more)


def receive_and_die(url: str, folder: Path, now: datetime, moment: Moment, port: Any) -> None:
    """A process that receives mail and is killed at that moment. `port` is a shared number that it writes its port to."""
    database = DyingDatabase(url)
    database.moment = moment

    def is_ready(number: int) -> None:
        port.value = number

    async def run() -> None:
        kentongan = Kentongan(reception_settings(folder), database, lambda: now, no_nudge)
        await receive(kentongan, "127.0.0.1", 0, asyncio.Event(), is_ready)

    asyncio.run(run())
