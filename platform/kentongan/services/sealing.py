"""Secrets that we must be able to read again are sealed before they are stored: a copy of the database opens none of them.

The key follows from the installation's secret key, which lies beside the database or comes from the environment
(docs/adr/0009-secrets-of-apps-are-sealed.md).
"""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES: Final = 12
_PURPOSE: Final = b"kentongan: secrets of authenticator apps"


class Broken(Exception):
    """This was sealed with another key, for another place, or was changed since."""


class Seal:
    """AES-256-GCM under a key of its own. What was sealed for one place (`about`) does not open in another."""

    def __init__(self, secret_key: str) -> None:
        key = HKDF(SHA256(), 32, salt=None, info=_PURPOSE).derive(secret_key.encode())
        self._cipher = AESGCM(key)

    def closed(self, secret: str, about: str) -> bytes:
        """Seal a secret."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), about.encode())

    def opened(self, sealed: bytes, about: str) -> str:
        """Read it again. Raises Broken."""
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, rest, about.encode()).decode()
        except (InvalidTag, ValueError):
            raise Broken("the secret key of this installation has changed since this was sealed") from None
