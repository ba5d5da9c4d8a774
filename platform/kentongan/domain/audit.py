"""The audit trail's rules: what an entry holds, how it is tied to the one before it, and how a break in the chain is found.

The hash of an entry covers the hash of the entry before it, so that nothing can be changed, left out or put in between without
every later hash changing too; and a signed head that others keep tells when all of them were made anew. What an entry tells in
detail, and the name and address of the person who did it, is covered by a hash of its own: it can be forgotten (a person's data,
after its time), and the chain still proves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import orjson

ADMINISTRATIVE: Final = ("organization", "person", "token", "coordinator's role", "platform")
"""The kinds of subjects that an operator reads about, of whatever organization: who takes part, and not what they know.

A subject begins with its kind: `token kt_abcde`. What stands here for nothing is for its organization alone.
"""


class Act(StrEnum):
    """What was done."""

    SIGNED_IN = "signed in"
    SIGN_IN_REFUSED = "sign-in refused"
    SIGNED_OUT = "signed out"
    READ = "read"
    EXPORTED = "exported"
    SUBMITTED = "submitted"
    CHANGED = "changed"
    DELIVERED = "delivered"
    GIVEN_UP = "given up"
    WITHHELD = "withheld"
    ERASED = "erased"
    DECIDED = "decided"
    ADDED = "added"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. Ids are row numbers; the organization's name is as it was at that moment."""

    number: int
    """From 1, without gaps."""
    at: datetime
    organization_id: int | None
    organization: str
    person_id: int | None
    token_id: int | None
    act: str
    subject: str
    about_id: int | None
    """The organization whose data it was done to."""
    details_sha256: bytes


GENESIS: Final = bytes(32)
"""What stands for the hash of the entry before the first."""


@dataclass(frozen=True, slots=True)
class Details:
    """What may be forgotten of an entry: who did it by name and from where, and what else there is to tell.

    `salt` is random: without it, whoever holds the hash of what was forgotten could try names until one fits.
    """

    name: str
    address: str
    told: Mapping[str, Any]
    salt: str


def details_text(details: Details) -> str:
    """Details as they are stored and hashed, in one spelling: JSON with its keys in order and no blanks."""
    return orjson.dumps(asdict(details), option=orjson.OPT_SORT_KEYS).decode()


def read_details(text: str) -> Details:
    """The reverse of `details_text`."""
    return Details(**orjson.loads(text))


def digest_of(details: str) -> bytes:
    """SHA-256 of that spelling."""
    return hashlib.sha256(details.encode()).digest()


def entry_hash(entry: Entry, previous: bytes) -> bytes:
    """SHA-256 over the hash before it and the entry as JSON with its keys in order, moments as microseconds since 1970."""
    told = asdict(entry) | {"at": _micros(entry.at), "details_sha256": entry.details_sha256.hex()}
    return hashlib.sha256(previous + orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).digest()


@dataclass(frozen=True, slots=True)
class Chained:
    """An entry as it is stored, with the hashes that stand beside it. `details` is None where they were forgotten."""

    entry: Entry
    details: str | None
    previous: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain does not hold, and why."""

    number: int
    why: str


def breaks(chain: Iterable[Chained], after: tuple[int, bytes] = (0, GENESIS)) -> Iterator[Break]:
    """Every place where the chain does not hold, the first first. `after` are number and hash of the entry it goes on from."""
    number, previous = after
    for link in chain:
        found = link.entry.number
        if found != number + 1:
            yield Break(
                number + 1, f"entry {number + 1} is missing" if found > number else f"entry {found} is there twice"
            )
        elif link.previous != previous:
            yield Break(found, "it does not follow from the entry before it")
        if link.hash != entry_hash(link.entry, link.previous):
            yield Break(found, "it was changed: its hash is another one")
        if link.details is not None and digest_of(link.details) != link.entry.details_sha256:
            yield Break(found, "its details were changed")
        number, previous = found, link.hash


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
