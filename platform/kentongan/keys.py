"""The installation's keys: given by the operator, or made once and kept in the data folder, readable for its owner alone."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kentongan.settings import Settings


def secret_key(settings: Settings) -> str:
    """The key that signs sessions and forms."""
    if settings.secret_key:
        return settings.secret_key
    fresh = secrets.token_urlsafe(48)
    return _kept(settings.data_dir.absolute() / "secret.key", fresh.encode).decode("ascii").strip()


def audit_key(settings: Settings) -> Ed25519PrivateKey:
    """The key that signs the heads of the audit trail: 32 bytes as 64 hexadecimal digits, given or made.

    Raises ValueError if what was given is none.
    """
    if settings.audit_key:
        return _ed25519(settings.audit_key)
    made = _kept(settings.data_dir.absolute() / "audit.key", lambda: secrets.token_hex(32).encode())
    return _ed25519(made.decode("ascii"))


def _ed25519(digits: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(digits.strip()))


def _kept(path: Path, make: Callable[[], bytes]) -> bytes:
    """What the file holds, made if it is new. Two processes that make it at once get the same: one file is linked into place."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_bytes()
