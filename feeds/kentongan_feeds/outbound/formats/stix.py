"""STIX 2.1 bundles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

_NAMESPACE: Final = UUID("3e1a7a1c-3a4d-5c3e-9a0e-6a5e0b2f8d41")


@dataclass(frozen=True, slots=True)
class StixBundle:
    """Objects that are JSON already, one a line."""

    media_type: str = "application/stix+json;version=2.1"

    def lines(self, name: str, objects: Iterable[str]) -> Iterator[str]:
        """The bundle's id follows from its name: the same case is the same bundle."""
        yield '{"type":"bundle","id":"bundle--' + str(uuid5(_NAMESPACE, name)) + '","objects":['
        for number, one in enumerate(objects):
            yield ("," if number else "") + "\n" + one
        yield "\n]}\n"
