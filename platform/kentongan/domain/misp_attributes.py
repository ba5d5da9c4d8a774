"""MISP's attributes as STIX: an indicator where MISP would detect by it, else what was observed, else a note.

Source: MISP core format (draft-dulaunoy-misp-core-format) sections 2.4.2 and 2.4.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from kentongan.domain.gate.survey import step_of
from kentongan.domain.observables.defang import refanged
from kentongan.domain.stix_making import StixObject, made_id, of_value, pattern_of, sco, sdo
from kentongan.domain.timestamp import format_timestamp

Tell = Callable[[str, str, str], None]
"""Tells a change: path, rule, words."""

KINDS: Final[Mapping[str, str]] = {
    "ip-src": "ip",
    "ip-dst": "ip",
    "ip": "ip",
    "domain": "domain",
    "hostname": "domain",
    "url": "url",
    "email": "email",
    "email-src": "email",
    "email-dst": "email",
    "mac-address": "mac",
    "AS": "asn",
    "md5": "md5",
    "sha1": "sha1",
    "sha256": "sha256",
    "sha512": "sha512",
    "ssdeep": "ssdeep",
    "tlsh": "tlsh",
    "filename": "file-name",
    "mutex": "mutex",
    "regkey": "registry-key",
    "btc": "wallet",
    "xmr": "wallet",
    "dash": "wallet",
}
_TYPES_OF_FILES: Final = {"malware-sample": "filename|md5", "attachment": "filename"}
_DEFANGED: Final = frozenset({"ip", "domain", "url", "email"})
_UNTOLD: Final = frozenset(
    "id event_id object_id distribution sharing_group_id SharingGroup disable_correlation validationIssue".split()
)
"""What only means something inside the MISP it comes from."""
_HOMES: Final = frozenset(
    "type category to_ids uuid timestamp comment deleted first_seen last_seen value object_relation Tag Galaxy".split()
)


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute that has a UUID, a type and a value; `path` is where it stands."""

    path: str
    told: Mapping[str, Any]
    uuid: str
    type: str
    value: str
    moment: str
    """When it was last changed."""


def moment_of(timestamp: object) -> str | None:
    """MISP's seconds since 1970, as text or number, in STIX's spelling."""
    try:
        seconds = int(str(timestamp))
        return format_timestamp(datetime.fromtimestamp(seconds, UTC)) if 0 <= seconds < 2**36 else None
    except (ValueError, OverflowError, OSError):
        return None


def seen_at(text: object) -> str | None:
    """MISP's first_seen and last_seen (RFC 3339 with any zone), in STIX's spelling."""
    if not isinstance(text, str):
        return None
    try:
        read = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return format_timestamp(read) if read.tzinfo else None
    except (ValueError, OverflowError):
        return None


def in_stix(attribute: Attribute, event_id: str, tell: Tell) -> Iterator[StixObject]:
    """The objects that one attribute comes to; the first of them is the one that stands for it. Tells what has no home."""
    told = attribute.told
    _tell_what_is_left_out(attribute, tell)
    observable = _observable(attribute, tell)
    first = seen_at(told.get("first_seen")) or attribute.moment
    last = max(seen_at(told.get("last_seen")) or first, first)
    own = {
        "x_misp_type": attribute.type,
        "x_misp_category": _text(told.get("category")),
        "x_misp_relation": _text(told.get("object_relation")),
        "labels": tags(told),
    }
    made, comment = attribute.moment, _text(told.get("comment"))
    if observable is None:
        tell(
            attribute.path,
            f"note-of-{_named(attribute.type)}",
            f"STIX has no object for {attribute.type}: it became a note",
        )
        note_id = f"note--{attribute.uuid}"
        text = {"abstract": comment, "content": attribute.value, "object_refs": [event_id]}
        yield sdo("note", note_id, made, made, **text, **own)
    elif told.get("to_ids") is True:
        text = {"name": attribute.value[:1000], "description": comment, "pattern": pattern_of(observable)}
        kept = {"pattern_type": "stix", "valid_from": first, **({"valid_until": last} if last > first else {})}
        yield sdo("indicator", f"indicator--{attribute.uuid}", made, made, **text, **kept, **own)
    else:
        seen = {"first_observed": first, "last_observed": last, "number_observed": 1, "object_refs": [observable["id"]]}
        more = {"x_misp_comment": comment, "x_misp_value": attribute.value if _is_joined(attribute.type) else None}
        yield sdo("observed-data", f"observed-data--{attribute.uuid}", made, made, **seen, **own, **more)
        yield observable


def tags(told: Mapping[str, Any]) -> list[str]:
    """The names of the tags of an event or attribute."""
    found = told.get("Tag")
    return (
        list(dict.fromkeys(n for tag in found if isinstance(tag, dict) and (n := _text(tag.get("name")))))
        if isinstance(found, list)
        else []
    )


def vulnerability(attribute: Attribute, tell: Tell) -> StixObject:
    """A vulnerability by its number."""
    _tell_what_is_left_out(attribute, tell)
    name = attribute.value.strip()
    references = [{"source_name": "cve", "external_id": name}] if name.upper().startswith("CVE-") else None
    made, comment = attribute.moment, _text(attribute.told.get("comment"))
    more = {"name": name, "description": comment, "external_references": references, "labels": tags(attribute.told)}
    return sdo("vulnerability", f"vulnerability--{attribute.uuid}", made, made, **more)


def reference(attribute: Attribute, tell: Tell) -> dict[str, str]:
    """An article about the event, as an external reference."""
    _tell_what_is_left_out(attribute, tell)
    comment = _text(attribute.told.get("comment"))
    own = {"source_name": _text(attribute.told.get("category")) or "MISP", "url": attribute.value}
    return own | ({"description": comment} if comment else {})


def _tell_what_is_left_out(attribute: Attribute, tell: Tell) -> None:
    for name, value in attribute.told.items():
        if name in _HOMES or value in (None, "", [], {}, "0", False):
            continue
        if name in _UNTOLD:
            tell(
                f"{attribute.path}{step_of(name)}",
                "local-to-misp",
                "numbers and settings of the MISP it comes from are left out",
            )
        elif name == "data":
            tell(
                f"{attribute.path}.data",
                "sample-left-out",
                "the file itself is left out; its name and hashes are taken",
            )
        else:
            tell(f"{attribute.path}{step_of(name)}", "no-home", "what STIX has no place for is left out")


def _observable(attribute: Attribute, tell: Tell) -> StixObject | None:
    left, joined, right = attribute.value.partition("|")
    kinds = _TYPES_OF_FILES.get(attribute.type, attribute.type).split("|")
    if not joined and attribute.type in _TYPES_OF_FILES:
        kinds = ["filename"]
    if len(kinds) == 1:
        return _single(kinds[0], attribute.value, attribute.path, tell)
    if not joined or len(kinds) != 2:
        return None
    one, other = (_single(kind, value, attribute.path, tell) for kind, value in zip(kinds, (left, right), strict=True))
    if one and other and one["type"] == other["type"] == "file":
        return sco("file", **{k: v for part in (other, one) for k, v in part.items() if k in ("name", "hashes")})
    return one


def _single(kind: str, value: str, path: str, tell: Tell) -> StixObject | None:
    ours = KINDS.get(kind)
    if ours is None:
        return None
    text = value.strip()
    if ours in _DEFANGED and (live := refanged(text)) is not None and live != text:
        tell(path, "refanged", "a value that was made harmless stands as it was seen")
        text = live
    if ours == "ip":
        ours = "ipv6" if ":" in text else "ipv4"
    found = of_value(ours, text)
    if found is None:
        tell(path, "not-of-its-type", "a value is not what its type says: it is kept in words alone")
    return found


def _is_joined(kind: str) -> bool:
    return "|" in kind


def _named(kind: str) -> str:
    return "".join(char if char.isalnum() else "-" for char in kind.lower())[:40]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def fallback_uuid(*parts: str) -> str:
    """Of something that states none, or none that is one."""
    return made_id("misp", *parts).partition("--")[2]
