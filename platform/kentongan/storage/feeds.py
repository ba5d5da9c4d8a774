"""Feeds that bring something in: where from, for whom, when next, and what became of every item so far."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    delete,
    exists,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from kentongan.storage.base import Base, BigId, Instant, Json, new_public_id


class LostFeed(Exception):
    """Another process fetches this feed now, or it was removed: what was done for it here must be rolled back."""


class FeedRow(Base):
    """One feed of one organization."""

    __tablename__ = "feed"
    __table_args__ = (Index("ix_feed_next_at", "next_at"), UniqueConstraint("organization_id", "name"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(36), unique=True, default=new_public_id)
    name: Mapped[str] = mapped_column(String(200))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    """Whose submissions everything becomes that it brings."""
    kind: Mapped[str] = mapped_column(String(40))
    source: Mapped[str] = mapped_column(Text)
    """A folder, a file, an address, or (domain/feeding.py: pushed_only) nothing that can be fetched."""
    options: Mapped[dict[str, str]] = mapped_column(Json)
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    """What the source wants to be shown; sealed."""
    every: Mapped[int | None]
    """Seconds between fetches; None: only when told to."""
    created_at: Mapped[datetime] = mapped_column(Instant)
    next_at: Mapped[datetime | None] = mapped_column(Instant)
    cursor: Mapped[dict[str, Any]] = mapped_column(Json)
    """Where to go on: moves with what is kept, in the same transaction."""
    failures: Mapped[int] = mapped_column(default=0)
    """How many fetches failed since the last that did not."""
    fence: Mapped[int] = mapped_column(default=0)
    leased_until: Mapped[datetime | None] = mapped_column(Instant)


class FeedRun(Base):
    """One fetch, which may be broken off and gone on with, or one push."""

    __tablename__ = "feed_run"
    __table_args__ = (Index("ix_feed_run_feed_id_id", "feed_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    feed_id: Mapped[int] = mapped_column(ForeignKey("feed.id"))
    started_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    """None: it goes on, or was broken off and will be gone on with."""
    resumed: Mapped[int] = mapped_column(default=0)
    new: Mapped[int] = mapped_column(default=0)
    changed: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    failure: Mapped[str | None] = mapped_column(Text)
    """Why the source could not be read (to its end)."""
    pushed: Mapped[bool] = mapped_column(default=False)
    """Whether somebody sent it; else we fetched it."""


class FeedItem(Base):
    """What a feed remembers of one item: its content's hash and what became of it, never the content."""

    __tablename__ = "feed_item"
    __table_args__ = (UniqueConstraint("feed_id", "name_sha256"), Index("ix_feed_item_feed_id_id", "feed_id", "id"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    feed_id: Mapped[int] = mapped_column(ForeignKey("feed.id"))
    name: Mapped[str] = mapped_column(Text)
    name_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    sha256: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """Of the item as it was fetched; None: it was not read."""
    stamp: Mapped[str | None] = mapped_column(String(200))
    fetched_at: Mapped[datetime] = mapped_column(Instant)
    submissions: Mapped[list[str]] = mapped_column(Json)
    """Public ids: their receipts say what became of each object."""
    accepted: Mapped[int]
    refused: Mapped[int]
    changes: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    problems: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    """Why nothing of it was kept; empty where a receipt tells."""
    pushed: Mapped[bool] = mapped_column(default=False)
    """Whether it was sent to us the last time it came."""


MOST_RUNS = 100
"""So many fetches are remembered, and as many pushes."""
MOST_REPORTS = 500
MOST_PUSHED = 10_000
"""So many items that were sent to us are remembered: a sender may name each anew for ever."""


def name_sha256(name: str) -> bytes:
    """By what an item is found again: names may be longer than an index takes."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()


def claim(session: Session, now: datetime, lease: timedelta, feed_id: int | None = None) -> FeedRow | None:
    """Take the feed that is due longest, or this one whether it is due or not; None: there is none, or somebody else has it."""
    free = or_(FeedRow.leased_until.is_(None), FeedRow.leased_until <= now)
    wanted = FeedRow.id == feed_id if feed_id is not None else FeedRow.next_at <= now
    query = select(FeedRow).where(free, wanted).order_by(FeedRow.next_at).limit(1).with_for_update(skip_locked=True)
    row = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if row is not None:
        row.fence += 1
        row.leased_until = now + lease
        session.flush()
    return row


def is_due(session: Session, now: datetime) -> bool:
    """Whether a claim would find something; takes no lock."""
    free = or_(FeedRow.leased_until.is_(None), FeedRow.leased_until <= now)
    return session.scalar(select(exists().where(FeedRow.next_at <= now, free))) or False


def hold(session: Session, feed_id: int, fence: int, until: datetime | None) -> None:
    """Keep the feed until then (None: give it back); first thing in every transaction for it. Raises LostFeed."""
    ours = update(FeedRow).where(FeedRow.id == feed_id, FeedRow.fence == fence).values(leased_until=until)
    held = session.execute(ours.execution_options(synchronize_session=False))
    if held.rowcount != 1:  # type: ignore[attr-defined]  # an UPDATE's result has it; the stubs name the base class
        raise LostFeed("another process fetches this feed, or it was removed")


def open_run(session: Session, feed_id: int, now: datetime) -> FeedRun:
    """The fetch that was broken off, to go on with, or a new one."""
    found = session.scalars(
        select(FeedRun)
        .where(FeedRun.feed_id == feed_id, FeedRun.ended_at.is_(None))
        .order_by(FeedRun.id.desc())
        .limit(1)
    ).one_or_none()
    if found is not None:
        found.resumed += 1
        return found
    return _new_run(session, FeedRun(feed_id=feed_id, started_at=now))


def add_push(session: Session, feed_id: int, now: datetime) -> FeedRun:
    """A push, over as soon as it begins: it is one transaction."""
    return _new_run(session, FeedRun(feed_id=feed_id, started_at=now, ended_at=now, pushed=True))


def _new_run(session: Session, made: FeedRun) -> FeedRun:
    made.resumed = made.new = made.changed = made.unchanged = made.refused = 0
    session.add(made)
    session.flush()
    return made


class Memory(NamedTuple):
    """What is remembered of one item, without its report."""

    name: str
    sha256: bytes | None
    stamp: str | None
    fetched_at: datetime


def remembered(session: Session, feed_id: int) -> list[Memory]:
    """Every item of a feed."""
    columns = select(FeedItem.name, FeedItem.sha256, FeedItem.stamp, FeedItem.fetched_at)
    return [Memory(*row) for row in session.execute(columns.where(FeedItem.feed_id == feed_id))]


def item_named(session: Session, feed_id: int, name: str) -> FeedItem | None:
    """What is remembered of an item."""
    return session.scalars(
        select(FeedItem).where(FeedItem.feed_id == feed_id, FeedItem.name_sha256 == name_sha256(name))
    ).one_or_none()


def take_for_push(session: Session, public_id: str, organization_id: int) -> FeedRow | None:
    """The feed, held by this transaction alone until it ends; a fetch under way keeps its lease, and goes on behind us."""
    mine = select(FeedRow).where(FeedRow.public_id == public_id, FeedRow.organization_id == organization_id)
    return session.scalars(mine.with_for_update().execution_options(populate_existing=True)).one_or_none()


def forget_old(session: Session, feed_id: int, *, items_too: bool) -> None:
    """Keep the newest MOST_RUNS fetches, and where items are only reported on, the newest MOST_REPORTS of those."""
    _keep_newest(session, FeedRun, feed_id, MOST_RUNS, pushed=False)
    if items_too:
        _keep_newest(session, FeedItem, feed_id, MOST_REPORTS, pushed=False)


def forget_old_pushes(session: Session, feed_id: int) -> None:
    """Keep the newest MOST_RUNS pushes, and the newest MOST_PUSHED of what they brought."""
    _keep_newest(session, FeedRun, feed_id, MOST_RUNS, pushed=True)
    _keep_newest(session, FeedItem, feed_id, MOST_PUSHED, pushed=True)


def _keep_newest(
    session: Session, table: type[FeedRun] | type[FeedItem], feed_id: int, most: int, *, pushed: bool
) -> None:
    these = (table.feed_id == feed_id, table.pushed.is_(pushed))
    last = session.scalar(select(table.id).where(*these).order_by(table.id.desc()).offset(most).limit(1))
    if last is not None:
        session.execute(delete(table).where(*these, table.id <= last))


def begin_anew(session: Session, row: FeedRow, now: datetime) -> None:
    """It is another source, or is read in another way: nothing that was found about the old one holds for it.

    Whoever fetches it at the moment has lost it. What was kept is remembered, and is not kept twice.
    """
    row.cursor, row.failures, row.fence, row.leased_until = {}, 0, row.fence + 1, None
    session.execute(update(FeedItem).where(FeedItem.feed_id == row.id).values(sha256=None, stamp=None))
    under_way = update(FeedRun).where(FeedRun.feed_id == row.id, FeedRun.ended_at.is_(None))
    session.execute(under_way.values(ended_at=now, failure="the feed was changed meanwhile"))


def runs_of(session: Session, feed_id: int, most: int, *, pushed: bool | None = None) -> Sequence[FeedRun]:
    """Its fetches and pushes, or those of one kind, newest first."""
    query = select(FeedRun).where(FeedRun.feed_id == feed_id)
    if pushed is not None:
        query = query.where(FeedRun.pushed.is_(pushed))
    return session.scalars(query.order_by(FeedRun.id.desc()).limit(most)).all()


def remove(session: Session, feed_id: int) -> None:
    """The feed with all that it remembers; what it brought stays."""
    session.execute(delete(FeedItem).where(FeedItem.feed_id == feed_id))
    session.execute(delete(FeedRun).where(FeedRun.feed_id == feed_id))
    session.execute(delete(FeedRow).where(FeedRow.id == feed_id))
