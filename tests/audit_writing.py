"""Somebody who writes into the audit trail, importable by a process of its own."""

from __future__ import annotations

from kentongan.domain.audit import Act
from kentongan.domain.identity import Identity, OrganizationKind
from kentongan.storage.audit import note
from kentongan.storage.database import Database

WHO = Identity(1, "CERT-ID", OrganizationKind.MEMBER, name="Siti", address="192.0.2.7")


def write_many(url: str, writer: int) -> None:
    """Write entries, two in each transaction, until killed."""
    database = Database(url)
    for number in range(100_000):
        with database.writing() as session:
            note(session, WHO, Act.CHANGED, f"{writer}: {number}", about_id=writer)
            note(session, WHO, Act.CHANGED, f"{writer}: {number} too", about_id=writer)
