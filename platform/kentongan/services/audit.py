"""Reading the audit trail, proving it, and signing its head for others to keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.domain.audit import Act, Break, Head, breaks
from kentongan.domain.identity import Identity, Scope
from kentongan.services.errors import Refused
from kentongan.storage.audit import AuditEntry, AuditHead, entries

Clock = Callable[[], datetime]
EVERY: Final = timedelta(hours=1)
"""How old the newest head may become before another is signed."""
ADMINISTRATIVE: Final = (Act.ADDED.value, Act.ENDED.value, Act.CHANGED.value)


@dataclass(frozen=True, slots=True)
class AuditView:
    """One entry as it is shown. `details` is null where they were forgotten; `hash` is hexadecimal."""

    number: int
    at: datetime
    organization: str
    name: str
    address: str
    act: str
    subject: str
    details: dict[str, Any] | None
    hash: str


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some entries, newest first. `next` is the number to ask for as `before`; None: this is the last page."""

    items: tuple[AuditView, ...]
    next: int | None


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head and its signature (hexadecimal, Ed25519 over `Head.signed_bytes`)."""

    head: Head
    signature: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What proving the whole trail came to."""

    entries: int
    head: str
    """The hash of the last entry, hexadecimal."""
    broken: tuple[Break, ...]
    """The first breaks, at most ten."""


class WrongHead(Refused):
    """A head that was kept is none, or its signature is not that of its key."""


class AuditTrail:
    """What may be asked of the audit trail."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def page(self, who: Identity, *, limit: int = 50, before: int | None = None, act: str | None = None) -> AuditPage:
        """The entries about one's own organization and those it made itself, newest first.

        Who runs the platform sees the administrative entries of all instead: not what others read.
        """
        query = select(AuditEntry).order_by(AuditEntry.number.desc()).limit(limit + 1)
        if who.may(Scope.OPERATE):
            query = query.where(AuditEntry.act.in_(ADMINISTRATIVE))
        else:
            # An entry about another organization says what was done to its data: it is not this one's to read in full.
            query = query.where(AuditEntry.about_id == who.organization_id)
        if before is not None:
            query = query.where(AuditEntry.number < before)
        if act is not None:
            query = query.where(AuditEntry.act == act)
        rows = self._session.scalars(query).all()
        shown = tuple(_view(row) for row in rows[:limit])
        return AuditPage(shown, shown[-1].number if len(rows) > limit else None)

    def verify(self, kept: SignedHead | None = None) -> Verdict:
        """Prove the whole chain, in one pass over it; and that it still holds the entry a kept head tells of.

        Raises WrongHead if the kept head was not signed by the key it names.
        """
        if kept is not None:
            _check_signature(kept)
        chain = _Watched(entries(self._session), kept.head if kept else None)
        broken = [found for _, found in zip(range(10), breaks(chain), strict=False)]
        for _ in chain:  # what lies behind the tenth break is only counted
            pass
        return Verdict(chain.count, chain.last.hex(), tuple([*broken, *chain.missed()][:10]))

    def heads(self, limit: int = 50) -> tuple[SignedHead, ...]:
        """The heads signed last, the newest first; for every organization to fetch and keep."""
        rows = self._session.scalars(select(AuditHead).order_by(AuditHead.number.desc()).limit(limit))
        return tuple(_signed(row) for row in rows)


class SignHeads:
    """Signs the head of the trail now and then."""

    def __init__(self, session: Session, clock: Clock, key: Ed25519PrivateKey) -> None:
        self._session = session
        self._clock = clock
        self._key = key

    def sign(self, *, if_due: bool = False) -> SignedHead | None:
        """Sign the head as it is now; with `if_due` only if the last one is an hour old and something happened since."""
        last = self._session.execute(
            select(AuditEntry.number, AuditEntry.hash).order_by(AuditEntry.number.desc()).limit(1)
        ).first()
        newest = self._session.scalars(select(AuditHead).order_by(AuditHead.number.desc()).limit(1)).first()
        if last is None:
            return None
        if newest is not None and (newest.number == last.number or (if_due and newest.at > self._clock() - EVERY)):
            return _signed(newest)
        public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        row = AuditHead(number=last.number, hash=last.hash, at=self._clock(), key=public, signature=b"")
        row.signature = self._key.sign(_head(row).signed_bytes())
        self._session.add(row)
        self._session.flush()
        return _signed(row)


def read_head(text: bytes) -> SignedHead:
    """A head as `kentongan audit head` and the API write it. Raises WrongHead."""
    try:
        told = orjson.loads(text)
        return SignedHead(Head(**told["head"]), str(told["signature"]))
    except (ValueError, KeyError, TypeError):
        raise WrongHead("this is no head of an audit trail: it needs 'head' and 'signature'") from None


def written_head(signed: SignedHead) -> dict[str, Any]:
    """The reverse of read_head, before it becomes JSON."""
    return asdict(signed)


class _Watched:
    """The chain as it passes by: counted, its last hash kept, and compared with a head that somebody kept."""

    def __init__(self, chain: Iterator[Any], kept: Head | None) -> None:
        self._chain = chain
        self._kept = kept
        self._found = kept is None
        self._other = False
        self.count = 0
        self.last = b""

    def __iter__(self) -> Iterator[Any]:
        for link in self._chain:
            self.count += 1
            self.last = link.hash
            if self._kept is not None and link.entry.number == self._kept.number:
                self._found = True
                self._other = link.hash.hex() != self._kept.hash
            yield link

    def missed(self) -> list[Break]:
        """Where the trail is not the one that the kept head was signed for."""
        if self._kept is None or (self._found and not self._other):
            return []
        why = "it is not the entry that the kept head was signed for: the trail was made anew"
        return [Break(self._kept.number, why if self._found else "the entry that the kept head tells of is missing")]


def _check_signature(kept: SignedHead) -> None:
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(kept.head.key))
        key.verify(bytes.fromhex(kept.signature), kept.head.signed_bytes())
    except (ValueError, InvalidSignature):
        raise WrongHead("the signature of the kept head is not that of the key it names") from None


def _head(row: AuditHead) -> Head:
    return Head(row.number, row.hash.hex(), row.at.isoformat(), row.key.hex())


def _signed(row: AuditHead) -> SignedHead:
    return SignedHead(_head(row), row.signature.hex())


def _view(row: AuditEntry) -> AuditView:
    details = orjson.loads(row.details) if row.details is not None else None
    return AuditView(
        row.number, row.at, row.organization, row.name, row.address, row.act, row.subject, details, row.hash.hex()
    )
