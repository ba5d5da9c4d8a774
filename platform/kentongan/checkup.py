"""What may be wrong with an installation on this machine, in words, each with what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import stat
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version

from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from kentongan.bootstrap import Kentongan
from kentongan.broker import NoBroker, ping
from kentongan.health import LONGEST_WAIT
from kentongan.services.audit_heads import VerifyAudit
from kentongan.storage import jobs
from kentongan.storage.alerts import Delivery, Subscription
from kentongan.storage.migrate import is_current, is_newer
from kentongan.storage.submissions import Submission
from kentongan.supervisor.family import parts_under
from kentongan.supervisor.installation import note_of, running
from kentongan.supervisor.parts import NoPort, listenable_port

_LEAST_FREE_BYTES = 1024**3
_QUICK_CHECK_SECONDS = 20.0
_CLOCK_TOLERANCE = timedelta(seconds=5)
_SHOWN_JOBS = 10
_LOOKED_AT_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `advice` says what to do, and is empty where nothing is wrong."""

    subject: str
    words: str
    advice: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether there is nothing to do."""
        return not self.advice


Look = Callable[[Kentongan], Iterator[Finding]]


def examine(kentongan: Kentongan) -> Iterator[Finding]:
    """Everything that can be looked at without changing anything. What cannot be reached is itself a finding."""
    yield from _versions()
    yield from _folder(kentongan)
    yield from _running(kentongan)
    yield from _broker(kentongan)
    if (unreachable := _unreachable(kentongan)) is not None:
        yield unreachable
        return
    for look in (_tables, _file, _clock):
        yield from look(kentongan)
    if is_current(kentongan.database):
        with kentongan.database.reading() as session:
            yield from _jobs(kentongan, session)
            yield from _channels(kentongan, session)
            yield _trail(session)


def _versions() -> Iterator[Finding]:
    parts = {name: version(name) for name in ("kentongan", "celery", "granian", "sqlalchemy")}
    words = ", ".join(f"{name} {number}" for name, number in parts.items())
    yield Finding("versions", f"Python {platform.python_version()}, {words}, SQLite {sqlite3.sqlite_version}")


def _folder(kentongan: Kentongan) -> Iterator[Finding]:
    folder = kentongan.settings.data_dir.absolute()
    if not folder.is_dir():
        yield Finding("data folder", f"{folder} is not there", "start the installation once: kentongan up")
        return
    found = folder.stat()
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid != os.geteuid():
        yield Finding(
            "data folder", f"{folder} belongs to user {found.st_uid}", "run kentongan as that user, or chown it"
        )
    elif mode & 0o077:
        yield Finding("data folder", f"{folder} is open to others ({mode:04o})", f"chmod 700 '{folder}'")
    else:
        yield Finding("data folder", f"{folder}, only for its owner")
    free = shutil.disk_usage(folder).free
    advice = "" if free > _LEAST_FREE_BYTES else "make room: a full disk refuses every submission"
    yield Finding("disk", f"{free / 1024**3:.1f} GiB free", advice)


def _running(kentongan: Kentongan) -> Iterator[Finding]:
    settings = kentongan.settings
    note = running(settings)
    if note is None:
        left = note_of(settings)
        words = f"not running; process {left.pid} ended without saying so" if left else "not running"
        # Where the broker is a server of its own, the parts may well run on other machines.
        advice = "start it: kentongan up" if settings.embedded_broker else ""
        yield Finding("installation", f"{words} on this machine", advice)
        yield _port(settings.host, settings.port)
        return
    hours = (time.time() - note.started) / 3600
    yield Finding("installation", f"process {note.pid} runs since {hours:.1f} h at {note.url}")
    yield from _parts(kentongan, note.pid)
    yield _readiness(note.url)


def _parts(kentongan: Kentongan, supervisor: int) -> Iterator[Finding]:
    found = parts_under(supervisor)
    if not found:
        return  # this system does not tell
    settings = kentongan.settings
    wanted = {"web", "workers", "deliver", "scheduler", *(["broker"] if settings.embedded_broker else [])}
    wanted |= {"mail"} if settings.mail_in else set()
    missing = sorted(wanted - found.keys())
    if not any(name.startswith("stages-") for name in found):
        missing.append("stages")
    if missing:
        yield Finding("parts", f"not running: {', '.join(missing)}", "look into the log folder for what they said last")
    else:
        yield Finding("parts", f"{', '.join(sorted(found))} are running")


def _port(host: str, port: int) -> Finding:
    try:
        listenable_port(host, port)
    except NoPort as error:
        return Finding("port", str(error), "end the other program, or: kentongan up --port 0")
    return Finding("port", f"{host} port {port} is free")


def _readiness(url: str) -> Finding:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5):  # noqa: S310  # our own address, over http
            return Finding("web", "answers and is ready")
    except urllib.error.HTTPError as error:
        return Finding(
            "web", f"answers {error.code}: {error.read(2000).decode(errors='replace')}", "see the other findings"
        )
    except OSError as error:
        return Finding("web", f"does not answer: {error}", "look into log/web.log in the data folder")


def _broker(kentongan: Kentongan) -> Iterator[Finding]:
    try:
        ping(kentongan.settings)
    except NoBroker as error:
        own = kentongan.settings.embedded_broker
        advice = "it runs with: kentongan up" if own else "start the server that KENTONGAN_REDIS_URL names"
        yield Finding("broker", f"does not answer ({error}); what is submitted waits", advice)
    else:
        yield Finding("broker", "answers")


def _unreachable(kentongan: Kentongan) -> Finding | None:
    try:
        with kentongan.database.reading() as session:
            session.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError) as error:
        what = "the data folder" if kentongan.settings.is_sqlite else "KENTONGAN_DATABASE_URL and the server it names"
        return Finding("database", f"cannot be opened ({type(error).__name__})", f"check {what}")
    return None


def _tables(kentongan: Kentongan) -> Iterator[Finding]:
    if is_current(kentongan.database):
        yield Finding("database", "has this version's tables")
    elif is_newer(kentongan.database):
        yield Finding("database", "belongs to a newer version", "upgrade the program: docs/operations.md, Upgrade")
    else:
        yield Finding("database", "does not have this version's tables", "kentongan migrate")


def _file(kentongan: Kentongan) -> Iterator[Finding]:
    if not kentongan.database.is_sqlite:
        return
    with kentongan.database.engine.connect() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        faults = _quick_check(driver)
    if mode != "wal":
        yield Finding("journal", f"is {mode}, not wal", "put the data folder on a local disk: WAL needs shared memory")
    if faults is None:
        yield Finding("file", f"was not read through within {_QUICK_CHECK_SECONDS:.0f} s; no fault up to there")
    elif faults:
        yield Finding("file", f"is damaged: {faults[0]}", "stop Kentongan and restore the last backup")
    else:
        yield Finding("file", "is sound")


def _quick_check(connection: sqlite3.Connection) -> list[str] | None:
    """What SQLite finds wrong with its file; None when it was too much to read in the time it has."""
    until = time.monotonic() + _QUICK_CHECK_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > until, 100_000)
    try:
        return [row[0] for row in connection.execute("PRAGMA quick_check(5)") if row[0] != "ok"]
    except sqlite3.OperationalError:
        return None
    except sqlite3.DatabaseError as error:
        return [str(error)]
    finally:
        connection.set_progress_handler(None, 0)


def _clock(kentongan: Kentongan) -> Iterator[Finding]:
    if not is_current(kentongan.database):
        return
    with kentongan.database.reading() as session:
        newest = session.scalar(select(func.max(Submission.received_at)))
    now = kentongan.clock()
    if newest and newest > now + _CLOCK_TOLERANCE:
        yield Finding("clock", f"is {newest - now} behind the newest submission", "set the clock; let NTP keep it")
    else:
        yield Finding("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC, not behind what is stored")


def _jobs(kentongan: Kentongan, session: Session) -> Iterator[Finding]:
    counts = jobs.counts(session)
    waiting = sum(counts.values()) - counts["failed"]
    due = jobs.longest_due(session, kentongan.clock())
    late = due is not None and kentongan.clock() - due > LONGEST_WAIT
    words = f"{waiting} waiting" + (f", one due since {due:%Y-%m-%d %H:%M:%S} UTC" if due else "")
    yield Finding("jobs", words, "no worker works: look into log/stages-1.log and log/deliver.log" if late else "")
    for job in jobs.failed(session, _SHOWN_JOBS):
        words = f"{job.stage} of {job.subject_id} failed {job.fence} times: {job.last_error}"
        yield Finding("job", words, "mend the cause, then: kentongan doctor --retry-failed")
    if counts["failed"] > _SHOWN_JOBS:
        yield Finding("job", f"and {counts['failed'] - _SHOWN_JOBS} more failed", "kentongan doctor --retry-failed")


def _trail(session: Session) -> Finding:
    verdict = VerifyAudit(session).verify_last(_LOOKED_AT_ENTRIES)
    if verdict.holds:
        return Finding("audit trail", f"its last {verdict.entries} entries follow from one another")
    first = verdict.breaks[0]
    return Finding(
        "audit trail",
        f"is broken at entry {first.number}: {first.why}",
        "docs/operations.md, Audit trail, says what to do",
    )


def _channels(kentongan: Kentongan, session: Session) -> Iterator[Finding]:
    settings = kentongan.settings
    by_mail = session.scalar(select(func.count()).where(Subscription.channel == "email", Subscription.active)) or 0
    if settings.smtp_host:
        yield Finding("mail", f"goes to {settings.smtp_host} port {settings.smtp_port}")
    elif by_mail:
        yield Finding("mail", f"{by_mail} subscriptions wait: no mail server is named", "set KENTONGAN_SMTP_HOST")
    else:
        yield Finding("mail", "no mail server is named, and nobody asked for mail")
    if settings.egress_allow:
        yield Finding(
            "egress",
            f"webhooks may reach {settings.egress_allow} although not global",
            "unset KENTONGAN_EGRESS_ALLOW, unless this is a trial",
        )
    given_up = session.scalar(select(func.count()).where(Delivery.state == "given-up")) or 0
    if given_up:
        yield Finding("deliveries", f"{given_up} were given up", "see the deliveries page; they can be sent again")
