"""The keys of an installation: given by the operator, or made once and kept in the data folder."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kentongan.settings import Settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def secret_key(settings: Settings) -> str:
    """The key that signs sessions and forms."""
    return settings.secret_key or _made_once(
        settings.data_dir.absolute() / "secret.key", lambda: secrets.token_urlsafe(48)
    )


def audit_key(settings: Settings) -> Ed25519PrivateKey:
    """The key that signs heads of the audit trail; 32 random bytes, written as hexadecimal digits."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415  # web never signs

    seed = settings.audit_key or _made_once(settings.data_dir.absolute() / "audit.key", lambda: secrets.token_hex(32))
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))


def _made_once(path: Path, make: Callable[[], str]) -> str:
    """What the file holds. Two processes that make it at once get the same: only one file can be linked into place."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(make().encode())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text(encoding="ascii").strip()
