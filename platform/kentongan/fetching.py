"""One fetch of a feed from beginning to end: many short transactions, and the source is asked outside of all of them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from kentongan.bootstrap import Kentongan
from kentongan.domain.feeding import Fetched, FetchFailed, Found, Inbound, PassedOver, WrongFeed
from kentongan.domain.gate import Problem, Unreadable
from kentongan.services import foresee_feed
from kentongan.services.converting import Prepared, prepare
from kentongan.services.errors import NotFound
from kentongan.services.feeds import opened_secret
from kentongan.services.fetching import LEASE, Claimed, Fetching, Remembered
from kentongan.services.foresee_feed import Foreseen, refused_as_a_whole
from kentongan.services.read_feeds import RunView
from kentongan.services.sealing import Broken
from kentongan.storage import feeds
from kentongan.storage.database import Database
from kentongan.storage.feeds import LostFeed
from kentongan.storage.jobs import Stage

_log = structlog.get_logger(__name__)

KeepOn = Callable[[], bool]
"""Whether there is time left and nobody asked us to stop."""

_SAY_AFTER_SECONDS: Final = LEASE.total_seconds() / 5
"""So long after its last word a fetch that found nothing new says that it lives."""


class InOtherHands(Exception):
    """Another process is fetching this feed at the moment."""


def run_due(kentongan: Kentongan, keep_on: KeepOn) -> int:
    """Fetch what is due, one feed after the other, until nothing is or `keep_on` says no; counts the fetches."""
    fetched = 0
    while keep_on():
        with kentongan.database.reading() as session:
            if not feeds.is_due(session, kentongan.clock()):
                return fetched
        if (claimed := _claim(kentongan, None)) is None:
            return fetched
        try:
            _Run(kentongan, claimed, keep_on).run()
        except LostFeed:
            _log.info("another process has taken over", feed=claimed.name)
        fetched += 1
    return fetched


def run_one(kentongan: Kentongan, feed_id: int, *, again: bool = False) -> RunView:
    """Fetch this feed now, whatever its schedule says; `again` converts what is known as well. Raises InOtherHands, LostFeed."""
    claimed = _claim(kentongan, feed_id)
    if claimed is None:
        raise InOtherHands("another process is fetching this feed, or it was removed: wait for it to end")
    return _Run(kentongan, claimed, lambda: True).run(again=again)


def try_out(kentongan: Kentongan, feed_id: int) -> Iterator[Foreseen]:
    """What there is at the source, and what would become of it; nothing is stored. Raises FetchFailed, WrongFeed, NotFound."""
    with kentongan.database.reading() as session:
        fetching = Fetching(session, kentongan.clock)
        if (claimed := fetching.looked_at(feed_id)) is None:
            raise NotFound("there is no such feed")
        remembered = fetching.remembered(claimed, again=True)
    feed = _feed(kentongan, claimed)
    for found in feed.fetch(remembered.known):
        if isinstance(found, Fetched):
            yield _foreseen(kentongan, claimed, feed, found)
        elif isinstance(found, PassedOver):
            yield refused_as_a_whole(found.name, Unreadable([found.problem]))


def _foreseen(kentongan: Kentongan, claimed: Claimed, feed: Inbound, item: Fetched) -> Foreseen:
    try:
        prepared = _prepared(kentongan, claimed, feed, item)
    except Unreadable as error:
        return refused_as_a_whole(item.name, error)
    with kentongan.database.trying() as session:
        return foresee_feed.try_out(session, kentongan.clock, claimed.identity, item.name, prepared)


def _claim(kentongan: Kentongan, feed_id: int | None) -> Claimed | None:
    with kentongan.database.writing() as session:
        return Fetching(session, kentongan.clock).claim(feed_id)


def _feed(kentongan: Kentongan, claimed: Claimed) -> Inbound:
    """Raises WrongFeed, FetchFailed."""
    if claimed.ended:
        raise FetchFailed("the organization has left: nothing is fetched for it")
    try:
        secret = opened_secret(kentongan.seal, claimed.public_id, claimed.secret)
    except Broken as error:
        raise FetchFailed(f"{error}: remove the feed and add it anew") from None
    return kentongan.inbound.build(claimed.kind, claimed.source, claimed.options, secret)


def _prepared(kentongan: Kentongan, claimed: Claimed, feed: Inbound, item: Fetched) -> Prepared:
    """Raises Unreadable."""
    return prepare(feed, item, kentongan.limits, kentongan.book_of(claimed.identity))


@dataclass
class _Run:
    """One fetch under way."""

    kentongan: Kentongan
    claimed: Claimed
    keep_on: KeepOn
    unchanged: int = 0
    """Not yet written down."""
    cursor: Mapping[str, Any] | None = None
    """Where to go on after what was unchanged; not yet written down either."""
    said_at: float = field(default_factory=time.monotonic)

    @property
    def _database(self) -> Database:
        return self.kentongan.database

    def run(self, *, again: bool = False) -> RunView:
        """To the end, or until there is no time left. Raises LostFeed."""
        failure, finished, feed = None, True, None
        try:
            feed = _feed(self.kentongan, self.claimed)
            if self.claimed.resumed and feed.remembers:
                with self._step() as fetching:
                    fetching.count_anew(self.claimed)
            finished = self._take_all(feed, self._remembered(again))
        except (FetchFailed, WrongFeed) as error:
            failure = str(error)
        except LostFeed:
            raise
        except Exception as error:
            _log.exception("a fetch was broken off", feed=self.claimed.name)
            failure = f"the fetch was broken off ({type(error).__name__}); the log says where"
        with self._step() as fetching:
            return fetching.settle(
                self.claimed,
                self._taken(),
                failure=failure,
                finished=finished,
                forget_items=feed is not None and not feed.remembers,
            )

    def _remembered(self, again: bool) -> Remembered:
        with self._database.reading() as session:
            return Fetching(session, self.kentongan.clock).remembered(self.claimed, again=again)

    def _take_all(self, feed: Inbound, remembered: Remembered) -> bool:
        for found in feed.fetch(remembered.known):
            self._take(feed, found, remembered)
            if not self.keep_on():
                self._say()
                return False
        self._say()
        return True

    def _take(self, feed: Inbound, found: Found, remembered: Remembered) -> None:
        if isinstance(found, PassedOver):
            self._refuse(found, [found.problem])
        elif isinstance(found, Fetched) and remembered.sha256.get(found.name) != hashlib.sha256(found.raw).digest():
            self._keep(feed, found)
        else:
            self.unchanged += found.name not in remembered.counted
            self.cursor = found.cursor if found.cursor is not None else self.cursor
            if time.monotonic() - self.said_at > _SAY_AFTER_SECONDS:
                self._say()

    def _keep(self, feed: Inbound, item: Fetched) -> None:
        try:
            prepared = _prepared(self.kentongan, self.claimed, feed, item)
        except Unreadable as error:
            self._refuse(item, error.problems)
            return
        with self._step() as fetching:
            if feed.drafts:
                fetching.draft(self.claimed, item, prepared.converted, self._taken())
                kept = False
            else:
                kept = fetching.keep(self.claimed, item, prepared.converted, prepared.examined, self._taken())
        self._moved(item)
        if kept:
            self.kentongan.nudge(Stage.INDEX)

    def _refuse(self, item: Fetched | PassedOver, problems: list[Problem] | tuple[Problem, ...]) -> None:
        with self._step() as fetching:
            fetching.refuse(self.claimed, item, problems, self._taken())
        self._moved(item)

    def _moved(self, item: Fetched | PassedOver) -> None:
        """Where to go on was written down with the item."""
        if isinstance(item, Fetched) and item.cursor is not None:
            self.cursor = None

    def _say(self) -> None:
        if self.unchanged or self.cursor is not None:
            with self._step() as fetching:
                fetching.go_on(self.claimed, self._taken(), self.cursor)
            self.cursor = None

    def _taken(self) -> int:
        """What was unchanged since the last step; counted once, whether the step succeeds or the process is over."""
        unchanged, self.unchanged = self.unchanged, 0
        return unchanged

    @contextmanager
    def _step(self) -> Iterator[Fetching]:
        with self._database.writing() as session:
            yield Fetching(session, self.kentongan.clock)
        self.said_at = time.monotonic()
