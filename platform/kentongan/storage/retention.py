"""How long an organization wants things kept; who has no row here wants everything kept until it is erased."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from kentongan.domain.retention import Retention
from kentongan.storage.base import Base, BigId, Instant


class RetentionRow(Base):
    """The wish of one organization."""

    __tablename__ = "retention"

    organization_id: Mapped[int] = mapped_column(BigId, ForeignKey("organization.id"), primary_key=True)
    incident_days: Mapped[int | None]
    content_days: Mapped[int | None]
    log_days: Mapped[int | None]
    changed_at: Mapped[datetime] = mapped_column(Instant)

    def wish(self) -> Retention:
        """As the domain knows it."""
        return Retention(self.incident_days, self.content_days, self.log_days)
