"""The deterministic ids of observables (STIX 2.1 section 2.9): a UUIDv5 over the properties that make the value."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID, uuid5

import orjson

from kentongan.domain.gate.findings import Company, Findings, StixObject
from kentongan.domain.gate.schema import TypeSchema

NAMESPACE: Final = UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
HASHES_IN_ORDER: Final = ("MD5", "SHA-1", "SHA-256", "SHA-512")
VALUE: Final = ("value",)
CONTRIBUTING: Final[dict[str, tuple[str, ...]]] = {
    "artifact": ("hashes", "payload_bin"),
    "autonomous-system": ("number",),
    "directory": ("path",),
    "domain-name": VALUE,
    "email-addr": VALUE,
    "email-message": ("from_ref", "subject", "body"),
    "file": ("hashes", "name", "extensions", "parent_directory_ref"),
    "ipv4-addr": VALUE,
    "ipv6-addr": VALUE,
    "mac-addr": VALUE,
    "mutex": ("name",),
    "network-traffic": ("start", "end", "src_ref", "dst_ref", "src_port", "dst_port", "protocols", "extensions"),
    "software": ("name", "cpe", "swid", "vendor", "version"),
    "url": VALUE,
    "user-account": ("account_type", "user_id", "account_login"),
    "windows-registry-key": ("key", "values"),
    "x509-certificate": ("hashes", "serial_number"),
}
UUID_VERSION: Final = -22
"""Where the version stands in an id, counted from its end: xxxxxxxx-xxxx-Vxxx-xxxx-xxxxxxxxxxxx."""


def observable_id(obj: StixObject) -> str | None:
    """The id that an observable should have, or None where its type or its properties give none (then a random UUID).

    Numbers are written as JSON writes them; RFC 8785 differs only for fractions, which none of these properties hold.
    """
    kind = obj["type"]
    made_of = {name: _contribution(name, obj[name]) for name in CONTRIBUTING.get(kind, ()) if name in obj}
    made_of = {name: value for name, value in made_of.items() if value is not None}
    if not made_of:
        return None
    canonical = orjson.dumps(made_of, option=orjson.OPT_SORT_KEYS).decode()
    return f"{kind}--{uuid5(NAMESPACE, canonical)}"


def _contribution(name: str, value: Any) -> Any:
    if name != "hashes":
        return value
    for algorithm in HASHES_IN_ORDER:
        if algorithm in value:
            return {algorithm: value[algorithm]}
    first = min(value, default=None)
    return None if first is None else {first: value[first]}


def deterministic_id(obj: StixObject, _schema: TypeSchema, _company: Company, found: Findings) -> None:
    """A UUIDv5 that is not the one of the value makes two objects of one; told, and accepted."""
    stated = obj["id"]
    if stated[UUID_VERSION] != "5":
        return
    expected = observable_id(obj)
    if expected is not None and expected != stated.lower():
        found.warn(
            ".id",
            "observable-id",
            "the UUIDv5 of this id is not the one that STIX derives from the object's properties",
            f"It would be {expected}.",
        )
