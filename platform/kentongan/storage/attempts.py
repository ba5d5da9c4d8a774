"""Attempts to sign in, kept in the database so that all web processes count together."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import Boolean, LargeBinary, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from kentongan.domain.attempts import LONGEST_WINDOW, Bound, Count
from kentongan.storage.base import Base, BigId, Instant


class Attempt(Base):
    """One attempt that failed, or whose outcome is not known yet: it is written before the password is looked at, so that a
    hundred attempts at once are a hundred, and taken back when it succeeds."""

    __tablename__ = "attempt"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    name_digest: Mapped[bytes] = mapped_column(LargeBinary(32), index=True)
    """Of the canonical name: what was typed may be a password in the wrong field."""
    place: Mapped[str] = mapped_column(String(60))
    network: Mapped[str] = mapped_column(String(45), index=True)
    known: Mapped[bool] = mapped_column(Boolean)
    at: Mapped[datetime] = mapped_column(Instant, index=True)


def name_digest(name: str) -> bytes:
    """What stands for a name."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()


def wait_for(session: Session, attempt: Attempt, count: Count, bound: Bound) -> timedelta | None:
    """How long until this attempt stays within the bound; None if it does now."""
    matching = select(Attempt.at).where(Attempt.kind == attempt.kind, Attempt.at > attempt.at - bound.window)
    if count is Count.NETWORK:
        matching = matching.where(Attempt.network == attempt.network, Attempt.known.is_(False))
    else:
        matching = matching.where(Attempt.name_digest == attempt.name_digest)
        matching = matching.where(Attempt.place == attempt.place if count is Count.HERE else Attempt.known.is_(False))
    decisive = session.scalar(matching.order_by(Attempt.at.desc(), Attempt.id.desc()).offset(bound.most - 1).limit(1))
    return None if decisive is None else decisive + bound.window - attempt.at


def forget_old_attempts(session: Session, now: datetime) -> None:
    """Remove what no bound counts any more."""
    session.execute(delete(Attempt).where(Attempt.at <= now - LONGEST_WINDOW))


def take_back(session: Session, attempt_id: int) -> None:
    """The attempt succeeded: it counts no longer."""
    session.execute(delete(Attempt).where(Attempt.id == attempt_id))
