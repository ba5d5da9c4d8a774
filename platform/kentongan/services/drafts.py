"""Drafts wait for somebody of their organization, who mends them, submits them, or throws them away."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.domain.audit import Act
from kentongan.domain.identity import Identity
from kentongan.domain.marking import TLP_2_IDS, Level
from kentongan.domain.timestamp import format_timestamp
from kentongan.services.errors import NotFound, Refused
from kentongan.services.examine import Examined
from kentongan.services.receipts import Receipt
from kentongan.services.submit import Submit
from kentongan.storage.audit import note
from kentongan.storage.base import new_public_id
from kentongan.storage.drafts import Draft

Clock = Callable[[], datetime]

MOST_SHOWN: Final = 200
LONGEST_TITLE: Final = 1_000
LONGEST_DESCRIPTION: Final = 20_000


@dataclass(frozen=True, slots=True)
class DraftSummary:
    """One line of the list."""

    id: str
    title: str
    sender: str
    feed: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class DraftView:
    """A draft as it is to be looked at. `things` are the objects beside the incident that are no relationships."""

    summary: DraftSummary
    description: str
    things: tuple[dict[str, Any], ...]
    document: bytes


@dataclass(frozen=True, slots=True)
class Edited:
    """What somebody made of a draft."""

    title: str
    description: str
    level: Level
    kept: Collection[str]
    """The ids of the things that stay; the others were none."""


class Drafts:
    """The drafts of one organization."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def put(self, owner: Identity, feed: str, document: bytes, sender: str) -> str:
        """Keep a draft, once however often it comes; its public id."""
        sha256 = hashlib.sha256(document).digest()
        same = select(Draft.public_id).where(Draft.organization_id == owner.organization_id, Draft.sha256 == sha256)
        if (known := self._session.scalar(same)) is not None:
            return known
        made = Draft(
            public_id=new_public_id(),
            organization_id=owner.organization_id,
            feed=feed,
            sha256=sha256,
            received_at=self._clock(),
            title=str(_incident(document).get("name", "")),
            sender=sender,
            document=document,
        )
        self._session.add(made)
        self._session.flush()
        note(self._session, owner, Act.ADDED, f"draft {made.public_id}", about_id=owner.organization_id)
        return made.public_id

    def open(self, who: Identity) -> list[DraftSummary]:
        """Those that wait, oldest first, at most MOST_SHOWN."""
        mine = select(Draft).where(Draft.organization_id == who.organization_id, Draft.settled_at.is_(None))
        return [_summary(row) for row in self._session.scalars(mine.order_by(Draft.id).limit(MOST_SHOWN))]

    def draft(self, who: Identity, public_id: str) -> DraftView:
        """One that waits. Raises NotFound, for another organization's and a settled one as for an unknown one."""
        row = self._own(who, public_id)
        assert row.document is not None, "what waits has its document"
        objects = orjson.loads(row.document)["objects"]
        things = tuple(obj for obj in objects if obj["type"] not in ("incident", "relationship"))
        return DraftView(_summary(row), str(_incident(row.document).get("description", "")), things, row.document)

    def submit(self, who: Identity, public_id: str, examined: Examined) -> Receipt:
        """What was made of the draft becomes a submission, and the draft is settled, in one transaction.

        Raises NotFound (also where somebody else settled it meanwhile), and Rejected.
        """
        row = self._own(who, public_id, locked=True)
        receipt = Submit(self._session, self._clock).submit(who, examined, idempotency_key=f"draft-{public_id}")
        row.submission = receipt.id
        self._settle(who, row, Act.CHANGED)
        return receipt

    def discard(self, who: Identity, public_id: str) -> None:
        """Throw it away: its content is gone. Raises NotFound."""
        self._settle(who, self._own(who, public_id, locked=True), Act.ERASED)

    def _settle(self, who: Identity, row: Draft, act: Act) -> None:
        row.settled_at, row.settled_by = self._clock(), who.in_words()
        row.document, row.title, row.sender = None, "", ""
        self._session.flush()
        note(self._session, who, act, f"draft {row.public_id}", about_id=row.organization_id, submission=row.submission)

    def _own(self, who: Identity, public_id: str, *, locked: bool = False) -> Draft:
        mine = Draft.organization_id == who.organization_id
        query = select(Draft).where(Draft.public_id == public_id, mine, Draft.settled_at.is_(None))
        found = self._session.scalars(query.with_for_update() if locked else query).one_or_none()
        if found is None:
            raise NotFound("there is no such draft, or it is settled")
        return found


def made_of(draft: DraftView, edited: Edited, now: datetime) -> bytes:
    """The document to submit: as somebody made it, at this moment. Raises Refused where it has no title or is too long."""
    title = edited.title.strip()
    if not 1 <= len(title) <= LONGEST_TITLE or len(edited.description) > LONGEST_DESCRIPTION:
        raise Refused(f"a title has 1 to {LONGEST_TITLE} characters, a description at most {LONGEST_DESCRIPTION}")
    tree = orjson.loads(draft.document)
    gone = {thing["id"] for thing in draft.things} - set(edited.kept)
    marking = next(stix_id for stix_id, level in TLP_2_IDS.items() if level is edited.level)
    when, objects = format_timestamp(now), []
    for obj in tree["objects"]:
        if obj["id"] in gone or obj.get("target_ref") in gone:
            continue
        made = {**obj, "object_marking_refs": [marking]}
        made |= {"created": when, "modified": when} if "created" in obj else {}
        if obj["type"] == "incident":
            made |= {"name": title, "description": edited.description.strip()}
            made = {name: value for name, value in made.items() if value != ""}
        objects.append(made)
    return orjson.dumps({**tree, "objects": objects})


def _incident(document: bytes) -> dict[str, Any]:
    objects = orjson.loads(document)["objects"]
    return next((obj for obj in objects if obj["type"] == "incident"), {})


def _summary(row: Draft) -> DraftSummary:
    return DraftSummary(row.public_id, row.title, row.sender, row.feed, row.received_at)
