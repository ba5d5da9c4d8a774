"""Extensions whose content we know: ours for incidents, and the incident suite of OASIS (draft of 10 October 2023).

Nobody else checks what stands inside an extension; a wrong determination or criticality would be shown as a fact.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import jsonschema_rs

from kentongan.domain.gate.findings import Company, Findings, StixObject
from kentongan.domain.gate.moments import is_before, is_real_day
from kentongan.domain.gate.problem import quoted
from kentongan.domain.gate.schema import TypeSchema, compiled, schema_file, schema_problems
from kentongan.domain.gate.survey import step_of

INCIDENT_EXTENSION_ID: Final = "extension-definition--e01209e9-882d-5d16-92ae-9e348d1dc9bf"
"""Our property extension of incident: uuid5 of the URL namespace and
`https://kentongan.example/stix/incident-extension`."""
INCIDENT_CORE_ID: Final = "extension-definition--ef765651-680c-498d-9894-99799f2fa126"
EVENT_ID: Final = "extension-definition--4ca6de00-5b0d-45ef-a1dc-ea7279ea910e"
IMPACT_ID: Final = "extension-definition--7cc33dd6-f6a1-489b-98ea-522d351d71b9"
TASK_ID: Final = "extension-definition--2074a052-8be4-4932-849e-f5e7798e0030"
TLP_2_ID: Final = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"

INCIDENT_EXTENSIONS: Final = {
    INCIDENT_EXTENSION_ID: ("kentongan-incident-extension.json", "incident-extension"),
    INCIDENT_CORE_ID: ("incident-suite/incident-core.json", "incident-core"),
}
SUITE_TYPES: Final = {"event": EVENT_ID, "impact": IMPACT_ID, "task": TASK_ID}


@cache
def _validator(name: str) -> jsonschema_rs.Validator:
    return compiled(schema_file(name))


def incident_extensions(obj: StixObject, _schema: TypeSchema, _company: Company, found: Findings) -> None:
    """The content of the incident extensions we know; others pass unread."""
    for extension_id, content in obj.get("extensions", {}).items():
        known = INCIDENT_EXTENSIONS.get(extension_id)
        if known is not None:
            name, rule = known
            place = f"{found.path}.extensions{step_of(extension_id)}"
            found.problems.extend(schema_problems(_validator(name), content, place, rule))
    own = obj.get("extensions", {}).get(INCIDENT_EXTENSION_ID)
    if own is not None and not found.problems:
        step = f".extensions{step_of(INCIDENT_EXTENSION_ID)}"
        _span(own, step, ("incident_start", "incident_end"), "incident-extension", found)


def suite_object(obj: StixObject, _schema: TypeSchema, _company: Company, found: Findings) -> None:
    """An event, impact or task of the incident suite, which is all new properties at the top of the object."""
    kind = obj["type"]
    problems = list(schema_problems(_validator(f"incident-suite/{kind}.json"), obj, found.path, f"incident-{kind}"))
    found.problems.extend(problems)
    if not problems:
        _span(obj, "", ("start_time", "end_time"), f"incident-{kind}", found)
        if kind == "impact":
            _impact_category(obj, found)


def is_suite_object(obj: StixObject) -> bool:
    """Whether an object says by its extension that it is an event, impact or task of the incident suite."""
    extensions = obj.get("extensions")
    return isinstance(extensions, dict) and obj["type"] in SUITE_TYPES and SUITE_TYPES[obj["type"]] in extensions


def _span(holder: StixObject, step: str, names: tuple[str, str], rule: str, found: Findings) -> None:
    start, end = holder.get(names[0]), holder.get(names[1])
    for name, value in zip(names, (start, end), strict=True):
        if value is not None and not is_real_day(value):
            found.refuse(f"{step}.{name}", "no-such-day", f"{quoted(value)} is no day of the calendar", "Correct it.")
    if start is not None and end is not None and is_before(end, start):
        reason = f"{names[1]} {quoted(end)} is before {names[0]} {quoted(start)}"
        found.refuse(f"{step}.{names[1]}", rule, reason, "Correct one of the two, or leave one out.")


def _impact_category(obj: StixObject, found: Findings) -> None:
    category = obj["impact_category"]
    if category not in obj["extensions"]:
        reason = f"impact_category is {quoted(category)}, but there is no extension of that name"
        found.refuse(".impact_category", "incident-impact", reason, "Add the extension, or name the one that is there.")
