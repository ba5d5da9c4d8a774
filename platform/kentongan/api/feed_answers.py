"""How a feed is answered: not at all where the asker has it already, else piece by piece, each part in a short transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from tempfile import SpooledTemporaryFile
from typing import Any, Final, TypeVar

import structlog
from flask import Response, request
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from kentongan.domain.feeds import EVERYBODY, PUBLIC, STRICTEST
from kentongan.domain.identity import Identity
from kentongan.services.feed_state import FeedStates, Sums
from kentongan.storage.database import Database
from kentongan.storage.visibility import read_no_further
from kentongan.threshold.installation import installation

PIECE: Final = 16 * 1024
"""Characters that are sent at once, about."""
WAITING: Final = 1024 * 1024
"""Bytes of what waits to be sent that stay in memory."""
_log = structlog.get_logger(__name__)
_SECOND: Final = timedelta(seconds=1)

Row = TypeVar("Row")
Read = Callable[[Session, Any], tuple[Iterable[Row], Any]]
"""Reads the rows behind a place, and says where to go on; Any: the place is the reader's own business."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A feed as it stands: what names this state of it, and since when it is so."""

    tag: str
    since: datetime
    is_dated: bool
    """Whether `since` may be told: two states of one second would have one date."""


@contextmanager
def reading_feeds(reader: Identity, database: Database | None = None) -> Iterator[Session]:
    """A session that shows a reader what feeds may hold: nothing RED, and to everybody what is CLEAR alone.

    Whoever reads on when the request is over gives the database.
    """
    with (database or installation().database).reading_for(reader) as session:
        read_no_further(session, reader, PUBLIC if reader is EVERYBODY else STRICTEST)
        yield session


def standing(reader: Identity, kind: str, *about: str) -> Standing:
    """How a feed of this kind stands for a reader; `about` tells it from others of its kind."""
    place = installation()
    now = place.clock()
    with reading_feeds(reader) as session:
        states = FeedStates(session, place.cursor_key)
        sums = states.sums(reader, kind, now)
        tag = states.tag(sums, *about)
    return _dated(reader, tag, sums, now)


def _dated(reader: Identity, tag: str, sums: Sums, now: datetime) -> Standing:
    since = _since(reader, sums, now)
    return Standing(tag, since or now.replace(microsecond=0), is_dated=since is not None and since + _SECOND <= now)


def _since(reader: Identity, sums: Sums, now: datetime) -> datetime | None:
    """Remembered where it is not yet. Who only reads is not refused because nothing can be written just now."""
    place = installation()
    with place.database.reading() as session:
        known = FeedStates(session, place.cursor_key).known_since(reader, sums)
    if known is not None:
        return known
    try:
        with place.database.writing() as session:
            return FeedStates(session, place.cursor_key).remember(reader, sums, now)
    except OperationalError as error:
        _log.warning("the state of a feed was not noted", reason=str(error.__cause__ or error))
        return None


def answered(reader: Identity, stands: Standing, media_type: str, text: Callable[[], Iterator[str]]) -> Response:
    """304 where the asker has this state already (RFC 9110 section 13), else the text of it, streamed."""
    if _has_it(stands):
        response = Response(status=304)
    elif request.method == "HEAD":
        response = Response(iter(()), content_type=media_type)  # of no length, for nobody knows it
    else:
        response = Response(_begun(_pieces(text())), content_type=media_type)
    if stands.is_dated:
        response.last_modified = stands.since
    return _kept_by_nobody(response, reader, stands.tag)


def answered_whole(reader: Identity, name: str, media_type: str, text: Iterator[str]) -> Response:
    """The same of what must be made before it can be named: its tag is a hash of itself, and dated is when `name` got it.

    It waits in a file without a name, of which no more than a mebibyte is in memory.
    """
    kept = SpooledTemporaryFile(max_size=WAITING)  # noqa: SIM115  # it is closed with the answer, or as soon as nobody holds it
    digest = hashlib.blake2b(digest_size=20)
    for piece in _pieces(text):
        kept.write(piece)
        digest.update(piece)
    stands = _standing_as_made(reader, name, digest.digest())
    if _has_it(stands):
        kept.close()
        response = Response(status=304)
    else:
        kept.seek(0)
        response = Response(iter(lambda: kept.read(PIECE), b""), content_type=media_type)
        response.call_on_close(kept.close)
    if stands.is_dated:
        response.last_modified = stands.since
    return _kept_by_nobody(response, reader, stands.tag)


def _standing_as_made(reader: Identity, name: str, digest: bytes) -> Standing:
    place = installation()
    with place.database.reading() as session:
        sums = FeedStates(session, place.cursor_key).of_content(name, digest)
    return _dated(reader, digest.hex(), sums, place.clock())


def _kept_by_nobody(response: Response, reader: Identity, tag: str) -> Response:
    response.set_etag(tag)
    # To be asked again each time: what is taken back must be gone from every cache at the next look.
    response.headers["Cache-Control"] = (
        "public, max-age=0, must-revalidate" if reader is EVERYBODY else "private, no-cache"
    )
    response.headers["Vary"] = "Authorization"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _has_it(stands: Standing) -> bool:
    if "If-None-Match" in request.headers:  # then the date counts for nothing
        return request.if_none_match.contains_weak(stands.tag)
    has = request.if_modified_since
    return stands.is_dated and has is not None and has >= stands.since


def parts(read: Read[Row], reader: Identity, place: Any) -> Iterator[Row]:
    """All rows, part by part: `read` gives those behind a place and where to go on; None: there are no more.

    The first part is read at once, so that a database that is away is still told as an error.
    """
    # No connection is held while what was read is on its way: a slow reader keeps nobody else waiting.
    database = installation().database

    def part(at: Any) -> tuple[Iterable[Row], Any]:
        with reading_feeds(reader, database) as session:
            return read(session, at)

    def following(at: Any) -> Iterator[Row]:
        while at is not None:
            rows, at = part(at)
            yield from rows

    first, place = part(place)
    return chain(first, following(place))


def _pieces(lines: Iterator[str]) -> Iterator[bytes]:
    waiting: list[str] = []
    size = 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= PIECE:
            yield "".join(waiting).encode()
            waiting, size = [], 0
    yield "".join(waiting).encode()


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """With the first piece made before the answer begins."""
    return chain([next(pieces)], pieces)
