"""Which objects of a submission belong to which of its incidents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

StixObject = Mapping[str, Any]
"""A parsed STIX object; its values are whatever JSON held, hence Any."""

HUBS = frozenset(
    {
        "identity",
        "location",
        "marking-definition",
        "extension-definition",
        "attack-pattern",
        "course-of-action",
        "language-content",
    }
)
"""Types that many incidents share without having anything to do with each other: they belong, but lead no further."""

_NOT_TIES = frozenset({"created_by_ref", "object_marking_refs", "granular_markings"})


def listed(stix: StixObject, name: str) -> list[Any]:
    """A list property; empty where it is missing or no list."""
    value = stix.get(name)
    return value if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All current objects of a submission, indexed once: by id, and relationships by their source.

    `claimed` are the ids some relationship points at.
    """

    objects: Mapping[str, StixObject]
    relations: Mapping[str, Sequence[StixObject]]
    claimed: frozenset[str]

    @classmethod
    def of(cls, objects: Sequence[StixObject]) -> Surroundings:
        """Of several versions of an object the last one given counts."""
        current = {stix["id"]: stix for stix in objects}
        relations: dict[str, list[StixObject]] = defaultdict(list)
        for stix in current.values():
            if stix["type"] == "relationship":
                relations[str(stix.get("source_ref"))].append(stix)
        claimed = frozenset(str(one.get("target_ref")) for ones in relations.values() for one in ones)
        return cls(current, dict(relations), claimed)


def incidents_of(objects: Sequence[StixObject]) -> dict[str, set[str]]:
    """For each object id the ids of the incidents it belongs to; objects that belong to none are missing.

    An object belongs to the incident it is nearest to, over references in either direction: relationships, sightings,
    groupings, reports, notes, observed-data, references inside objects. Where two incidents are equally near it
    belongs to both, and leads neither of them further. Of a submission with one incident everything belongs to it.
    """
    incidents = [stix["id"] for stix in objects if stix["type"] == "incident"]
    if len(set(incidents)) == 1:
        return {stix["id"]: {incidents[0]} for stix in objects}
    return _nearest(incidents, _ties(objects)) if incidents else {}


def _ties(objects: Sequence[StixObject]) -> dict[str, set[str]]:
    ties: dict[str, set[str]] = defaultdict(set)
    here = {stix["id"] for stix in objects}
    for stix in objects:
        for other in references(stix):
            if other in here and other != stix["id"]:
                ties[stix["id"]].add(other)
                ties[other].add(stix["id"])
    return ties


def _nearest(incidents: Sequence[str], ties: Mapping[str, set[str]]) -> dict[str, set[str]]:
    owners: dict[str, set[str]] = {incident: {incident} for incident in incidents}
    frontier = list(owners)
    while frontier:
        reached: dict[str, set[str]] = defaultdict(set)
        for known in frontier:
            for other in ties.get(known, ()):
                if other not in owners:
                    reached[other] |= owners[known]
        owners |= reached
        frontier = [one for one, whose in reached.items() if len(whose) == 1 and one.partition("--")[0] not in HUBS]
    return owners


def references(stix: StixObject) -> Iterator[str]:
    """Every id an object refers to, at any depth, except who made it and how it is marked."""
    waiting: list[Any] = [stix]  # Any: the walk goes through whatever JSON held
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            for name, value in part.items():
                if name.endswith("_ref") and isinstance(value, str) and name not in _NOT_TIES:
                    yield value
                elif name.endswith("_refs") and isinstance(value, list) and name not in _NOT_TIES:
                    yield from (one for one in value if isinstance(one, str))
                elif isinstance(value, dict | list) and name not in _NOT_TIES:
                    waiting.append(value)
        elif isinstance(part, list):
            waiting.extend(part)
