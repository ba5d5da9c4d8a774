"""The OASIS STIX 2.1 schemas, compiled once and chosen by type, and what they say put into our words.

The vendored files stay as OASIS published them; `REPAIRS` corrects, with its reason, what in them contradicts the
specification. Their bundle.json is not used: its oneOf rejects valid incidents, notes and locations.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import islice
from typing import Any, Final
from urllib.parse import urljoin

import jsonschema_rs
import orjson

from kentongan.domain.gate.problem import Problem, quoted
from kentongan.domain.gate.survey import step_of

Schema = dict[str, Any]
ROOT: Final = "http://raw.githubusercontent.com/oasis-open/cti-stix2-json-schemas/stix2.1/schemas/"
CORE: Final = ROOT + "common/core.json"
SCO_CORE: Final = ROOT + "common/cyber-observable-core.json"
META_TYPES: Final = frozenset({"marking-definition", "language-content", "extension-definition"})
MOST_ERRORS_PER_OBJECT: Final = 20
LARGE: Final = 64 * 1024
"""Of a value of more bytes only the first fault is told: the whole list may be endless, and comes all at once."""
PROPERTY_DEPTH: Final = 6


@dataclass(frozen=True, slots=True)
class TypeSchema:
    """What the schema of one type tells: the compiled check, and the properties by name.

    `name` is the type, or "" for one that STIX does not define; `kind` is sdo, sro, sco or meta; `refs` name the
    properties that hold one id or a list of ids, `times` those that hold a timestamp.
    """

    name: str
    kind: str
    validator: jsonschema_rs.Validator
    properties: frozenset[str]
    refs: tuple[str, ...]
    times: tuple[str, ...]


@cache
def type_schemas() -> dict[str, TypeSchema]:
    """Every type of STIX 2.1 but the bundle, with its compiled schema (about 0.1 s at the first call)."""
    folders = {"sdos": "sdo", "sros": "sro", "observables": "sco", "common": "meta"}
    found: dict[str, TypeSchema] = {}
    for uri, schema in _schemas().items():
        folder, name = uri.removeprefix(ROOT).removesuffix(".json").split("/")
        if folder != "common" or name in META_TYPES:
            found[name] = _type_schema(name, folders[folder], schema)
    return found


@cache
def custom_schema(kind: str) -> TypeSchema:
    """The core properties alone, for a type that STIX does not define; `kind` is sdo, sro, sco or impact.

    An impact of the incident core extension names its sub-extensions without `-ext` (section 2.3.2), which the core
    schema forbids.
    """
    if kind == "impact":
        core = copy.deepcopy(_schemas()[CORE])
        core["$id"] = ROOT + "common/impact-core.json"
        core["properties"]["extensions"] = {"type": "object", "minProperties": 1}
        return _type_schema("", "sdo", core)
    return _type_schema("", kind, _schemas()[SCO_CORE if kind == "sco" else CORE])


def schema_file(name: str) -> Schema:
    """One of our own JSON files beside the vendored schemas."""
    loaded: Schema = json.loads((_folder() / name).read_text("utf-8"))
    return loaded


def compiled(schema: Schema) -> jsonschema_rs.Validator:
    """A check that never fetches anything and whose patterns run in linear time."""
    return jsonschema_rs.Draft202012Validator(
        schema, registry=_registry(), offline=True, pattern_options=jsonschema_rs.RegexOptions()
    )


def schema_problems(validator: jsonschema_rs.Validator, value: object, path: str, rule: str) -> Iterator[Problem]:
    """What a schema finds wrong with `value`, which stands at `path`."""
    for error in _errors(validator, value):
        place = path + "".join(step_of(step) for step in error.instance_path)
        wording = WORDINGS.get(error.kind.name, _other_fault)
        reason, hint = wording(error)
        yield Problem(place, rule, reason, hint)


def _errors(validator: jsonschema_rs.Validator, value: object) -> Iterable[jsonschema_rs.ValidationError]:
    if validator.is_valid(value):
        return ()
    if len(orjson.dumps(value)) > LARGE:
        return _first(validator, value)
    return islice(validator.iter_errors(value), MOST_ERRORS_PER_OBJECT)


def _first(validator: jsonschema_rs.Validator, value: object) -> list[jsonschema_rs.ValidationError]:
    try:
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        return [error]
    return []


Fault = jsonschema_rs.ValidationError
Wording = tuple[str, str]


def _missing(error: Fault) -> Wording:
    name = error.kind.as_dict().get("property")
    if name == "spec_version":
        return (
            "the property 'spec_version' is missing",
            'Objects of STIX 2.1 say "spec_version": "2.1"; 2.0 is not taken.',
        )
    return f"the property {quoted(name)} is missing", "Add it: STIX 2.1 requires it here."


def _wrong_form(error: Fault) -> Wording:
    pattern = str(error.kind.as_dict().get("pattern", ""))
    hint = f"It must match {pattern}" if len(pattern) <= 120 else "Look up its form in the STIX 2.1 specification."
    return f"{quoted(error.instance)} does not have the form that is required", hint


def _empty(_error: Fault) -> Wording:
    return "empty lists and objects are not allowed", "Leave the property out instead."


def _reserved(_error: Fault) -> Wording:
    return (
        "a value or a property name that STIX reserves or forbids here",
        "Reserved property names are severity, action, username and phone_numbers; use an extension instead.",
    )


def _odd_names(error: Fault) -> Wording:
    names = error.kind.as_dict().get("unexpected") or []
    listed = ", ".join(quoted(name) for name in list(names)[:5])
    return (
        f"property names that are not allowed: {listed}",
        "Names are lower-case letters, digits and _, 3 to 250 long.",
    )


def _no_form_fits(error: Fault) -> Wording:
    return (
        f"{quoted(error.instance)} fits none of the allowed forms",
        "Look up its allowed forms in the STIX 2.1 specification.",
    )


def _other_fault(error: Fault) -> Wording:
    message = str(error.message)
    shown = message if len(message) <= 200 and message.isprintable() else f"{quoted(error.instance)} is not allowed"
    return shown, "Look up the property in the STIX 2.1 specification."


WORDINGS: Final[dict[str, Callable[[Fault], Wording]]] = {
    "required": _missing,
    "pattern": _wrong_form,
    "minItems": _empty,
    "minProperties": _empty,
    "not": _reserved,
    "additionalProperties": _odd_names,
    "anyOf": _no_form_fits,
    "oneOf": _no_form_fits,
}


def _folder() -> Traversable:
    return files("kentongan.domain") / "schemas"


@cache
def _schemas() -> dict[str, Schema]:
    found: dict[str, Schema] = {}
    for folder in ("common", "sdos", "sros", "observables"):
        for file in (_folder() / "stix-2.1" / folder).iterdir():
            if file.name.endswith(".json"):
                schema: Schema = json.loads(file.read_text("utf-8"))
                found[schema["$id"]] = schema
    for uri, repair in REPAIRS.items():
        repair(found[ROOT + uri])
    return found


@cache
def _registry() -> jsonschema_rs.Registry:
    return jsonschema_rs.Registry(list(_schemas().items()))


def _granular_marking_by_language(schema: Schema) -> None:
    """Section 7.2.3.1: a granular marking names a marking_ref or a lang; the schema demands the first."""
    schema["required"] = ["selectors"]
    schema["oneOf"] = [{"required": ["marking_ref"]}, {"required": ["lang"]}]


def _address_by_our_own_rule(schema: Schema) -> None:
    """The pattern lost its backslashes (`d` for a digit) and rejects ::ffff:192.0.2.1; `rules` asks ipaddress."""
    schema["allOf"][1]["properties"]["value"].pop("pattern")


def _real_fuzzy_hashes(schema: Schema) -> None:
    """TLSH has carried a version prefix of two characters since 4.0, and ssdeep may be 148 characters long."""
    schema["patternProperties"]["^TLSH$"]["pattern"] = "^([tT]1)?[a-zA-Z0-9]{70}$"
    schema["patternProperties"]["^SSDEEP$"]["pattern"] = "^[a-zA-Z0-9/+:.]{1,148}$"


REPAIRS: Final[dict[str, Callable[[Schema], None]]] = {
    "common/granular-marking.json": _granular_marking_by_language,
    "common/hashes-type.json": _real_fuzzy_hashes,
    "observables/ipv6-addr.json": _address_by_our_own_rule,
}


def _type_schema(name: str, kind: str, schema: Schema) -> TypeSchema:
    named: dict[str, Schema] = {}
    for property_name, shape in _properties(schema, schema["$id"], PROPERTY_DEPTH):
        named.setdefault(property_name, shape)
    return TypeSchema(
        name=name,
        kind=kind,
        validator=compiled(schema),
        properties=frozenset(named),
        refs=tuple(sorted(each for each in named if each.endswith(("_ref", "_refs")))),
        times=tuple(sorted(each for each, shape in named.items() if "/timestamp.json" in json.dumps(shape))),
    )


def _properties(schema: Schema, base: str, depth: int) -> Iterator[tuple[str, Schema]]:
    """The properties at the top of an object, gathered through allOf, anyOf, oneOf and $ref."""
    yield from schema.get("properties", {}).items()
    parts = [part for word in ("allOf", "anyOf", "oneOf") for part in schema.get(word, ())]
    for part in parts if depth else ():
        yield from _properties(part, base, depth - 1)
    reference = schema.get("$ref", "#")
    if depth and not reference.startswith("#"):
        uri = urljoin(base, reference)
        yield from _properties(_schemas()[uri], uri, depth - 1)
