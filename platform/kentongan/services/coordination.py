"""The coordinator's role, which goes from one member to another every year."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.domain.audit import Act
from kentongan.domain.identity import Identity, OrganizationKind, Scope
from kentongan.services.errors import NotFound, Refused
from kentongan.storage.audit import note
from kentongan.storage.coordination import Coordinatorship, coordinator_at
from kentongan.storage.organizations import Organization

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class CoordinatorView:
    """Who coordinates the region now (None: nobody), and who does next, from when."""

    organization: str | None
    next: str | None
    next_from: datetime | None


class Coordination:
    """Who coordinates. `who` asks."""

    def __init__(self, session: Session, clock: Clock, who: Identity) -> None:
        self._session = session
        self._clock = clock
        self._who = who

    def now(self) -> CoordinatorView:
        """Who coordinates, and who comes next."""
        coming = self._session.scalars(
            select(Coordinatorship)
            .where(Coordinatorship.starts_at > self._clock())
            .order_by(Coordinatorship.starts_at, Coordinatorship.id.desc())
            .limit(1)
        ).one_or_none()
        following = self._name(coming.organization_id) if coming else None
        return CoordinatorView(
            self._name(coordinator_at(self._session, self._clock())), following, coming.starts_at if coming else None
        )

    def hand_over(self, to: Organization, starts_at: datetime) -> None:
        """From `starts_at` on this organization coordinates; until then who does now. One act, one entry in the trail.

        Raises Refused for who cannot coordinate or a moment that is over; NotFound unless an operator asks or a coordinator of
        the organization that coordinates now.
        """
        now = self._clock()
        if not self.may_hand_over():
            raise NotFound("there is no such role for you")
        if to.kind == OrganizationKind.SUBSCRIBER or to.ended_at is not None:
            raise Refused("a member CERT or the coordinator's office coordinates")
        if starts_at < now:
            raise Refused("the role begins now or later, never in the past")
        by = self._who.in_words()
        row = Coordinatorship(organization_id=to.id, starts_at=starts_at, handed_over_by=by, created_at=now)
        self._session.add(row)
        self._session.flush()
        told = {"to": to.name, "starts_at": starts_at.isoformat()}
        note(self._session, self._who, Act.CHANGED, "coordinator's role", about_id=to.id, **told)

    def may_hand_over(self) -> bool:
        """Whether who asks is an operator, or a coordinator of the organization that coordinates now."""
        mine = coordinator_at(self._session, self._clock()) == self._who.organization_id
        return self._who.may(Scope.OPERATE) or (mine and self._who.may(Scope.COORDINATE))

    def _name(self, number: int | None) -> str | None:
        return self._session.get_one(Organization, number).name if number is not None else None
