"""A place to go on at, signed: `next` of TAXII 2.1 section 3.5, which holds everything that must not change on the way.

Whoever gets one can use it for the very question it was given for, as often and as late as they like; the server keeps nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final

import orjson

_NUMBER: Final = 8
_SIGNATURE: Final = 16


def sign(key: bytes, place: int, asked: Mapping[str, Any]) -> str:
    """The cursor that goes on behind `place` (below 2^63) for this question; `asked` is plain JSON and names who asks too."""
    number = place.to_bytes(_NUMBER, "big")
    return base64.urlsafe_b64encode(number + _signature(key, number, asked)).decode().rstrip("=")


def signed_place(key: bytes, cursor: str, asked: Mapping[str, Any]) -> int | None:
    """The place that a cursor of this question names; None if it was made for another one, by another key, or is none at all."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    number, signature = raw[:_NUMBER], raw[_NUMBER:]
    return int.from_bytes(number, "big") if hmac.compare_digest(signature, _signature(key, number, asked)) else None


def _signature(key: bytes, number: bytes, asked: Mapping[str, Any]) -> bytes:
    told = number + orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)
    return hmac.digest(key, told, hashlib.sha256)[:_SIGNATURE]
