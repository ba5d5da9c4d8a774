"""What each organization wants masked."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ForeignKey, bindparam, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from kentongan.domain.masking import NO_WISH, MaskingWish
from kentongan.storage.base import Base, Instant


class Masking(Base):
    """One organization's wish; who has none has no row."""

    __tablename__ = "masking"

    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    personal: Mapped[bool]
    red: Mapped[bool]
    tell_others: Mapped[bool]
    changed_at: Mapped[datetime] = mapped_column(Instant)

    @property
    def wish(self) -> MaskingWish:
        """As the rules know it."""
        return MaskingWish(self.personal, self.red, self.tell_others)


def masking_wish(session: Session, organization_id: int) -> MaskingWish:
    """What this organization wants masked."""
    found = session.scalars(_OF, {"who": organization_id}).one_or_none()
    return found.wish if found else NO_WISH


def masking_wishes(session: Session, organization_ids: Collection[int]) -> dict[int, MaskingWish]:
    """What these organizations want masked; who has no wish is missing."""
    rows = session.scalars(select(Masking).where(Masking.organization_id.in_(sorted(set(organization_ids)))))
    return {row.organization_id: row.wish for row in rows}


_OF = select(Masking).where(Masking.organization_id == bindparam("who"))
"""Built once: every submission asks."""
