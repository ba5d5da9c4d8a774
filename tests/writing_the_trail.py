"""A writer of the audit trail in a process of its own: each transaction makes an organization and tells of it."""

from __future__ import annotations

import itertools
import sys
from datetime import UTC, datetime

from kentongan.domain.audit import Act
from kentongan.domain.identity import PLATFORM
from kentongan.storage.audit import note, note_read
from kentongan.storage.database import Database
from kentongan.storage.organizations import Organization


def write(url: str, who: str, times: int | None = None) -> None:
    """So many entries, or on and on; every other one of a few is a read where the number is limited."""
    database = Database(url)
    for number in itertools.count() if times is None else range(times):
        name = f"{who}, {number}"
        if times is not None and number % 2:
            with database.reading() as session:
                note_read(session, PLATFORM, 1, name)
            continue
        with database.writing() as session:
            session.add(Organization(name=name, kind="member", created_at=datetime.now(UTC)))
            note(session, PLATFORM, Act.ADDED, f"organization {name}")
    database.close()


if __name__ == "__main__":
    write(sys.argv[1], sys.argv[2])
