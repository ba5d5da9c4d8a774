"""What organizations sent, byte for byte, with the receipt they got."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, deferred, mapped_column

from kentongan.storage.base import Base, BigId, Instant, Json, new_public_id


class Submission(Base):
    """One document as received. The same bytes from the same organization are one submission."""

    __tablename__ = "submission"
    __table_args__ = (
        UniqueConstraint("organization_id", "sha256"),
        Index("ix_submission_organization_id_id", "organization_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(36), unique=True, default=new_public_id)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    received_at: Mapped[datetime] = mapped_column(Instant)
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    size: Mapped[int]
    content: Mapped[bytes | None] = deferred(mapped_column(LargeBinary))
    """The JSON document as received, after any Content-Encoding was undone; `sha256` and `size` are of these bytes. None: they are
    no longer kept, because their time was over or something in them was erased."""
    outcomes: Mapped[list[dict[str, Any]]] = deferred(mapped_column(Json))
    """One entry per object, in the order sent: {position, id, type, outcome, note?, problems, warnings}."""
    carried: Mapped[list[tuple[int, int]]] = deferred(mapped_column(Json))
    """[stix_object id, audience id] of every accepted object, in the order sent (storage/objects.py: carried_by reads it)."""
    accepted: Mapped[int]
    refused: Mapped[int]


class IdempotencyKey(Base):
    """The key a client chose for one submission, so that its retry gets the same receipt."""

    __tablename__ = "idempotency_key"

    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"), index=True)
