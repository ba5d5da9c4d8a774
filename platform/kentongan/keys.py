"""The key that signs sessions and forms: given by the operator, or made once and kept in the data folder."""

from __future__ import annotations

import os
import secrets

from kentongan.settings import Settings


def secret_key(settings: Settings) -> str:
    """The installation's key. Two processes that make it at once get the same: only one file can be linked into place."""
    if settings.secret_key:
        return settings.secret_key
    path = settings.data_dir.absolute() / "secret.key"
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_urlsafe(48).encode())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text(encoding="ascii").strip()
