"""Rules about markings: which level an object will be shared at, and what a sender should know about that."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any, Final

import jsonschema_rs

from kentongan.domain.gate.findings import Company, Findings, StixObject
from kentongan.domain.gate.problem import Problem, quoted, shortened
from kentongan.domain.gate.schema import TypeSchema, compiled, schema_file, schema_problems
from kentongan.domain.gate.survey import step_of
from kentongan.domain.marking import (
    DEFAULT_LEVEL,
    MASKING_EXTENSION,
    SHARING_EXTENSION,
    TLP_1_IDS,
    TLP_2_EXTENSION,
    TLP_2_IDS,
    UNMARKED,
    Level,
    terms_of_definition,
)

WELL_KNOWN = {**TLP_1_IDS, **TLP_2_IDS}
MOST_WARNED: Final = 20


def object_markings(obj: StixObject, schema: TypeSchema, company: Company, found: Findings) -> None:
    """TLP 1, unknown, conflicting or no markings: all accepted, all told to the sender. Unknown readers are refused."""
    refs = obj.get("object_marking_refs", ())
    if len(refs) == 1 and refs[0] in TLP_2_IDS:
        return
    terms = [company.markings[ref] for ref in refs if ref in company.markings]
    levels = {each.level for each in terms if each.level is not None}
    if not levels and schema.kind in {"sdo", "sro"}:
        _no_level(bool(refs), found)
    # A marking that only names readers implies the least level they go with: beside a stricter one it contradicts nothing.
    plain = {each.level for each in terms if each.level is not None and not each.names_readers}
    if len(levels) > 1 and (len(plain) > 1 or max(levels) not in plain):
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
    elif strangers := company.book.strangers(company.markings.get(ref, UNMARKED)):
        found.refuse(step, "unknown-reader", _unknown(strangers), _ASK_FOR_GROUPS)
    elif ref not in company.markings and ref not in company.statements:
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


def inseparable(obj: StixObject, path: str, selectors: Collection[str]) -> tuple[Problem, ...]:
    """The warnings for selectors of parts that can not be hidden on their own, in an object that stands at `path`."""
    found = Findings(path)
    for position, granular in enumerate(obj.get("granular_markings", ())):
        for number, selector in enumerate(granular["selectors"]):
            if "marking_ref" in granular and selector in selectors:
                found.warn(
                    f".granular_markings[{position}].selectors[{number}]",
                    "granular-marking",
                    f"{quoted(selector)} can not be hidden on its own, so the whole object is as strict as this marking",
                    "Mark what the object can do without, or mark the whole object as strictly.",
                )
    return shortened(found.warnings, MOST_WARNED)


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


def marking_definition(obj: StixObject, _schema: TypeSchema, company: Company, found: Findings) -> None:
    """A TLP definition states its own level, under its own id; a marking-definition has no versions."""
    terms = terms_of_definition(obj)
    stated = terms.level
    well_known = WELL_KNOWN.get(obj["id"])
    if well_known is not None and stated not in {None, well_known}:
        found.refuse(
            "",
            "tlp-definition",
            f"it states {stated.label if stated is not None else ''} under the id of {well_known.label}",
            "Use the marking-definitions as FIRST and OASIS publish them.",
        )
    elif well_known is None and stated is not None and not terms.names_readers:
        found.warn(
            ".id",
            "tlp-definition",
            f"a TLP definition of your own; it is read as {stated.label}",
            "Others will not know it: use the marking-definitions as FIRST and OASIS publish them.",
        )
    if "modified" in obj:
        found.warn(".modified", "marking-modified", "a marking-definition has no versions", "Leave modified out.")
    _tlp_2_content(obj, stated, found)
    _sharing_content(obj, company, found)
    _masking_content(obj, found)


def _tlp_2_content(obj: StixObject, stated: Level | None, found: Findings) -> None:
    if stated is None and TLP_2_EXTENSION in obj.get("extensions", {}):
        value = obj["extensions"][TLP_2_EXTENSION].get("tlp_2_0")
        found.refuse(
            f".extensions{step_of(TLP_2_EXTENSION)}.tlp_2_0",
            "tlp-definition",
            f"{quoted(value)} is no TLP 2.0 level",
            "It is one of clear, green, amber, amber+strict and red.",
        )


def _sharing_content(obj: StixObject, company: Company, found: Findings) -> None:
    """Our sharing extension: groups for AMBER and AMBER+STRICT, recipients for RED, all of them known to the sender."""
    content = obj.get("extensions", {}).get(SHARING_EXTENSION)
    if content is None:
        return
    step = f".extensions{step_of(SHARING_EXTENSION)}"
    problems = list(schema_problems(_sharing_schema(), content, found.path + step, "sharing-extension"))
    found.problems.extend(problems)
    if problems:
        return
    level = terms_of_definition({**obj, "extensions": {**obj["extensions"], SHARING_EXTENSION: None}}).level
    if level is not None and "recipients" in content and level is not Level.RED:
        reason = f"recipients are named at {level.label}, and only {Level.RED.label} has named recipients"
        found.refuse(f"{step}.recipients", "sharing-extension", reason, "Name sharing_groups instead, or mark it RED.")
    if level is not None and "sharing_groups" in content and level < Level.AMBER:
        reason = f"a sharing group is named at {level.label}, which every organization may read"
        found.refuse(f"{step}.sharing_groups", "sharing-extension", reason, "Mark it AMBER or AMBER+STRICT.")
    if strangers := company.book.strangers(terms_of_definition(obj)):
        found.refuse(step, "unknown-reader", _unknown(strangers), _ASK_FOR_GROUPS)


def _masking_content(obj: StixObject, found: Findings) -> None:
    content = obj.get("extensions", {}).get(MASKING_EXTENSION)
    if content is not None:
        step = f".extensions{step_of(MASKING_EXTENSION)}"
        found.problems.extend(schema_problems(_masking_schema(), content, found.path + step, "masking-extension"))


def _unknown(strangers: frozenset[str]) -> str:
    named = ", ".join(quoted(name) for name in sorted(strangers)[:3])
    return f"it is for readers who are not known here: {named}{' and others' if len(strangers) > 3 else ''}"


_ASK_FOR_GROUPS = "Use the STIX ids of sharing groups you are in, and of organizations and persons of this platform."


@cache
def _sharing_schema() -> jsonschema_rs.Validator:
    return compiled(schema_file("kentongan-sharing-extension.json"))


@cache
def _masking_schema() -> jsonschema_rs.Validator:
    return compiled(schema_file("kentongan-masking-extension.json"))
