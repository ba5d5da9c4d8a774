"""Observables in indicator patterns (STIX 2.1 section 9), read without a grammar: what stands is what was checked before.

Only comparisons that name a value are read: `=`, `IN`, `ISSUBSET`, without `NOT`. Wildcards and regular expressions
(`LIKE`, `MATCHES`) name no value.
"""

from __future__ import annotations

import re
from functools import lru_cache

from kentongan.domain.incident import Observable
from kentongan.domain.observables.hashes import named_hash
from kentongan.domain.observables.kinds import normal_form, recognise

_LITERAL = r"'(?:[^'\\]|\\.)*+'"
_SCAN = re.compile(
    rf"""(?<![A-Za-z0-9_-])(?P<type>[A-Za-z0-9_-]++)\s*+:\s*+
    (?P<path>(?:[A-Za-z0-9_-]++|'[^']{{0,250}}'|"[^"]{{0,250}}"|\.|\[[0-9*]{{0,9}}\])++)\s*+
    (?P<not>NOT\s+)?(?P<op>==?|!=|<>|<=|>=|<|>|IN\b|LIKE\b|MATCHES\b|ISSUBSET\b|ISSUPERSET\b)\s*
    (?P<literal>{_LITERAL}|\([^()']*+(?:{_LITERAL}[^()']*+)*+\)|[0-9]+(?![0-9.]))
    |{_LITERAL}""",
    re.VERBOSE | re.DOTALL,
)
_TEXTS = re.compile(r"'((?:[^'\\]|\\.)*)'|([0-9]+)", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_NAMING = frozenset({"=", "==", "IN", "ISSUBSET"})
_WHOLE_VALUES = frozenset(
    {"domain-name", "ipv4-addr", "ipv6-addr", "url", "email-addr", "mac-addr", "hostname", "cryptocurrency-wallet"}
)
_PROPERTIES = {
    ("autonomous-system", "number"): "asn",
    ("app", "id"): "app-id",
    ("configuration-profile", "id"): "configuration-profile",
    ("directory", "path"): "directory",
    ("file", "path"): "file-path",
    ("email-message", "subject"): "email-subject",
    ("email-message", "message_id"): "email-message-id",
    ("file", "name"): "file-name",
    ("mutex", "name"): "mutex",
    ("process", "command_line"): "process",
    ("process", "image_ref.name"): "file-name",
    ("process", "binary_ref.name"): "file-name",
    ("process", "name"): "file-name",
    ("software", "name"): "software",
    ("user-account", "account_login"): "user-account",
    ("user-account", "user_id"): "user-account",
    ("user-account", "display_name"): "user-account",
    ("windows-registry-key", "key"): "registry-key",
    ("x509-certificate", "serial_number"): "certificate",
    ("artifact", "url"): "url",
}
_LABELLED = frozenset(
    {"app-id", "configuration-profile", "file-path", "directory", "email-subject", "email-message-id"}
)


@lru_cache(maxsize=8192)
def in_pattern(pattern: str) -> tuple[Observable, ...]:
    """The values a pattern looks for, in their normal forms, each once.

    Example: `[file:hashes.'SHA-256' = 'AB...' OR domain-name:value IN ('a.example','B.example')]` gives three.
    """
    found: dict[Observable, None] = {}
    for comparison in _SCAN.finditer(pattern):
        if comparison["type"] and comparison["op"] in _NAMING and not comparison["not"]:
            path = comparison["path"].replace("'", "").replace('"', "")
            for text in _texts(comparison["literal"]):
                observable = of_property(comparison["type"].lower(), path, text)
                if observable:
                    found[observable] = None
    return tuple(found)


def _texts(literal: str) -> list[str]:
    return [_ESCAPE.sub(r"\1", quoted) or number for quoted, number in _TEXTS.findall(literal)]


def of_property(stix_type: str, path: str, text: str) -> Observable | None:
    """The observable in one property of an object. Example: file, `hashes.SHA-256` is a sha256; file, `size` is none."""
    head, _, rest = path.partition(".")
    if head == "hashes" and rest:
        return named_hash(rest, text)
    if stix_type in _WHOLE_VALUES and path == "value":
        return normal_form(stix_type, text)
    kind = _PROPERTIES.get((stix_type, path))
    if kind:
        return labelled(kind, text) if kind in _LABELLED else normal_form(kind, text)
    return _through_reference_or_extension(path, text)


def labelled(label: str, text: str) -> Observable | None:
    """A value of no kind of its own, kept apart from others by its label."""
    return normal_form("other", f"{label}:{text}") if text.strip() else None


def _through_reference_or_extension(path: str, text: str) -> Observable | None:
    last = path.rpartition(".")[2].lower()
    if path.endswith(("_ref.value", "_refs[*].value")) or re.search(r"_refs\[[0-9*]*\]\.value$", path):
        return recognise(text)
    if "hashes." in path:
        return named_hash(path.rpartition("hashes.")[2], text)
    if last == "user-agent":
        return normal_form("user-agent", text)
    if last == "imphash":
        return named_hash("imphash", text)
    return normal_form("domain", text) if last == "host" else None
