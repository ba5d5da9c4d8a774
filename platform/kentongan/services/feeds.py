"""The feeds of organizations, set up, changed and removed: at the console, and by the administrators of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kentongan.domain.audit import Act
from kentongan.domain.feeding import (
    MOST_FEEDS,
    MOST_OPTION_CHARACTERS,
    InboundFeeds,
    WrongFeed,
    is_pushed_only,
    pushed_only,
)
from kentongan.domain.identity import Identity, OrganizationKind
from kentongan.domain.permissions import at_the_machine, may_set_up_feeds
from kentongan.services.errors import NotFound, Refused
from kentongan.services.read_feeds import FeedView, ReadFeeds, seen_by
from kentongan.services.sealing import Broken, Seal
from kentongan.storage import feeds as storage
from kentongan.storage.audit import note
from kentongan.storage.base import new_public_id
from kentongan.storage.feeds import FeedRow
from kentongan.storage.organizations import Organization

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class FeedWish:
    """A feed as it is to be."""

    name: str
    kind: str
    source: str = ""
    """A folder, a file, an https address; empty: it is only pushed."""
    options: Mapping[str, str] = field(default_factory=dict)
    every: timedelta | None = None
    """The pause between fetches; None: only when told to."""
    secret: str = ""
    """What the source wants to be shown."""


class Feeds:
    """What may be done with feeds. `who` asks: organizations see and change their own, the console all of them.

    Everything raises NotFound for who may not, WrongFeed where kind, source, options or secret cannot be, and Refused for what
    else cannot be granted.
    """

    def __init__(self, session: Session, clock: Clock, who: Identity, inbound: InboundFeeds, seal: Seal) -> None:
        self._session = session
        self._clock = clock
        self._who = who
        self._inbound = inbound
        self._seal = seal
        self._reading = ReadFeeds(session, who)

    def add(self, organization: Organization, wish: FeedWish) -> FeedView:
        """A feed for this organization; what has an `every` is fetched at once."""
        if not may_set_up_feeds(self._who, organization.id):
            raise NotFound("there is no such feed")
        _require_sender(organization)
        self._require_room(organization)
        now = self._clock()
        row = FeedRow(
            public_id=new_public_id(), organization_id=organization.id, created_at=now, cursor={}, kind=wish.kind
        )
        row.secret = sealed_secret(self._seal, row.public_id, wish.secret)
        self._put(row, wish)
        row.next_at = now if wish.every else None
        self._session.add(row)
        self._session.flush()
        self._note(Act.ADDED, row, kind=row.kind, source=_without_query(row))
        return self._reading.view_of(row)

    def change(
        self, public_id: str, *, secret: str | None = None, **changes: Any
    ) -> FeedView:  # the fields of FeedWish
        """Change what is given and keep the rest; the kind stays. `secret`: another one; empty, none; None: it stays.

        A secret is for its source alone: with another source it has to be given anew. Another source or other options have
        everything looked at again; what was kept is not kept twice.
        """
        row = self._to_change(public_id)
        was = (row.source, dict(row.options))
        every, wish = row.every, replace(self._wish_of(row), **changes)
        if secret is not None:
            row.secret = sealed_secret(self._seal, row.public_id, secret)
        elif row.secret is not None and (wish.source or pushed_only(row.public_id)) != row.source:
            raise Refused("the secret was given for another source: give it again, or an empty one")
        self._put(row, replace(wish, secret=self._shown(row) if secret is None else secret))
        now, is_another = self._clock(), (row.source, dict(row.options)) != was
        if is_another:
            storage.begin_anew(self._session, row, now)
        if is_another or row.every != every:
            row.next_at = now if row.every else None
        self._session.flush()
        told = sorted({*changes, *(["secret"] if secret is not None else [])})
        self._note(Act.CHANGED, row, changed=told, source=_without_query(row))
        return self._reading.view_of(row)

    def fetch_soon(self, public_id: str) -> FeedView:
        """Have workers fetch it at their next turn, whatever its schedule says."""
        row = self._to_change(public_id)
        if is_pushed_only(row.source):
            raise Refused("nothing is fetched for this feed: what it takes is sent to it")
        row.next_at = self._clock()
        self._session.flush()
        self._note(Act.CHANGED, row, asked="to fetch now")
        return self._reading.view_of(row)

    def remove(self, public_id: str) -> None:
        """It takes nothing more, and forgets what it took; what it brought stays."""
        row = self._to_change(public_id)
        self._note(Act.ENDED, row, kind=row.kind)
        storage.remove(self._session, row.id)

    def named(self, name: str) -> FeedRow:
        """At the console: the feed of this name or id. Raises Refused where several organizations have one of this name."""
        mine = seen_by(self._who)
        found = self._session.scalars(mine.where(FeedRow.name == name)).all()
        found = found or self._session.scalars(mine.where(FeedRow.public_id == name)).all()
        if not found:
            raise NotFound(f"there is no feed named '{name}'; `kentongan feed list` shows them")
        if len(found) > 1:
            raise Refused(
                f"several organizations have a feed named '{name}': name it by its id, which `feed list` shows"
            )
        return found[0]

    def _to_change(self, public_id: str) -> FeedRow:
        mine = seen_by(self._who).where(FeedRow.public_id == public_id)
        row = self._session.scalars(mine.with_for_update().execution_options(populate_existing=True)).one_or_none()
        if row is None or not may_set_up_feeds(self._who, row.organization_id):
            raise NotFound("there is no such feed")
        return row

    def _wish_of(self, row: FeedRow) -> FeedWish:
        source = "" if is_pushed_only(row.source) else row.source
        return FeedWish(row.name, row.kind, source, row.options, timedelta(seconds=row.every) if row.every else None)

    def _shown(self, row: FeedRow) -> str:
        try:
            return opened_secret(self._seal, row.public_id, row.secret)
        except Broken as error:
            raise Refused(f"{error}: give the secret of the feed again") from None

    def _put(self, row: FeedRow, wish: FeedWish) -> None:
        name = wish.name.strip()
        if not 1 <= len(name) <= 100 or not name.isprintable():
            raise Refused("a feed's name has 1 to 100 characters, none of them invisible")
        same = select(FeedRow.public_id).where(FeedRow.organization_id == row.organization_id, FeedRow.name == name)
        if self._session.scalar(same) not in (None, row.public_id):
            raise Refused(f"there is a feed named '{name}' already")
        if sum(len(each) for pair in wish.options.items() for each in pair) > MOST_OPTION_CHARACTERS:
            raise Refused(f"the options have more than {MOST_OPTION_CHARACTERS} characters")
        row.source = self._checked_source(row, wish)
        row.name, row.options = name, dict(wish.options)
        row.every = int(wish.every.total_seconds()) if wish.every else None

    def _checked_source(self, row: FeedRow, wish: FeedWish) -> str:
        """Who names a folder has it read with the rights of the workers: that is for who could read it anyway."""
        if is_pushed_only(wish.source):
            raise WrongFeed("leave the source empty for a feed that is only pushed")
        source = wish.source or pushed_only(row.public_id)
        feed = self._inbound.build(wish.kind, source, wish.options, wish.secret)
        if not wish.source:
            _require_pushed(wish, feed.content_types)
        elif not feed.is_remote and not at_the_machine(self._who) and source != row.source:
            raise Refused(
                "write an https address, or nothing for a feed that is pushed: folders are set up by who runs the platform"
            )
        return source

    def _require_room(self, organization: Organization) -> None:
        """Held until the end: two who add at once would both find room, and the name free."""
        self._session.get_one(Organization, organization.id, with_for_update={"key_share": True})
        mine = select(func.count()).select_from(FeedRow).where(FeedRow.organization_id == organization.id)
        if (self._session.scalar(mine) or 0) >= MOST_FEEDS:
            raise Refused(f"an organization has at most {MOST_FEEDS} feeds: remove one first")

    def _note(self, act: Act, row: FeedRow, **told: Any) -> None:
        note(self._session, self._who, act, f"feed {row.name}", about_id=row.organization_id, **told)


def sealed_secret(seal: Seal, public_id: str, secret: str) -> bytes | None:
    """What the source wants to be shown, closed for this feed alone; None where there is nothing."""
    return seal.closed(secret, f"feed {public_id}") if secret else None


def opened_secret(seal: Seal, public_id: str, sealed: bytes | None) -> str:
    """The reverse. Raises sealing.Broken."""
    return seal.opened(sealed, f"feed {public_id}") if sealed is not None else ""


def _require_sender(organization: Organization) -> None:
    if organization.kind == OrganizationKind.SUBSCRIBER or organization.ended_at is not None:
        raise Refused(
            f"'{organization.name}' submits nothing: a feed brings in submissions of a member or the coordinator"
        )


def _require_pushed(wish: FeedWish, content_types: tuple[str, ...]) -> None:
    if not content_types:
        raise WrongFeed(f"a {wish.kind} feed is only fetched: say where from")
    if wish.every is not None or wish.secret:
        raise WrongFeed("what is only pushed has neither a pause between fetches nor a secret")


def _without_query(row: FeedRow) -> str:
    return row.source.partition("?")[0]
