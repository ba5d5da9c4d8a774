"""Events as two organizations report them: the same files, victim and words, so that the reports must be found to be one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_OID, uuid5

_MOMENT = "2026-03-02T12:00:00.000Z"
_GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"


@dataclass(frozen=True, slots=True)
class Event:
    """One organization's report of the event with this number."""

    number: int
    reporter: int
    incident_id: str
    bundle: dict[str, Any]
    """A STIX 2.1 bundle."""


def event(number: int, reporter: int) -> Event:
    """The report of event `number` by reporter `reporter`: equal arguments, equal report."""
    incident = _sdo("incident", number, reporter, name=f"Wiper {_digest(number, 'w')[:12]} at hospital {number}")
    victim = _sdo(
        "identity", number, reporter, name=f"Hospital {_digest(number, 'v')[:12]}", identity_class="organization"
    )
    files = [_file(_digest(number, part)) for part in "abc"]
    targets = _relationship(number, reporter, "targets", incident, victim)
    seen = [
        _relationship(number, reporter, f"related-to {position}", incident, file) for position, file in enumerate(files)
    ]
    bundle_id = f"bundle--{_uuid(number, reporter, 'bundle')}"
    objects = [incident, victim, targets, *files, *seen]
    return Event(number, reporter, incident["id"], {"type": "bundle", "id": bundle_id, "objects": objects})


def _sdo(kind: str, number: int, reporter: int, **properties: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "spec_version": "2.1",
        "id": f"{kind}--{_uuid(number, reporter, kind + str(properties.get('relationship_type', '')) + _end(properties))}",
        "created": _MOMENT,
        "modified": _MOMENT,
        "object_marking_refs": [_GREEN],
        **properties,
    }


def _relationship(
    number: int, reporter: int, verb: str, source: dict[str, Any], target: dict[str, Any]
) -> dict[str, Any]:
    ends = {"source_ref": source["id"], "target_ref": target["id"]}
    return _sdo("relationship", number, reporter, relationship_type=verb.partition(" ")[0], **ends)


def _file(sha256: str) -> dict[str, Any]:
    return {
        "type": "file",
        "spec_version": "2.1",
        "id": f"file--{uuid5(NAMESPACE_OID, sha256)}",
        "hashes": {"SHA-256": sha256},
    }


def _end(properties: dict[str, Any]) -> str:
    return str(properties.get("target_ref", ""))


def _uuid(number: int, reporter: int, what: str) -> str:
    return str(uuid5(NAMESPACE_OID, f"kentongan chaos {number} {reporter} {what}"))


def _digest(number: int, part: str) -> str:
    return hashlib.sha256(f"kentongan chaos {number} {part}".encode()).hexdigest()
