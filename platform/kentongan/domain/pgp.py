"""An armoured PGP public key, read just as far as its fingerprint: by that people compare it over the telephone."""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Final

_ARMOUR: Final = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----\n(?:[A-Za-z]+: [^\n]*\n)*\n?"
    r"(?P<body>[A-Za-z0-9+/=\n]+)-----END PGP PUBLIC KEY BLOCK-----"
)
_PUBLIC_KEY: Final = 6  # RFC 9580 section 5.5.1.1
_PREFIX_AND_LENGTH: Final[Mapping[int, tuple[int, int]]] = {4: (0x99, 2), 6: (0x9B, 4)}
"""What is hashed before the key, by its version: an octet, and the key's length in so many (RFC 9580 section 5.5.4)."""


class NoPublicKey(Exception):
    """This is no armoured public key of version 4 or 6."""


def fingerprint(armoured: str) -> str:
    """The fingerprint of the block's primary key, upper hexadecimal (RFC 9580 section 5.5.4). Raises NoPublicKey.

    The checksum at the end of the block is not looked at (section 6.1 advises so).
    """
    found = _ARMOUR.fullmatch(armoured.strip())
    if found is None:
        raise NoPublicKey("no block of a public key")
    body = _first_packet(_octets(found["body"]))
    version = body[0] if body else 0
    if version not in _PREFIX_AND_LENGTH:
        raise NoPublicKey("neither of version 4 nor of version 6")
    prefix, width = _PREFIX_AND_LENGTH[version]
    hashed = bytes([prefix]) + len(body).to_bytes(width, "big") + body
    made = hashlib.sha1(hashed, usedforsecurity=False) if version == 4 else hashlib.sha256(hashed)
    return made.hexdigest().upper()


def _octets(body: str) -> bytes:
    lines = [line for line in body.split("\n") if line and not re.fullmatch(r"=[A-Za-z0-9+/]{4}", line)]
    try:
        return b64decode("".join(lines), validate=True)
    except ValueError:
        raise NoPublicKey("the block cannot be decoded") from None


def _first_packet(octets: bytes) -> bytes:
    """The body of the first packet, which is the primary key (RFC 9580 section 4.2)."""
    if len(octets) < 3 or not octets[0] & 0x80:
        raise NoPublicKey("the block holds no packet")
    of_new_form = bool(octets[0] & 0x40)
    tag = octets[0] & 0x3F if of_new_form else (octets[0] >> 2) & 0x0F
    start, length = _new_length(octets) if of_new_form else _old_length(octets)
    if tag != _PUBLIC_KEY or not 0 < length <= len(octets) - start:
        raise NoPublicKey("the block does not begin with a whole public key")
    return octets[start : start + length]


def _new_length(octets: bytes) -> tuple[int, int]:
    """Where the body begins and how long it is; a length in parts, which no key may have, is 0."""
    first = octets[1]
    if first < 192:
        return 2, first
    if first < 224:
        return 3, ((first - 192) << 8) + octets[2] + 192
    return (6, int.from_bytes(octets[2:6], "big")) if first == 255 else (2, 0)


def _old_length(octets: bytes) -> tuple[int, int]:
    width = (1, 2, 4, 0)[octets[0] & 0x03]
    return 1 + width, int.from_bytes(octets[1 : 1 + width], "big")
