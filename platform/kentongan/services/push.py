"""Somebody sends a document to a feed: it is taken on the road of what is fetched, and accounted as that is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.domain.feeding import Fetched, Inbound
from kentongan.domain.gate import Problem
from kentongan.domain.identity import Identity
from kentongan.services.converting import Prepared
from kentongan.services.errors import NotFound
from kentongan.services.fetching import Claimed, Fetching
from kentongan.services.read_feeds import ItemView, ReadFeeds, RunView, run_view
from kentongan.storage import feeds
from kentongan.storage.feeds import FeedRow, FeedRun
from kentongan.storage.organizations import Organization

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class PushTarget:
    """What has to be known of a feed to read what is sent to it."""

    feed_id: str
    name: str
    kind: str
    source: str
    options: dict[str, str]


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of what was sent: the push as it is accounted, and the item in it."""

    outcome: str
    """new, changed, unchanged or refused."""
    push: RunView
    item: ItemView


class Push:
    """One push. `sender` is of the organization whose feed it is, and may submit for it."""

    def __init__(self, session: Session, clock: Clock, sender: Identity) -> None:
        self._session = session
        self._clock = clock
        self._sender = sender

    def target(self, public_id: str) -> PushTarget:
        """The feed to push to. Raises NotFound, for another organization's as for an unknown one."""
        mine = select(FeedRow).where(
            FeedRow.public_id == public_id, FeedRow.organization_id == self._sender.organization_id
        )
        if (row := self._session.scalars(mine).one_or_none()) is None:
            raise NotFound("there is no such feed")
        return PushTarget(row.public_id, row.name, row.kind, row.source, dict(row.options))

    def take(self, target: PushTarget, feed: Inbound, item: Fetched, came: Prepared | Sequence[Problem]) -> Pushed:
        """Keep what the item came to, or remember why nothing of it can be kept; the same again changes nothing.

        Raises NotFound where the feed was removed or changed meanwhile: what was prepared is of another feed.
        """
        row = feeds.take_for_push(self._session, target.feed_id, self._sender.organization_id)
        if row is None or (row.source, row.options) != (target.source, target.options):
            raise NotFound("there is no such feed any more")
        run = feeds.add_push(self._session, row.id, self._clock())
        fetching, claimed = Fetching(self._session, self._clock), self._claimed(row, run)
        if not isinstance(came, Prepared):
            fetching.refuse(claimed, item, came, unchanged=0)
        elif feed.drafts:
            fetching.draft(claimed, item, came.converted, unchanged=0)
        else:
            fetching.keep(claimed, item, came.converted, came.examined, unchanged=0)
        self._session.flush()
        kept = feeds.item_named(self._session, row.id, item.name)
        assert kept is not None, "it was remembered just now"
        shown = Pushed(_outcome(run), run_view(run), ReadFeeds(self._session, self._sender).item_view(kept))
        feeds.forget_old_pushes(self._session, row.id)
        return shown

    def _claimed(self, row: FeedRow, run: FeedRun) -> Claimed:
        return Claimed(
            feed_id=row.id,
            fence=row.fence,
            run_id=run.id,
            public_id=row.public_id,
            name=row.name,
            kind=row.kind,
            source=row.source,
            options=row.options,
            secret=None,
            cursor={},
            identity=self._sender,
            started_at=run.started_at,
            resumed=False,
            ended=self._session.get_one(Organization, row.organization_id).ended_at is not None,
            pushed=True,
        )


def _outcome(run: FeedRun) -> str:
    return next(outcome for outcome in ("new", "changed", "unchanged", "refused") if getattr(run, outcome))
