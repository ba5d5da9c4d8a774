"""Observables in STIX cyber-observable objects (STIX 2.1 chapter 6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kentongan.domain.incident import Observable
from kentongan.domain.observables.hashes import named_hash
from kentongan.domain.observables.kinds import normal_form
from kentongan.domain.observables.patterns import labelled

StixObject = Mapping[str, Any]
"""A parsed STIX object; its values are whatever JSON held, hence Any."""

Found = Iterable[Observable | None]


def in_cyber_observable(stix: StixObject) -> tuple[Observable, ...]:
    """The values of one SCO, each hash on its own, each once; empty for types that only refer to others
    (network-traffic, most of email-message) and for types nobody knows."""
    rule = _RULES.get(stix.get("type", ""))
    return tuple(dict.fromkeys(found for found in rule(stix) if found)) if rule else ()


def _text(stix: StixObject, name: str) -> str:
    value = stix.get(name)
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""


def _section(stix: StixObject, *names: str) -> StixObject:
    for name in names:
        inner = stix.get(name)
        stix = inner if isinstance(inner, dict) else {}
    return stix


def _hashes(stix: StixObject) -> Found:
    for name, value in _section(stix, "hashes").items():
        if isinstance(value, str):
            yield named_hash(name, value)


def _value(stix: StixObject) -> Found:
    yield normal_form(stix["type"], _text(stix, "value"))


def _property(name: str, kind: str) -> Callable[[StixObject], Found]:
    def rule(stix: StixObject) -> Found:
        yield normal_form(kind, _text(stix, name))

    return rule


def _file(stix: StixObject) -> Found:
    yield from _hashes(stix)
    yield normal_form("file-name", _text(stix, "name"))
    program = _section(stix, "extensions", "windows-pebinary-ext")
    yield normal_form("imphash", _text(program, "imphash"))
    yield from _hashes(_section(program, "optional_header"))


def _artifact(stix: StixObject) -> Found:
    yield from _hashes(stix)
    yield normal_form("url", _text(stix, "url"))


def _certificate(stix: StixObject) -> Found:
    yield from _hashes(stix)
    yield normal_form("certificate", _text(stix, "serial_number"))


def _registry_key(stix: StixObject) -> Found:
    key = _text(stix, "key")
    yield normal_form("registry-key", key)
    values = stix.get("values")
    for value in values if isinstance(values, list) else ():
        name = _text(value, "name") if isinstance(value, dict) else ""
        if key and name:
            yield normal_form("registry-key", f"{key}\\{name}")


def _user_account(stix: StixObject) -> Found:
    yield normal_form("user-account", _text(stix, "account_login") or _text(stix, "user_id"))


def _software(stix: StixObject) -> Found:
    yield normal_form("software", f"{_text(stix, 'name')} {_text(stix, 'version')}")


def _email_message(stix: StixObject) -> Found:
    yield labelled("email-subject", _text(stix, "subject"))
    yield labelled("email-message-id", _text(stix, "message_id"))


def _network_traffic(stix: StixObject) -> Found:
    request = _section(stix, "extensions", "http-request-ext")
    headers = _section(request, "request_header")
    for name, value in headers.items():
        texts = value if isinstance(value, list) else [value]
        kind = {"user-agent": "user-agent", "host": "domain"}.get(name.lower())
        yield from (normal_form(kind, text) for text in texts if kind and isinstance(text, str))
    target = _text(request, "request_value")
    if "://" in target:
        yield normal_form("url", target)


_RULES: dict[str, Callable[[StixObject], Found]] = {
    "artifact": _artifact,
    "autonomous-system": _property("number", "asn"),
    "cryptocurrency-wallet": _value,
    "directory": lambda stix: (labelled("directory", _text(stix, "path")),),
    "domain-name": _value,
    "email-addr": _value,
    "email-message": _email_message,
    "file": _file,
    "hostname": _value,
    "ipv4-addr": _value,
    "ipv6-addr": _value,
    "mac-addr": _value,
    "mutex": _property("name", "mutex"),
    "network-traffic": _network_traffic,
    "process": _property("command_line", "process"),
    "software": _software,
    "url": _value,
    "user-account": _user_account,
    "user-agent": _property("value", "user-agent"),
    "windows-registry-key": _registry_key,
    "x509-certificate": _certificate,
}
CYBER_OBSERVABLE_TYPES = frozenset(_RULES)
