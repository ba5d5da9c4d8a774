"""Observables: each normal form once, and where it was seen."""

from __future__ import annotations

import hashlib

from sqlalchemy import ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from kentongan.domain.incident import Observable
from kentongan.storage.base import Base, BigId


class StoredObservable(Base):
    """One value in its normal form. `digest` stands for kind and value, which may be longer than an index can hold."""

    __tablename__ = "observable"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    kind: Mapped[str] = mapped_column(String(20))
    value: Mapped[str] = mapped_column(Text)


def digest_of(observable: Observable) -> bytes:
    """The 16 bytes that stand for a kind and a value (BLAKE2b): what `StoredObservable.digest` holds and is looked up by."""
    return hashlib.blake2b(f"{observable.kind}\n{observable.value}".encode(), digest_size=16).digest()


class Posting(Base):
    """An incident carries a value. The index that finds who shares it; its length is how common the value is."""

    __tablename__ = "posting"
    __table_args__ = ({"sqlite_with_rowid": False},)

    observable_id: Mapped[int] = mapped_column(ForeignKey("observable.id"), primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), primary_key=True, index=True)
    audience_id: Mapped[int] = mapped_column(ForeignKey("audience.id"))
    """Of the object that carried the value: it may be marked stricter than its incident."""
    origin: Mapped[str] = mapped_column(String(20))
    """sco, pattern, observed-data, external-reference or text."""


class ObjectObservable(Base):
    """A STIX object carries a value, whether or not it belongs to an incident."""

    __tablename__ = "object_observable"
    __table_args__ = ({"sqlite_with_rowid": False},)

    observable_id: Mapped[int] = mapped_column(ForeignKey("observable.id"), primary_key=True)
    object_id: Mapped[int] = mapped_column(ForeignKey("stix_object.id"), primary_key=True)


class TextBand(Base):
    """One MinHash band of an incident's words: incidents that share one are candidates for the same event."""

    __tablename__ = "text_band"
    __table_args__ = ({"sqlite_with_rowid": False},)

    band: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), primary_key=True, index=True)
