"""STIX objects: each content once, numbered in the order of acceptance, and the submissions that carry it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from kentongan.storage.base import Base, BigId, Instant


class StixObject(Base):
    """One content of one STIX object. `id` grows in commit order; the lowest id of a `stix_id` names the owner of that id."""

    __tablename__ = "stix_object"
    __table_args__ = (Index("ix_stix_object_stix_id", "stix_id", "modified"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    stix_id: Mapped[str] = mapped_column(String(255))
    type: Mapped[str] = mapped_column(String(64))
    owner_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    """The organization that first sent this content."""
    modified: Mapped[datetime | None] = mapped_column(Instant)
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    """Of the content in sorted-key form: the same properties in another order are the same content."""
    body: Mapped[str] = mapped_column(Text)


class ObjectCarrier(Base):
    """A submission carries an object for an audience. Who may see any carrier may see the object."""

    __tablename__ = "object_carrier"
    __table_args__ = ({"sqlite_with_rowid": False},)

    object_id: Mapped[int] = mapped_column(ForeignKey("stix_object.id"), primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"), primary_key=True, index=True)
    audience_id: Mapped[int] = mapped_column(ForeignKey("audience.id"))
