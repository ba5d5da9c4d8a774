"""Whether a reader's feeds are still what they were: asked before any row is read, of sums that an index answers.

What is hidden from the reader is in no sum, so nothing of it shows. The sums are of row numbers, which would tell how much there
is beside: they leave the house only as a keyed hash.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy.orm import Session

from kentongan.domain.identity import Identity
from kentongan.storage.base import microseconds
from kentongan.storage.feed_states import BUNDLES, incidents_in_sum, indicators_in_sum, known_state, remember_state

INCIDENTS: Final = "incidents"
VALUES: Final = "values"

_SETTLED: Final = timedelta(minutes=15)
"""After which an indicator that was accepted is taken to be indexed. Until then a feed of values is another one each minute: what
follows from a new indicator is known only once it is indexed, of which nothing here tells."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What a reader's feeds of one kind follow from, as a keyed hash of 32 bytes."""

    kind: str
    signature: bytes


def as_of(now: datetime) -> datetime:
    """The moment at which an indicator must still be valid: the last full hour, so that a feed stays the same for that long."""
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


class FeedStates:
    """What may be asked about the state of feeds. `key` is the installation's own."""

    def __init__(self, session: Session, key: bytes) -> None:
        self._session = session
        self._key = key

    def sums(self, reader: Identity, kind: str, now: datetime) -> Sums:
        """For a reader at this moment."""
        told: list[Any] = [kind, reader.organization_id, incidents_in_sum(self._session, reader)]
        if kind == VALUES:
            indicators = indicators_in_sum(self._session, reader)
            fresh = microseconds(now - _SETTLED) < indicators.last
            told += [[*indicators], str(now.replace(second=0, microsecond=0) if fresh else as_of(now))]
        return Sums(kind, hmac.digest(self._key, orjson.dumps(told), hashlib.sha256))

    def known_since(self, reader: Identity, sums: Sums) -> datetime | None:
        """Since when it is so, if that is remembered."""
        known = known_state(self._session, reader.organization_id, sums.kind)
        return known.changed_at if known is not None and known.signature == sums.signature else None

    def remember(self, reader: Identity, sums: Sums, now: datetime) -> datetime:
        """It is so since now, unless it is remembered already; in a session that writes."""
        return remember_state(self._session, reader.organization_id, sums.kind, sums.signature, now)

    def of_content(self, name: str, digest: bytes) -> Sums:
        """Of what is named by its content: a bundle, which each reader is given by a name of its own."""
        kind = BUNDLES + hmac.digest(self._key, name.encode(), hashlib.sha256).hex()[:18]
        return Sums(kind, hmac.digest(self._key, orjson.dumps([name, digest.hex()]), hashlib.sha256))

    def tag(self, sums: Sums, *about: str) -> str:
        """What names this state of one feed: an entity tag's opaque part."""
        return hmac.digest(self._key, orjson.dumps([sums.signature.hex(), *about]), hashlib.sha256).hex()[:40]
