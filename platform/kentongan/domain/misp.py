"""A MISP event as a STIX 2.1 incident. What STIX has a place for is put there; the rest is told, place by place.

Source: MISP core format (draft-dulaunoy-misp-core-format). An event becomes one incident and what belongs to it, made by the
organization that published it; attributes are in domain/misp_attributes.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from kentongan.domain.feeding import Change
from kentongan.domain.gate.survey import step_of
from kentongan.domain.marking import Level
from kentongan.domain.misp_attributes import (
    Attribute,
    fallback_uuid,
    in_stix,
    moment_of,
    reference,
    tags,
    vulnerability,
)
from kentongan.domain.stix_making import FIRST_MOMENT, StixObject, made_id, marked, once, relationship, sdo
from kentongan.domain.timestamp import parse_timestamp

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TLP: Final = re.compile(r"tlp:(white|clear|green|amber\+strict|amber|red|ex:chr)", re.IGNORECASE)
_LEVELS: Final = {
    "white": Level.CLEAR,
    "clear": Level.CLEAR,
    "green": Level.GREEN,
    "amber": Level.AMBER,
    "amber+strict": Level.AMBER_STRICT,
    "ex:chr": Level.RED,
    "red": Level.RED,
}
_THREAT_LEVELS: Final = {"1": "high", "2": "medium", "3": "low", "4": "undefined"}
_ANALYSES: Final = {"0": "initial", "1": "ongoing", "2": "complete"}
_HOMES: Final = frozenset(
    "uuid info date timestamp threat_level_id analysis Orgc Tag Galaxy Attribute Object EventReport extends_uuid".split()
)
_LOCAL: Final = frozenset(
    "id orgc_id org_id Org attribute_count distribution sharing_group_id SharingGroup proposal_email_lock locked published "
    "publish_timestamp disable_correlation protected RelatedEvent Feed sighting_timestamp event_id object_id galaxy_id "
    "template_uuid template_version meta-category deleted local collection_uuid source authors version icon namespace tag_id "
    "tag_name default".split()
)
_OF_AN_OBJECT: Final = frozenset({"uuid", "name", "comment", "timestamp", "Attribute"})
_OF_A_REPORT: Final = frozenset({"uuid", "name", "content", "timestamp"})
_OF_A_PUBLISHER: Final = frozenset({"uuid", "name"})
_OF_A_GALAXY: Final = frozenset({"uuid", "name", "type", "description", "GalaxyCluster"})
_OF_A_CLUSTER: Final = frozenset({"uuid", "type", "value", "description", "meta"})
_OF_META: Final = frozenset({"synonyms", "external_id"})
_TECHNIQUE: Final = re.compile(r"\bT[0-9]{4}(?:\.[0-9]{3})?\b")
_CLUSTERS: Final[Mapping[str, tuple[str, str]]] = {
    "threat-actor": ("threat-actor", "attributed-to"),
    "intrusion-set": ("intrusion-set", "attributed-to"),
    "attack-pattern": ("attack-pattern", "uses"),
    "malware": ("malware", "uses"),
    "malpedia": ("malware", "uses"),
    "ransomware": ("malware", "uses"),
    "rat": ("malware", "uses"),
    "banker": ("malware", "uses"),
    "botnet": ("malware", "uses"),
    "stealer": ("malware", "uses"),
    "backdoor": ("malware", "uses"),
    "tool": ("tool", "uses"),
    "course-of-action": ("course-of-action", "related-to"),
}
"""What a cluster of a galaxy is, by how the galaxy's type ends, and how an incident is tied to it."""


def events_in(tree: object) -> list[tuple[str, Mapping[str, Any]]]:
    """The events of an export, a feed's file or an answer of MISP's API, each with its path."""
    if isinstance(tree, list):
        return [found for n, each in enumerate(tree) for found in _below(each, f"$[{n}]")]
    if isinstance(tree, dict) and "response" in tree:
        inner = tree["response"]
        if isinstance(inner, list):
            return [found for n, each in enumerate(inner) for found in _below(each, f"$.response[{n}]")]
        return _below(inner, "$.response")
    return _below(tree, "$")


def _below(tree: object, path: str) -> list[tuple[str, Mapping[str, Any]]]:
    event = tree.get("Event") if isinstance(tree, dict) else None
    return [(f"{path}.Event", event)] if isinstance(event, dict) else []


def incident_of(event: Mapping[str, Any], path: str) -> tuple[list[StixObject], list[Change]]:
    """The objects of one event, the incident first, and what was changed or has no home. Raises nothing."""
    conversion = _Conversion(event, path)
    return conversion.objects(), conversion.changes


class _Conversion:
    """One event on its way."""

    def __init__(self, event: Mapping[str, Any], path: str) -> None:
        self.changes: list[Change] = []
        self._event = event
        self._path = path
        self._uuid = self._uuid_of(event, path)
        self._modified = moment_of(event.get("timestamp")) or self._day() or FIRST_MOMENT
        self._created = min(self._day() or self._modified, self._modified)
        self._incident_id = f"incident--{self._uuid}"
        self._references: list[dict[str, str]] = []

    def objects(self) -> list[StixObject]:
        publisher = self._publisher()
        belonging = [*self._attributes(), *self._objects(), *self._reports(), *self._clusters(self._event, self._path)]
        belonging += self._extended()
        self._left_out(self._event, self._path, _HOMES)
        made = [
            obj if obj["type"] in _WITHOUT_MAKER else {**obj, "created_by_ref": publisher["id"]} for obj in belonging
        ]
        incident = {**self._incident(), "created_by_ref": publisher["id"]}
        level = self._level(self._event)
        return [*marked([incident], level), publisher, *marked(once(made), level)]

    def _incident(self) -> StixObject:
        event = self._event
        labels = tags(event)
        for name, words in (("threat_level_id", _THREAT_LEVELS), ("analysis", _ANALYSES)):
            if (word := words.get(str(event.get(name)))) is not None:
                labels.append(f'misp:{name.removesuffix("_id").replace("_", "-")}="{word}"')
            elif event.get(name) is not None:
                self._tell(f"{self._path}.{name}", "unknown-word", "a word that MISP does not define is left out")
        info = _text(event.get("info"))
        if info is None:
            self._tell(f"{self._path}.info", "untitled", "an event without a title is called so")
        more = {"name": info or "MISP event without a title", "labels": labels, "external_references": self._references}
        return sdo("incident", self._incident_id, self._created, self._modified, **more)

    def _publisher(self) -> StixObject:
        told = self._event.get("Orgc") or self._event.get("Org")
        told = told if isinstance(told, dict) else {}
        self._left_out(told, f"{self._path}.Orgc", _OF_A_PUBLISHER)
        name = _text(told.get("name")) or "unknown organization"
        stix_id = f"identity--{told['uuid'].lower()}" if _is_uuid(told.get("uuid")) else made_id("identity", name)
        return sdo("identity", stix_id, FIRST_MOMENT, FIRST_MOMENT, name=name, identity_class="organization")

    def _attributes(self) -> Iterator[StixObject]:
        for n, told in enumerate(_listed(self._event, "Attribute")):
            yield from self._attribute(told, f"{self._path}.Attribute[{n}]")

    def _attribute(self, told: object, path: str) -> list[StixObject]:
        read = self._read(told, path)
        if read is None:
            return []
        found = [*self._clusters(read.told, path)]
        if read.type in ("link", "url") and read.told.get("category") == "External analysis":
            self._references.append(reference(read, self._tell))
            return found
        if read.type == "vulnerability":
            made = [vulnerability(read, self._tell)]
            made.append(relationship(self._incident_id, "related-to", made[0]["id"], self._created, self._modified))
        else:
            made = list(in_stix(read, self._incident_id, self._tell))
        return [*marked(made, self._level(read.told)), *found]

    def _read(self, told: object, path: str) -> Attribute | None:
        kind, value = (_text(told.get(name)) for name in ("type", "value")) if isinstance(told, dict) else (None, None)
        if not isinstance(told, dict) or kind is None or value is None:
            self._tell(path, "no-attribute", "something that is no attribute is left out")
            return None
        if told.get("deleted") in (True, "1", 1):
            self._tell(path, "deleted", "what was deleted at the source is left out")
            return None
        moment = moment_of(told.get("timestamp")) or self._modified
        return Attribute(path, told, self._uuid_of(told, path, kind, value), kind, value, moment)

    def _objects(self) -> Iterator[StixObject]:
        for n, told in enumerate(_listed(self._event, "Object")):
            path = f"{self._path}.Object[{n}]"
            if not isinstance(told, dict) or told.get("deleted") in (True, "1", 1):
                self._tell(path, "no-object", "what is no object, or was deleted at the source, is left out")
                continue
            parts = [
                self._attribute(each, f"{path}.Attribute[{m}]") for m, each in enumerate(_listed(told, "Attribute"))
            ]
            yield from (obj for part in parts for obj in part)
            refs = list(dict.fromkeys(part[0]["id"] for part in parts if part))
            self._left_out(told, path, _OF_AN_OBJECT)
            if refs:
                yield self._grouping(told, path, refs)

    def _grouping(self, told: Mapping[str, Any], path: str, refs: list[str]) -> StixObject:
        """The parts of a MISP object belong together."""
        moment = moment_of(told.get("timestamp")) or self._modified
        more = {"name": _text(told.get("name")), "description": _text(told.get("comment")), "context": "misp-object"}
        return sdo("grouping", f"grouping--{self._uuid_of(told, path)}", moment, moment, **more, object_refs=refs)

    def _reports(self) -> Iterator[StixObject]:
        for n, told in enumerate(_listed(self._event, "EventReport")):
            path = f"{self._path}.EventReport[{n}]"
            content = _text(told.get("content")) if isinstance(told, dict) else None
            if content is None:
                self._tell(path, "empty-report", "a report without words is left out")
                continue
            self._left_out(told, path, _OF_A_REPORT)
            moment = moment_of(told.get("timestamp")) or self._modified
            note_id = f"note--{self._uuid_of(told, path)}"
            words = {"abstract": _text(told.get("name")), "content": content, "object_refs": [self._incident_id]}
            yield sdo("note", note_id, moment, moment, **words)

    def _clusters(self, told: Mapping[str, Any], path: str) -> Iterator[StixObject]:
        for n, galaxy in enumerate(_listed(told, "Galaxy")):
            where = f"{path}.Galaxy[{n}]"
            if not isinstance(galaxy, dict):
                self._tell(where, "cluster-left-out", _NO_CLUSTER)
                continue
            self._left_out(galaxy, where, _OF_A_GALAXY)
            for m, cluster in enumerate(_listed(galaxy, "GalaxyCluster")):
                yield from self._cluster(cluster, str(galaxy.get("type", "")), f"{where}.GalaxyCluster[{m}]")

    def _cluster(self, cluster: object, galaxy: str, path: str) -> Iterator[StixObject]:
        name = _text(cluster.get("value")) if isinstance(cluster, dict) else None
        kinds = next((kinds for ending, kinds in _CLUSTERS.items() if galaxy.endswith(ending)), None)
        if not isinstance(cluster, dict) or name is None or kinds is None:
            self._tell(path, "cluster-left-out", _NO_CLUSTER)
            return
        kind, verb = kinds
        meta = cluster["meta"] if isinstance(cluster.get("meta"), dict) else {}
        aliases = [each for each in _listed(meta, "synonyms") if isinstance(each, str) and each != name]
        more: dict[str, Any] = {"description": _text(cluster.get("description"))}
        more |= {"aliases": aliases} if kind not in ("attack-pattern", "course-of-action") else {}
        more |= {"is_family": True} if kind == "malware" else {}
        technique = _TECHNIQUE.search(" ".join([name, *map(str, _listed(meta, "external_id"))]))
        numbers = [("mitre-attack", technique[0])] if kind == "attack-pattern" and technique else []
        numbers += [("misp-galaxy", uuid)] if (uuid := _text(cluster.get("uuid"))) else []
        more["external_references"] = [{"source_name": source, "external_id": number} for source, number in numbers]
        self._left_out(cluster, path, _OF_A_CLUSTER)
        self._left_out(meta, f"{path}.meta", _OF_META)
        stix_id = made_id(kind, galaxy, name)  # not of the UUID: some galaxies give one to all their clusters
        yield sdo(kind, stix_id, FIRST_MOMENT, self._modified, name=name, **more)
        yield relationship(self._incident_id, verb, stix_id, self._created, self._modified)

    def _extended(self) -> list[StixObject]:
        extended = self._event.get("extends_uuid")
        if not _is_uuid(extended):
            return []
        other = f"incident--{str(extended).lower()}"
        return [relationship(self._incident_id, "related-to", other, self._created, self._modified)]

    def _left_out(self, told: Mapping[str, Any], path: str, homes: frozenset[str]) -> None:
        """Tell of everything that says something and is not among what was taken."""
        for name, value in told.items():
            where = f"{path}{step_of(name)}"
            if name in homes or value in (None, "", [], {}, "0", False):
                continue
            if name in _LOCAL:
                self._tell(where, "local-to-misp", "numbers and settings of the MISP it comes from are left out")
            elif name == "event_creator_email":
                self._tell(where, "person-left-out", "the mail address of who made the event is left out")
            else:
                self._tell(where, "no-home", "what STIX has no place for is left out")

    def _level(self, told: Mapping[str, Any]) -> Level | None:
        found = [_LEVELS[match[1].lower()] for name in tags(told) if (match := _TLP.fullmatch(name.strip()))]
        return max(found, default=None)

    def _uuid_of(self, told: Mapping[str, Any], path: str, *parts: str) -> str:
        if _is_uuid(told.get("uuid")):
            return str(told["uuid"]).lower()
        self._tell(path, "uuid-made", "what states no UUID was given one, made of what it says")
        return fallback_uuid(str(self._event.get("uuid")), path, *parts)

    def _day(self) -> str | None:
        day = self._event.get("date")
        if not isinstance(day, str) or not _DAY.fullmatch(day):
            return None
        return moment if parse_timestamp(moment := f"{day}T00:00:00.000Z") else None

    def _tell(self, path: str, rule: str, words: str) -> None:
        self.changes.append(Change(path, rule, words))


_NO_CLUSTER: Final = "a galaxy that STIX has no object for stays as a label alone"
_WITHOUT_MAKER: Final = frozenset(
    "ipv4-addr ipv6-addr domain-name url email-addr mac-addr autonomous-system file mutex windows-registry-key "
    "cryptocurrency-wallet threat-actor intrusion-set attack-pattern malware tool course-of-action".split()
)
"""Observables have no maker, and clusters of galaxies were made by others."""


def _listed(told: Mapping[str, Any], name: str) -> list[Any]:
    value = told.get(name)
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _is_uuid(value: object) -> bool:
    if not isinstance(value, str) or len(value) != 36:
        return False
    try:
        return str(UUID(value)) == value.lower()
    except ValueError:
        return False
