"""The feeds of organizations and their books, to be read: what was fetched and pushed, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, undefer

from kentongan.domain.feeding import is_pushed_only
from kentongan.domain.gate import Problem
from kentongan.domain.identity import Identity
from kentongan.domain.permissions import at_the_machine, may_set_up_feeds
from kentongan.domain.versions import Outcome
from kentongan.services.errors import NotFound
from kentongan.storage import feeds as storage
from kentongan.storage.feeds import FeedItem, FeedRow, FeedRun
from kentongan.storage.organizations import Organization
from kentongan.storage.submissions import Submission


@dataclass(frozen=True, slots=True)
class RunView:
    """One fetch, or one push. Counts are of items (files, pages, events); of one that was refused nothing could be kept."""

    started_at: datetime
    ended_at: datetime | None
    state: str
    """done, failed, or not finished."""
    resumed: int
    new: int
    changed: int
    unchanged: int
    refused: int
    failure: str | None
    pushed: bool
    """Whether somebody sent what it brought; else we fetched it."""


@dataclass(frozen=True, slots=True)
class FeedView:
    """One feed, without its secret."""

    id: str
    name: str
    organization: str
    kind: str
    source: str | None
    """Where it is fetched from; None: it is only pushed. Who may not set up feeds sees no query of an address."""
    options: dict[str, str]
    has_secret: bool
    every_seconds: int | None
    next_fetch: datetime | None
    last_fetch: RunView | None
    last_push: RunView | None


@dataclass(frozen=True, slots=True)
class ChangeTold:
    """What was done alike in several places: how often, and the first places."""

    rule: str
    words: str
    count: int
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ItemView:
    """What became of one item at its last change."""

    name: str
    fetched_at: datetime
    submissions: tuple[str, ...]
    """Public ids; of what was drafted `draft` and the draft's."""
    accepted: int
    """Objects."""
    refused: int
    pushed: bool
    """Whether it was sent to us the last time."""
    changes: tuple[ChangeTold, ...]
    """What is not as the source has it."""
    problems: tuple[Problem, ...]
    """Why objects, or the whole item, were refused; of a conflict the id is the path."""


class ReadFeeds:
    """What somebody may read of feeds: those of the own organization; at the console all of them. `who` asks."""

    def __init__(self, session: Session, who: Identity) -> None:
        self._session = session
        self._who = who

    def all(self) -> tuple[FeedView, ...]:
        """Every feed, by name."""
        return tuple(
            self.view_of(row) for row in self._session.scalars(seen_by(self._who).order_by(FeedRow.name, FeedRow.id))
        )

    def view(self, public_id: str) -> FeedView:
        """One feed. Raises NotFound."""
        return self.view_of(self.row(public_id))

    def runs(self, public_id: str, most: int = storage.MOST_RUNS) -> tuple[RunView, ...]:
        """Its fetches and pushes, newest first. Raises NotFound."""
        return tuple(run_view(run) for run in storage.runs_of(self._session, self.row(public_id).id, most))

    def items(
        self, public_id: str, most: int, *, name: str | None = None, only_refused: bool = False
    ) -> tuple[ItemView, ...]:
        """What became of its items, those that came last first; of this one alone where it is named. Raises NotFound."""
        query = select(FeedItem).where(FeedItem.feed_id == self.row(public_id).id)
        if name is not None:
            query = query.where(FeedItem.name_sha256 == storage.name_sha256(name))
        if only_refused:
            query = query.where(FeedItem.refused > 0)
        rows = self._session.scalars(query.order_by(FeedItem.fetched_at.desc(), FeedItem.id.desc()).limit(most)).all()
        if name is not None and not rows:
            raise NotFound(f"nothing named '{name}' came by this feed")
        return tuple(self.item_view(row) for row in rows)

    def row(self, public_id: str) -> FeedRow:
        """The feed itself. Raises NotFound."""
        found = self._session.scalars(seen_by(self._who).where(FeedRow.public_id == public_id)).one_or_none()
        if found is None:
            raise NotFound("there is no such feed")
        return found

    def view_of(self, row: FeedRow) -> FeedView:
        """A feed, to be shown."""
        last, pushed = (storage.runs_of(self._session, row.id, 1, pushed=pushed) for pushed in (False, True))
        return FeedView(
            id=row.public_id,
            name=row.name,
            organization=self._session.get_one(Organization, row.organization_id).name,
            kind=row.kind,
            source=_source(row, self._who),
            options=dict(row.options),
            has_secret=row.secret is not None,
            every_seconds=row.every,
            next_fetch=row.next_at,
            last_fetch=run_view(last[0]) if last else None,
            last_push=run_view(pushed[0]) if pushed else None,
        )

    def item_view(self, row: FeedItem) -> ItemView:
        """What became of an item, to be shown."""
        return ItemView(
            name=row.name,
            fetched_at=row.fetched_at,
            submissions=tuple(row.submissions),
            accepted=row.accepted,
            refused=row.refused,
            pushed=row.pushed,
            changes=tuple(ChangeTold(**{**each, "paths": tuple(each["paths"])}) for each in row.changes),
            problems=(*(Problem(**each) for each in row.problems), *self._of_receipts(row.submissions)),
        )

    def _of_receipts(self, public_ids: Sequence[str]) -> list[Problem]:
        """A receipt knows best; where it was erased, so is what it told."""
        found = self._session.scalars(
            select(Submission).where(Submission.public_id.in_(public_ids)).options(undefer(Submission.outcomes))
        )
        return [problem for one in found for entry in one.outcomes for problem in _problems(entry)]


def seen_by(who: Identity) -> Select[FeedRow]:
    """The feeds that `who` may read of."""
    every = select(FeedRow)
    return every if at_the_machine(who) else every.where(FeedRow.organization_id == who.organization_id)


def _source(row: FeedRow, who: Identity) -> str | None:
    """An address may hold a secret in its query."""
    if is_pushed_only(row.source):
        return None
    return row.source if may_set_up_feeds(who, row.organization_id) else row.source.partition("?")[0]


def _problems(entry: Mapping[str, Any]) -> Sequence[Problem]:
    """Of one object of a receipt; what is in conflict has none of its own, and is named by its id."""
    if entry["outcome"] == Outcome.CONFLICT:
        hint = "The newer one would need a later modified."
        return [Problem(entry["id"], "conflict", entry.get("note", ""), hint)]
    return [Problem(**each) for each in entry.get("problems", ())]


def run_view(run: FeedRun) -> RunView:
    """A fetch or a push, to be shown."""
    state = "not finished" if run.ended_at is None else "failed" if run.failure else "done"
    return RunView(
        run.started_at,
        run.ended_at,
        state,
        run.resumed,
        run.new,
        run.changed,
        run.unchanged,
        run.refused,
        run.failure,
        run.pushed,
    )
