"""What an organization wants to take part by keyed hash, beyond what its markings mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.domain.audit import Act
from kentongan.domain.identity import NO_ORGANIZATION, Identity, Scope
from kentongan.domain.masking import NO_WISH, MaskingWish
from kentongan.services.errors import NotFound
from kentongan.storage import jobs
from kentongan.storage.audit import note
from kentongan.storage.database import accept_in_order
from kentongan.storage.jobs import Stage
from kentongan.storage.maskings import Masking
from kentongan.storage.organizations import Organization
from kentongan.storage.submissions import Submission

Clock = Callable[[], datetime]


class Maskings:
    """What an organization may ask and wish about keyed hashes."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def of(self, organization_id: int) -> MaskingWish:
        """Its wish; of who never said one, that nothing beyond its markings is masked."""
        row = self._session.get(Masking, organization_id)
        return row.wish if row else NO_WISH

    def change(self, who: Identity, organization_id: int, wish: MaskingWish) -> MaskingWish:
        """From now on it is so, for what was sent before as well, as soon as that is indexed again: wake the stage `index`.

        Raises NotFound for another organization's.
        """
        if who.organization_id not in (organization_id, NO_ORGANIZATION) or not who.may(Scope.ADMIN):
            raise NotFound("nothing of another organization's can be set")
        accept_in_order(self._session)
        before = self.of(organization_id)
        self._session.merge(Masking(organization_id=organization_id, changed_at=self._clock(), **asdict(wish)))
        self._session.flush()
        sent = select(Submission.id).where(Submission.organization_id == organization_id).order_by(Submission.id)
        if wish != before:
            jobs.add(self._session, Stage.INDEX, self._session.scalars(sent).all(), self._clock())
        owner = self._session.get_one(Organization, organization_id)
        told = {"before": asdict(before), "after": asdict(wish)}
        note(self._session, who, Act.CHANGED, f"masking of {owner.name}", about_id=organization_id, **told)
        return wish
