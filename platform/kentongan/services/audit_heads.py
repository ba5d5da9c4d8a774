"""Heads of the audit trail: signed now and then, published to everybody who takes part, and held against the trail later."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.domain.audit import GENESIS, Break, Chained, breaks
from kentongan.domain.audit_head import Head, SignedHead
from kentongan.services.paging import Page, Position, cut, read_cursor
from kentongan.storage.audit import AuditEntry, AuditHead, entries, hold_end, last

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Clock = Callable[[], datetime]

EVERY: Final = timedelta(hours=1)
_ASKED: Final = {"list": "audit heads"}
_LONGEST_ADDRESS: Final = 200


class Heads:
    """What may be asked about the heads that were signed. They say nothing of anybody, so they are for everybody."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def page(self, limit: int = 50, cursor: str | None = None) -> Page[SignedHead]:
        """The newest first. Raises WrongCursor."""
        query = select(AuditHead)
        if (start := read_cursor(cursor, _ASKED)) is not None:
            query = query.where(AuditHead.number < UUID(start.id).int)
        rows = self._session.scalars(query.order_by(AuditHead.number.desc()).limit(limit + 1)).all()
        return cut(rows, limit, lambda row: Position(row.at, str(UUID(int=row.number))), _ASKED, _signed)


class SignHeads:
    """Signs what the last entry is. The commit waits for the disk, so that nothing is lost that a signed head covers."""

    def __init__(self, session: Session, clock: Clock, key: Ed25519PrivateKey, installation: str) -> None:
        self._session = session
        self._clock = clock
        self._key = key
        self._installation = installation[:_LONGEST_ADDRESS]

    def sign(self) -> SignedHead | None:
        """The head of this moment, kept; the one before where nothing happened since. None while the trail is empty."""
        hold_end(self._session)
        number, found = last(self._session)
        if number == 0:
            return None
        if (before := self._session.get(AuditHead, number)) is not None:
            return _signed(before)
        now = self._clock()
        head = Head(
            self._installation, number, found.hex(), _written(now), self._key.public_key().public_bytes_raw().hex()
        )
        row = AuditHead(
            number=number,
            installation=self._installation,
            hash=found,
            at=now,
            key=bytes.fromhex(head.key),
            signature=self._key.sign(head.signed_bytes()),
        )
        self._session.add(row)
        self._session.flush()
        return _signed(row)

    def is_due(self) -> bool:
        """Whether an hour has passed since the last one, and something was entered since."""
        newest = self._session.scalars(select(AuditHead).order_by(AuditHead.number.desc()).limit(1)).first()
        number, _ = last(self._session)
        if newest is None:
            return number > 0
        return number > newest.number and self._clock() >= newest.at + EVERY


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of going through the trail. `breaks` is empty where it holds; of many only the first are told."""

    entries: int
    head: str
    """The hash of the last entry, hexadecimal."""
    heads: int
    """How many signed heads were held against it."""
    breaks: tuple[Break, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.breaks


class VerifyAudit:
    """Goes through the whole trail, in constant memory."""

    def __init__(self, session: Session, most: int = 10) -> None:
        self._session = session
        self._most = most

    def verify(self, published: Sequence[SignedHead] = ()) -> Verdict:
        """Every hash of every entry, and every head that was kept here or is given from outside."""
        heads = [*self._kept(), *published]
        seen = _Seen(self._session, {head.number for head in heads})
        found = []
        for broken in breaks(seen):
            found.append(broken)
            if len(found) == self._most:
                break
        for _ in seen:  # to the end, whatever was found: the heads want to be held against it
            pass
        found.extend(_held_against(heads, seen))
        found.sort(key=lambda broken: broken.number)
        return Verdict(seen.number, seen.hash.hex(), len(heads), tuple(found[: self._most]))

    def verify_last(self, many: int) -> Verdict:
        """Only the newest entries: that they are whole, and follow from one another."""
        number, found = last(self._session)
        start = max(0, number - many)
        before = self._session.scalar(select(AuditEntry.hash).where(AuditEntry.number == start)) if start else GENESIS
        after = (start, bytes(before)) if before is not None else (start, GENESIS)
        broken = tuple(breaks(entries(self._session, start), after))
        return Verdict(number - start, found.hex(), 0, broken[: self._most])

    def _kept(self) -> Iterator[SignedHead]:
        for row in self._session.scalars(select(AuditHead).order_by(AuditHead.number)):
            yield _signed(row)


class _Seen:
    """Passes all entries on once, and remembers the hashes that heads tell of."""

    def __init__(self, session: Session, wanted: set[int]) -> None:
        self._entries = entries(session)
        self._wanted = wanted
        self.hashes: dict[int, str] = {}
        self.number = 0
        self.hash = GENESIS

    def __iter__(self) -> Iterator[Chained]:
        return self

    def __next__(self) -> Chained:
        link = next(self._entries)
        self.number, self.hash = link.entry.number, link.hash
        if self.number in self._wanted:
            self.hashes[self.number] = link.hash.hex()
        return link


def _held_against(heads: Iterable[SignedHead], seen: _Seen) -> Iterator[Break]:
    good = 0
    for head in sorted(heads, key=lambda head: head.number):
        if not head.is_genuine():
            yield Break(head.number, f"the head signed at {head.at} does not bear the signature of the key it names")
        elif head.number not in seen.hashes:
            gone = f"the head signed at {head.at} tells of entry {head.number}, and the trail has no such entry"
            yield Break(min(head.number, seen.number + 1), gone)
        elif head.hash != seen.hashes[head.number]:
            rewritten = (
                f"the trail was rewritten: the head signed at {head.at} tells another hash of entry {head.number}"
            )
            yield Break(good + 1, f"{rewritten}, so one of the entries {good + 1} to {head.number} is not what it was")
        else:
            good = head.number


def _signed(row: AuditHead) -> SignedHead:
    return SignedHead(
        installation=row.installation,
        number=row.number,
        hash=bytes(row.hash).hex(),
        at=_written(row.at),
        key=bytes(row.key).hex(),
        signature=bytes(row.signature).hex(),
    )


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
