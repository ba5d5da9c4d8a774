"""Rules about ids and what they point at."""

from __future__ import annotations

from functools import cache
from typing import Final

from kentongan.domain.gate.findings import Company, Findings, StixObject
from kentongan.domain.gate.observable_ids import UUID_VERSION
from kentongan.domain.gate.problem import quoted
from kentongan.domain.gate.schema import TypeSchema
from kentongan.domain.gate.words import COMMON_RELATIONSHIPS, relationships

Types = frozenset[str]
ADDRESSES: Final = frozenset({"ipv4-addr", "ipv6-addr"})
EXPECTED: Final[dict[str, Types]] = {
    "created_by_ref": frozenset({"identity"}),
    "ipv4-addr.belongs_to_refs": frozenset({"autonomous-system"}),
    "ipv6-addr.belongs_to_refs": frozenset({"autonomous-system"}),
    "ipv4-addr.resolves_to_refs": frozenset({"mac-addr"}),
    "ipv6-addr.resolves_to_refs": frozenset({"mac-addr"}),
    "domain-name.resolves_to_refs": ADDRESSES | {"domain-name"},
    "email-addr.belongs_to_ref": frozenset({"user-account"}),
    "email-message.from_ref": frozenset({"email-addr"}),
    "email-message.sender_ref": frozenset({"email-addr"}),
    "email-message.to_refs": frozenset({"email-addr"}),
    "email-message.cc_refs": frozenset({"email-addr"}),
    "email-message.bcc_refs": frozenset({"email-addr"}),
    "email-message.raw_email_ref": frozenset({"artifact"}),
    "directory.contains_refs": frozenset({"file", "directory"}),
    "file.parent_directory_ref": frozenset({"directory"}),
    "file.content_ref": frozenset({"artifact"}),
    "network-traffic.src_ref": ADDRESSES | {"mac-addr", "domain-name"},
    "network-traffic.dst_ref": ADDRESSES | {"mac-addr", "domain-name"},
    "network-traffic.src_payload_ref": frozenset({"artifact"}),
    "network-traffic.dst_payload_ref": frozenset({"artifact"}),
    "network-traffic.encapsulates_refs": frozenset({"network-traffic"}),
    "network-traffic.encapsulated_by_ref": frozenset({"network-traffic"}),
    "process.opened_connection_refs": frozenset({"network-traffic"}),
    "process.creator_user_ref": frozenset({"user-account"}),
    "process.image_ref": frozenset({"file"}),
    "process.parent_ref": frozenset({"process"}),
    "process.child_refs": frozenset({"process"}),
    "windows-registry-key.creator_user_ref": frozenset({"user-account"}),
}
"""Which types a reference may name; what the specification says and the schemas do not check."""


@cache
def _references_of(kind: str, names: tuple[str, ...]) -> tuple[tuple[str, Types | None], ...]:
    """Each reference property of a type but the markings, with the types that it may name."""
    return tuple(
        (name, EXPECTED.get(f"{kind}.{name}") or EXPECTED.get(name)) for name in names if name != "object_marking_refs"
    )


def references(obj: StixObject, schema: TypeSchema, company: Company, found: Findings) -> None:
    """References to objects outside the document, or of a type that the specification does not expect there."""
    for name, expected in _references_of(schema.name, schema.refs):
        value = obj.get(name)
        if value is None:
            continue
        refs = (value,) if isinstance(value, str) else value
        if not company.ids.issuperset(refs):
            _dangling(name, [ref for ref in refs if ref not in company.ids], found)
        if expected is not None:
            _unexpected(name, [ref for ref in refs if ref.partition("--")[0] not in expected], expected, found)


def _dangling(name: str, missing: list[str], found: Findings) -> None:
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    found.warn(
        f".{name}",
        "dangling-reference",
        f"{quoted(missing[0])}{more} is not in this document",
        "Nothing to do if it was sent before or will follow; else send it along.",
    )


def _unexpected(name: str, refs: list[str], expected: Types, found: Findings) -> None:
    if refs:
        found.warn(
            f".{name}",
            "reference-type",
            f"{quoted(refs[0])} is not what {name} should name",
            f"STIX expects {', '.join(sorted(expected))} here.",
        )


def identifier(obj: StixObject, _schema: TypeSchema, _company: Company, found: Findings) -> None:
    """An id begins with its object's type; UUIDs of version 1 to 3 tell the sender's host or can collide."""
    stated = obj["id"]
    if not stated.startswith(obj["type"] + "--"):
        found.refuse(
            ".id",
            "id-type",
            f"the id {quoted(stated)} is not one of the type {quoted(obj['type'])}",
            f"It must begin with {quoted(obj['type'] + '--')}.",
        )
    if stated[UUID_VERSION] not in "45":
        found.warn(
            ".id",
            "uuid-version",
            f"a UUID of version {stated[UUID_VERSION]}",
            "Use version 4, or for observables version 5.",
        )


def relationship(obj: StixObject, _schema: TypeSchema, _company: Company, found: Findings) -> None:
    """A relationship that STIX and the incident suite do not suggest for its two ends."""
    kind = obj["relationship_type"]
    source, target = obj["source_ref"].partition("--")[0], obj["target_ref"].partition("--")[0]
    if kind not in COMMON_RELATIONSHIPS and target not in relationships().get((source, kind), ()):
        found.warn(
            ".relationship_type",
            "relationship-type",
            f"{quoted(kind)} from {source} to {target} is not among the relationships that STIX suggests",
            "Nothing to do if you mean it; others may not understand it.",
        )
