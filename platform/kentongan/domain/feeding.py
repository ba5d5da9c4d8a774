"""What a feed brings in, before anything is kept: items found at a source, what they were turned into, and what that changed.

A feed (kentongan_feeds/inbound/) only fetches and converts. Keeping goes the road of every submission, one item in each
transaction, together with what the feed remembers of it (services/fetching.py).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, Protocol

import orjson

from kentongan.domain.gate import Problem

MOST_PLACES: Final = 200
"""So many places are told of each kind of change; the count goes on."""
SHORTEST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(days=31)
FIRST_RETRY: Final = timedelta(minutes=1)
MOST_OPTION_CHARACTERS: Final = 20_000
MOST_FEEDS: Final = 100
"""Of one organization."""
RFC_822: Final = "message/rfc822"
"""The content type of a mail."""
_PUSHED: Final = "pushed:"
_MAILBOX: Final = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})@(.+)", re.IGNORECASE)

_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,4})([mhd])")


class WrongFeed(Exception):
    """There can be no such feed; the message says which part is wrong and what to do."""


class FetchFailed(Exception):
    """The source could not be read, now or at all; the message says why. What was kept before stays kept."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """One item as it was read. The runner compares `raw` with what it kept under this name, and converts it if that differs."""

    name: str
    """Names the item within its source, in reports too: a path below the folder, an address, a page."""
    raw: bytes
    cursor: Mapping[str, Any] | None = None
    """Where to go on once this is kept; None: as before."""
    stamp: str | None = None
    """By which the feed will know, without reading it, that the item is as it was."""


@dataclass(frozen=True, slots=True)
class Untouched:
    """An item that is as it was, which the feed knew without reading it."""

    name: str
    cursor: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class PassedOver:
    """An item that was not read: too large, no file, gone meanwhile. It is looked at again at the next fetch."""

    name: str
    problem: Problem


Found = Fetched | Untouched | PassedOver


@dataclass(frozen=True, slots=True)
class Known:
    """What a feed may know of its earlier fetches."""

    cursor: Mapping[str, Any] = field(default_factory=dict)
    stamps: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not as the source had it. `path` is a JSON path (or a row) in the source; no content is told."""

    path: str
    rule: str
    words: str
    """The same for every change of this rule."""


@dataclass(frozen=True, slots=True)
class Converted:
    """The STIX 2.1 documents that an item comes to: the same bytes whenever the same item is converted."""

    documents: tuple[bytes, ...]
    changes: tuple[Change, ...] = ()
    problems: tuple[Problem, ...] = ()
    """Of parts that could not be converted, where the rest could."""
    sender: str = ""
    """Of a draft: who wrote it."""


class Inbound(Protocol):
    """What the runner asks of a feed (kentongan_feeds/inbound/feed.py has the class to derive from)."""

    kind: ClassVar[str]
    remembers: ClassVar[bool]
    """Whether items come again under the same name; else what is remembered of them is only a report."""

    drafts: ClassVar[bool]
    """Whether what it brings has to be looked at by somebody first."""

    content_types: ClassVar[tuple[str, ...]]
    """As what its documents may be pushed; none: it is only fetched."""

    @property
    def is_remote(self) -> bool:
        """Whether its source is an address, not something on the machine."""

    def fetch(self, known: Known) -> Iterator[Found]:
        """What there is at the source, in an order that lets the cursor of each item be where to go on. Raises FetchFailed."""

    def convert(self, fetched: Fetched) -> Converted:
        """An item in STIX 2.1. Raises gate.Unreadable with every problem."""


@dataclass(frozen=True, slots=True)
class KindOfFeed:
    """What can be said of a kind without a feed of it. `options` are what can be chosen, and what each choice means."""

    name: str
    about: str
    options: Mapping[str, str]
    content_types: tuple[str, ...]
    """As what its documents may be pushed; none: it is only fetched."""


class InboundFeeds(Protocol):
    """Makes feeds (kentongan_feeds/inbound/), reaching as far as this installation lets them."""

    def kinds(self) -> tuple[KindOfFeed, ...]:
        """Every kind there is, by name."""

    def build(self, kind: str, source: str, options: Mapping[str, str], secret: str) -> Inbound:
        """The feed of this kind. Raises WrongFeed."""


def pushed_only(public_id: str) -> str:
    """The source of a feed that is never fetched: it names the feed, for what a row is called may follow from its source."""
    return f"{_PUSHED}{public_id}"


def is_pushed_only(source: str) -> bool:
    """Whether nothing can be fetched there."""
    return source.startswith(_PUSHED)


def address_of_feed(public_id: str, domain: str) -> str:
    """Where mail for a feed goes. Example: `0b6d4e5c-1c7e-4b0e-8e0e-000000000001@kentongan.example`."""
    return f"{public_id}@{domain}"


def feed_of_address(address: str, domain: str) -> str | None:
    """The reverse: the public id; None where it is no feed's address, or one of another domain."""
    read = _MAILBOX.fullmatch(address)
    return read[1].lower() if read and read[2].lower() == domain.lower() else None


def item_name(raw: bytes) -> str:
    """How an item is called whose sender gave it no name: by what it is, so that the same is known again."""
    return f"sha256 {hashlib.sha256(raw).hexdigest()}"


def duration(text: str) -> timedelta:
    """Read `15m`, `6h` or `1d`. Raises WrongFeed when it is none, or out of one minute to 31 days."""
    read = _DURATION.fullmatch(text.strip().lower())
    found = int(read[1]) * _UNITS[read[2]] if read else None
    if found is None or not SHORTEST_PAUSE <= found <= LONGEST_PAUSE:
        raise WrongFeed(f"'{text[:20]}' is no pause between fetches: write 15m, 6h or 1d, at least 1m and at most 31d")
    return found


def next_fetch(now: datetime, every: timedelta | None, failures: int) -> datetime | None:
    """When to fetch again after a fetch that was the `failures`-th to fail in a row (0: it did not fail). None: when told to.

    What failed is tried sooner than it would be its turn: after 1 min, doubling up to the feed's own pause.
    """
    if every is None:
        return None
    return now + (min(every, FIRST_RETRY * 2 ** min(failures - 1, 20)) if failures else every)


def idempotency_key(feed_id: str, item: str, document: bytes) -> str:
    """The key under which a document of an item is submitted: the same document of the same item is one submission for ever."""
    parts = (feed_id.encode(), item.encode("utf-8", "surrogatepass"), hashlib.sha256(document).digest())
    return "feed-" + hashlib.sha256(b"\x00".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def summed_up(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """Changes by rule: `{"rule", "words", "count", "paths"}` with the first MOST_PLACES places of each, in their order."""
    found: dict[str, dict[str, Any]] = {}
    for change in changes:
        entry = found.setdefault(change.rule, {"rule": change.rule, "words": change.words, "count": 0, "paths": []})
        entry["count"] += 1
        if len(entry["paths"]) < MOST_PLACES:
            entry["paths"].append(change.path)
    return list(found.values())


def bundle_of(objects: Sequence[Mapping[str, Any]], bundle_id: str) -> bytes:
    """A bundle as a document to submit: the same bytes for the same objects."""
    return orjson.dumps({"type": "bundle", "id": bundle_id, "objects": list(objects)})
