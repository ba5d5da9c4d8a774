"""The audit trail: what happened, by whom, about whose data; every entry tied to the one before it (domain/audit.py)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import DDL, Index, LargeBinary, String, Text, bindparam, event, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from kentongan.domain.audit import GENESIS, Act, Chained, Details, Entry, details_text, digest_of, entry_hash
from kentongan.domain.identity import NO_ORGANIZATION, Identity
from kentongan.storage.base import Base, BigId, Instant

_CHAIN_ORDER: Final = (
    0x61756469  # "audi": the advisory lock under which entries get their places; always the last one taken
)
_NOTED: Final = "kentongan.audit"


class AuditEntry(Base):
    """One entry. Nothing of it is ever changed; `details` may be forgotten, which the database allows and nothing else."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_about_id_number", "about_id", "number"),)

    number: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(Instant)
    organization_id: Mapped[int | None] = mapped_column(BigId)
    """Without a foreign key, like all ids here: the trail outlives what it tells of."""
    organization: Mapped[str] = mapped_column(String(200))
    person_id: Mapped[int | None] = mapped_column(BigId)
    token_id: Mapped[int | None] = mapped_column(BigId)
    act: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(Text)
    about_id: Mapped[int | None] = mapped_column(BigId)
    details: Mapped[str | None] = mapped_column(Text)
    """As domain.audit.details_text writes them; None once they are forgotten."""
    details_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    previous: Mapped[bytes] = mapped_column(LargeBinary(32))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


class AuditHead(Base):
    """A head that was signed and may have been fetched: number and hash of the last entry at that moment."""

    __tablename__ = "audit_head"

    number: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    installation: Mapped[str] = mapped_column(String(200))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    at: Mapped[datetime] = mapped_column(Instant)
    key: Mapped[bytes] = mapped_column(LargeBinary(32))
    signature: Mapped[bytes] = mapped_column(LargeBinary(64))


_SEALED: Final = "an entry of the audit trail is never changed or deleted"
_KEPT: Final = [name for name in AuditEntry.__table__.columns.keys() if name != "details"]  # noqa: SIM118  # no dict
GUARDS: Final[Mapping[str, tuple[str, ...]]] = {
    "sqlite": (
        f"CREATE TRIGGER audit_entry_stays BEFORE DELETE ON audit_entry BEGIN SELECT RAISE(ABORT, '{_SEALED}'); END",
        "CREATE TRIGGER audit_entry_is_kept BEFORE UPDATE ON audit_entry WHEN NEW.details IS NOT NULL OR "
        + " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in _KEPT)
        + f" BEGIN SELECT RAISE(ABORT, '{_SEALED}'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION kentongan_audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF TG_OP = 'UPDATE' THEN IF NEW.details IS NULL AND "
        + " AND ".join(f"NEW.{name} IS NOT DISTINCT FROM OLD.{name}" for name in _KEPT)
        + f" THEN RETURN NEW; END IF; END IF; RAISE EXCEPTION '{_SEALED}'; END $$",
        "CREATE TRIGGER audit_entry_is_kept BEFORE UPDATE OR DELETE ON audit_entry "
        "FOR EACH ROW EXECUTE FUNCTION kentongan_audit_is_kept()",
        "CREATE TRIGGER audit_entry_stays BEFORE TRUNCATE ON audit_entry "
        "FOR EACH STATEMENT EXECUTE FUNCTION kentongan_audit_is_kept()",
    ),
}
"""The second wall: the database itself refuses what no code here does. An operator can take it down; a kept head tells."""


@dataclass(frozen=True, slots=True)
class Noted:
    """One entry to be, before it has its place in the chain."""

    who: Identity
    act: Act
    subject: str
    """What it was done to: a kind and a public id or name, e.g. `incident 6f1c...`."""
    about_id: int | None
    """The organization whose data it was done to: it may read the entry."""
    details: Mapping[str, Any]


@dataclass(slots=True)
class _Notes:
    """What a session noted so far; `read` are the ids shown to somebody, by reader and by whose they are."""

    entries: list[Noted] = field(default_factory=list)
    read: dict[tuple[Identity, int], dict[str, None]] = field(default_factory=dict)


def note(
    session: Session, who: Identity, act: Act, subject: str, *, about_id: int | None = None, **details: Any
) -> None:
    """Have this entered into the trail when the transaction of this session commits, or not at all.

    `details` are plain JSON and hold no secret, and nothing that the organization `about_id` may not read.
    """
    _notes(session).entries.append(Noted(who, act, subject, about_id, details))


def note_read(session: Session, who: Identity, about_id: int, subject: str) -> None:
    """Somebody is shown `subject` of the organization `about_id`. One entry for all that one session shows of one's."""
    _notes(session).read.setdefault((who, about_id), {})[subject] = None


def noted(session: Session) -> list[Noted]:
    """What was noted in this session so far."""
    notes = _notes(session)
    reads = [_reading(who, about_id, list(subjects)) for (who, about_id), subjects in notes.read.items()]
    return [*notes.entries, *reads]


def taken(session: Session) -> list[Noted]:
    """The same, and the session forgets it."""
    found = noted(session)
    del session.info[_NOTED]
    return found


def seal(session: Session, noted: Iterable[Noted], at: datetime) -> None:
    """Give these entries their places at the end of the chain, as the last thing before the commit.

    Everybody who writes into the trail waits here for the one before, and nobody waits for another lock after this one.
    """
    hold_end(session)
    number, previous = last(session)
    rows = []
    for one in noted:
        number += 1
        row = _row(number, one, at, previous)
        previous = row["hash"]
        rows.append(row)
    session.connection().execute(_ENTER, rows)


def hold_end(session: Session) -> None:
    """Let nobody add to the trail until this transaction ends. SQLite's write lock does the same."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _CHAIN_ORDER})


def last(session: Session) -> tuple[int, bytes]:
    """Number and hash of the last entry; 0 and GENESIS where there is none."""
    found = session.connection().execute(_LAST).first()
    return (found.number, bytes(found.hash)) if found else (0, GENESIS)


def entries(session: Session, after: int = 0) -> Iterator[Chained]:
    """All entries behind a number, in their order, read in parts: the trail may be longer than the memory."""
    while rows := session.execute(_BEHIND, {"after": after}).all():
        for row in rows:
            *told, details, previous, found = row
            yield Chained(Entry(*told), details, bytes(previous), bytes(found))
        after = rows[-1].number


def forget_details(session: Session, before: datetime, organization_id: int | None = None) -> int:
    """Forget what entries older than `before` tell in detail, and by whom by name and from where, of all or of those about one
    organization; counts them. That it happened, when, to what and through which organization stays, and the chain proves it."""
    old = update(AuditEntry).where(AuditEntry.at < before, AuditEntry.details.is_not(None)).values(details=None)
    if organization_id is not None:
        old = old.where(AuditEntry.about_id == organization_id)
    forgotten: Any = session.execute(old.execution_options(synchronize_session=False))
    return int(forgotten.rowcount)


def _notes(session: Session) -> _Notes:
    found: _Notes = session.info.setdefault(_NOTED, _Notes())
    return found


def _reading(who: Identity, about_id: int, subjects: list[str]) -> Noted:
    told = subjects[0] if len(subjects) == 1 else f"{len(subjects)} things"
    return Noted(who, Act.READ, told, about_id, {"shown": subjects})


def _row(number: int, noted: Noted, at: datetime, previous: bytes) -> dict[str, Any]:
    who = noted.who
    details = details_text(Details(who.name, who.address, noted.details, secrets.token_hex(8)))
    entry = Entry(
        number=number,
        at=at,
        organization_id=who.organization_id if who.organization_id != NO_ORGANIZATION else None,
        organization=who.organization_name,
        person_id=who.person_id,
        token_id=who.token_id,
        act=noted.act.value,
        subject=noted.subject.replace("\0", " "),  # PostgreSQL stores none
        about_id=noted.about_id,
        details_sha256=digest_of(details),
    )
    own = {name: getattr(entry, name) for name in Entry.__dataclass_fields__}
    return {**own, "details": details, "previous": previous, "hash": entry_hash(entry, previous)}


_LAST = select(AuditEntry.number, AuditEntry.hash).order_by(AuditEntry.number.desc()).limit(1)
_ENTER = insert(AuditEntry)
_HASHED: Final = [getattr(AuditEntry, name) for name in Entry.__dataclass_fields__]
_BEHIND = (
    select(*_HASHED, AuditEntry.details, AuditEntry.previous, AuditEntry.hash)
    .where(AuditEntry.number > bindparam("after"))
    .order_by(AuditEntry.number)
    .limit(1_000)
)

for _dialect, _statements in GUARDS.items():
    for _statement in _statements:
        _guard = DDL(_statement.replace("%", "%%"))  # type: ignore[no-untyped-call]  # SQLAlchemy left this class out
        event.listen(AuditEntry.__table__, "after_create", _guard.execute_if(dialect=_dialect))
