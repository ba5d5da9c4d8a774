"""Which organization coordinates the region, and since when."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from kentongan.domain.identity import OrganizationKind
from kentongan.storage.base import Base, BigId, Instant
from kentongan.storage.organizations import Organization


class Coordinatorship(Base):
    """From this moment on this organization coordinates the region, until the next row begins."""

    __tablename__ = "coordinatorship"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    starts_at: Mapped[datetime] = mapped_column(Instant)
    handed_over_by: Mapped[str] = mapped_column(String(400))
    created_at: Mapped[datetime] = mapped_column(Instant)


def coordinator_at(session: Session, moment: datetime) -> int | None:
    """The organization that coordinates at this moment; None if none does.

    Before the role was handed over for the first time, the first organization that joined as a coordinator's office has it.
    """
    # Of two rows for one moment the later decision counts.
    given = (
        select(Coordinatorship.organization_id)
        .where(Coordinatorship.starts_at <= moment)
        .order_by(Coordinatorship.starts_at.desc(), Coordinatorship.id.desc())
        .limit(1)
    )
    if (found := session.scalar(given)) is not None:
        return found
    return session.scalar(
        select(func.min(Organization.id)).where(Organization.kind == OrganizationKind.COORDINATOR.value)
    )
