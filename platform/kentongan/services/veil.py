"""The keyed hash by which masked values are compared: nobody without the installation's secret key can make or test one."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from kentongan.domain.incident import Observable

_PURPOSE: Final = b"kentongan: keyed hashes of masked values"


class Veil:
    """HMAC-SHA-256 of a value's kind and normal form, under a key for this purpose alone (HKDF, RFC 5869: one block)."""

    def __init__(self, secret_key: str) -> None:
        extracted = hmac.digest(bytes(32), secret_key.encode(), hashlib.sha256)
        self._key = hmac.digest(extracted, _PURPOSE + b"\x01", hashlib.sha256)

    def __repr__(self) -> str:
        return "Veil()"

    def digest(self, value: Observable) -> bytes:
        """The same 32 bytes for the same value, whoever holds it."""
        return hmac.digest(self._key, f"{value.kind}\n{value.value}".encode(), hashlib.sha256)
