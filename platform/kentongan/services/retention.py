"""Retention: how long an organization wants things kept, and the end of what has been kept so long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Final

from sqlalchemy import and_, delete, exists, or_, select, update
from sqlalchemy.orm import Session, undefer

from kentongan.domain.audit import Act
from kentongan.domain.identity import NO_ORGANIZATION, PLATFORM, Identity, Scope
from kentongan.domain.retention import Retention, over_before
from kentongan.services.erase import Erase
from kentongan.services.errors import NotFound, Refused
from kentongan.services.recall import WAITING
from kentongan.storage import erasing
from kentongan.storage.alerts import Alert, Delivery
from kentongan.storage.audit import forget_details, note
from kentongan.storage.drafts import Draft
from kentongan.storage.incidents import Incident
from kentongan.storage.organizations import Organization
from kentongan.storage.retention import RetentionRow
from kentongan.storage.submissions import Submission
from kentongan.storage.tombstones import Tombstone

Clock = Callable[[], datetime]


class Retentions:
    """What an organization may ask and wish about how long its things are kept."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def of(self, organization_id: int) -> Retention:
        """Its wish; of who never said one, that everything is kept."""
        row = self._session.get(RetentionRow, organization_id)
        return row.wish() if row else Retention()

    def change(self, who: Identity, organization_id: int, wish: Retention) -> Retention:
        """From now on things are kept so long. Raises Refused out of bounds, NotFound for another organization's."""
        if who.organization_id not in (organization_id, NO_ORGANIZATION) or not who.may(Scope.ADMIN):
            raise NotFound("nothing of another organization's can be set")
        if problems := list(wish.problems()):
            raise Refused("; ".join(f"{name} {reason}" for name, reason in problems))
        before = self.of(organization_id)
        self._session.merge(RetentionRow(organization_id=organization_id, changed_at=self._clock(), **asdict(wish)))
        self._session.flush()
        owner = self._session.get_one(Organization, organization_id)
        told = {"before": asdict(before), "after": asdict(wish)}
        note(self._session, who, Act.CHANGED, f"retention of {owner.name}", about_id=organization_id, **told)
        return wish


class Expire:
    """Removes what has been kept so long, oldest first, a batch in each transaction: whoever is broken off goes on later."""

    SUBMISSIONS: Final = 20
    DOCUMENTS: Final = 100
    DELIVERIES: Final = 500
    _LOOKED_AT: Final = 100

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def is_wanted(self) -> bool:
        """Whether any organization wants things to end; asked without the write lock."""
        return self._session.scalar(select(exists().where(RetentionRow.organization_id.is_not(None)))) or False

    def batch(self) -> int:
        """Remove some of what is over, of one organization; says how much it was, 0 when nothing is over any more."""
        for row in self._session.scalars(select(RetentionRow).order_by(RetentionRow.organization_id)).all():
            if removed := self._of(row):
                return removed
        return 0

    def _of(self, row: RetentionRow) -> int:
        wish, now, removed = row.wish(), self._clock(), 0
        if wish.incident_days is not None:
            removed += self._submissions(row.organization_id, over_before(wish.incident_days, now), wish.incident_days)
        if wish.content_days is not None:
            over = over_before(wish.content_days, now)
            removed += self._documents(row.organization_id, over, wish.content_days)
            removed += self._drafts(row.organization_id, over, wish.content_days)
        if wish.log_days is not None:
            over = over_before(wish.log_days, now)
            removed += self._deliveries(row.organization_id, over, wish.log_days)
            removed += forget_details(self._session, over, row.organization_id)
        return removed

    def _submissions(self, organization_id: int, before: datetime, days: int) -> int:
        """Those all of whose incidents are over: an incident is as old as its newest version."""
        over = [number for number, _ in zip(self._over(organization_id, before), range(self.SUBMISSIONS), strict=False)]
        if over:
            reason = f"kept for {days} days, as the organization wished"
            Erase(self._session, self._clock, recalls=False).submissions(PLATFORM, organization_id, over, reason)
        return len(over)

    def _over(self, organization_id: int, before: datetime) -> Iterator[int]:
        after = 0
        query = (
            select(Submission)
            .where(Submission.organization_id == organization_id, Submission.received_at < before)
            .options(undefer(Submission.carried))
            .order_by(Submission.id)
            .limit(self._LOOKED_AT)
        )
        while found := self._session.scalars(query.where(Submission.id > after)).all():
            for one in found:
                if not self._holds_younger(one, before):
                    yield one.id
            after = found[-1].id

    def _holds_younger(self, submission: Submission, before: datetime) -> bool:
        told = erasing.stix_ids_of(self._session, {pair[0] for pair in submission.carried})
        names = sorted({name for name, kind in told.values() if kind == "incident"})
        younger = exists().where(
            Incident.organization_id == submission.organization_id,
            Incident.stix_id.in_(names),
            Incident.amended_at >= before,
        )
        return self._session.scalar(select(younger)) or False

    def _documents(self, organization_id: int, before: datetime, days: int) -> int:
        """The bytes as they were received; what was accepted of them stays."""
        erasing.overwrite_what_is_deleted(self._session)
        over = self._session.execute(
            select(Submission.id, Submission.public_id)
            .where(
                Submission.organization_id == organization_id,
                Submission.received_at < before,
                Submission.content.is_not(None),
            )
            .order_by(Submission.id)
            .limit(self.DOCUMENTS)
        ).all()
        ids = [row.id for row in over]
        if ids:
            self._session.execute(update(Submission).where(Submission.id.in_(ids)).values(content=None))
            told = {"kept_days": days, "submissions": [row.public_id for row in over]}
            note(self._session, PLATFORM, Act.ERASED, "documents as received", about_id=organization_id, **told)
        return len(ids)

    def _drafts(self, organization_id: int, before: datetime, days: int) -> int:
        """Those that nobody settled: their content goes as if they had been thrown away."""
        over = and_(Draft.organization_id == organization_id, Draft.received_at < before, Draft.settled_at.is_(None))
        rows = self._session.scalars(select(Draft).where(over).order_by(Draft.id).limit(self.DOCUMENTS)).all()
        for row in rows:
            row.document, row.title, row.sender = None, "", ""
            row.settled_at, row.settled_by = self._clock(), PLATFORM.in_words()
        if rows:
            told = {"kept_days": days, "drafts": [row.public_id for row in rows]}
            note(self._session, PLATFORM, Act.ERASED, "drafts", about_id=organization_id, **told)
        return len(rows)

    def _deliveries(self, organization_id: int, before: datetime, days: int) -> int:
        """What receivers answered; and the deliveries themselves, where the incident is gone too.

        While the incident is there the delivery stays without the answer: by it the platform knows what it told already, and
        whom to tell should the incident be erased.
        """
        settled = and_(Delivery.organization_id == organization_id, Delivery.state != WAITING)
        answers = self._session.scalars(
            select(Delivery.id)
            .where(settled, Delivery.created_at < before, Delivery.last_answer.is_not(None))
            .order_by(Delivery.id)
            .limit(self.DELIVERIES)
        ).all()
        if answers:
            self._session.execute(update(Delivery).where(Delivery.id.in_(answers)).values(last_answer=None))
        gone = self._session.execute(
            select(Delivery.id, Delivery.alert_id)
            .join(Alert, Alert.id == Delivery.alert_id)
            .join(Tombstone, Tombstone.id == Alert.tombstone_id)
            .where(settled, Delivery.created_at < before, or_(~Tombstone.recalls, Tombstone.erased_at < before))
            .order_by(Delivery.id)
            .limit(self.DELIVERIES)
        ).all()
        if gone:
            self._forget([row.id for row in gone], {row.alert_id for row in gone})
        if removed := len(set(answers) | {row.id for row in gone}):
            told = {"kept_days": days, "deliveries": removed}
            note(self._session, PLATFORM, Act.ERASED, "delivery log", about_id=organization_id, **told)
        return removed

    def _forget(self, delivery_ids: list[int], alert_ids: set[int]) -> None:
        self._session.execute(delete(Delivery).where(Delivery.id.in_(delivery_ids)))
        lonely = ~exists().where(Delivery.alert_id == Alert.id)
        self._session.execute(delete(Alert).where(Alert.id.in_(sorted(alert_ids)), lonely))
