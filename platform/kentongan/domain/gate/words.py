"""The vocabularies that STIX suggests, read once from schemas/vocabularies.json."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from kentongan.domain.gate.schema import schema_file

Words = frozenset[str]
COMMON_RELATIONSHIPS: Final = frozenset({"derived-from", "duplicate-of", "related-to"})
OUR_OWN: Final[dict[tuple[str, str], Words]] = {
    ("incident", "uses"): frozenset({"attack-pattern", "infrastructure", "malware", "tool", "vulnerability"}),
    ("incident", "attributed-to"): frozenset({"campaign"}),
    ("incident", "targets"): frozenset({"location", "vulnerability"}),
}
"""STIX 2.1 leaves the relationships of its incident stub open; these are read as facts (docs/stix.md)."""


@cache
def _words() -> dict[str, Any]:
    return schema_file("vocabularies.json")


@cache
def open_vocabularies() -> dict[str, tuple[tuple[str, Words], ...]]:
    """By type: each property with an open vocabulary, and its words."""
    return {
        kind: tuple((name, frozenset(words)) for name, words in properties.items())
        for kind, properties in _words()["open_vocabularies"].items()
    }


@cache
def relationships() -> dict[tuple[str, str], Words]:
    """By source type and relationship type: the target types that STIX, the incident suite or we suggest."""
    return {
        (source, kind): frozenset(targets) | OUR_OWN.get((source, kind), frozenset())
        for source, kinds in _words()["relationships"].items()
        for kind, targets in kinds.items()
    }


@cache
def languages() -> Words:
    """The two-letter languages of ISO 639-1."""
    return frozenset(_words()["languages"])


@cache
def hash_names() -> Words:
    """The hash algorithms of STIX 2.1 section 10.7."""
    return frozenset(_words()["hash_names"])
