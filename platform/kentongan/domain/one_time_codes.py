"""One-time codes of authenticator apps (TOTP, RFC 6238), and recovery codes for when the app is lost."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from typing import Final

import pyotp

ISSUER: Final = "Kentongan"
MOST_RECOVERY_CODES: Final = 10
_DRIFT: Final = 1
"""Steps of 30 s that a phone's clock may be early or late (RFC 6238 section 5.2)."""

_ALPHABET: Final = "ABCDEFGHJKMNPQRSTVWXYZ23456789"  # without I, L, O, U, 0 and 1, which are read as each other
_GROUPS: Final = 4


def new_secret() -> str:
    """160 random bits in base32, as apps take them."""
    return pyotp.random_base32()


def provisioning_uri(secret: str, name: str) -> str:
    """What the QR code of an enrolment says: `otpauth://totp/Kentongan:siti%40cert.example?secret=...`."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)


def code_at(secret: str, at: datetime) -> str:
    """What an app shows at this moment."""
    return pyotp.TOTP(secret).at(at)


def step_of(secret: str, code: str, at: datetime, last_used: int | None) -> int | None:
    """The time step this code belongs to; None if it is wrong, too old, or of a step that was used already.

    A step once used is never taken again, and neither is one before it: who looked over a shoulder comes too late.
    """
    code = "".join(code.split())
    now = int(at.timestamp()) // 30
    if len(code) != 6 or not (code.isascii() and code.isdecimal()):
        return None
    totp, found = pyotp.TOTP(secret), None
    for step in range(now - _DRIFT, now + _DRIFT + 1):
        if secrets.compare_digest(totp.generate_otp(step), code):
            found = step
    return found if found is not None and (last_used is None or found > last_used) else None


def new_recovery_codes() -> list[str]:
    """Ten codes of 78 random bits each. Example: `K7MQ-2XWD-9ABH-RTZ4`."""
    return [
        "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(_GROUPS))
        for _ in range(MOST_RECOVERY_CODES)
    ]


def recovery_digest(code: str) -> bytes:
    """What is kept of a recovery code, however it was typed: SHA-256 is enough for 78 random bits."""
    return hashlib.sha256("".join(filter(str.isalnum, code)).upper().encode()).digest()
