"""The feeds of organizations: set up and removed by who runs the platform, and their books, to be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from kentongan.domain.audit import Act
from kentongan.domain.feeding import MOST_OPTION_CHARACTERS
from kentongan.domain.identity import Identity, OrganizationKind, Scope
from kentongan.domain.versions import Outcome
from kentongan.services.errors import NotFound, Refused
from kentongan.services.sealing import Seal
from kentongan.storage import feeds as storage
from kentongan.storage.audit import note
from kentongan.storage.base import new_public_id
from kentongan.storage.feeds import FeedItem, FeedRow, FeedRun
from kentongan.storage.organizations import Organization
from kentongan.storage.submissions import Submission

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class RunView:
    """One fetch. Counts are of items (files, pages, events): an item that was refused holds nothing that could be kept."""

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


@dataclass(frozen=True, slots=True)
class FeedView:
    """One feed, without its secret."""

    id: str
    name: str
    organization: str
    kind: str
    source: str
    options: Mapping[str, str]
    has_secret: bool
    every_seconds: int | None
    next_fetch: datetime | None
    last_fetch: RunView | None


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
    changes: Sequence[Mapping[str, Any]]
    """What is not as the source has it: `{"rule", "words", "count", "paths"}`."""
    problems: Sequence[Mapping[str, Any]]
    """Why objects, or the whole item, were refused: `{"path", "rule", "reason", "hint"}`; of a conflict the id is the path."""


class Feeds:
    """What the operator may do with feeds. `who` asks."""

    def __init__(self, session: Session, clock: Clock, who: Identity) -> None:
        self._session = session
        self._clock = clock
        self._who = who

    def add(
        self,
        name: str,
        organization: Organization,
        kind: str,
        source: str,
        *,
        options: Mapping[str, str],
        every: timedelta | None,
        sealed: Callable[[str], bytes | None],
    ) -> FeedView:
        """A feed; kind, source and options were looked at before. `sealed` closes the secret for the feed's public id.

        Raises Refused on a name that is none or taken, and for an organization that submits nothing; NotFound for who may not.
        """
        self._require_operator()
        name = name.strip()
        if not 1 <= len(name) <= 100 or not name.isprintable():
            raise Refused("a feed's name has 1 to 100 characters, none of them invisible")
        if self._row(name) is not None:
            raise Refused(f"there is a feed named '{name}' already")
        if organization.kind == OrganizationKind.SUBSCRIBER or organization.ended_at is not None:
            raise Refused(
                f"'{organization.name}' submits nothing: a feed brings in submissions of a member or the coordinator"
            )
        if sum(len(each) for pair in options.items() for each in pair) > MOST_OPTION_CHARACTERS:
            raise Refused(f"the options have more than {MOST_OPTION_CHARACTERS} characters")
        row = FeedRow(
            public_id=new_public_id(),
            name=name,
            organization_id=organization.id,
            kind=kind,
            source=source,
            options=dict(options),
            every=int(every.total_seconds()) if every else None,
            created_at=self._clock(),
            next_at=self._clock() if every else None,
            cursor={},
        )
        row.secret = sealed(row.public_id)
        self._session.add(row)
        self._session.flush()
        self._note(Act.ADDED, row, kind=kind, source=source)
        return self._view(row)

    def all(self) -> list[FeedView]:
        """Every feed, by name."""
        self._require_operator()
        return [self._view(row) for row in self._session.scalars(select(FeedRow).order_by(FeedRow.name))]

    def named(self, name: str) -> FeedRow:
        """The feed of this name. Raises NotFound."""
        self._require_operator()
        if (row := self._row(name)) is None:
            raise NotFound(f"there is no feed named '{name}'; `kentongan feed list` shows them")
        return row

    def remove(self, name: str) -> None:
        """It fetches no more, and forgets what it fetched; what it brought stays. Raises NotFound."""
        row = self.named(name)
        self._note(Act.ENDED, row, kind=row.kind)
        storage.remove(self._session, row.id)

    def runs(self, name: str, most: int = storage.MOST_RUNS) -> list[RunView]:
        """Its fetches, newest first. Raises NotFound."""
        return [run_view(run) for run in storage.runs_of(self._session, self.named(name).id, most)]

    def items(self, name: str, most: int, *, item: str | None = None) -> list[ItemView]:
        """What became of its items, those fetched last first; of this one alone where it is named. Raises NotFound."""
        query = select(FeedItem).where(FeedItem.feed_id == self.named(name).id)
        if item is not None:
            query = query.where(FeedItem.name_sha256 == storage.name_sha256(item))
        rows = self._session.scalars(query.order_by(FeedItem.fetched_at.desc(), FeedItem.id.desc()).limit(most)).all()
        if item is not None and not rows:
            raise NotFound(f"this feed has fetched nothing named '{item}'")
        return [self._item_view(row) for row in rows]

    def view(self, name: str) -> FeedView:
        """One feed. Raises NotFound."""
        return self._view(self.named(name))

    def _row(self, name: str) -> FeedRow | None:
        return self._session.scalars(select(FeedRow).where(FeedRow.name == name)).one_or_none()

    def _view(self, row: FeedRow) -> FeedView:
        last = storage.runs_of(self._session, row.id, 1)
        return FeedView(
            id=row.public_id,
            name=row.name,
            organization=self._session.get_one(Organization, row.organization_id).name,
            kind=row.kind,
            source=row.source,
            options=row.options,
            has_secret=row.secret is not None,
            every_seconds=row.every,
            next_fetch=row.next_at,
            last_fetch=run_view(last[0]) if last else None,
        )

    def _item_view(self, row: FeedItem) -> ItemView:
        return ItemView(
            name=row.name,
            fetched_at=row.fetched_at,
            submissions=tuple(row.submissions),
            accepted=row.accepted,
            refused=row.refused,
            changes=row.changes,
            problems=[*row.problems, *self._of_receipts(row.submissions)],
        )

    def _of_receipts(self, public_ids: Sequence[str]) -> list[Mapping[str, Any]]:
        """A receipt knows best; where it was erased, so is what it told."""
        found = self._session.scalars(
            select(Submission).where(Submission.public_id.in_(public_ids)).options(undefer(Submission.outcomes))
        )
        return [problem for one in found for entry in one.outcomes for problem in _problems(entry)]

    def _require_operator(self) -> None:
        if not self._who.may(Scope.OPERATE):
            raise NotFound("there is no such feed")

    def _note(self, act: Act, row: FeedRow, **told: Any) -> None:
        note(self._session, self._who, act, f"feed {row.name}", about_id=row.organization_id, **told)


def sealed_secret(seal: Seal, public_id: str, secret: str) -> bytes | None:
    """What the source wants to be shown, closed for this feed alone; None where there is nothing."""
    return seal.closed(secret, f"feed {public_id}") if secret else None


def opened_secret(seal: Seal, public_id: str, sealed: bytes | None) -> str:
    """The reverse. Raises sealing.Broken."""
    return seal.opened(sealed, f"feed {public_id}") if sealed is not None else ""


def _problems(entry: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Of one object of a receipt; what is in conflict has none of its own, and is named by its id."""
    if entry["outcome"] == Outcome.CONFLICT:
        hint = "The newer one would need a later modified."
        return [{"path": entry["id"], "rule": "conflict", "reason": entry.get("note", ""), "hint": hint}]
    problems: Sequence[Mapping[str, Any]] = entry.get("problems", ())
    return problems


def run_view(run: FeedRun) -> RunView:
    """A fetch, to be shown."""
    state = "not finished" if run.ended_at is None else "failed" if run.failure else "done"
    return RunView(
        run.started_at, run.ended_at, state, run.resumed, run.new, run.changed, run.unchanged, run.refused, run.failure
    )
