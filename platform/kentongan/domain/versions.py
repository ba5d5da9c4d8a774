"""What becomes of a submitted object, given what is already there: STIX versioning and whose object it is.

Source: STIX 2.1 section 3.6 (versioning). Whose an id is, and what others may learn of that, is design: an id belongs to the
organization that first submitted it, nobody else's newer version replaces it, and a submitter is told of another's object
only where it may see that object anyway.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import reduce
from operator import and_
from typing import Any

from kentongan.domain.marking import DEFAULT_LEVEL, Terms, granular_terms, own_terms, terms_defined


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
_KNOWLEDGE_TYPES = frozenset({"attack-pattern", "campaign", "course-of-action", "intrusion-set", "malware", "tool"})
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
    visible: bool
    """The submitter may see it."""
    owned: bool = True
    """Nobody else sent this content before: of the first, that the id is the submitter's."""


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


class History:
    """The stored contents of one object id, asked in the same time however many there are."""

    def __init__(self, contents: Iterable[Known] = ()) -> None:
        self._by_content: dict[bytes, Known] = {}
        self._my_versions: set[datetime | None] = set()
        self.first: Known | None = None
        self.newest_of_mine: Known | None = None
        for known in contents:
            self.add(known)

    def add(self, known: Known) -> None:
        """One more content, stored after those that are here."""
        self.first = self.first or known
        self._by_content.setdefault(known.sha256, known)
        if not known.mine:
            return
        self._my_versions.add(known.modified)
        newest = self.newest_of_mine
        if newest is None or _later(known.modified, newest.modified):
            self.newest_of_mine = known

    @property
    def owned(self) -> bool:
        """Whether the id is the submitter's: nobody sent a content of it before, or it was the submitter."""
        return self.first is None or self.first.owned

    def twin(self, sha256: bytes) -> Known | None:
        """The same content, where it is stored."""
        return self._by_content.get(sha256)

    def has_mine(self, modified: datetime | None) -> bool:
        """Whether the submitter carried a version of this moment."""
        return modified in self._my_versions


def _later(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and (other is None or one > other)


def decide(arriving: Arriving, history: History) -> Decision:
    """The outcome for one object, given what is stored of its id."""
    twin = history.twin(arriving.sha256)
    if twin is not None and twin.mine:
        return Decision(Outcome.UNCHANGED, twin=twin.key)
    key = twin.key if twin is not None else None
    newest = history.newest_of_mine
    if arriving.many or newest is None:
        others = not arriving.many and newest is None and history.first is not None and history.first.visible
        return Decision(Outcome.ACCEPTED, KEPT_AS_OWN if others else None, key)
    if arriving.modified is None or history.has_mine(arriving.modified):
        return Decision(
            Outcome.CONFLICT, "Another content with the same id and the same modified is stored; it stays as it is."
        )
    if _later(newest.modified, arriving.modified):
        return Decision(Outcome.OLDER_KEPT, "A newer version is stored; this one is kept as history.", key)
    return Decision(Outcome.NEW_VERSION, twin=key)


def carried_by_many(obj: Mapping[str, Any]) -> bool:
    """Whether several organizations naturally send this object, so that twins of its id are no conflict."""
    if obj["type"] in _CARRIED_BY_MANY:
        return True
    # Only what ATT&CK itself consists of: an incident that refers to a technique stays its reporter's own.
    if obj["type"] not in _KNOWLEDGE_TYPES and not obj["type"].startswith("x-mitre-"):
        return False
    references = obj.get("external_references") or ()
    return any(isinstance(ref, Mapping) and ref.get("source_name") in _PUBLIC_KNOWLEDGE for ref in references)


def terms_carried(objects: Sequence[Mapping[str, Any]], known: Mapping[str, Terms]) -> list[Terms]:
    """The terms each object of one submission is carried under as a whole, in their order, settled.

    Its own markings count, all of them, a mask always. Without a level it is AMBER, but never looser than any incident it came
    with: an unmarked indicator must not tell what its RED incident hides. What many carry takes the terms of those incidents. What
    parts of objects add to this is told by `parts_beside` and domain/parts.py. `known` are marking-definitions of earlier
    submissions.
    """
    defined = terms_defined(objects, known)
    own = [own_terms(obj, defined) for obj in objects]
    incidents = [
        terms.settled(DEFAULT_LEVEL) for terms, obj in zip(own, objects, strict=True) if obj["type"] == "incident"
    ]
    strictest = reduce(and_, incidents) if incidents else None
    default = Terms(DEFAULT_LEVEL)
    unmarked = (default & strictest if strictest else default).settled(DEFAULT_LEVEL)
    unmarked_of_many = strictest or default
    return [
        terms.settled(DEFAULT_LEVEL)
        if terms.level is not None
        else _masked(unmarked_of_many if carried_by_many(obj) else unmarked, terms)
        for terms, obj in zip(own, objects, strict=True)
    ]


def _masked(default: Terms, own: Terms) -> Terms:
    return default & own if own.mask else default


def parts_beside(
    objects: Sequence[Mapping[str, Any]], carried: Sequence[Terms], defined: Mapping[str, Terms]
) -> list[frozenset[Terms]]:
    """For each object the terms of parts of incidents that it might tell, settled: its readers must be theirs as well.

    What states a level of its own tells what its sender lets it tell. All else that came with an incident is only for who may
    see every part of the incident, except the rest of the incident itself; a mask hides what it names and no more. `carried`
    are the terms of `terms_carried`.
    """
    parts = [
        _terms_of_parts(obj, own, defined) - {own} if obj["type"] == "incident" else frozenset[Terms]()
        for obj, own in zip(objects, carried, strict=True)
    ]
    counted = Counter(terms for own in parts for terms in own)
    everywhere = frozenset(counted)
    return [
        frozenset[Terms]()
        if own_terms(obj, defined).level is not None
        else frozenset(terms for terms in counted if counted[terms] > 1 or terms not in own)
        if own
        else everywhere
        for obj, own in zip(objects, parts, strict=True)
    ]


def _terms_of_parts(obj: Mapping[str, Any], own: Terms, defined: Mapping[str, Terms]) -> frozenset[Terms]:
    return frozenset(
        (own & terms).settled(DEFAULT_LEVEL) for terms, _ in granular_terms(obj, defined) if not terms.mask
    )
