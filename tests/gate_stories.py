"""Small STIX objects for the tests of the gate, and the way through it."""

from __future__ import annotations

import json
from typing import Any

from kentongan.domain.gate import Checked, Unreadable, check, read
from kentongan.domain.gate.problem import Problem

GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
RED = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
TLP_1_AMBER = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"
CERT = "identity--b9f0863f-11ed-40ff-84cf-5befdb1198dc"
UUID = "2f6d8a1c-7b0e-4c39-9d55-0a4c1e8b7f21"
MORNING = "2026-03-01T08:00:00.000Z"
NOON = "2026-03-01T12:00:00.000Z"


def sdo(kind: str, **properties: Any) -> dict[str, Any]:
    """A domain object or relationship with its common properties, marked TLP:GREEN."""
    return {
        "type": kind,
        "spec_version": "2.1",
        "id": f"{kind}--{UUID}",
        "created": MORNING,
        "modified": MORNING,
        "object_marking_refs": [GREEN],
        **properties,
    }


def incident(**properties: Any) -> dict[str, Any]:
    return sdo("incident", **{"name": "Ransomware at a hospital", **properties})


def indicator(pattern: str, **properties: Any) -> dict[str, Any]:
    return sdo("indicator", **{"pattern": pattern, "pattern_type": "stix", "valid_from": MORNING, **properties})


def sco(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": kind, "spec_version": "2.1", "id": f"{kind}--{UUID}", **properties}


def without(obj: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in obj.items() if key != name}


def bundle(*objects: Any, **properties: Any) -> bytes:
    return json.dumps({"type": "bundle", "id": f"bundle--{UUID}", "objects": list(objects), **properties}).encode()


def through_the_gate(*objects: Any) -> list[Checked]:
    return check(read(bundle(*objects)))


def alone(obj: dict[str, Any]) -> Checked:
    return through_the_gate(obj)[0]


def rules_of(problems: tuple[Problem, ...]) -> set[str]:
    return {problem.rule for problem in problems}


def refusal(raw: bytes) -> tuple[Problem, ...]:
    """The problems of a document that is refused as a whole; fails when it is not."""
    try:
        read(raw)
    except Unreadable as unreadable:
        return unreadable.problems
    raise AssertionError("the document was read")
