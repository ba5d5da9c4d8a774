"""STIX 2.0 in the words of STIX 2.1: every change is told, nothing is left out, and the same bundle always comes to the same.

Sources: STIX 2.0 parts 2 and 4 (OASIS, 2017); STIX 2.1 sections 3, 4, 6 and appendix C, "changes from earlier versions".
What was no sound 2.0 is repaired only where its meaning is plain; all else stays as it was, and the gate judges it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from kentongan.domain.feeding import Change
from kentongan.domain.gate.observable_ids import observable_id
from kentongan.domain.gate.survey import step_of

StixObject = dict[str, Any]

LABELS_BECOME: Final[Mapping[str, str]] = {
    "identity": "roles",
    "indicator": "indicator_types",
    "malware": "malware_types",
    "report": "report_types",
    "threat-actor": "threat_actor_types",
    "tool": "tool_types",
}
"""Where 2.0 kept in `labels` what kind of thing an object is, 2.1 has a property for it, and `labels` are free words."""

RENAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "directory": {"created": "ctime", "modified": "mtime", "accessed": "atime"},
    "file": {"created": "ctime", "modified": "mtime", "accessed": "atime"},
    "process": {"created": "created_time", "binary_ref": "image_ref"},
    "user-account": {"password_last_changed": "credential_last_changed"},
    "windows-registry-key": {"modified": "modified_time"},
}
"""Properties of observables that only got another name."""

_MARKING: Final = "marking-definition"
_LITERAL: Final = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_BEFORE_MOMENT: Final = re.compile(r"(?:START|STOP)\s*\Z")
_OF_AN_OBSERVABLE: Final = re.compile(r"objects\.(?P<key>[^.]+)(?:\.(?P<rest>.+))?\Z", re.DOTALL)


def is_stix_20(tree: object) -> bool:
    """Whether a document says of itself that it is a bundle of STIX 2.0."""
    return isinstance(tree, dict) and tree.get("type") == "bundle" and tree.get("spec_version") == "2.0"


def is_object_of_stix_20(obj: object) -> bool:
    """Whether an object that stands in no bundle is of STIX 2.0, as TAXII 2.1 servers that have both give it out.

    Of what has `created`, 2.1 demands a `spec_version` (section 3.2), and 2.0 knows none; observables need none in either.
    """
    return isinstance(obj, dict) and "created" in obj and obj.get("spec_version", "2.0") == "2.0"


def mixed_in_stix_21(objects: Iterable[StixObject]) -> tuple[list[StixObject], list[Change]]:
    """Objects of an envelope, those of STIX 2.0 in the words of 2.1 and the others as they are. Raises nothing."""
    told, found = _Told(), list[StixObject]()
    for position, obj in enumerate(objects):
        found += _converted(obj, told.at(f"$.objects[{position}]")) if is_object_of_stix_20(obj) else [obj]
    return found, told.changes


def in_stix_21(bundle: Mapping[str, Any]) -> tuple[StixObject, list[Change]]:
    """The same bundle as STIX 2.1, and what was changed, with paths into the bundle as it was. Raises nothing."""
    told = _Told()
    told("$.spec_version", "version-moved", "the version stands in each object, not in the bundle")
    found: list[Any] = []
    objects = bundle.get("objects")
    for position, obj in enumerate(objects if isinstance(objects, list) else ()):
        if isinstance(obj, dict):
            found += _converted(obj, told.at(f"$.objects[{position}]"))
        else:
            found.append(obj)
    whole = {name: value for name, value in bundle.items() if name != "spec_version"}
    if isinstance(objects, list):
        whole["objects"] = found
    return whole, told.changes


@dataclass(slots=True)
class _Told:
    """Collects changes; paths are told from `base` on."""

    base: str = ""
    changes: list[Change] = field(default_factory=list)

    def __call__(self, step: str, rule: str, words: str) -> None:
        self.changes.append(Change(self.base + step, rule, words))

    def at(self, base: str) -> _Told:
        return _Told(base, self.changes)


def _converted(obj: StixObject, told: _Told) -> Iterator[StixObject]:
    """The object, and before it the observables that stood inside of it."""
    changed = {"type": obj.get("type"), "spec_version": "2.1", **{k: v for k, v in obj.items() if k != "spec_version"}}
    told(".spec_version", "version-added", "the object says that it is STIX 2.1")
    kind = changed["type"]
    if isinstance(kind, str):
        for rule in (_labels, *_BY_TYPE.get(kind, ())):
            rule(changed, told)
    if kind == "observed-data" and isinstance(changed.get("objects"), dict):
        yield from _unpacked(changed, told)
    yield changed


def _labels(obj: StixObject, told: _Told) -> None:
    name = LABELS_BECOME.get(obj["type"])
    if name is None or name in obj or not isinstance(obj.get("labels"), list):
        return
    obj[name] = obj.pop("labels")
    told(".labels", f"labels-to-{name.replace('_', '-')}", f"labels became {name}")
    _selectors_follow(obj, "labels", name)


def _selectors_follow(obj: StixObject, before: str, after: str) -> None:
    """Granular markings still mark what they marked."""
    for marking in _dicts(obj.get("granular_markings")):
        selectors = marking.get("selectors")
        if isinstance(selectors, list):
            marking["selectors"] = [_renamed_selector(each, before, after) for each in selectors]


def _renamed_selector(selector: Any, before: str, after: str) -> Any:  # whatever stood there
    if isinstance(selector, str) and (selector == before or selector.startswith(before + ".")):
        return after + selector[len(before) :]
    return selector


def _malware(obj: StixObject, told: _Told) -> None:
    if "is_family" not in obj:
        obj["is_family"] = True
        told(
            ".is_family",
            "is-family-assumed",
            "2.1 wants to know whether this is a family; a name without a sample is taken for one",
        )


def _indicator(obj: StixObject, told: _Told) -> None:
    if "pattern_type" not in obj:
        obj["pattern_type"] = "stix"
        told(".pattern_type", "pattern-type-added", "every pattern of 2.0 is a STIX pattern")
    if isinstance(pattern := obj.get("pattern"), str) and (newer := _pattern(pattern)) != pattern:
        obj["pattern"] = newer
        told(".pattern", "pattern-moments", "moments after START and STOP are written t'...'")


def _pattern(pattern: str) -> str:
    """2.0 wrote `START '2017-...Z'`, 2.1 writes `START t'2017-...Z'`."""

    def literal(found: re.Match[str]) -> str:
        return ("t" if _BEFORE_MOMENT.search(pattern, 0, found.start()) else "") + found[0]

    return _LITERAL.sub(literal, pattern) if "START" in pattern or "STOP" in pattern else pattern


def _identity(obj: StixObject, told: _Told) -> None:
    """2.0 has one class, as 2.1; a list of one is what a publisher wrote all the same."""
    classes = obj.get("identity_class")
    if isinstance(classes, list) and len(classes) == 1 and isinstance(classes[0], str):
        obj["identity_class"] = classes[0]
        told(".identity_class", "identity-class-unwrapped", "the class stood in a list of one")


_BY_TYPE: Final[Mapping[str, tuple[Callable[[StixObject, _Told], None], ...]]] = {
    "identity": (_identity,),
    "indicator": (_indicator,),
    "malware": (_malware,),
}


def _unpacked(watch: StixObject, told: _Told) -> list[StixObject]:
    """The observables of an observed-data as objects of their own, which 2.1 refers to."""
    inner: dict[str, Any] = watch.pop("objects")
    numbering = _Numbering(str(watch.get("id")), {key: each for key, each in inner.items() if isinstance(each, dict)})
    for key, each in numbering.objects.items():
        _renamed(each, told.at(f"{told.base}.objects{step_of(key)}"))
    if misfits := {key: each for key, each in inner.items() if not isinstance(each, dict)}:
        watch["objects"] = misfits  # the gate says what is wrong with these
    ids = [numbering.id_of(key) for key in numbering.objects]
    found = [numbering.with_ids(key) for key in numbering.objects]
    watch["object_refs"] = list(dict.fromkeys(ids))
    told(
        ".objects",
        "observables-unpacked",
        "observables became objects of their own, with the markings of what held them",
    )
    _mark(watch, dict(zip(numbering.objects, found, strict=True)))
    return found


def _renamed(sco: StixObject, told: _Told) -> None:
    for before, after in RENAMED.get(str(sco.get("type")), {}).items():
        if before in sco and after not in sco:
            sco[after] = sco.pop(before)
            told(f".{before}", f"renamed-to-{after.replace('_', '-')}", f"{before} is called {after}")
    hashes = sco.get("hashes")
    if isinstance(hashes, dict) and "ssdeep" in hashes and "SSDEEP" not in hashes:
        sco["hashes"] = {("SSDEEP" if name == "ssdeep" else name): value for name, value in hashes.items()}
        told(".hashes.ssdeep", "renamed-to-ssdeep", "ssdeep is called SSDEEP")


def _mark(watch: StixObject, observables: Mapping[str, StixObject]) -> None:
    """Observables are no less restricted than what held them; what was marked inside is marked where it is now."""
    whole = watch.get("object_marking_refs")
    for sco in observables.values():
        if isinstance(whole, list) and whole:
            sco["object_marking_refs"] = list(whole)
    kept = []
    for marking in _dicts(watch.get("granular_markings")):
        selectors = marking.get("selectors")
        inside = (
            [s for s in selectors if isinstance(s, str) and (s == "objects" or s.startswith("objects."))]
            if isinstance(selectors, list)
            else []
        )
        for selector in inside:
            _mark_inside(selector, marking, observables)
        if not inside:
            kept.append(marking)
        elif outside := [each for each in selectors or () if each not in inside]:
            kept.append({**marking, "selectors": outside})
    if kept:
        watch["granular_markings"] = kept
    elif isinstance(watch.get("granular_markings"), list):
        del watch["granular_markings"]


def _mark_inside(selector: str, marking: StixObject, observables: Mapping[str, StixObject]) -> None:
    found = _OF_AN_OBSERVABLE.match(selector)
    if found and found["rest"] and found["key"] in observables:
        sco = observables[found["key"]]
        sco.setdefault("granular_markings", []).append({**marking, "selectors": [found["rest"]]})
    elif isinstance(ref := marking.get("marking_ref"), str):
        marked = (
            observables.values() if not found else [observables[found["key"]]] if found["key"] in observables else ()
        )
        for sco in marked:
            sco["object_marking_refs"] = [*sco.get("object_marking_refs", ()), ref]


@dataclass(slots=True)
class _Numbering:
    """The ids of the observables of one observed-data, which refer to each other by the keys they had there."""

    watch_id: str
    objects: dict[str, StixObject]
    _ids: dict[str, str] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.objects = {
            key: {"type": each.get("type"), "spec_version": "2.1", "id": "", **each}
            for key, each in self.objects.items()
        }

    def id_of(self, key: str) -> str:
        """Of an observable: made of its value, as 2.1 wants it, else of where it stood."""
        if key not in self._ids:
            if key in self._asked:  # it refers to itself by way of others: then its id is made of where it stood
                return self._by_place(key)
            self._asked.add(key)
            obj = self.with_ids(key, numbered=False)
            try:
                self._ids[key] = observable_id(obj) or self._by_place(key)
            except (TypeError, ValueError, AttributeError, KeyError):
                self._ids[key] = self._by_place(key)
        return self._ids[key]

    def with_ids(self, key: str, *, numbered: bool = True) -> StixObject:
        """The observable, with ids where keys stood."""
        obj: StixObject = {name: self._pointed(name, value) for name, value in self.objects[key].items()}
        if numbered:
            obj["id"] = self.id_of(key)
        return obj

    def _pointed(self, name: str, value: Any) -> Any:  # any JSON
        if name.endswith("_ref") and isinstance(value, str) and value in self.objects:
            return self.id_of(value)
        if name.endswith("_refs") and isinstance(value, list):
            return [self.id_of(each) if isinstance(each, str) and each in self.objects else each for each in value]
        if isinstance(value, dict):
            return {inner: self._pointed(inner, below) for inner, below in value.items()}
        if isinstance(value, list):
            return [self._pointed("", below) for below in value]
        return value

    def _by_place(self, key: str) -> str:
        digest = hashlib.sha256(f"{self.watch_id} {key}".encode("utf-8", "surrogatepass")).digest()
        return f"{self.objects[key].get('type')}--{UUID(bytes=digest[:16], version=4)}"


def _dicts(value: Any) -> list[StixObject]:  # any JSON
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
