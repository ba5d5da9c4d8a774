"""TAXII 2.1: a collection of another server, from its first object on, and then what was added since.

Sources: TAXII 2.1 (OASIS, 2021) sections 3.4, 3.5 and 5.4. Servers differ in what they make of paging: a page is asked for with
the filter it began with and `next`, and where a server has no `next`, or has forgotten it, from the last date that it named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from kentongan.domain.feeding import (
    Converted,
    Fetched,
    FetchFailed,
    Found,
    Known,
    Untouched,
    WrongFeed,
    bundle_of,
)
from kentongan.domain.gate import Problem, Unreadable, parse
from kentongan.domain.stix20 import mixed_in_stix_21
from kentongan.domain.timestamp import parse_timestamp
from kentongan_feeds.egress import Document
from kentongan_feeds.inbound import sources
from kentongan_feeds.inbound.feed import Feed

MEDIA_TYPE: Final = "application/taxii+json;version=2.1"
MOST_PAGES: Final = 100_000
"""More pages in one fetch than any collection has: a server that never ends."""
_USUAL_LIMIT: Final = 1_000
_LAST: Final = "x-taxii-date-added-last"
_FORGOTTEN: Final = (400, 404, 410)
"""What servers answer to a `next` that they do not know any more."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where to go on: the filter of a walk, the page in it, and the last date the server named."""

    added_after: str = ""
    next: str = ""
    last: str = ""

    @classmethod
    def of(cls, cursor: Mapping[str, Any]) -> _Place:
        told = {name: cursor.get(name) for name in ("added_after", "next", "last")}
        return cls(**{name: value for name, value in told.items() if isinstance(value, str)})

    def as_cursor(self) -> dict[str, str]:
        return {"added_after": self.added_after, "next": self.next, "last": self.last}

    @property
    def name(self) -> str:
        """As a report names the page."""
        since = f"objects added after {self.added_after}" if self.added_after else "objects from the beginning"
        return since + (f", page {hashlib.sha256(self.next.encode()).hexdigest()[:12]}" if self.next else "")


class TaxiiFeed(Feed):
    """A collection of a TAXII 2.1 server."""

    kind: ClassVar[str] = "taxii"
    about: ClassVar[str] = (
        "a collection of a TAXII 2.1 server: its address, .../collections/ID/; the secret is name:password or a token"
    )
    options: ClassVar[Mapping[str, str]] = {
        "limit": "how many objects are asked for at once, 1 to 10000; default 1000",
        "added_after": "a moment as TAXII writes it, 2026-01-01T00:00:00Z: nothing that was added before",
    }
    remembers: ClassVar[bool] = False
    content_types: ClassVar[tuple[str, ...]] = ()

    def check(self) -> None:
        """The source is a collection's address."""
        parts = urlsplit(self.source)
        if not self.is_remote or parts.query or "/collections/" not in parts.path:
            raise WrongFeed("write the address of a collection, https://host/api1/collections/ID/")
        limit = self.chosen.get("limit", "1")
        if not (limit.isascii() and limit.isdigit() and len(limit) <= 5 and 1 <= int(limit) <= 10_000):
            raise WrongFeed("limit is a number from 1 to 10000")
        since = self.chosen.get("added_after")
        if since is not None and parse_timestamp(since) is None:
            raise WrongFeed("added_after is a moment in UTC, such as 2026-01-01T00:00:00Z")

    def fetch(self, known: Known) -> Iterator[Found]:
        """Page after page from the cursor on. Raises FetchFailed."""
        place = _Place.of(known.cursor) if known.cursor else _Place(self.chosen.get("added_after", ""))
        resumed = bool(place.next)
        for _ in range(MOST_PAGES):
            answer = self._ask(place, also=_FORGOTTEN if resumed else ())
            if answer.status != 200:
                place, resumed = _Place(place.last or place.added_after), False
                continue
            page, resumed = self._read(answer), False
            following = _following(place, page, answer)
            cursor = (following or _Place(_later(place, answer))).as_cursor()
            if page.get("objects"):
                yield Fetched(place.name, answer.body, cursor)
            elif cursor != place.as_cursor():
                yield Untouched(place.name, cursor)
            if following is None:
                return
            place = following
        raise FetchFailed(f"the server has sent {MOST_PAGES} pages and names yet another: it never ends")

    def convert(self, fetched: Fetched) -> Converted:
        """The objects of an envelope in bundles of as many as a submission may have: as they are, and STIX 2.0 in words of 2.1."""
        tree = parse(fetched.raw, self.reach.limits)
        objects = tree.get("objects") if isinstance(tree, dict) else None
        if not isinstance(objects, list) or not objects:
            raise Unreadable(
                [Problem("$.objects", "no-envelope", "this is no envelope with objects", "Ask the server.")]
            )
        if misfits := [n for n, obj in enumerate(objects) if not isinstance(obj, dict)]:
            where = f"$.objects[{misfits[0]}]"
            raise Unreadable([Problem(where, "not-stix", "something in the envelope is no object", "Ask the server.")])
        objects, changes = mixed_in_stix_21(objects)
        most = self.reach.limits.max_objects
        parts = [objects[start : start + most] for start in range(0, len(objects), most)]
        documents = (bundle_of(part, _bundle_id(fetched.raw, number)) for number, part in enumerate(parts))
        return Converted(tuple(documents), tuple(changes))

    def headers(self) -> dict[str, str]:
        """TAXII's media type besides."""
        return {"Accept": MEDIA_TYPE, **super().headers()}

    def _ask(self, place: _Place, also: tuple[int, ...]) -> Document:
        asked = {"limit": self.chosen.get("limit", str(_USUAL_LIMIT))}
        asked |= {"added_after": place.added_after} if place.added_after else {}
        asked |= {"next": place.next} if place.next else {}
        url = f"{self.source.rstrip('/')}/objects/?{urlencode(asked)}"
        answer = sources.ask(
            self.reach.egress, url, {"Accept-Encoding": "gzip", **self.headers()}, self.reach.limits.max_bytes, also
        )
        try:
            body = sources.opened(answer.body, self.reach.limits.max_bytes)
        except Unreadable as error:
            raise FetchFailed(f"the answer cannot be unpacked: {error.problems[0].reason}") from None
        return Document(answer.status, body, answer.headers)

    def _read(self, answer: Document) -> dict[str, Any]:
        try:
            page = parse(answer.body, self.reach.limits)
        except Unreadable as error:
            raise FetchFailed(f"the server did not answer with an envelope: {error.problems[0].reason}") from None
        if not isinstance(page, dict) or not isinstance(page.get("objects", []), list):
            raise FetchFailed("the server did not answer with an envelope: write the address of a collection")
        return page


def _following(place: _Place, page: Mapping[str, Any], answer: Document) -> _Place | None:
    """The next page of this walk; None: that was the last. Raises FetchFailed where the server leads in a circle."""
    if page.get("more") is not True:
        return None
    last, following = _later(place, answer), page.get("next")
    if isinstance(following, str) and following:
        if following == place.next:
            raise FetchFailed("the server names the same page again and again")
        return _Place(place.added_after, following, last)
    if last == place.added_after:
        raise FetchFailed("the server says that there is more, and not how to ask for it")
    return _Place(last, "", last)


def _later(place: _Place, answer: Document) -> str:
    """The later of the last date known and the last one of this page; what is no date is not looked at."""
    known = place.last or place.added_after
    named = answer.headers.get(_LAST, "")
    before, after = parse_timestamp(known), parse_timestamp(named)
    return named if after is not None and (before is None or after > before) else known


def _bundle_id(raw: bytes, number: int) -> str:
    digest = hashlib.sha256(raw + number.to_bytes(4, "big")).digest()
    return f"bundle--{UUID(bytes=digest[:16], version=4)}"
