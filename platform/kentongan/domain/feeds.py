"""What crosses our border outwards as a feed: the rows it is made of, and what a format has to say of itself.

A feed is a wish: everything of one kind that this reader may see, in one format. The rows come from services/read_feed.py, the text
from one class for each format (kentongan_feeds/outbound/formats/).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final, Protocol

from kentongan.domain.identity import NO_ORGANIZATION, Identity, OrganizationKind
from kentongan.domain.incident import IncidentFacts, Observable
from kentongan.domain.marking import Level
from kentongan.domain.pap import Pap, Use

STRICTEST: Final = Level.AMBER_STRICT
"""No feed holds more than this: RED is for whom it names, and whatever polls a feed is nobody's eyes."""

PUBLIC: Final = Level.CLEAR
"""What the public variant of a feed shows at most."""

EVERYBODY: Final = Identity(NO_ORGANIZATION, "everybody", OrganizationKind.SUBSCRIBER, name="without a token")
"""Who reads a public feed. Give it PUBLIC as a bound: what organizations of the platform may read is more than that."""

SEEN_AS_SUCH: Final = frozenset({"sco", "pattern", "observed-data"})
"""The origins of a value that say it was meant: what only stands in a text or a reference may be a victim's or a newspaper's."""


@dataclass(frozen=True, slots=True)
class FeedValue:
    """One value with what is known of it to the reader.

    `tlp` is the loosest marking it came with; `reports` counts the incidents that carry it; `first_seen` and `last_seen` are when
    the first and last of them were received. `may_block` says whether a machine may act on it.
    """

    observable: Observable
    tlp: Level
    pap: Pap | None
    reports: int
    first_seen: datetime
    last_seen: datetime
    may_block: bool


@dataclass(frozen=True, slots=True)
class FeedIncident:
    """One incident as its reporter's newest version has it. `id` is the platform's; `values` come where a format wants them."""

    id: str
    stix_id: str
    reporter: str
    country: str | None
    tlp: Level
    received_at: datetime
    amended_at: datetime
    revoked: bool
    facts: IncidentFacts
    pap: Pap | None = None
    values: tuple[FeedValue, ...] = ()


@dataclass(frozen=True, slots=True)
class FeedHead:
    """What a feed says of itself. `address` is its own; `site` the portal's; `changed_at` is when its content last changed."""

    title: str
    address: str
    site: str
    changed_at: datetime


class Rows(Enum):
    """What a format is made of."""

    VALUES = "values"
    INCIDENTS = "incidents"
    EVENTS = "incidents with their values"


class FeedFormat(Protocol):
    """One format. Its lines are text that ends where the next begins; nothing is kept but what a row needs."""

    @property
    def name(self) -> str:
        """The end of its address: `suricata.rules`."""
        ...

    @property
    def says(self) -> str:
        """What it is for, in a line."""
        ...

    @property
    def media_type(self) -> str: ...

    @property
    def rows(self) -> Rows: ...

    @property
    def use(self) -> Use:
        """What values are taken for: only such as may be used so are given to it."""
        ...

    @property
    def kinds(self) -> frozenset[str] | None:
        """The kinds of values it takes; None: all."""
        ...

    @property
    def newest(self) -> int | None:
        """How many incidents at most, the newest; None: all."""
        ...

    def lines(self, head: FeedHead, rows: Iterable[Any]) -> Iterator[str]:  # Any: FeedValue or FeedIncident
        """The text, piece by piece."""
        ...


class FeedFormats(Protocol):
    """All formats there are."""

    @property
    def lists(self) -> Mapping[str, FeedFormat]:
        """Those of lists, by name."""
        ...

    def event(self, incident: FeedIncident) -> str:
        """One incident as a MISP event."""
        ...

    def bundle(self, name: str, objects: Iterable[str]) -> Iterator[str]:
        """STIX objects, given as JSON, as one STIX bundle; its id follows from `name`."""
        ...
