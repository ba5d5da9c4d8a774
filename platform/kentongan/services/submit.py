"""A CERT submits: the bytes are checked, kept, and promised to the stages, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from typing import Any

import orjson
from sqlalchemy import bindparam, insert, select
from sqlalchemy.orm import Session

from kentongan.domain.audit import Act
from kentongan.domain.identity import Identity
from kentongan.domain.marking import Mask, Terms
from kentongan.domain.masking import NO_WISH
from kentongan.domain.parts import NOTHING_HIDDEN, Hidden, hides_as_much
from kentongan.domain.policy import Audience, meet
from kentongan.domain.versions import CHANGES_NOTHING, Decision, Outcome, decide
from kentongan.services.collection_entries import Fresh, enter_collections
from kentongan.services.errors import Refused
from kentongan.services.examine import Examined, ExaminedObject
from kentongan.services.known_contents import KnownContents
from kentongan.services.receipts import ObjectOutcome, Receipt, receipt_of
from kentongan.storage import jobs
from kentongan.storage.audit import note
from kentongan.storage.base import new_public_id
from kentongan.storage.collection_entries import carried_before, narrow_entries, ties_of
from kentongan.storage.database import accept_in_order
from kentongan.storage.incidents import facts_told
from kentongan.storage.jobs import Stage
from kentongan.storage.maskings import masking_wishes
from kentongan.storage.objects import (
    NewObject,
    ObjectCarrier,
    StixObject,
    carry,
    carry_parts,
    newest_carried,
    parts_of,
    store_objects,
)
from kentongan.storage.submissions import IdempotencyKey, Submission
from kentongan.storage.tombstones import highest_number
from kentongan.storage.visibility import AudienceRow, audience_id, audiences

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


_FIRST = Decision(Outcome.ACCEPTED)
_REFUSED = Decision(Outcome.REFUSED)


@dataclass(slots=True)
class _Plan:
    """What one object comes to: the decision, and the stored row it ends in (none where nothing changes)."""

    examined: ExaminedObject
    audience: Audience
    decision: Decision
    parts: Hidden
    owned: bool = True
    """Whether the object's id belongs to the submitter."""
    known: bool = False
    """Whether its id came before."""
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
        examined = self._masked(identity, examined)
        plans = self._plans(identity, examined)
        outcomes = [_outcome(plan) for plan in plans]
        _reject_if_need_be(self._unstored(identity, examined, outcomes), atomic)
        return self._store(identity, examined, plans, outcomes, idempotency_key)

    def try_out(self, identity: Identity, examined: Examined, *, atomic: bool = False) -> Receipt:
        """What `submit` would answer; stores nothing. Raises as `submit` does."""
        examined = self._masked(identity, examined)
        outcomes = [_outcome(plan) for plan in self._plans(identity, examined)]
        receipt = self._unstored(identity, examined, outcomes)
        _reject_if_need_be(receipt, atomic)
        return receipt

    def _masked(self, identity: Identity, examined: Examined) -> Examined:
        """With what is personal masked, where the organization wishes so: here, so that no door can forget it."""
        wish = masking_wishes(self._session, [identity.organization_id]).get(identity.organization_id, NO_WISH)
        if not wish.personal:
            return examined
        mask = Mask.TELLING if wish.tell_others else Mask.SILENT
        return replace(examined, objects=examined.mask_personal(mask, self._earlier_company(identity, examined)))

    def _earlier_company(self, identity: Identity, examined: Examined) -> list[dict[str, Any]]:
        """What came before with the incidents of a document, or with those that hit its identities, as its sender sent it."""
        me, ids = identity.organization_id, {each.stix_id for each in examined.objects}
        ties = ties_of(self._session, {one for one in ids if one.startswith("identity--")})
        told = facts_told(self._session, {one for one in ids.union(*ties.values()) if one.startswith("incident--")})
        mine = {stix_id: facts for (stix_id, owner), facts in told.items() if owner == me}
        wanted = {*mine, *ties, *(ref for facts in mine.values() for ref in facts.get("object_ids", ()))}
        return [orjson.loads(held.object.body) for held in newest_carried(self._session, sorted(wanted), me)]

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
        arriving = [each.stix_id for each in examined.objects if each.arriving]
        known = KnownContents(self._session, identity, arriving)
        terms = {each.terms for each in examined.objects}
        for each in examined.objects:
            if each.also or each.parts:  # few have any, and accepting them all must not take longer for that
                terms.update(each.also, (part.terms for part in each.parts))
        audiences = {each: examined.book.audience(identity.organization_id, each) for each in terms}
        return [self._plan(position, each, audiences, known) for position, each in enumerate(examined.objects)]

    def _plan(
        self, position: int, each: ExaminedObject, audiences: Mapping[Terms, Audience], known: KnownContents
    ) -> _Plan:
        audience = audiences[each.terms]
        if each.also:
            audience = reduce(meet, (audiences[terms] for terms in each.also), audience)
        if each.arriving is None:
            return _Plan(each, audience, _REFUSED, NOTHING_HIDDEN)
        history = known.of(each.stix_id)
        decision = decide(each.arriving, history) if history else _FIRST
        owned = not history or history.owned
        if decision.outcome is Outcome.OLDER_KEPT:
            # What is stricter now was meant to be: an older version that comes late is not for more than the newest.
            audience = reduce(meet, known.newest_audiences(each.stix_id), audience)
        parts = NOTHING_HIDDEN
        if each.parts:
            parts = _narrowed([(audiences[part.terms], part.selectors) for part in each.parts], audience)
        if decision.twin is None and decision.outcome not in CHANGES_NOTHING:
            known.remember(each.stix_id, each.arriving, reduce(meet, parts, audience), -1 - position)
        return _Plan(each, audience, decision, parts, owned, known=history is not None)

    def _store(
        self,
        identity: Identity,
        examined: Examined,
        plans: list[_Plan],
        outcomes: list[ObjectOutcome],
        key: str | None,
    ) -> Receipt:
        self._store_objects(identity, plans)
        wanted = {plan.audience for plan in plans}.union(*(plan.parts for plan in plans if plan.parts))
        numbers = {audience: audience_id(self._session, audience) for audience in wanted}
        carried = [(plan.object_id, numbers[plan.audience]) for plan in plans if plan.object_id is not None]
        public_id, now, refused = new_public_id(), self._clock(), len(plans) - len(carried)
        row = {
            "public_id": public_id,
            "organization_id": identity.organization_id,
            "received_at": now,
            "sha256": examined.sha256,
            "size": len(examined.raw),
            "content": examined.raw,
            "outcomes": [outcome.as_json() for outcome in outcomes],
            "carried": carried,
            "accepted": len(carried),
            "refused": refused,
        }
        number = self._session.connection().execute(_KEEP, row).scalar_one()
        fresh = self._fresh(plans, numbers)
        carry(self._session, carried)
        enter_collections(self._session, identity.organization_id, fresh, now)
        self._carry_parts([(p.object_id, p.audience, p.parts) for p in plans if p.parts and p.object_id], numbers)
        self._tighten(identity, plans)
        if key is not None:
            self._remember(identity, key, number)
        jobs.add(self._session, Stage.INDEX, [number], now)
        told = {"accepted": len(carried), "refused": refused, "sha256": examined.sha256.hex()}
        subject = f"submission {public_id}"
        note(self._session, identity, Act.SUBMITTED, subject, about_id=identity.organization_id, **told)
        return replace(self._unstored(identity, examined, outcomes), id=public_id, received_at=now)

    def _fresh(self, plans: list[_Plan], numbers: Mapping[Audience, int]) -> list[Fresh]:
        """What is carried to an audience that it was not carried to before; each once, though a document may say it twice."""
        twins = {plan.object_id for plan in plans if plan.object_id is not None and (plan.decision.twin or 0) > 0}
        known = carried_before(self._session, twins) if twins else set()
        found: dict[tuple[int, int], Fresh] = {}
        for plan in plans:
            if plan.object_id is not None and (key := (plan.object_id, numbers[plan.audience])) not in known:
                arriving = plan.examined.arriving
                modified = arriving.modified if arriving else None
                stix = plan.examined.checked.obj
                found.setdefault(key, Fresh(*key, plan.audience.level, stix, modified, plan.owned, plan.known))
        return list(found.values())

    def _store_objects(self, identity: Identity, plans: list[_Plan]) -> None:
        # Numbers are given here and not by the database: under the accept lock they follow the order of commits, and
        # a thousand rows go in with one statement whose ids are known. The number of an erased object is never given again.
        number = highest_number(self._session)
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

    def _carry_parts(self, divided: Sequence[tuple[int, Audience, Hidden]], numbers: Mapping[Audience, int]) -> None:
        rows = [
            (object_id, numbers[audience], numbers[wanted], list(selectors))
            for object_id, audience, parts in divided
            for wanted, selectors in parts.items()
        ]
        if rows:
            carry_parts(self._session, rows)

    def _tighten(self, identity: Identity, plans: list[_Plan]) -> None:
        """A stricter new version takes its history with it: what was AMBER and is RED now is RED in all its versions.

        So does a stricter part, where an earlier version does not hide the same just as strictly.
        """
        newer = {p.examined.stix_id: p for p in plans if p.decision.outcome is Outcome.NEW_VERSION}
        if not newer:
            return
        earlier = self._session.execute(
            select(ObjectCarrier, StixObject.stix_id)
            .join(StixObject, StixObject.id == ObjectCarrier.object_id)
            .join(AudienceRow, AudienceRow.id == ObjectCarrier.audience_id)
            .where(StixObject.stix_id.in_(newer), AudienceRow.owner_id == identity.organization_id)
        ).all()
        known = audiences(self._session, [carrier.audience_id for carrier, _ in earlier])
        parts = self._parts_carried([carrier for carrier, _ in earlier])
        for carrier, stix_id in earlier:
            plan, before = newer[stix_id], known[carrier.audience_id]
            if carrier.object_id == plan.object_id:
                continue
            hidden = parts.get((carrier.object_id, carrier.audience_id), [])
            both = self._met(carrier.object_id, meet(before, plan.audience), hidden, plan)
            if both != before:
                self._note_tightened(identity, stix_id, before, both)
                self._move(carrier, both, _narrowed(hidden, both))

    def _move(self, carrier: ObjectCarrier, both: Audience, parts: Hidden) -> None:
        object_id = carrier.object_id
        numbers = {audience: audience_id(self._session, audience) for audience in (both, *parts)}
        self._session.delete(carrier)
        self._session.flush()
        carry(self._session, [(object_id, numbers[both])])
        narrow_entries(self._session, object_id, carrier.audience_id, numbers[both], both.level)
        # What the earlier audience was not shown stays written down: a stage may still read that submission as it came.
        self._carry_parts([(object_id, both, parts)], numbers)

    def _parts_carried(
        self, carriers: Sequence[ObjectCarrier]
    ) -> dict[tuple[int, int], list[tuple[Audience, Sequence[str]]]]:
        stored = parts_of(self._session, sorted({carrier.object_id for carrier in carriers}))
        known = audiences(self._session, {number for parts in stored.values() for number in parts}) if stored else {}
        return {key: [(known[number], names) for number, names in parts.items()] for key, parts in stored.items()}

    def _met(
        self, earlier_id: int, both: Audience, hidden: Sequence[tuple[Audience, Sequence[str]]], plan: _Plan
    ) -> Audience:
        """The audience of an earlier version, which may show nothing that a part of the new one hides."""
        if not plan.parts:
            return both
        body = orjson.loads(self._session.scalars(select(StixObject.body).where(StixObject.id == earlier_id)).one())
        shown_to_fewer = _narrowed(hidden, both)
        open_parts = [
            audience
            for audience, selectors in plan.parts.items()
            if not hides_as_much(body, shown_to_fewer, plan.examined.checked.obj, selectors, audience)
        ]
        return reduce(meet, open_parts, both)

    def _note_tightened(self, identity: Identity, stix_id: str, before: Audience, after: Audience) -> None:
        told = {"before": before.level.label, "after": after.level.label}
        note(self._session, identity, Act.CHANGED, f"marking of {stix_id}", about_id=identity.organization_id, **told)

    def _unstored(self, identity: Identity, examined: Examined, outcomes: list[ObjectOutcome]) -> Receipt:
        return Receipt(
            id=None,
            organization=identity.organization_name,
            received_at=self._clock(),
            sha256=examined.sha256.hex(),
            size=len(examined.raw),
            objects=tuple(outcomes),
        )


_KEEP = insert(Submission).returning(Submission.id)
_SAME_BYTES = select(Submission).where(
    Submission.organization_id == bindparam("me"), Submission.sha256 == bindparam("sha256")
)
"""Both built once: building a statement takes longer than running it."""


def _narrowed(parts: Sequence[tuple[Audience, Sequence[str]]], audience: Audience) -> Hidden:
    """Parts of an object that is for `audience`, each for who belongs to both; without those that all of these may see."""
    found: dict[Audience, tuple[str, ...]] = {}
    for wanted, selectors in parts:
        both = meet(audience, wanted)
        if both != audience:
            found[both] = (*found.get(both, ()), *selectors)
    return found or NOTHING_HIDDEN


def _new_object(number: int, owner_id: int, plan: _Plan) -> NewObject:
    checked, arriving = plan.examined.checked, plan.examined.arriving
    assert arriving is not None, "what the gate refuses is never stored"
    stix_type = str(checked.obj["type"])
    return NewObject(
        number, plan.examined.stix_id, stix_type, owner_id, arriving.modified, checked.sha256, checked.text
    )


def _outcome(plan: _Plan) -> ObjectOutcome:
    likely, decision = plan.examined.likely, plan.decision
    if likely.outcome is decision.outcome and decision.note is None:
        return likely
    return replace(likely, outcome=decision.outcome, note=decision.note)


def _reject_if_need_be(receipt: Receipt, atomic: bool) -> None:
    useless = [outcome for outcome in receipt.objects if outcome.outcome in CHANGES_NOTHING]
    if len(useless) == len(receipt.objects) or (atomic and useless):
        raise Rejected(replace(receipt, rejected=True))
