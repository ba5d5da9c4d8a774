"""Pages that go on where the last one ended, however much arrived meanwhile: by key, never by counting rows.

A cursor says nothing about what others have: it holds the moment and the public id of the last thing shown, no row number.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, TypeVar

import orjson
from sqlalchemy import ColumnElement, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from kentongan.services.errors import Refused

MOST_PER_PAGE: Final = 200
CURSOR_LENGTH: Final = 43
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DIGEST: Final = 8

T = TypeVar("T")
S = TypeVar("S")


class WrongCursor(Refused):
    """The cursor is none of ours, or belongs to another list or filter."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list, newest first. `next` is the cursor of the page behind it; None: this is the last one."""

    items: tuple[T, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: the moment its list is ordered by, and the public id of the last thing on it."""

    at: datetime
    id: str


def write_cursor(position: Position, asked: Mapping[str, Any]) -> str:
    """The cursor that goes on behind `position` in the list that was asked for; `asked` names the list and its filter."""
    moment = (position.at - _EPOCH) // timedelta(microseconds=1)
    raw = _digest(asked) + moment.to_bytes(8, "big", signed=True) + uuid.UUID(position.id).bytes
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def read_cursor(cursor: str | None, asked: Mapping[str, Any]) -> Position | None:
    """Where to go on; None at the beginning. Raises WrongCursor for one that was made for something else."""
    if cursor is None:
        return None
    raw = _decoded(cursor)
    if raw[:_DIGEST] != _digest(asked):
        raise WrongCursor("this cursor belongs to another list or filter: start again without a cursor")
    micros = int.from_bytes(raw[_DIGEST:-16], "big", signed=True)
    try:
        return Position(_EPOCH + timedelta(microseconds=micros), str(uuid.UUID(bytes=raw[-16:])))
    except OverflowError:
        raise _unknown() from None


def behind(
    at: InstrumentedAttribute[datetime], key: InstrumentedAttribute[int], start: Position, start_key: int | None
) -> ColumnElement[bool]:
    """What comes behind `start` in the order (at, key) descending, as one comparison of rows that an index serves.

    `start_key` is the row number of the thing `start` names. It is None when the reader no longer sees that thing: then
    everything of that moment is shown again, rather than something left out.
    """
    if start_key is None:
        return at <= start.at
    return tuple_(at, key) < (start.at, start_key)


def cut(
    found: Sequence[S],
    limit: int,
    place: Callable[[S], Position],
    asked: Mapping[str, Any],
    present: Callable[[S], T],
) -> Page[T]:
    """A page of at most `limit` out of what was found, which is asked for with one more, to know whether there is a next."""
    shown = found[:limit]
    following = write_cursor(place(shown[-1]), asked) if len(found) > limit else None
    return Page(tuple(present(item) for item in shown), following)


def _digest(asked: Mapping[str, Any]) -> bytes:
    told = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.blake2b(told, digest_size=_DIGEST).digest()


def _decoded(cursor: str) -> bytes:
    if len(cursor) != CURSOR_LENGTH or not cursor.isascii():
        raise _unknown()
    try:
        return base64.b64decode(cursor + "=", altchars=b"-_", validate=True)
    except ValueError:
        raise _unknown() from None


def _unknown() -> WrongCursor:
    return WrongCursor("this is no cursor that a page of this list gave: start again without a cursor")
