"""Markings read from STIX: which TLP 2.0 level, sharing groups and recipients an object carries, in whatever spelling or number.

Source: FIRST TLP 2.0; STIX 2.1 sections 4.14 (TLP 1 in 7.2.1.4) and 7.2; the TLP 2.0 extension
`extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import reduce
from operator import and_
from typing import Any, Final

TLP_2_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
SHARING_EXTENSION = "extension-definition--e5a2b829-4bce-51e6-a338-1c3c32024943"
"""Our property extension of marking-definition (docs/stix.md): uuid5 of the URL namespace and
`https://kentongan.example/stix/sharing-extension`."""
MASKING_EXTENSION = "extension-definition--fa747159-0dfe-5257-8ce8-c26ddea9f89d"
"""Our property extension of marking-definition that masks what it marks (docs/stix.md): uuid5 of the URL namespace and
`https://kentongan.example/stix/masking-extension`."""


class Level(IntEnum):
    """The five levels in rising strictness: of two, the greater wins."""

    CLEAR = 0
    GREEN = 1
    AMBER = 2
    AMBER_STRICT = 3
    RED = 4

    @property
    def label(self) -> str:
        """As TLP 2.0 writes it: `TLP:AMBER+STRICT`."""
        return "TLP:" + self.name.replace("_", "+")


class Mask(IntEnum):
    """Whether a thing is its owner's alone and takes part in linking by keyed hash only; of two, the greater wins."""

    NONE = 0
    TELLING = 1
    """Others may be told that something related exists."""
    SILENT = 2


DEFAULT_LEVEL = Level.AMBER
"""What an object without any TLP marking is read as; the receipt says so."""

TLP_2_IDS: Mapping[str, Level] = {
    "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487": Level.CLEAR,
    "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb": Level.GREEN,
    "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421": Level.AMBER,
    "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003": Level.AMBER_STRICT,
    "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1": Level.RED,
}
TLP_1_IDS: Mapping[str, Level] = {
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": Level.CLEAR,
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": Level.GREEN,
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": Level.AMBER,
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": Level.RED,
}
_BY_NAME: Mapping[str, Level] = {
    "white": Level.CLEAR,
    "clear": Level.CLEAR,
    "green": Level.GREEN,
    "amber": Level.AMBER,
    "amber+strict": Level.AMBER_STRICT,
    "red": Level.RED,
}


@dataclass(frozen=True, slots=True)
class Terms:
    """What markings say about who may read: a TLP level, sharing groups by STIX id, and recipients by STIX id.

    `level` is None where no marking states or implies one; `recipients` is None where none are named. What is masked is for
    nobody else, whatever the rest says.
    """

    level: Level | None = None
    groups: frozenset[str] = frozenset()
    recipients: frozenset[str] | None = None
    mask: Mask = Mask.NONE

    def __and__(self, other: Terms) -> Terms:
        """Both at once: the strictest level wins, every group must admit the reader, every list of recipients must hold them."""
        named = [terms.recipients for terms in (self, other) if terms.recipients is not None]
        return Terms(
            max((terms.level for terms in (self, other) if terms.level is not None), default=None),
            self.groups | other.groups,
            frozenset.intersection(*named) if named else None,
            max(self.mask, other.mask),
        )

    @property
    def names_readers(self) -> bool:
        """Whether it says more than a level."""
        return bool(self.groups) or self.recipients is not None

    def settled(self, default: Level) -> Terms:
        """With a level in any case, and with recipients exactly where it is RED: RED that names nobody is for nobody."""
        if self.level is not None and (self.recipients is not None) is (self.level is Level.RED):
            return self
        level = default if self.level is None else self.level
        return Terms(level, self.groups, (self.recipients or frozenset()) if level is Level.RED else None, self.mask)


UNMARKED: Final = Terms()
_WELL_KNOWN: Mapping[str, Terms] = {marking: Terms(level) for marking, level in {**TLP_2_IDS, **TLP_1_IDS}.items()}


def terms_defined(objects: Iterable[Mapping[str, Any]], known: Mapping[str, Terms] = _WELL_KNOWN) -> dict[str, Terms]:
    """The terms of every marking-definition among these objects that states some, by its id; what is known keeps its own."""
    defined = {**known, **_WELL_KNOWN}
    for obj in objects:
        if obj.get("type") == "marking-definition" and (terms := terms_of_definition(obj)) != UNMARKED:
            defined.setdefault(str(obj["id"]), terms)
    return defined


def terms_of(obj: Mapping[str, Any], defined: Mapping[str, Terms] = _WELL_KNOWN) -> Terms:
    """What an object's own and granular markings say together, not settled: who may see every part of it."""
    granular = granular_terms(obj, defined)
    return reduce(and_, (terms for terms, _ in granular), own_terms(obj, defined))


def own_terms(obj: Mapping[str, Any], defined: Mapping[str, Terms] = _WELL_KNOWN) -> Terms:
    """What the markings of the whole object say together, not settled."""
    refs = [*_strings(obj.get("object_marking_refs"))]
    if len(refs) == 1:
        return defined.get(refs[0], UNMARKED)
    return reduce(and_, (defined[ref] for ref in refs if ref in defined), UNMARKED)


def granular_terms(
    obj: Mapping[str, Any], defined: Mapping[str, Terms] = _WELL_KNOWN
) -> list[tuple[Terms, tuple[str, ...]]]:
    """What each granular marking says of its selectors. A `lang` says nothing of readers, nor does an unknown marking."""
    marked = obj.get("granular_markings")
    if not isinstance(marked, list):
        return []
    refs = [(one, one.get("marking_ref")) for one in marked if isinstance(one, Mapping)]
    known = [(one, defined[ref]) for one, ref in refs if isinstance(ref, str) and ref in defined]
    return [(terms, tuple(_strings(one.get("selectors")))) for one, terms in known]


def terms_of_definition(obj: Mapping[str, Any]) -> Terms:
    """What a marking-definition states. A sharing group implies at least AMBER, recipients imply RED; a mask no level."""
    extensions = obj.get("extensions") or {}
    level = _level_stated(obj, extensions)
    sharing, mask = extensions.get(SHARING_EXTENSION), _mask_stated(extensions)
    if not isinstance(sharing, Mapping):
        return Terms(level, mask=mask)
    groups = frozenset(_strings(sharing.get("sharing_groups")))
    recipients = frozenset(_strings(sharing["recipients"])) if "recipients" in sharing else None
    implied = [level] if level is not None else []
    implied += [Level.AMBER] if groups else []
    implied += [Level.RED] if recipients is not None else []
    return Terms(max(implied, default=None), groups, recipients, mask)


def _mask_stated(extensions: Mapping[str, Any]) -> Mask:
    masking = extensions.get(MASKING_EXTENSION)
    if not isinstance(masking, Mapping):
        return Mask.NONE
    return Mask.TELLING if masking.get("tell_others") is True else Mask.SILENT


def _level_stated(obj: Mapping[str, Any], extensions: Mapping[str, Any]) -> Level | None:
    extension = extensions.get(TLP_2_EXTENSION)
    if isinstance(extension, Mapping):
        return _BY_NAME.get(str(extension.get("tlp_2_0", "")).lower())
    definition = obj.get("definition")
    if obj.get("definition_type") == "tlp" and isinstance(definition, Mapping):
        return _BY_NAME.get(str(definition.get("tlp", "")).lower())
    return None


def _strings(value: Any) -> Iterable[str]:
    return (item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
