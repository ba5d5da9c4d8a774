"""A MISP feed: events in MISP's core format, the manifest that names them, and the hashes by which values are looked up.

Source: MISP core format (draft-dulaunoy-misp-core-format), and how MISP fetches feeds: manifest.json first, then `<uuid>.json`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final
from uuid import UUID, uuid5

import orjson

from kentongan.domain.feeds import FeedHead, FeedIncident, FeedValue, Rows
from kentongan.domain.incident import Observable
from kentongan.domain.pap import Use
from kentongan_feeds.outbound.formats.text import one_line, writable

_NAMESPACE: Final = UUID("3e1a7a1c-3a4d-5c3e-9a0e-6a5e0b2f8d41")
_UNDEFINED: Final = "4"
"""MISP's threat level for what nobody said."""
_ONGOING: Final = "1"

TYPES: Final[dict[str, tuple[str, str]]] = {
    "ipv4": ("ip-dst", "Network activity"),
    "ipv6": ("ip-dst", "Network activity"),
    "cidr": ("ip-dst", "Network activity"),
    "domain": ("domain", "Network activity"),
    "url": ("url", "Network activity"),
    "email": ("email", "Network activity"),
    "mac": ("mac-address", "Network activity"),
    "asn": ("AS", "Network activity"),
    "user-agent": ("user-agent", "Network activity"),
    **{name: (name, "Payload delivery") for name in ("md5", "sha1", "sha256", "sha512", "ssdeep", "tlsh", "imphash")},
    "file-name": ("filename", "Payload delivery"),
    "mutex": ("mutex", "Artifacts dropped"),
    "registry-key": ("regkey", "Artifacts dropped"),
}
_OTHER: Final = ("text", "Other")
"""What MISP has no type of the same meaning for; the comment says what it is."""


@dataclass(frozen=True, slots=True)
class MispManifest:
    """All events by their ids."""

    name: str = "misp/manifest.json"
    says: str = (
        "A MISP feed: give MISP the address without manifest.json. A reader of feeds as PyMISP has it does as well."
    )
    media_type: str = "application/json"
    rows: Rows = Rows.EVENTS
    use: Use = Use.READ
    kinds: None = None
    newest: None = None

    def lines(self, _head: FeedHead, rows: Iterable[FeedIncident]) -> Iterator[str]:
        """One object, an event a line."""
        yield "{"
        for number, one in enumerate(rows):
            event = _about(one)
            named = {key: event[key] for key in ("info", "date", "analysis", "threat_level_id", "timestamp")}
            told = {"Orgc": event["Orgc"], "Tag": event["Tag"], **named}
            yield f"{',' if number else ''}\n{orjson.dumps(one.id).decode()}:{orjson.dumps(told).decode()}"
        yield "\n}\n"


@dataclass(frozen=True, slots=True)
class MispHashes:
    """MD5 of each value with its event, by which MISP knows what a feed holds without fetching its events."""

    name: str = "misp/hashes.csv"
    says: str = "The MISP feed's hashes; MISP finds them by itself."
    media_type: str = "text/csv; charset=utf-8; header=absent"
    rows: Rows = Rows.EVENTS
    use: Use = Use.READ
    kinds: None = None
    newest: None = None

    def lines(self, _head: FeedHead, rows: Iterable[FeedIncident]) -> Iterator[str]:
        """A hash and an event's id a line."""
        for one in rows:
            for value in _told(one.values):
                digest = hashlib.md5(writable(value).encode(), usedforsecurity=False).hexdigest()
                yield f"{digest},{one.id}\n"


def event_of(one: FeedIncident) -> str:
    """An incident as MISP imports it, as JSON. The ids of its attributes follow from the event and the value."""
    event = _about(one)
    return orjson.dumps({"Event": {**event, "Attribute": [_attribute(one, each) for each in one.values]}}).decode()


def _about(one: FeedIncident) -> dict[str, Any]:
    facts = one.facts
    happened = facts.happened.at if facts.happened is not None else one.received_at
    return {
        "uuid": one.id,
        "info": one_line(facts.title, 60_000) or "Without a title",
        "date": happened.astimezone(UTC).date().isoformat(),
        "timestamp": str(int(one.amended_at.timestamp())),
        "publish_timestamp": str(int(one.amended_at.timestamp())),
        "published": True,
        "analysis": _ONGOING,
        "threat_level_id": _UNDEFINED,
        "distribution": "0",
        "Orgc": {
            "name": one_line(one.reporter) or "unknown",
            "uuid": str(uuid5(_NAMESPACE, writable(f"organization {one.reporter}"))),
        },
        "Tag": [{"name": name} for name in _tags(one)],
    }


def _tags(one: FeedIncident) -> list[str]:
    facts = one.facts
    tags = [one.tlp.label.lower(), *([one.pap.label] if one.pap is not None else [])]
    if facts.rsit_class and facts.rsit_type:
        tags.append(f'rsit:{one_line(facts.rsit_class)}="{one_line(facts.rsit_type)}"')
    return tags


def _attribute(one: FeedIncident, each: FeedValue) -> dict[str, Any]:
    kind, category = TYPES.get(each.observable.kind, _OTHER)
    tags = [each.tlp.label.lower(), *([each.pap.label] if each.pap is not None else [])]
    return {
        "uuid": str(uuid5(UUID(one.id), writable(f"{each.observable.kind} {each.observable.value}"))),
        "type": kind,
        "category": category,
        "value": _value(each.observable),
        "to_ids": each.may_block,
        "timestamp": str(int(one.amended_at.timestamp())),
        "distribution": "5",
        "comment": "" if each.observable.kind in TYPES else each.observable.kind,
        "Tag": [{"name": name} for name in tags],
    }


def _told(values: Iterable[FeedValue]) -> Iterator[str]:
    """Each value once."""
    yield from dict.fromkeys(_value(each.observable) for each in values)


def _value(observable: Observable) -> str:
    return writable(observable.value) if observable.kind == "other" else one_line(observable.value, 60_000)
