"""Media types as TAXII 2.1 section 3.1 and real clients use them."""

from __future__ import annotations

from typing import Final

from werkzeug.http import parse_accept_header, parse_options_header

TAXII: Final = "application/taxii+json;version=2.1"
STIX: Final = "application/stix+json;version=2.1"
_NAME: Final = "application/taxii+json"
_VERSION: Final = "2.1"
_GOOD_ENOUGH: Final = frozenset({"*/*", "application/*", "application/json"})
"""What clients that were not written for TAXII ask for: they can read our answers, and a 406 would only keep them out."""


def accepts(header: str | None) -> bool:
    """Whether whoever sends this Accept header can be answered in TAXII 2.1; without a version any one is meant."""
    if not header or not header.strip():
        return True
    return any(quality > 0 and _is_answered(value) for value, quality in parse_accept_header(header))


def is_taxii(header: str | None) -> bool:
    """Whether this Content-Type names TAXII 2.1, with or without its version, in whatever case and with whatever blanks."""
    name, options = parse_options_header(header or "")
    return name.lower() == _NAME and options.get("version", _VERSION) == _VERSION


def _is_answered(value: str) -> bool:
    return is_taxii(value) or parse_options_header(value)[0].lower() in _GOOD_ENOUGH
