"""STIX 2.1 objects made of what other formats say: the same words always make the same object, without chance and clock."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID, uuid5

from kentongan.domain.gate import accepted_alone
from kentongan.domain.gate.observable_ids import observable_id
from kentongan.domain.marking import TLP_2_IDS, Level
from kentongan.domain.observables.hashes import named_hash

StixObject = dict[str, Any]

FIRST_MOMENT: Final = "2000-01-01T00:00:00.000Z"
"""When what has no time of its own was made (who published something): one moment for all, so that it is one object."""

_NAMESPACE: Final = UUID("8a2c9f0e-6b2b-5d6c-9a44-6b656e746f6e")
"""Of ids made of what an object says (RFC 9562 section 5.5); it never changes, or what was taken in before would come again."""
_HASH_NAMES: Final = {
    "md5": "MD5",
    "sha1": "SHA-1",
    "sha256": "SHA-256",
    "sha512": "SHA-512",
    "ssdeep": "SSDEEP",
    "tlsh": "TLSH",
}
_VALUED: Final = {
    "ipv4": "ipv4-addr",
    "ipv6": "ipv6-addr",
    "domain": "domain-name",
    "url": "url",
    "email": "email-addr",
    "mac": "mac-addr",
    "wallet": "cryptocurrency-wallet",
}
_NAMED: Final = {
    "mutex": ("mutex", "name"),
    "registry-key": ("windows-registry-key", "key"),
    "file-name": ("file", "name"),
}
_TLP: Final = {level: stix_id for stix_id, level in TLP_2_IDS.items()}


def made_id(kind: str, *parts: str) -> str:
    """The id of an object of this kind that these parts tell apart from others."""
    joined = "\x1f".join(part.replace("\x1f", " ") for part in parts)
    return f"{kind}--{uuid5(_NAMESPACE, f'{kind} {joined}')}"


def sdo(kind: str, stix_id: str, created: str, modified: str, **properties: Any) -> StixObject:
    """An object with versions; what is None or empty is left out."""
    said = {name: value for name, value in properties.items() if value not in (None, "", [], {})}
    return {"type": kind, "spec_version": "2.1", "id": stix_id, "created": created, "modified": modified, **said}


def relationship(source: str, verb: str, target: str, created: str, modified: str) -> StixObject:
    """A tie between two ids."""
    ends = {"relationship_type": verb, "source_ref": source, "target_ref": target}
    return sdo("relationship", made_id("relationship", source, verb, target), created, modified, **ends)


def sco(kind: str, **properties: Any) -> StixObject:
    """An observable under the id that STIX derives from it, or one made of all it says."""
    obj: StixObject = {"type": kind, "spec_version": "2.1", "id": "", **properties}
    obj["id"] = observable_id(obj) or made_id(kind, *(f"{name}={obj[name]}" for name in sorted(properties)))
    return obj


def of_value(kind: str, value: str) -> StixObject | None:
    """The observable that a value is, of a kind of domain/observables (`ipv4`, `sha256`, `file-name`, ...); None where STIX has
    no object for it, or none that this value could be."""
    made: StixObject | None = None
    if kind in _VALUED:
        made = sco(_VALUED[kind], value=value)
    elif kind in _NAMED:
        stix_type, name = _NAMED[kind]
        made = sco(stix_type, **{name: value})
    elif kind in _HASH_NAMES:
        made = sco("file", hashes={_HASH_NAMES[kind]: value}) if named_hash(_HASH_NAMES[kind], value) else None
    elif kind == "cidr":
        made = sco("ipv6-addr" if ":" in value else "ipv4-addr", value=value)
    elif kind == "asn":
        digits = value.upper().removeprefix("AS").strip()
        made = sco("autonomous-system", number=int(digits)) if digits.isdecimal() and len(digits) <= 10 else None
    return made if made is not None and accepted_alone(made) else None


def pattern_of(obj: Mapping[str, Any]) -> str:
    """A STIX pattern that an observable made by `of_value` or `sco` meets: all that it says at once."""
    kind = obj["type"]
    told = {name: value for name, value in obj.items() if name not in ("type", "spec_version", "id")}
    hashes = told.pop("hashes", {})
    terms = [f"{kind}:hashes.'{name}' = {_literal(value)}" for name, value in hashes.items()]
    terms += [
        f"{kind}:{name} = {value if isinstance(value, int) else _literal(str(value))}" for name, value in told.items()
    ]
    return f"[{' AND '.join(terms)}]"


def marked(objects: Iterable[StixObject], level: Level | None) -> list[StixObject]:
    """The same objects with this TLP level, where they carry no marking yet."""
    if level is None:
        return list(objects)
    return [obj if "object_marking_refs" in obj else {**obj, "object_marking_refs": [_TLP[level]]} for obj in objects]


def once(objects: Sequence[StixObject]) -> list[StixObject]:
    """Each object once, where several say the same."""
    return list({str(sorted(obj.items(), key=lambda pair: pair[0])): obj for obj in objects}.values())


def bundle_id(*parts: bytes) -> str:
    """The id of a bundle that is made of these bytes."""
    digest = hashlib.sha256(b"\x00".join(hashlib.sha256(part).digest() for part in parts)).digest()
    return f"bundle--{UUID(bytes=digest[:16], version=4)}"


def _literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
