"""Drafts: what came in and is no submission before somebody has looked at it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kentongan.storage.base import Base, BigId, Instant, new_public_id


class Draft(Base):
    """One draft of one organization. Once it is settled its content is gone, and it is remembered that it was here."""

    __tablename__ = "draft"
    __table_args__ = (UniqueConstraint("organization_id", "sha256"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(36), unique=True, default=new_public_id)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    feed: Mapped[str] = mapped_column(String(200))
    """The name of the feed that brought it."""
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    """Of the document as it was drafted."""
    received_at: Mapped[datetime] = mapped_column(Instant)
    title: Mapped[str] = mapped_column(Text)
    sender: Mapped[str] = mapped_column(Text)
    document: Mapped[bytes | None] = mapped_column(LargeBinary)
    """A STIX bundle with one incident; None: it is settled."""
    settled_at: Mapped[datetime | None] = mapped_column(Instant)
    settled_by: Mapped[str] = mapped_column(String(400), default="")
    submission: Mapped[str | None] = mapped_column(String(36))
    """The public id of what it became; None: it was discarded, or is open."""
