"""An entry exists exactly if its transaction did, in one chain without gaps, and the database itself keeps it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from kentongan.domain.audit import Act, Chained, breaks, read_details
from kentongan.domain.identity import Identity, OrganizationKind
from kentongan.storage.audit import entries, forget_details, note, note_read
from kentongan.storage.database import Database
from stories import NOON, organization
from writing_the_trail import write

ANALYST = Identity(1, "ID-CERT", OrganizationKind.MEMBER, person_id=4, name="Budi", address="192.0.2.7")


def trail(database: Database) -> list[Chained]:
    with database.reading() as session:
        return list(entries(session))


def subjects(database: Database) -> list[str]:
    return [link.entry.subject for link in trail(database)]


def entered(database: Database, *told: str, about_id: int | None = None) -> None:
    for subject in told:
        with database.writing() as session:
            note(session, ANALYST, Act.CHANGED, subject, about_id=about_id, why="a test")


def test_what_is_noted_is_entered_with_the_commit(database: Database) -> None:
    entered(database, "token 1", "token 2")

    chain = trail(database)

    assert [link.entry.number for link in chain] == [1, 2]
    assert not list(breaks(chain))
    details = read_details(chain[0].details or "")
    assert (details.name, details.address, details.told) == ("Budi", "192.0.2.7", {"why": "a test"})


def test_a_transaction_that_is_rolled_back_leaves_no_entry(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.writing() as session:
        note(session, ANALYST, Act.CHANGED, "token 1")
        raise ZeroDivisionError
    with database.trying() as session:
        note(session, ANALYST, Act.CHANGED, "token 2")

    assert trail(database) == []


def test_an_entry_that_cannot_be_written_takes_its_transaction_with_it(database: Database) -> None:
    with pytest.raises(TypeError), database.writing() as session:
        organization(session, "ID-CERT")
        note(session, ANALYST, Act.ADDED, "organization ID-CERT", what=object())

    with database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM organization")).scalar() == 0


def test_what_is_read_is_entered_before_the_answer_and_once_for_each_owner(database: Database) -> None:
    with database.reading() as session:
        note_read(session, ANALYST, 2, "incident a")
        note_read(session, ANALYST, 2, "incident b")
        note_read(session, ANALYST, 2, "incident a")
        note_read(session, ANALYST, 3, "incident c")

    told = [(link.entry.about_id, read_details(link.details or "").told["shown"]) for link in trail(database)]
    assert told == [(2, ["incident a", "incident b"]), (3, ["incident c"])]


def test_a_read_that_fails_shows_nothing_and_leaves_no_entry(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.reading() as session:
        note_read(session, ANALYST, 2, "incident a")
        raise ZeroDivisionError

    assert trail(database) == []


def test_a_read_that_cannot_be_entered_fails(sqlite_database: Database) -> None:
    with sqlite_database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE audit_entry RENAME TO gone")

    with pytest.raises(DatabaseError), sqlite_database.reading() as session:
        note_read(session, ANALYST, 2, "incident a")


def test_after_a_read_the_connection_waits_for_the_disk_again(sqlite_database: Database) -> None:
    def waits(session: Session) -> int:
        return int(session.execute(text("PRAGMA synchronous")).scalar_one())

    with sqlite_database.reading() as session:
        note_read(session, ANALYST, 2, "incident a")

    with sqlite_database.writing() as session:
        assert waits(session) == 2
    with sqlite_database._writing_soon() as session:
        assert waits(session) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_entry",
        "DELETE FROM audit_entry WHERE number = 2",
        "UPDATE audit_entry SET subject = 'nothing'",
        "UPDATE audit_entry SET details = '{}'",
        "UPDATE audit_entry SET details = NULL, about_id = 9",
        "UPDATE audit_entry SET hash = previous",
    ],
)
def test_the_database_refuses_to_change_or_delete_an_entry(database: Database, statement: str) -> None:
    entered(database, "token 1", "token 2")

    with pytest.raises(DatabaseError, match="never changed or deleted"), database.writing() as session:
        session.execute(text(statement))

    assert subjects(database) == ["token 1", "token 2"]


def test_postgresql_refuses_to_empty_the_trail(postgres_database: Database) -> None:
    entered(postgres_database, "token 1")

    with pytest.raises(DatabaseError, match="never changed or deleted"), postgres_database.writing() as session:
        session.execute(text("TRUNCATE audit_entry"))


def test_details_can_be_forgotten_and_the_chain_still_proves(database: Database) -> None:
    now = NOON
    database._clock = lambda: now
    entered(database, "token 1", about_id=1)
    entered(database, "token 2", about_id=2)
    now += timedelta(days=400)
    entered(database, "token 3", about_id=1)

    with database.writing() as session:
        forgotten = forget_details(session, NOON + timedelta(days=1), 1)

    chain = trail(database)
    assert forgotten == 1
    assert [link.details is None for link in chain] == [True, False, False]
    assert not list(breaks(chain))


def test_many_threads_and_processes_write_one_chain_without_gaps(database: Database) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    spawning = multiprocessing.get_context("spawn")
    processes = [spawning.Process(target=write, args=(url, f"process {n}", 40)) for n in range(3)]
    threads = [threading.Thread(target=write, args=(url, f"thread {n}", 40)) for n in range(3)]

    for process in processes:
        process.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for process in processes:
        process.join(60)

    assert [each.exitcode for each in processes] == [0, 0, 0]
    chain = trail(database)
    assert [link.entry.number for link in chain] == list(range(1, 6 * 40 + 1))
    assert not list(breaks(chain))
    assert len({link.entry.subject for link in chain}) == 6 * 40


def test_a_writer_killed_at_any_moment_leaves_the_chain_whole(sqlite_database: Database) -> None:
    url = sqlite_database.engine.url.render_as_string(hide_password=False)
    script = str(Path(__file__).parents[1] / "writing_the_trail.py")

    for round_ in range(4):
        before = len(trail(sqlite_database))
        writer = subprocess.Popen([sys.executable, script, url, f"round {round_}"])
        end = time.monotonic() + 30
        while len(trail(sqlite_database)) < before + 20 and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait(10)

        chain = trail(sqlite_database)
        assert len(chain) >= before + 20
        assert not list(breaks(chain))
        with sqlite_database.reading() as session:
            changes = session.execute(text("SELECT name FROM organization ORDER BY id")).scalars().all()
        assert [link.entry.subject for link in chain] == [f"organization {name}" for name in changes]


def test_who_owns_the_file_can_take_the_wall_down_and_the_chain_tells(sqlite_database: Database) -> None:
    entered(sqlite_database, "token 1", "token 2", "token 3")
    with sqlite3.connect(str(sqlite_database.engine.url.database)) as driver:
        driver.execute("DROP TRIGGER audit_entry_is_kept")
        driver.execute("UPDATE audit_entry SET subject = 'token 9' WHERE number = 2")
    driver.close()

    assert [broken.number for broken in breaks(trail(sqlite_database))] == [2]
