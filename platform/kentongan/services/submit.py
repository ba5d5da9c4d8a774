"""A CERT submits: the bytes are checked, kept, and promised to the stages, in one transaction."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, case, func, select
from sqlalchemy.orm import Session

from kentongan.domain.gate import Checked, Limits, check, read
from kentongan.domain.identity import Identity
from kentongan.domain.marking import Level
from kentongan.domain.policy import Audience
from kentongan.domain.timestamp import parse_timestamp
from kentongan.domain.versions import (
    CHANGES_NOTHING,
    Arriving,
    Decision,
    Known,
    Outcome,
    carried_by_many,
    decide,
    levels_carried,
)
from kentongan.services.errors import Refused
from kentongan.services.receipts import ObjectOutcome, Receipt, receipt_of
from kentongan.storage import jobs
from kentongan.storage.base import new_public_id
from kentongan.storage.database import accept_in_order
from kentongan.storage.jobs import Stage
from kentongan.storage.objects import NewObject, ObjectCarrier, StixObject, carry, store_objects
from kentongan.storage.submissions import IdempotencyKey, Submission
from kentongan.storage.visibility import AudienceRow, audience_id, readable_levels

Clock = Callable[[], datetime]


class Rejected(Exception):
    """Nothing was stored: no object could be accepted, or not all of a submission that must be taken whole.

    `receipt` says what stands against each object.
    """

    def __init__(self, receipt: Receipt) -> None:
        super().__init__("the submission was rejected as a whole and nothing of it was stored")
        self.receipt = receipt


class KeyReused(Refused):
    """The idempotency key was used before for other bytes."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A document that went through the gate; made before any transaction, because checking takes longer than storing."""

    raw: bytes
    sha256: bytes
    objects: list[Checked]
    levels: list[Level]
    """The level each object is carried with."""


def examine(raw: bytes, limits: Limits) -> Examined:
    """Read and check one document. Raises gate.Unreadable if it must be refused as a whole."""
    objects = check(read(raw, limits))
    levels = levels_carried([checked.obj if not checked.problems else _marking(checked.obj) for checked in objects])
    return Examined(raw, hashlib.sha256(raw).digest(), objects, levels)


def _marking(refused: dict[str, Any]) -> dict[str, Any]:
    """What of an object that is not sound may still say how strictly the others are meant: a refused RED incident does."""
    stated = refused.get("type")
    return {
        "type": stated if isinstance(stated, str) and stated != "marking-definition" else "",
        "object_marking_refs": refused.get("object_marking_refs"),
    }


@dataclass(slots=True)
class _Plan:
    """What one object comes to: the decision, and the stored row it ends in (none where nothing changes)."""

    checked: Checked
    level: Level
    decision: Decision
    modified: datetime | None = None
    object_id: int | None = None


class Submit:
    """Keep what an organization sends."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def submit(
        self, identity: Identity, examined: Examined, *, atomic: bool = False, idempotency_key: str | None = None
    ) -> Receipt:
        """Store the document and promise its indexing; the same bytes again give the same receipt.

        Raises Rejected when nothing was accepted (or, with `atomic`, not everything), KeyReused on a key used for other bytes.
        """
        accept_in_order(self._session)
        if earlier := self._earlier(identity, examined.sha256, idempotency_key):
            return receipt_of(earlier, identity.organization_name, repeated=True)
        plans = self._plans(identity, examined)
        outcomes = [_outcome(plan) for plan in plans]
        _reject_if_need_be(self._unstored(identity, examined, outcomes), atomic)
        return self._store(identity, examined, plans, outcomes, idempotency_key)

    def try_out(self, identity: Identity, examined: Examined, *, atomic: bool = False) -> Receipt:
        """What `submit` would answer; stores nothing. Raises as `submit` does."""
        outcomes = [_outcome(plan) for plan in self._plans(identity, examined)]
        receipt = self._unstored(identity, examined, outcomes)
        _reject_if_need_be(receipt, atomic)
        return receipt

    def _earlier(self, identity: Identity, sha256: bytes, key: str | None) -> Submission | None:
        asked = {"me": identity.organization_id, "sha256": sha256}
        by_bytes = self._session.scalars(_SAME_BYTES, asked).one_or_none()
        if key is None:
            return by_bytes
        used = self._session.get(IdempotencyKey, (identity.organization_id, key))
        if used is None:
            if by_bytes is not None:
                self._remember(identity, key, by_bytes.id)
            return by_bytes
        if by_bytes is None or by_bytes.id != used.submission_id:
            raise KeyReused("this Idempotency-Key was used for another document: take a new key for new content")
        return by_bytes

    def _remember(self, identity: Identity, key: str, submission_id: int) -> None:
        self._session.add(
            IdempotencyKey(organization_id=identity.organization_id, key=key, submission_id=submission_id)
        )

    def _plans(self, identity: Identity, examined: Examined) -> list[_Plan]:
        good = [checked for checked in examined.objects if not checked.problems]
        known = _Stored(self._session, identity, {str(checked.obj["id"]) for checked in good})
        plans = []
        for position, (checked, level) in enumerate(zip(examined.objects, examined.levels, strict=True)):
            if checked.problems:
                plans.append(_Plan(checked, level, Decision(Outcome.REFUSED)))
                continue
            modified = _modified(checked.obj)
            arriving = Arriving(modified, checked.sha256, carried_by_many(checked.obj))
            stix_id = str(checked.obj["id"])
            decision = decide(arriving, known.contents[stix_id])
            history = decision.outcome is Outcome.OLDER_KEPT
            carried = max(level, known.newest_level(stix_id)) if history else level
            if decision.twin is None and decision.outcome not in CHANGES_NOTHING:
                known.remember(stix_id, arriving, carried, place_holder=-1 - position)
            plans.append(_Plan(checked, carried, decision, modified))
        return plans

    def _store(
        self,
        identity: Identity,
        examined: Examined,
        plans: list[_Plan],
        outcomes: list[ObjectOutcome],
        key: str | None,
    ) -> Receipt:
        self._store_objects(identity, plans)
        audiences = {level: self._audience(identity, level) for level in {plan.level for plan in plans}}
        carried = [(plan.object_id, audiences[plan.level]) for plan in plans if plan.object_id is not None]
        submission = Submission(
            public_id=new_public_id(),
            organization_id=identity.organization_id,
            received_at=self._clock(),
            sha256=examined.sha256,
            size=len(examined.raw),
            content=examined.raw,
            outcomes=[outcome.as_json() for outcome in outcomes],
            carried=carried,
            accepted=len(carried),
            refused=len(plans) - len(carried),
        )
        self._session.add(submission)
        self._session.flush()
        carry(self._session, carried)
        self._tighten(identity, plans, audiences)
        if key is not None:
            self._remember(identity, key, submission.id)
        jobs.add(self._session, Stage.INDEX, [submission.id], submission.received_at)
        return replace(
            self._unstored(identity, examined, outcomes), id=submission.public_id, received_at=submission.received_at
        )

    def _store_objects(self, identity: Identity, plans: list[_Plan]) -> None:
        # Numbers are given here and not by the database: under the accept lock they follow the order of commits, and
        # a thousand rows go in with one statement whose ids are known.
        number = self._session.scalar(select(func.max(StixObject.id))) or 0
        new: list[NewObject] = []
        given: dict[int, int] = {}
        for position, plan in enumerate(plans):
            if plan.decision.outcome in CHANGES_NOTHING:
                continue
            if (twin := plan.decision.twin) is not None:
                plan.object_id = twin if twin > 0 else given[twin]
                continue
            number += 1
            plan.object_id = given[-1 - position] = number
            new.append(_new_object(number, identity.organization_id, plan))
        store_objects(self._session, new)

    def _audience(self, identity: Identity, level: Level) -> int:
        return audience_id(self._session, Audience(identity.organization_id, level))

    def _tighten(self, identity: Identity, plans: list[_Plan], audiences: dict[Level, int]) -> None:
        """A stricter new version takes its history with it: what was AMBER and is RED now is RED in all its versions."""
        newer = {str(p.checked.obj["id"]): p for p in plans if p.decision.outcome is Outcome.NEW_VERSION}
        if not newer:
            return
        looser = self._session.execute(
            select(ObjectCarrier, StixObject.stix_id, AudienceRow.level)
            .join(StixObject, StixObject.id == ObjectCarrier.object_id)
            .join(AudienceRow, AudienceRow.id == ObjectCarrier.audience_id)
            .where(StixObject.stix_id.in_(newer), AudienceRow.owner_id == identity.organization_id)
        ).all()
        for carrier, stix_id, level in looser:
            plan = newer[stix_id]
            if level < plan.level and carrier.object_id != plan.object_id:
                object_id = carrier.object_id
                self._session.delete(carrier)
                self._session.flush()
                carry(self._session, [(object_id, audiences[plan.level])])

    def _unstored(self, identity: Identity, examined: Examined, outcomes: list[ObjectOutcome]) -> Receipt:
        return Receipt(
            id=None,
            organization=identity.organization_name,
            received_at=self._clock(),
            sha256=examined.sha256.hex(),
            size=len(examined.raw),
            objects=tuple(outcomes),
        )


class _Stored:
    """Every stored content of some object ids, as one submitter stands to it."""

    def __init__(self, session: Session, identity: Identity, stix_ids: set[str]) -> None:
        self.contents: dict[str, list[Known]] = defaultdict(list)
        ids, levels = sorted(stix_ids), readable_levels(identity)
        for start in range(0, len(ids), 5_000):
            asked = {"me": identity.organization_id, "levels": levels, "ids": ids[start : start + 5_000]}
            for row in session.execute(_CONTENTS, asked):
                self.contents[row.stix_id].append(_known(row))

    def remember(self, stix_id: str, arriving: Arriving, level: Level, place_holder: int) -> None:
        """The same document may bring the next version of what it just brought."""
        self.contents[stix_id].append(Known(place_holder, arriving.modified, arriving.sha256, True, level, True))

    def newest_level(self, stix_id: str) -> Level:
        """The level of the newest version the submitter carried."""
        mine = [k for k in self.contents[stix_id] if k.mine and k.modified is not None]
        newest = max(mine, key=lambda k: k.modified.timestamp() if k.modified else 0.0)
        return newest.my_level if newest.my_level is not None else Level.CLEAR


def _contents() -> Select[int, str, datetime | None, bytes, int, int]:
    """Every stored content of the object ids `ids`, as the submitter `me`, who may read `levels`, stands to it."""
    mine = AudienceRow.owner_id == bindparam("me")
    seen = mine | AudienceRow.level.in_(bindparam("levels", expanding=True))
    return (
        select(
            StixObject.id,
            StixObject.stix_id,
            StixObject.modified,
            StixObject.sha256,
            func.max(case((mine, AudienceRow.level), else_=-1)).label("my_level"),
            func.max(case((seen, 1), else_=0)).label("visible"),
        )
        .join(ObjectCarrier, ObjectCarrier.object_id == StixObject.id)
        .join(AudienceRow, AudienceRow.id == ObjectCarrier.audience_id)
        .where(StixObject.stix_id.in_(bindparam("ids", expanding=True)))
        .group_by(StixObject.id, StixObject.stix_id, StixObject.modified, StixObject.sha256)
        .order_by(StixObject.id)
    )


# Built once: building a statement takes longer than running it.
_CONTENTS = _contents()
_SAME_BYTES = select(Submission).where(
    Submission.organization_id == bindparam("me"), Submission.sha256 == bindparam("sha256")
)


def _known(row: Row[int, str, datetime | None, bytes, int, int]) -> Known:
    mine = row.my_level >= 0
    return Known(row.id, row.modified, row.sha256, mine, Level(row.my_level) if mine else None, bool(row.visible))


def _new_object(number: int, owner_id: int, plan: _Plan) -> NewObject:
    obj = plan.checked.obj
    return NewObject(number, obj["id"], obj["type"], owner_id, plan.modified, plan.checked.sha256, plan.checked.text)


def _modified(obj: dict[str, Any]) -> datetime | None:
    text = obj.get("modified")
    return parse_timestamp(text) if isinstance(text, str) else None


def _outcome(plan: _Plan) -> ObjectOutcome:
    obj = plan.checked.obj
    return ObjectOutcome(
        position=plan.checked.position,
        id=obj.get("id") if isinstance(obj.get("id"), str) else None,
        type=obj.get("type") if isinstance(obj.get("type"), str) else None,
        outcome=plan.decision.outcome,
        note=plan.decision.note,
        problems=plan.checked.problems,
        warnings=plan.checked.warnings,
    )


def _reject_if_need_be(receipt: Receipt, atomic: bool) -> None:
    useless = [outcome for outcome in receipt.objects if outcome.outcome in CHANGES_NOTHING]
    if len(useless) == len(receipt.objects) or (atomic and useless):
        raise Rejected(replace(receipt, rejected=True))
