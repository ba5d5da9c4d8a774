"""What each organization wants to take part by keyed hash."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from kentongan.domain.masking import MaskingWish
from kentongan.storage.base import Base, Instant


class Masking(Base):
    """One organization's wish; who has none has no row."""

    __tablename__ = "masking"

    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    red: Mapped[bool]
    tell_others: Mapped[bool]
    personal: Mapped[bool]
    changed_at: Mapped[datetime] = mapped_column(Instant)

    @property
    def wish(self) -> MaskingWish:
        """As the rules know it."""
        return MaskingWish(self.red, self.tell_others, self.personal)


def masking_wishes(session: Session, organization_ids: Collection[int]) -> dict[int, MaskingWish]:
    """The wishes of these organizations; who has none is missing."""
    rows = session.scalars(select(Masking).where(Masking.organization_id.in_(sorted(set(organization_ids)))))
    return {row.organization_id: row.wish for row in rows}
