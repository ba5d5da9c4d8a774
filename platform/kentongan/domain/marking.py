"""TLP 2.0 read from STIX: which level an object carries, whatever spelling, version or number of markings it came with.

Source: FIRST TLP 2.0; STIX 2.1 sections 4.14 (TLP 1 in 7.2.1.4) and 7.2; the TLP 2.0 extension
`extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any

TLP_2_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"


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
_WELL_KNOWN: Mapping[str, Level] = {**TLP_2_IDS, **TLP_1_IDS}
_BY_NAME: Mapping[str, Level] = {
    "white": Level.CLEAR,
    "clear": Level.CLEAR,
    "green": Level.GREEN,
    "amber": Level.AMBER,
    "amber+strict": Level.AMBER_STRICT,
    "red": Level.RED,
}


def levels_defined(objects: Iterable[Mapping[str, Any]]) -> dict[str, Level]:
    """The TLP level of every marking-definition among these objects that states one, by its id; well-known ids keep theirs."""
    defined = dict(_WELL_KNOWN)
    for obj in objects:
        if obj.get("type") == "marking-definition" and (level := _level_of_definition(obj)) is not None:
            defined.setdefault(str(obj["id"]), level)
    return defined


def level_of(obj: Mapping[str, Any], defined: Mapping[str, Level] = _WELL_KNOWN) -> Level | None:
    """The strictest TLP level among an object's own and granular markings, or None where it carries none.

    Granular markings count for the whole object: it is withheld from whoever may not see its strictest part.
    """
    refs = [*_strings(obj.get("object_marking_refs"))]
    for granular in obj.get("granular_markings") or ():
        if isinstance(granular, Mapping) and isinstance(granular.get("marking_ref"), str):
            refs.append(granular["marking_ref"])
    return max((defined[ref] for ref in refs if ref in defined), default=None)


def _level_of_definition(obj: Mapping[str, Any]) -> Level | None:
    extension = (obj.get("extensions") or {}).get(TLP_2_EXTENSION)
    if isinstance(extension, Mapping):
        return _BY_NAME.get(str(extension.get("tlp_2_0", "")).lower())
    definition = obj.get("definition")
    if obj.get("definition_type") == "tlp" and isinstance(definition, Mapping):
        return _BY_NAME.get(str(definition.get("tlp", "")).lower())
    return None


def _strings(value: Any) -> Iterable[str]:
    return (item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
