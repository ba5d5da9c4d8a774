"""What a feed fetched is kept on the road of every submission, together with what the feed remembers of it.

Everything here is one transaction of its caller: a fetch that is killed between two of them goes on after the last item that
was kept, and an item is kept once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from kentongan.domain.feeding import (
    Converted,
    Fetched,
    Known,
    PassedOver,
    idempotency_key,
    next_fetch,
    summed_up,
)
from kentongan.domain.gate import Problem
from kentongan.domain.identity import Identity, Scope
from kentongan.services.drafts import Drafts
from kentongan.services.examine import Examined
from kentongan.services.read_feeds import RunView, run_view
from kentongan.services.receipts import Receipt
from kentongan.services.submit import Rejected, Submit
from kentongan.storage import feeds
from kentongan.storage.feeds import FeedItem, FeedRow, FeedRun
from kentongan.storage.organizations import Organization
from kentongan.storage.tombstones import SUBMISSION, Tombstone

Clock = Callable[[], datetime]

LEASE: Final = timedelta(minutes=5)
"""A fetch that says nothing for so long is taken to be dead, and another process may go on with it."""
_MOST_PROBLEMS: Final = 50


@dataclass(frozen=True, slots=True)
class Claimed:
    """The right to fetch one feed until the lease ends, and what the fetch has to know."""

    feed_id: int
    fence: int
    run_id: int
    public_id: str
    name: str
    kind: str
    source: str
    options: Mapping[str, str]
    secret: bytes | None
    cursor: Mapping[str, Any]
    identity: Identity
    started_at: datetime
    resumed: bool
    """The fetch was broken off before, and goes on."""
    ended: bool
    """The organization has left: nothing is fetched for it."""
    pushed: bool = False
    """Somebody sends, in one transaction that holds the feed's row. It has no lease, and a fetch under way keeps its own."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the feed remembers: enough to know what is unchanged."""

    known: Known
    sha256: Mapping[str, bytes | None]
    counted: frozenset[str] = frozenset()
    """The items that this fetch has come to already, before it was broken off."""


class Fetching:
    """The steps of a fetch."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def claim(self, feed_id: int | None = None) -> Claimed | None:
        """Take the feed that is due longest, or this one; None: there is none, or another process has it."""
        now = self._clock()
        row = feeds.claim(self._session, now, LEASE, feed_id)
        if row is None:
            return None
        run = feeds.open_run(self._session, row.id, now)
        return _claimed(row, run, self._session.get_one(Organization, row.organization_id))

    def looked_at(self, feed_id: int) -> Claimed | None:
        """The same without taking it, to try out what a fetch would bring."""
        row = self._session.get(FeedRow, feed_id)
        return _claimed(row, None, self._session.get_one(Organization, row.organization_id)) if row else None

    def remembered(self, claimed: Claimed, *, again: bool = False) -> Remembered:
        """What is known of earlier fetches; nothing, where everything is to be converted `again`."""
        if again:
            return Remembered(Known(), {})
        found = feeds.remembered(self._session, claimed.feed_id)
        stamps = {each.name: each.stamp for each in found if each.stamp is not None}
        counted = frozenset(each.name for each in found if claimed.resumed and each.fetched_at >= claimed.started_at)
        return Remembered(Known(claimed.cursor, stamps), {each.name: each.sha256 for each in found}, counted)

    def count_anew(self, claimed: Claimed) -> None:
        """A fetch that goes on from the beginning comes by the same unchanged items once more."""
        self._hold(claimed)
        self._session.get_one(FeedRun, claimed.run_id).unchanged = 0

    def keep(
        self, claimed: Claimed, item: Fetched, converted: Converted, documents: Sequence[Examined], unchanged: int
    ) -> bool:
        """Submit the documents of an item and remember it; says whether anything of it was kept. Raises feeds.LostFeed."""
        self._hold(claimed)
        kept: list[Receipt] = []
        problems = list(converted.problems)
        for document in documents:
            if self._was_erased(claimed, document.sha256):
                problems.append(_ERASED)
                continue
            key = idempotency_key(claimed.public_id, item.name, document.raw)
            try:
                kept.append(Submit(self._session, self._clock).submit(claimed.identity, document, idempotency_key=key))
            except Rejected as error:
                problems += [
                    problem for outcome in error.receipt.objects for problem in outcome.problems or _says(outcome.note)
                ]
        if not documents and not problems:
            problems.append(_NOTHING)
        known = self._remember_kept(claimed, item, converted, problems, [str(receipt.id) for receipt in kept], kept)
        same = (known or claimed.pushed) and all(receipt.repeated for receipt in kept)
        outcome = "refused" if not kept else "unchanged" if same else "changed" if known else "new"
        self._count(claimed, unchanged, outcome)
        return bool(kept)

    def draft(self, claimed: Claimed, item: Fetched, converted: Converted, unchanged: int) -> None:
        """Put what an item comes to before somebody of the organization, and remember it. Raises feeds.LostFeed."""
        self._hold(claimed)
        drafts = Drafts(self._session, self._clock)
        put = [drafts.put(claimed.identity, claimed.name, each, converted.sender) for each in converted.documents]
        before = feeds.item_named(self._session, claimed.feed_id, item.name)
        same = before is not None and before.submissions == [f"draft {each}" for each in put]
        known = self._remember_kept(
            claimed, item, converted, list(converted.problems), [f"draft {each}" for each in put]
        )
        self._count(claimed, unchanged, "unchanged" if same else "changed" if known else "new")

    def _remember_kept(
        self,
        claimed: Claimed,
        item: Fetched,
        converted: Converted,
        problems: Sequence[Problem],
        became: Sequence[str],
        receipts: Sequence[Receipt] = (),
    ) -> bool:
        if item.cursor is not None:
            self._session.get_one(FeedRow, claimed.feed_id).cursor = dict(item.cursor)
        return self._remember(
            claimed,
            item.name,
            sha256=hashlib.sha256(item.raw).digest(),
            stamp=item.stamp,
            submissions=list(became),
            accepted=sum(receipt.accepted for receipt in receipts) if receipts else _objects_in(converted, became),
            refused=sum(receipt.refused for receipt in receipts) + len(problems),
            changes=summed_up(converted.changes),
            problems=_listed(problems),
        )

    def refuse(self, claimed: Claimed, item: Fetched | PassedOver, problems: Iterable[Problem], unchanged: int) -> None:
        """Remember why nothing of an item could be kept, and go on behind it. Raises feeds.LostFeed."""
        row = self._hold(claimed)
        found = _listed(problems)
        self._remember(
            claimed,
            item.name,
            sha256=hashlib.sha256(item.raw).digest() if isinstance(item, Fetched) else None,
            stamp=item.stamp if isinstance(item, Fetched) else None,
            submissions=[],
            accepted=0,
            refused=len(found),
            changes=[],
            problems=found,
        )
        if isinstance(item, Fetched) and item.cursor is not None:
            row.cursor = dict(item.cursor)
        self._count(claimed, unchanged, "refused")

    def go_on(self, claimed: Claimed, unchanged: int, cursor: Mapping[str, Any] | None) -> None:
        """Say that the fetch lives, and how far it is where nothing had to be kept. Raises feeds.LostFeed."""
        row = self._hold(claimed)
        if cursor is not None:
            row.cursor = dict(cursor)
        self._count(claimed, unchanged, None)

    def settle(
        self, claimed: Claimed, unchanged: int, *, failure: str | None, finished: bool, forget_items: bool
    ) -> RunView:
        """The fetch is over, or (not `finished`) is to be gone on with at once. Raises feeds.LostFeed."""
        row = self._hold(claimed)
        self._count(claimed, unchanged, None)
        run = self._session.get_one(FeedRun, claimed.run_id)
        now = self._clock()
        if finished:
            run.ended_at, run.failure = now, failure
            row.failures = row.failures + 1 if failure else 0
            row.next_at = next_fetch(now, timedelta(seconds=row.every) if row.every else None, row.failures)
        elif row.every:
            row.next_at = now
        row.leased_until = None
        self._session.flush()
        feeds.forget_old(self._session, row.id, items_too=forget_items)
        return run_view(run)

    def _hold(self, claimed: Claimed) -> FeedRow:
        if claimed.pushed:
            return self._session.get_one(FeedRow, claimed.feed_id)
        feeds.hold(self._session, claimed.feed_id, claimed.fence, self._clock() + LEASE)
        return self._session.get_one(FeedRow, claimed.feed_id, populate_existing=True)

    def _was_erased(self, claimed: Claimed, sha256: bytes) -> bool:
        """What the organization erased does not come back by itself."""
        mine = Tombstone.organization_id == claimed.identity.organization_id
        return (
            self._session.scalar(select(exists().where(mine, Tombstone.kind == SUBMISSION, Tombstone.sha256 == sha256)))
            or False
        )

    def _remember(self, claimed: Claimed, name: str, **told: Any) -> bool:  # the columns of FeedItem
        """Says whether something was kept under this name before."""
        item = feeds.item_named(self._session, claimed.feed_id, name)
        before = item is not None and bool(item.submissions)
        if item is None:
            item = FeedItem(feed_id=claimed.feed_id, name=name, name_sha256=feeds.name_sha256(name))
            self._session.add(item)
        item.fetched_at, item.pushed = self._clock(), claimed.pushed
        for column, value in told.items():
            setattr(item, column, value)
        return before

    def _count(self, claimed: Claimed, unchanged: int, outcome: str | None) -> None:
        run = self._session.get_one(FeedRun, claimed.run_id)
        run.unchanged += unchanged
        if outcome is not None:
            setattr(run, outcome, getattr(run, outcome) + 1)


_ERASED: Final = Problem(
    "$", "erased", "this document was erased, and what was erased does not come back by itself", "Submit it by hand."
)
_NOTHING: Final = Problem("$", "nothing-in-it", "there is nothing in it that could be kept", "Look at the source.")


def identity_of(row: FeedRow, organization: Organization) -> Identity:
    """Who submits what a feed brings by itself."""
    who = organization.identity(frozenset({Scope.SUBMIT}))
    return replace(who, name=f"feed {row.name}", address=f"feed of kind {row.kind}")


def _claimed(row: FeedRow, run: FeedRun | None, organization: Organization) -> Claimed:
    return Claimed(
        row.id,
        row.fence,
        run.id if run else 0,
        row.public_id,
        row.name,
        row.kind,
        row.source,
        row.options,
        row.secret,
        row.cursor,
        identity_of(row, organization),
        run.started_at if run else row.created_at,
        bool(run and run.resumed),
        organization.ended_at is not None,
    )


def _objects_in(converted: Converted, became: Sequence[str]) -> int:
    """Of drafts: how many objects they hold."""
    return sum(len(orjson.loads(each)["objects"]) for each in converted.documents) if became else 0


def _says(said: str | None) -> tuple[Problem, ...]:
    return (Problem("$", "conflict", said, "Ask the source for a newer version."),) if said else ()


def _listed(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    return [asdict(problem) for _, problem in zip(range(_MOST_PROBLEMS), problems, strict=False)]
