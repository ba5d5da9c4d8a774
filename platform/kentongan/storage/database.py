"""One engine, two kinds of session: reading, and writing with one commit at its end."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.orm import Session

from kentongan.domain.identity import Identity
from kentongan.storage.audit import seal, taken
from kentongan.storage.second_wall import step_behind
from kentongan.storage.visibility import ASKED_ONCE

_ACCEPT_ORDER = 0x6B656E74  # "kent": the advisory lock that puts accepted objects in commit order
_CASE_ORDER = 0x63617365  # "case": the advisory lock under which incidents join cases and campaigns
_TRY_ORDER = 0x74727921  # "try!": the advisory lock under which attempts to sign in are counted
_SQLITE_IS_AWAY = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    }
)


_thread = threading.local()


def _held() -> set[str]:
    """The queues at whose head this thread is."""
    if not hasattr(_thread, "queues"):
        _thread.queues = set()
    queues: set[str] = _thread.queues
    return queues


class Database:
    """The database of one installation, SQLite or PostgreSQL, safe to share between threads."""

    def __init__(self, url: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.engine = _engine(url)
        self._clock = clock
        # What each takes for one statement that is a transaction of its own: SQLite none at all, PostgreSQL to be told.
        self._glances = self.engine.execution_options(
            **({"kentongan_begin": ""} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"})
        )
        file = self.engine.url.database if self.is_sqlite else None
        self._queue_file = f"{file}.queue" if file and file != ":memory:" else None

    @property
    def is_sqlite(self) -> bool:
        """Whether the truth lies in one file."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one state and writes nothing: whatever it did is rolled back.

        What it noted for the audit trail is entered when its block ends, before anybody is answered: nothing is read unseen.
        """
        with Session(self.engine, expire_on_commit=False, info={ASKED_ONCE: {}}) as session:
            yield session
            noted = taken(session)
        if noted:
            with self._writing_soon() as trail:
                seal(trail, noted, self._clock())
                trail.commit()

    @contextmanager
    def glancing(self) -> Iterator[Connection]:
        """For a single statement that only reads, and so sees one state by itself: without a transaction around it, which would
        be two more round trips. Each of several statements may see another state."""
        with self._glances.connect() as connection:
            yield connection

    @contextmanager
    def reading_for(self, reader: Identity, *, by_index: bool = False) -> Iterator[Session]:
        """The same for what is shown to somebody: PostgreSQL itself keeps from this session what is not for `reader`.

        `by_index`: for pages of much, which PostgreSQL is to find by its indexes whatever it believes (`keep_to_indexes`).
        """
        with self.reading() as session:
            step_behind(session, reader, by_index=by_index)
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that commits once, when its block ends without an error; SQLite takes the write lock at its start.

        Do not open one inside another: on SQLite the second cannot write before the first has ended.
        """
        with self.trying() as session:
            yield session
            if noted := taken(session):
                session.flush()
                seal(session, noted, self._clock())
            session.commit()

    @contextmanager
    def trying(self) -> Iterator[Session]:
        """A session that may write as in `writing`, and of which nothing stays: to find out what a wish would do."""
        with (
            self._in_turn(),
            self.engine.connect().execution_options(kentongan_begin="IMMEDIATE") as connection,
            Session(connection, expire_on_commit=False) as session,
        ):
            yield session

    @contextmanager
    def _writing_soon(self) -> Iterator[Session]:
        """A session for entries of reads, whose commit does not wait for the disk: the next commit that does takes it along.

        A killed process loses nothing of it. A power cut takes the newest reads from the end of the trail, which stays whole;
        nothing that was accepted or changed is among them, nor anything before a signed head: those commits wait.
        Sources: SQLite, PRAGMA synchronous (WAL and NORMAL); PostgreSQL, synchronous_commit.
        """
        with (
            self._in_turn(),
            self.engine.connect().execution_options(kentongan_begin="IMMEDIATE") as connection,
            _not_waiting_for_the_disk(connection),
            Session(connection, expire_on_commit=False) as session,
        ):
            if not self.is_sqlite:
                session.execute(text("SET LOCAL synchronous_commit TO off"))
            yield session

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Writers of one SQLite file queue at a lock that wakes the next at once, and that a killed process lets go.

        SQLite itself has who waits look again after a sleep of up to 100 ms, while the file lies idle.
        """
        if self._queue_file is None or self._queue_file in _held() or not Path(self._queue_file).parent.is_dir():
            # Without its folder SQLite cannot open the file, and says so; and nobody waits for themselves: SQLite's own
            # patience ends with an error where a writer is opened inside another.
            yield
            return
        queue = os.open(self._queue_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(queue, fcntl.LOCK_EX)
            _held().add(self._queue_file)
            yield
        finally:
            _held().discard(self._queue_file)
            os.close(queue)

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()


def is_away(error: BaseException) -> bool:
    """Whether an error means that the database cannot be reached or used just now, so that trying again later may help."""
    if isinstance(error, NoConnectionFree):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if isinstance(error.orig, sqlite3.Error):
        # The lower byte is the kind; SQLite calls a missing table an operational error too, and no waiting mends that.
        return (getattr(error.orig, "sqlite_errorcode", 0) & 0xFF) in _SQLITE_IS_AWAY
    return error.connection_invalidated or isinstance(error, OperationalError)


def accept_in_order(session: Session) -> None:
    """Hold the accept lock until this transaction ends, so that object numbers grow in the order of their commits.

    A reader that pages by number then never misses one that is committed late. SQLite's write lock does the same.
    """
    _advisory_lock(session, _ACCEPT_ORDER)


def join_cases_in_order(session: Session) -> None:
    """Hold the case lock until this transaction ends, so that two workers never split or double one case."""
    _advisory_lock(session, _CASE_ORDER)


def count_attempts_in_order(session: Session) -> None:
    """Hold the lock of attempts until this transaction ends, so that attempts made at once are counted one after the other."""
    _advisory_lock(session, _TRY_ORDER)


def _advisory_lock(session: Session, number: int) -> None:
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        # Errors are logged and kept with a job: they must not quote what was worked on.
        engine = create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=20, hide_parameters=True)
        event.listen(engine, "connect", _prepare_postgresql)
        return engine
    engine = create_engine(url, connect_args={"timeout": 30}, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


@contextmanager
def _not_waiting_for_the_disk(connection: Connection) -> Iterator[None]:
    """SQLite takes the setting only between two transactions, and for the whole connection, which others use afterwards."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        yield
        return
    before = driver.execute("PRAGMA synchronous").fetchone()[0]
    driver.execute("PRAGMA synchronous=NORMAL")
    try:
        yield
    finally:
        driver.execute(f"PRAGMA synchronous={before}")


def _prepare_postgresql(connection: Any, _record: Any) -> None:  # Any: psycopg is not needed where SQLite is used
    """Statements here are small; compiled to machine code first, one of 10 ms took 500 where the planner knew a table badly."""
    connection.execute("SET jit = off")
    connection.commit()


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver's own idea of when to begin a transaction is switched off: _begin_sqlite says it.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "wal_autocheckpoint=16000",  # 64 MiB: pages written again and again, as of indexes by id, are copied back once
        "foreign_keys=ON",
        "busy_timeout=30000",
        "cache_size=-65536",
        "temp_store=MEMORY",
        "mmap_size=268435456",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that means to write takes the lock at once: upgrading later fails when another has written meanwhile.
    if mode := connection.get_execution_options().get("kentongan_begin", "DEFERRED"):
        connection.exec_driver_sql(f"BEGIN {mode}")
