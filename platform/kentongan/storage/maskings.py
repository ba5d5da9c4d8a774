"""What each organization wants to take part by keyed hash."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ForeignKey, bindparam, select
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
    rows = session.connection().execute(_WISHES, {"ids": sorted(set(organization_ids))})
    return {row[0]: MaskingWish(*row[1:]) for row in rows}


_WISHES = select(Masking.organization_id, Masking.red, Masking.tell_others, Masking.personal).where(
    Masking.organization_id.in_(bindparam("ids", expanding=True))
)
"""Built once: every submission asks."""
