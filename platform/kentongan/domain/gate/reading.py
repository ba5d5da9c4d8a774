"""From bytes to objects: the first half of the gate. What is not sound as a whole is refused as a whole."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from kentongan.domain.gate.problem import Limits, Problem, Unreadable, quoted, shortened
from kentongan.domain.gate.survey import Doubled, Unusable, survey, too_deep

LARGEST_INTEGER: Final = 2**63 - 1
SUSPICIOUS_ESCAPE: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
STANDARD_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Document:
    """The objects of one submission, in the order they were sent.

    `base` says how their paths start: `$.objects` for a bundle, `$` for a list, and "" for one bare object.
    """

    objects: tuple[dict[str, Any], ...]
    base: str = "$.objects"
    warnings: tuple[Problem, ...] = ()

    def path(self, position: int) -> str:
        """The JSON path of the object at `position`, e.g. `$.objects[3]`."""
        return f"{self.base}[{position}]" if self.base else "$"


def read(raw: bytes, limits: Limits = STANDARD_LIMITS) -> Document:
    """The objects of a bundle, of a list, or one bare object; a leading UTF-8 byte order mark is skipped.

    Raises Unreadable, with every problem that was found, when the document is no sound JSON (RFC 8259, and RFC 7493
    on duplicate names and surrogates), passes a limit, or is no STIX 2.1 bundle, object or list of objects.
    """
    return _read(raw, limits, _open)


def read_envelope(raw: bytes, limits: Limits = STANDARD_LIMITS) -> Document:
    """The objects of a TAXII 2.1 envelope (section 3.7): `{"objects": [...]}`; a bundle passes as one. Raises as `read` does."""
    return _read(raw, limits, _open_envelope)


def parse(raw: bytes, limits: Limits = STANDARD_LIMITS) -> object:
    """Any sound JSON within the limits, whatever it is about. Raises Unreadable as `read` does."""
    _check_size(raw, limits)
    tree = _parse(_decode(raw), limits)
    _check_values(raw, tree, limits)
    return tree


def _read(raw: bytes, limits: Limits, opened: Callable[[object], Document]) -> Document:
    document = opened(parse(raw, limits))
    _check_objects(document, limits)
    return document


def _check_size(raw: bytes, limits: Limits) -> None:
    if len(raw) > limits.max_bytes:
        reason = f"the document has {len(raw)} bytes; at most {limits.max_bytes} are taken"
        raise Unreadable([Problem("$", "too-large", reason, "Send it in smaller bundles.")], too_large=True)
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") > limits.max_values:
        reason = f"the document has more than {limits.max_values} values"
        raise Unreadable([Problem("$", "too-many-values", reason, "Send it in smaller bundles.")], too_large=True)


def _decode(raw: bytes) -> str:
    try:
        text = raw.removeprefix(BYTE_ORDER_MARK).decode("utf-8")
    except UnicodeDecodeError as error:
        reason = f"byte {error.start} is not UTF-8"
        raise Unreadable([Problem("$", "not-utf8", reason, "STIX is JSON in UTF-8; encode the file so.")]) from error
    if not text.strip():
        raise Unreadable([Problem("$", "empty", "the document is empty", "Send a STIX 2.1 bundle.")])
    return text


def _parse(text: str, limits: Limits) -> object:
    parser = _Parser(limits)
    try:
        return parser.parse(text)
    except json.JSONDecodeError as error:
        reason = f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise Unreadable([Problem("$", "not-json", reason, "Check the file with a JSON reader.")]) from error
    except RecursionError as error:
        raise Unreadable([too_deep("$", limits)]) from error


class _Parser:
    """The standard JSON parser, with stand-ins where a value cannot be kept, so that `survey` can name their places."""

    def __init__(self, limits: Limits) -> None:
        self._digits = limits.max_digits
        self._found_fault = False

    def parse(self, text: str) -> object:
        tree: object = json.loads(
            text,
            object_pairs_hook=self._object,
            parse_int=self._integer,
            parse_float=self._decimal,
            parse_constant=self._constant,
        )
        return _Faulty(tree) if self._found_fault else tree

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        return members if len(members) == len(pairs) else self._doubled(pairs)

    def _doubled(self, pairs: list[tuple[str, Any]]) -> Doubled:
        self._found_fault = True
        doubled = Doubled(pairs)
        counted = Counter(name for name, _ in pairs)
        doubled.names = tuple(name for name, times in counted.items() if times > 1)
        return doubled

    def _integer(self, digits: str) -> object:
        if len(digits) <= 18:
            return int(digits)
        if len(digits) > self._digits:
            return self._fault("number-too-long", f"a number of {len(digits)} digits")
        value = int(digits)
        if -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER:
            return value
        return self._fault("number-too-large", f"the integer {digits[:24]} does not fit into 64 bits")

    def _decimal(self, digits: str) -> object:
        if len(digits) > self._digits:
            return self._fault("number-too-long", f"a number of {len(digits)} characters")
        value = float(digits)
        if math.isinf(value):
            return self._fault("number-too-large", f"the number {digits[:24]} is larger than a double can hold")
        return value

    def _constant(self, name: str) -> object:
        return self._fault("not-a-number", f"{name} is not JSON")

    def _fault(self, rule: str, reason: str) -> Unusable:
        self._found_fault = True
        return Unusable(rule, reason, "Write a number that JSON readers agree on, or a string.")


@dataclass(frozen=True, slots=True)
class _Faulty:
    """A parsed document in which the parser has already met something that cannot be kept."""

    tree: object


def _check_values(raw: bytes, tree: object, limits: Limits) -> None:
    """Looks at every value, but only when one of the quick looks below cannot rule a fault out."""
    if isinstance(tree, _Faulty):
        faults = survey(tree.tree, limits)
    elif (
        (b"\\u" in raw and SUSPICIOUS_ESCAPE.search(raw))
        or len(raw) > limits.max_string
        or _may_be_too_deep(raw, tree, limits)
    ):
        faults = survey(tree, limits)
    else:
        return
    if problems := shortened(faults):
        raise Unreadable(problems)


def _may_be_too_deep(raw: bytes, tree: object, limits: Limits) -> bool:
    """Written with an indent, the depth of a document shows as blanks behind a line break; strings hold no raw one."""
    if raw.count(b"[") + raw.count(b"{") <= limits.max_depth:
        return False
    try:
        written = orjson.dumps(tree, option=orjson.OPT_INDENT_2)
    except TypeError:
        return True
    return b"\n" + b"  " * (limits.max_depth + 1) in written


def _open(tree: object) -> Document:
    if isinstance(tree, list):
        return Document(tuple(tree), "$")
    if not isinstance(tree, dict):
        raise Unreadable([_not_stix("$", f"the document is {quoted(tree)}")])
    if tree.get("type") == "bundle":
        return _open_bundle(tree)
    if "objects" in tree and "type" not in tree:
        raise Unreadable([_not_stix("$.type", "the document has objects, but no type")])
    return Document((tree,), "")


def _open_envelope(tree: object) -> Document:
    objects = tree.get("objects") if isinstance(tree, dict) else None
    if not isinstance(objects, list):
        hint = 'Send {"objects": [...]}.'
        raise Unreadable([Problem("$.objects", "no-envelope", "this is no envelope with a list of objects", hint)])
    return Document(tuple(objects), "$.objects")


def _open_bundle(bundle: dict[str, Any]) -> Document:
    version = bundle.get("spec_version", "2.1")
    if version != "2.1":
        raise Unreadable([_other_version("$.spec_version", version)])
    objects = bundle.get("objects")
    if not isinstance(objects, list):
        reason = "the bundle has no objects" if objects is None else "the bundle's objects are no list"
        raise Unreadable([Problem("$.objects", "no-objects", reason, "A bundle carries its objects in a list.")])
    return Document(tuple(objects), "$.objects", _bundle_warnings(bundle))


def _bundle_warnings(bundle: dict[str, Any]) -> tuple[Problem, ...]:
    bundle_id = bundle.get("id")
    if isinstance(bundle_id, str) and bundle_id.startswith("bundle--"):
        return ()
    hint = "Give it an id: bundle-- and a UUID."
    return (Problem("$.id", "bundle-id", f"the bundle's id is {quoted(bundle_id)}", hint),)


def _check_objects(document: Document, limits: Limits) -> None:
    count = len(document.objects)
    if count > limits.max_objects:
        reason = f"the document has {count} objects; at most {limits.max_objects} are taken"
        raise Unreadable([Problem("$", "too-many-objects", reason, "Send them in several bundles.")], too_large=True)
    if not count:
        path = document.base or "$"
        raise Unreadable([Problem(path, "no-objects", "there is no object in it", "Send at least one STIX object.")])
    misfits = (_misfit(document, position, entry) for position, entry in enumerate(document.objects))
    if problems := shortened(misfit for misfit in misfits if misfit):
        raise Unreadable(problems)


def _misfit(document: Document, position: int, entry: object) -> Problem | None:
    if not isinstance(entry, dict):
        return _not_stix(document.path(position), f"{quoted(entry)} is no object")
    if entry.get("type") == "bundle":
        reason = "a bundle stands inside another"
        return Problem(
            document.path(position), "nested-bundle", reason, "Put its objects into the outer bundle, or send it alone."
        )
    return None


def _other_version(path: str, version: object) -> Problem:
    if version == "2.0":
        return Problem(
            path,
            "stix-2.0",
            "the bundle is STIX 2.0, and only STIX 2.1 is taken",
            "Have it brought in by a feed of kind stix, which converts it: kentongan feed add --help.",
        )
    return Problem(path, "spec-version", f"the bundle's spec_version is {quoted(version)}", "Send STIX 2.1.")


def _not_stix(path: str, reason: str) -> Problem:
    return Problem(path, "not-stix", reason, "Send a STIX 2.1 bundle, one object, or a list of objects.")
