"""A head of the audit trail: what its last entry was at some moment, signed, so that whoever keeps it can tell of a rewriting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

import orjson

_HEX: Final = {"hash": 64, "key": 64, "signature": 128}


class NoHead(ValueError):
    """What was given is no signed head; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Head:
    """Number and hash of the last entry at one moment. Whoever has seen it knows everything up to that entry."""

    installation: str
    """The address by which the installation is known."""
    number: int
    hash: str
    """Hexadecimal."""
    at: str
    """When it was signed: RFC 3339, in UTC."""
    key: str
    """The public key (Ed25519, RFC 8032), hexadecimal."""

    def signed_bytes(self) -> bytes:
        """What the signature is of: these five as JSON with its keys in order and no blanks."""
        own = {each.name: getattr(self, each.name) for each in fields(Head)}
        return orjson.dumps(own, option=orjson.OPT_SORT_KEYS)


@dataclass(frozen=True, slots=True)
class SignedHead(Head):
    """A head with its signature: what is published and kept."""

    signature: str
    """Hexadecimal."""

    def as_json(self) -> dict[str, Any]:
        """As it is published."""
        return asdict(self)

    def is_genuine(self) -> bool:
        """Whether the key that it names has signed it."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  # the web processes sign and check nothing
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.key))
            key.verify(bytes.fromhex(self.signature), Head.signed_bytes(self))
        except (InvalidSignature, ValueError):
            return False
        return True


def read_head(given: Any) -> SignedHead:  # Any: parsed JSON
    """A head out of parsed JSON. Raises NoHead."""
    if not isinstance(given, Mapping):
        raise NoHead("a head is a JSON object")
    wanted = {each.name: int if each.name == "number" else str for each in fields(SignedHead)}
    for name, kind in wanted.items():
        if type(given.get(name)) is not kind:
            raise NoHead(f"'{name}' is missing or no {'whole number' if kind is int else 'text'}")
    for name, length in _HEX.items():
        if len(given[name]) != length or set(given[name]) - set("0123456789abcdef"):
            raise NoHead(f"'{name}' is not {length} hexadecimal digits")
    return SignedHead(**{name: given[name] for name in wanted})
