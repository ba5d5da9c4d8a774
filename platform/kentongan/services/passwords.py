"""Passwords become hashes, and are compared with them: the slow part of signing in, done outside any transaction."""

from __future__ import annotations

from collections.abc import Iterable
from threading import BoundedSemaphore
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from kentongan.domain.accounts import LONGEST_PASSWORD, normal_password, password_fault
from kentongan.services.errors import Refused

_HASHER: Final = PasswordHasher(time_cost=3, memory_cost=48 * 1024, parallelism=1)
"""argon2id, beyond the least that OWASP asks for (19 MiB and two passes); 48 MiB each are affordable a few times at once."""

_AT_ONCE: Final = BoundedSemaphore(4)
"""A flood of attempts takes turns, and never the memory of the whole machine."""

_NOBODYS: Final = "$argon2id$v=19$m=49152,t=3,p=1$bi4fM144be1TwRkBfHgknQ$vQv71rXvh/z1IVmA0S3F+ZiqF8D9f0c0VU4w3XmslDs"
"""A hash that no known password has, compared with where there is none: who is unknown costs as much time as who is not."""


class UnfitPassword(Refused):
    """This password cannot be chosen; the message is a sentence for the person who chose it."""


def fit_password(password: str, about: Iterable[str]) -> str:
    """The hash to keep of a password that somebody chose. Raises UnfitPassword; `about` as domain/accounts.py says."""
    if (fault := password_fault(password, about)) is not None:
        raise UnfitPassword(fault)
    with _AT_ONCE:
        return _HASHER.hash(normal_password(password))


def is_password(kept: str | None, password: str) -> bool:
    """Whether this is the password whose hash was kept; None is nobody's, and takes as long."""
    password = normal_password(password[: 2 * LONGEST_PASSWORD])
    with _AT_ONCE:
        try:
            return _HASHER.verify(kept or _NOBODYS, password) and kept is not None
        except (VerificationError, InvalidHashError):
            return False
