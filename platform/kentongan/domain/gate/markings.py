"""Rules about markings: which level an object will be shared at, and what a sender should know about that."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kentongan.domain.gate.findings import Company, Findings, StixObject
from kentongan.domain.gate.problem import quoted
from kentongan.domain.gate.schema import TypeSchema
from kentongan.domain.gate.survey import step_of
from kentongan.domain.marking import (
    DEFAULT_LEVEL,
    TLP_1_IDS,
    TLP_2_EXTENSION,
    TLP_2_IDS,
    Level,
    level_of,
    levels_defined,
)

WELL_KNOWN = {**TLP_1_IDS, **TLP_2_IDS}


def known_levels(objects: Iterable[StixObject]) -> dict[str, Level]:
    """The TLP level of each marking that the standard or the document defines, by id."""
    return levels_defined(obj for obj in objects if is_definition(obj))


def is_definition(obj: StixObject) -> bool:
    """Whether this is a marking-definition whose shape lets its level be read."""
    return (
        obj.get("type") == "marking-definition"
        and isinstance(obj.get("id"), str)
        and isinstance(obj.get("extensions", {}), dict)
    )


def object_markings(obj: StixObject, schema: TypeSchema, company: Company, found: Findings) -> None:
    """TLP 1, unknown, conflicting or no markings: all accepted, all told to the sender."""
    refs = obj.get("object_marking_refs", ())
    if len(refs) == 1 and refs[0] in TLP_2_IDS:
        return
    levels = {company.levels[ref] for ref in refs if ref in company.levels}
    if not levels and schema.kind in {"sdo", "sro"} and level_of(obj, company.levels) is None:
        _no_level(bool(refs), found)
    if len(levels) > 1:
        _conflict(levels, found)
    for position, ref in enumerate(refs):
        _one_marking(ref, f".object_marking_refs[{position}]", company, found)


def _no_level(has_marking: bool, found: Findings) -> None:
    found.warn(
        ".object_marking_refs",
        "no-marking",
        f"no TLP marking{' among the markings' if has_marking else ''}, so it is read as {DEFAULT_LEVEL.label}",
        "Mark it with the TLP 2.0 level you mean.",
    )


def _conflict(levels: set[Level], found: Findings) -> None:
    named = ", ".join(level.label for level in sorted(levels))
    found.warn(
        ".object_marking_refs",
        "tlp-conflict",
        f"several TLP levels at once ({named}); the strictest wins: {max(levels).label}",
        "Keep the one you mean.",
    )


def _one_marking(ref: str, step: str, company: Company, found: Findings) -> None:
    if ref in TLP_1_IDS:
        found.warn(
            step,
            "tlp-1",
            f"a TLP 1 marking, read as {TLP_1_IDS[ref].label} of TLP 2.0",
            "Use the TLP 2.0 marking-definitions.",
        )
    elif ref not in company.levels and ref not in company.statements:
        found.warn(
            step,
            "unknown-marking",
            f"the marking {quoted(ref)} is neither a TLP level nor in this document, so it changes nothing",
            "Send the marking-definition along, and a TLP 2.0 marking beside it.",
        )


def granular_markings(obj: StixObject, _schema: TypeSchema, company: Company, found: Findings) -> None:
    """Every selector must point at something (section 7.2.3.1); a marking that marks nothing protects nothing."""
    for position, granular in enumerate(obj.get("granular_markings", ())):
        step = f".granular_markings[{position}]"
        for number, selector in enumerate(granular["selectors"]):
            if not _points_somewhere(obj, selector):
                found.refuse(
                    f"{step}.selectors[{number}]",
                    "selector-points-nowhere",
                    f"the selector {quoted(selector)} points at nothing in this object",
                    "Name a property that is there, e.g. description or labels.[0].",
                )
        if "marking_ref" in granular:
            _one_marking(granular["marking_ref"], f"{step}.marking_ref", company, found)


def _points_somewhere(value: Any, selector: str) -> bool:
    for step in selector.split("."):
        if isinstance(value, list) and step.startswith("["):
            index = int(step[1:-1]) if len(step) < 12 else len(value)
            if index >= len(value):
                return False
            value = value[index]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return False
    return True


def marking_definition(obj: StixObject, _schema: TypeSchema, _company: Company, found: Findings) -> None:
    """A TLP definition states its own level, under its own id; a marking-definition has no versions."""
    stated = levels_defined([{**obj, "id": "stated"}]).get("stated")
    well_known = WELL_KNOWN.get(obj["id"])
    if well_known is not None and stated not in {None, well_known}:
        found.refuse(
            "",
            "tlp-definition",
            f"it states {stated.label if stated is not None else ''} under the id of {well_known.label}",
            "Use the marking-definitions as FIRST and OASIS publish them.",
        )
    elif well_known is None and stated is not None:
        found.warn(
            ".id",
            "tlp-definition",
            f"a TLP definition of your own; it is read as {stated.label}",
            "Others will not know it: use the marking-definitions as FIRST and OASIS publish them.",
        )
    if "modified" in obj:
        found.warn(".modified", "marking-modified", "a marking-definition has no versions", "Leave modified out.")
    _tlp_2_content(obj, stated, found)


def _tlp_2_content(obj: StixObject, stated: Level | None, found: Findings) -> None:
    if stated is None and TLP_2_EXTENSION in obj.get("extensions", {}):
        value = obj["extensions"][TLP_2_EXTENSION].get("tlp_2_0")
        found.refuse(
            f".extensions{step_of(TLP_2_EXTENSION)}.tlp_2_0",
            "tlp-definition",
            f"{quoted(value)} is no TLP 2.0 level",
            "It is one of clear, green, amber, amber+strict and red.",
        )
