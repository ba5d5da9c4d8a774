"""What becomes of a submitted object, given what is already there: STIX versioning and whose object it is.

Source: STIX 2.1 section 3.6 (versioning). Whose an id is, and what others may learn of that, is design: an id belongs to the
organization that first submitted it, nobody else's newer version replaces it, and a submitter is told of another's object
only where it may see that object anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from kentongan.domain.marking import DEFAULT_LEVEL, Level, level_of, levels_defined


class Outcome(StrEnum):
    """What became of one object."""

    ACCEPTED = "accepted"
    NEW_VERSION = "new version"
    UNCHANGED = "unchanged"
    OLDER_KEPT = "older version kept"
    CONFLICT = "conflict"
    REFUSED = "refused"


CHANGES_NOTHING = frozenset({Outcome.CONFLICT, Outcome.REFUSED})

SCO_TYPES = frozenset(
    {
        *("artifact", "autonomous-system", "directory", "domain-name", "email-addr", "email-message", "file"),
        *("ipv4-addr", "ipv6-addr", "mac-addr", "mutex", "network-traffic", "process", "software", "url"),
        *("user-account", "windows-registry-key", "x509-certificate"),
    }
)
_CARRIED_BY_MANY = SCO_TYPES | {
    "marking-definition",
    "extension-definition",
    "identity",
    "language-content",
    "location",
}
_PUBLIC_KNOWLEDGE = frozenset({"mitre-attack", "mitre-mobile-attack", "mitre-ics-attack", "capec"})

KEPT_AS_OWN = "This id belongs to the organization that submitted it first; yours is kept as your own object beside it."


@dataclass(frozen=True, slots=True)
class Known:
    """One stored content of an object id, as its next submitter stands to it."""

    key: int
    """Its stix_object id, or a negative place-holder for one that comes in the same document."""
    modified: datetime | None
    sha256: bytes
    mine: bool
    """The submitter carried this content before."""
    my_level: Level | None
    """The strictest level the submitter carried it with."""
    visible: bool
    """The submitter may see it."""


@dataclass(frozen=True, slots=True)
class Arriving:
    """The content that arrives."""

    modified: datetime | None
    sha256: bytes
    many: bool
    """Objects of its kind are carried by many (carried_by_many)."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of it; `twin` is the key of the same content where it is stored already."""

    outcome: Outcome
    note: str | None = None
    twin: int | None = None


def decide(arriving: Arriving, known: Sequence[Known]) -> Decision:
    """The outcome for one object. `known` holds every stored content of its id, first stored first."""
    twin = next((k for k in known if k.sha256 == arriving.sha256), None)
    if twin is not None and twin.mine:
        return Decision(Outcome.UNCHANGED, twin=twin.key)
    key = twin.key if twin is not None else None
    mine = [k for k in known if k.mine]
    if arriving.many or not mine:
        others = not arriving.many and not mine and known and known[0].visible
        return Decision(Outcome.ACCEPTED, KEPT_AS_OWN if others else None, key)
    return _among_own_versions(arriving.modified, mine, key)


def _among_own_versions(modified: datetime | None, mine: Sequence[Known], twin: int | None) -> Decision:
    if modified is None or any(k.modified == modified for k in mine):
        return Decision(
            Outcome.CONFLICT, "Another content with the same id and the same modified is stored; it stays as it is."
        )
    if any(k.modified is not None and k.modified > modified for k in mine):
        return Decision(Outcome.OLDER_KEPT, "A newer version is stored; this one is kept as history.", twin)
    return Decision(Outcome.NEW_VERSION, twin=twin)


def carried_by_many(obj: Mapping[str, Any]) -> bool:
    """Whether several organizations naturally send this object, so that twins of its id are no conflict."""
    if obj["type"] in _CARRIED_BY_MANY:
        return True
    references = obj.get("external_references") or ()
    return any(isinstance(ref, Mapping) and ref.get("source_name") in _PUBLIC_KNOWLEDGE for ref in references)


def levels_carried(objects: Sequence[Mapping[str, Any]]) -> list[Level]:
    """The level each object of one submission is carried with, in their order.

    Its own strictest marking counts. Without one it is AMBER, but never looser than the strictest incident it came with:
    an unmarked indicator must not tell what its RED incident hides. What many carry takes the level of those incidents.
    """
    defined = levels_defined(objects)
    own = [level_of(obj, defined) for obj in objects]
    incidents = [
        DEFAULT_LEVEL if lv is None else lv for lv, obj in zip(own, objects, strict=True) if obj["type"] == "incident"
    ]
    strictest = max(incidents, default=None)
    unmarked = max(DEFAULT_LEVEL, strictest or DEFAULT_LEVEL)
    unmarked_of_many = DEFAULT_LEVEL if strictest is None else strictest
    return [
        lv if lv is not None else (unmarked_of_many if carried_by_many(obj) else unmarked)
        for lv, obj in zip(own, objects, strict=True)
    ]
