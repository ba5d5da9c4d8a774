"""From objects to verdicts: the second half of the gate. Each object is refused or accepted on its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any, Final

import orjson

from kentongan.domain.gate import extension, markings, observable_ids, references, rules
from kentongan.domain.gate.findings import Company, Findings, Rule, StixObject
from kentongan.domain.gate.problem import Problem, quoted, shortened
from kentongan.domain.gate.reading import Document
from kentongan.domain.gate.schema import TypeSchema, custom_schema, schema_problems, type_schemas
from kentongan.domain.gate.words import open_vocabularies
from kentongan.domain.marking import terms_defined
from kentongan.domain.sharing import NO_BOOK, SharingBook, is_definition

PATTERN_BUDGET: Final = 40_000
"""So many characters of one document the slow pattern parser may read: a second or two."""
MOST_PER_OBJECT: Final = 50


@dataclass(frozen=True, slots=True)
class Checked:
    """One object after the gate.

    `text` is JSON that parses to an object equal to the one sent, unknown properties included. `sha256` is of the
    content: the same for the same content in another order of keys. An object with `problems` is refused; `warnings`
    are told and change nothing.
    """

    position: int
    obj: dict[str, Any]
    text: str
    sha256: bytes
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    """How an object of one type is checked: by its schema, then by the rules."""

    schema: TypeSchema
    rules: tuple[Rule, ...]


def check(document: Document, book: SharingBook = NO_BOOK) -> list[Checked]:
    """Every object of the document with everything that is wrong with it, in the order they were sent.

    `book` holds what the markings may refer to outside the document (names_in says what is asked of it).
    """
    company = _company(document, book)
    return [
        _check_one(position, obj, document.path(position), company) for position, obj in enumerate(document.objects)
    ]


def _company(document: Document, book: SharingBook) -> Company:
    objects = document.objects
    return Company(
        ids=frozenset(stated for obj in objects if isinstance(stated := obj.get("id"), str)),
        markings=terms_defined(filter(is_definition, objects), book.definitions),
        statements=frozenset(obj["id"] for obj in objects if is_definition(obj)) | book.definitions.keys(),
        book=book,
        pattern_budget=PATTERN_BUDGET,
    )


def _check_one(position: int, obj: StixObject, path: str, company: Company) -> Checked:
    found = Findings(path)
    plan = _plan_of(obj)
    if plan is None:
        reason = f"the type is {quoted(obj.get('type'))}"
        found.refuse(".type", "no-type", reason, "Every STIX object says its type, e.g. incident.")
    elif plan.schema.validator.is_valid(obj):
        for rule in plan.rules:
            rule(obj, plan.schema, company, found)
    else:
        found.problems.extend(schema_problems(plan.schema.validator, obj, path, "stix-schema"))
        _ask_what_can_be_asked(obj, plan, company, found)
    return Checked(
        position=position,
        obj=obj,
        text=orjson.dumps(obj).decode(),
        sha256=content_sha256(obj),
        problems=shortened(found.problems, MOST_PER_OBJECT),
        warnings=shortened(found.warnings, MOST_PER_OBJECT),
    )


def content_sha256(obj: StixObject) -> bytes:
    """The same for the same properties in another order."""
    return sha256(orjson.dumps(obj, option=orjson.OPT_SORT_KEYS)).digest()


def accepted_alone(obj: StixObject) -> bool:
    """Whether what is left of an accepted object once a part is taken out would be accepted too.

    Patterns are not read again: reading one takes long, and none can be taken out in part.
    """
    plan = _plan_of(obj)
    if plan is None or not plan.schema.validator.is_valid(obj):
        return False
    found = Findings("$")
    company = Company(frozenset(), {}, frozenset(), NO_BOOK, pattern_budget=0)
    for rule in plan.rules:
        if rule is not rules.indicator_pattern:
            rule(obj, plan.schema, company, found)
    return not found.problems


def _ask_what_can_be_asked(obj: StixObject, plan: _Plan, company: Company, found: Findings) -> None:
    """The rules presuppose a valid shape; of an object without one, a rule that stumbles over it is left out."""
    for rule in plan.rules:
        try:
            rule(obj, plan.schema, company, found)
        except (TypeError, ValueError, LookupError, AttributeError):
            continue


def _plan_of(obj: StixObject) -> _Plan | None:
    kind = obj.get("type")
    if not isinstance(kind, str) or not kind:
        return None
    return _plans().get(kind) or _custom_plan(_custom_kind(obj))


def _custom_kind(obj: StixObject) -> str:
    """An unknown type is an observable if its extension says so, or if it has no versions."""
    if extension.is_suite_object(obj):
        return "impact" if obj["type"] == "impact" else "suite"
    extensions = obj.get("extensions")
    contents = extensions.values() if isinstance(extensions, dict) else ()
    types = [content.get("extension_type") for content in contents if isinstance(content, dict)]
    if "new-sco" in types:
        return "sco"
    says_so = "new-sdo" in types or "new-sro" in types
    return "sdo" if says_so or "created" in obj or "modified" in obj else "sco"


COMMON: Final[tuple[Rule, ...]] = (
    rules.version,
    rules.days,
    rules.names,
    references.identifier,
    references.references,
    markings.object_markings,
    markings.granular_markings,
)
VERSIONED: Final[tuple[Rule, ...]] = (rules.versions_in_order, rules.language)
BY_TYPE: Final[dict[str, tuple[Rule, ...]]] = {
    "incident": (extension.incident_extensions,),
    "indicator": (rules.indicator_pattern,),
    "relationship": (references.relationship,),
    "location": (rules.country,),
    "marking-definition": (markings.marking_definition,),
    "domain-name": (rules.observable_value,),
    "url": (rules.observable_value,),
    "email-addr": (rules.observable_value,),
    "ipv6-addr": (rules.ipv6_value,),
    "file": (rules.observable_hashes,),
    "artifact": (rules.observable_hashes,),
    "x509-certificate": (rules.observable_hashes,),
}


@cache
def _plans() -> dict[str, _Plan]:
    return {kind: _Plan(schema, _rules_of(kind, schema)) for kind, schema in type_schemas().items()}


def _rules_of(kind: str, schema: TypeSchema) -> tuple[Rule, ...]:
    chosen = [*COMMON, rules.custom_properties, *BY_TYPE.get(kind, ())]
    if schema.kind == "sco":
        chosen.append(observable_ids.deterministic_id)
    elif kind != "marking-definition":
        chosen.extend(VERSIONED)
    if kind in rules.ORDERS:
        chosen.append(rules.spans)
    if kind in open_vocabularies():
        chosen.append(rules.vocabulary)
    return tuple(chosen)


@cache
def _custom_plan(kind: str) -> _Plan:
    if kind in {"suite", "impact"}:
        schema = custom_schema("impact" if kind == "impact" else "sdo")
        return _Plan(schema, (*COMMON, *VERSIONED, extension.suite_object))
    own = () if kind == "sco" else VERSIONED
    return _Plan(custom_schema(kind), (*COMMON, *own, rules.custom_type))
