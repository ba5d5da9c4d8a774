"""What people show to prove who they are: passwords, authenticator apps, passkeys, recovery codes, accounts elsewhere."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    CursorResult,
    ForeignKey,
    LargeBinary,
    String,
    UniqueConstraint,
    delete,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from kentongan.storage.base import Base, BigId, Instant, new_public_id
from kentongan.storage.persons import Person


class Password(Base):
    """A person's password, as an argon2id hash with its parameters."""

    __tablename__ = "password"

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    hash: Mapped[str] = mapped_column(String(200))
    changed_at: Mapped[datetime] = mapped_column(Instant)


class AuthenticatorApp(Base):
    """A person's authenticator app. Its secret is sealed (services/sealing.py): whoever reads the database cannot use it."""

    __tablename__ = "authenticator_app"

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary(200))
    """The secret in use; None until the first code proved that it arrived."""
    waiting: Mapped[bytes | None] = mapped_column(LargeBinary(200))
    """A secret whose first code is awaited; the one in use stays in use until then."""
    last_step: Mapped[int | None] = mapped_column(BigInteger)
    """The time step of the newest code that was taken; it and those before it are never taken again."""
    created_at: Mapped[datetime] = mapped_column(Instant)


class Passkey(Base):
    """A passkey (WebAuthn credential) of a person: its public half."""

    __tablename__ = "passkey"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(36), unique=True, default=new_public_id)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    credential_id: Mapped[bytes] = mapped_column(LargeBinary(1023), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary(2000))
    sign_count: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(Instant)
    last_used_at: Mapped[datetime | None] = mapped_column(Instant)


class RecoveryCode(Base):
    """One of a person's recovery codes, of which only the hash is kept; good for one time."""

    __tablename__ = "recovery_code"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    used_at: Mapped[datetime | None] = mapped_column(Instant)


class ForeignAccount(Base):
    """An account at an identity provider that opens a person's account here, named by issuer and `sub`."""

    __tablename__ = "foreign_account"
    __table_args__ = (UniqueConstraint("issuer", "sub"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    issuer: Mapped[str] = mapped_column(String(300))
    sub: Mapped[str] = mapped_column(String(255))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    person: Mapped[Person] = relationship()


def use_step(session: Session, person_id: int, step: int) -> bool:
    """Take this time step, if none as new was taken before: of two requests with one code only one gets True."""
    taken = session.execute(
        update(AuthenticatorApp)
        .where(AuthenticatorApp.person_id == person_id)
        .where(or_(AuthenticatorApp.last_step.is_(None), AuthenticatorApp.last_step < step))
        .values(last_step=step)
    )
    return changed(taken) == 1


def use_recovery_code(session: Session, person_id: int, digest: bytes, now: datetime) -> bool:
    """Use up this recovery code, if it is one of the person's and was not used before."""
    used = session.execute(
        update(RecoveryCode)
        .where(RecoveryCode.person_id == person_id, RecoveryCode.digest == digest, RecoveryCode.used_at.is_(None))
        .values(used_at=now)
    )
    return changed(used) == 1


def forget_second_factors(session: Session, person_id: int) -> None:
    """Remove everything the person could show besides a password."""
    for table in (AuthenticatorApp, Passkey, RecoveryCode):
        session.execute(delete(table).where(table.person_id == person_id))


def has_second_factor(session: Session, person_id: int) -> bool:
    """Whether the person enrolled an app or a passkey."""
    app = select(AuthenticatorApp.person_id).where(
        AuthenticatorApp.person_id == person_id, AuthenticatorApp.sealed.is_not(None)
    )
    key = select(Passkey.id).where(Passkey.person_id == person_id)
    return bool(session.scalar(select(or_(app.exists(), key.exists()))))


def changed(result: Any) -> int:  # Any: SQLAlchemy types the result of every statement alike
    """How many rows a statement changed."""
    return cast("CursorResult[Any]", result).rowcount
