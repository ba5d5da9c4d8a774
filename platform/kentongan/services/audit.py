"""Reading the audit trail: each organization what was done to its own data, an operator who takes part."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, false, or_, select
from sqlalchemy.orm import Session

from kentongan.domain.audit import ADMINISTRATIVE, Act, read_details
from kentongan.domain.identity import Identity, Scope
from kentongan.services.paging import Page, Position, cut, read_cursor
from kentongan.storage.audit import AuditEntry


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are asked for; what is None does not narrow. `after` is included, `before` is not."""

    act: Act | None = None
    after: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditEntryView:
    """One thing that happened. `name`, `address` and `details` are None once their time is over and they are forgotten.

    `organization` and `name` say who did it, `address` from where: an IP address, `command line` or `worker`. `hash` is
    hexadecimal; those of all entries form a chain, in the order of `number`.
    """

    number: int
    at: datetime
    organization: str
    name: str | None
    address: str | None
    act: Act
    subject: str
    details: dict[str, Any] | None  # whatever JSON the act is told with
    hash: str


class ReadAudit:
    """What somebody may ask about the audit trail. Being read is no entry of its own here: it would never end."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def page(
        self, reader: Identity, wanted: AuditFilter, limit: int = 50, cursor: str | None = None
    ) -> Page[AuditEntryView]:
        """Entries the reader may know, the newest first. Raises WrongCursor."""
        asked = {"list": "audit", "organization": reader.organization_id, **asdict(wanted)}
        query = select(*_COLUMNS).where(known_to(reader))
        for clause in _clauses(wanted):
            query = query.where(clause)
        if (start := read_cursor(cursor, asked)) is not None:
            query = query.where(AuditEntry.number < UUID(start.id).int)
        rows = self._session.execute(query.order_by(AuditEntry.number.desc()).limit(limit + 1)).all()
        return cut(rows, limit, _position, asked, _view)


def known_to(reader: Identity) -> ColumnElement[bool]:
    """The clause that lets only those entries through that this reader may know of.

    An administrator: all about the data of the own organization. An operator: who takes part, and not who reads what.
    """
    clauses: list[ColumnElement[bool]] = []
    if reader.may(Scope.ADMIN):
        clauses.append(AuditEntry.about_id == reader.organization_id)
    if reader.may(Scope.OPERATE):
        clauses.append(AuditEntry.subject.in_(ADMINISTRATIVE))
        clauses.extend(AuditEntry.subject.startswith(f"{kind} ") for kind in ADMINISTRATIVE)
    return or_(false(), *clauses)


def _clauses(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    clauses: list[ColumnElement[bool]] = []
    if wanted.act is not None:
        clauses.append(AuditEntry.act == wanted.act.value)
    if wanted.after is not None:
        clauses.append(AuditEntry.at >= wanted.after)
    if wanted.before is not None:
        clauses.append(AuditEntry.at < wanted.before)
    return clauses


_COLUMNS: Final[tuple[Any, ...]] = (
    AuditEntry.number,
    AuditEntry.at,
    AuditEntry.organization,
    AuditEntry.act,
    AuditEntry.subject,
    AuditEntry.details,
    AuditEntry.hash,
)


def _position(row: Row[Any]) -> Position:
    return Position(row.at, str(UUID(int=row.number)))


def _view(row: Row[Any]) -> AuditEntryView:
    details = read_details(row.details) if row.details is not None else None
    return AuditEntryView(
        number=row.number,
        at=row.at,
        organization=row.organization,
        name=details.name if details else None,
        address=details.address if details else None,
        act=Act(row.act),
        subject=row.subject,
        details=dict(details.told) if details else None,
        hash=bytes(row.hash).hex(),
    )
