"""Which rule of spelling belongs to which kind of observable or STIX type."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial

from kentongan.domain.incident import Observable
from kentongan.domain.observables import addresses, artefacts, hashes, names, urls
from kentongan.domain.observables.defang import LONGEST, refanged
from kentongan.domain.observables.names import folded
from kentongan.domain.observables.suffixes import known_top_level

Rule = Callable[[str], Observable | None]

FILE_ENDINGS = frozenset(
    "exe dll sys scr pif bat cmd ps1 vbs vbe js jse wsf hta lnk jar apk doc docx docm xls xlsx xlsm xlsb ppt pptx rtf pdf "
    "iso img vhd 7z rar gz tar tgz cab msi msix one bin dat tmp log txt csv xml json html htm php asp aspx jsp cgi elf "
    "dylib so dmg pkg plist ini cfg conf bak png jpg jpeg gif bmp ico svg mp3 mp4 wav avi eml msg ics sln cs cpp".split()
)
"""Endings that tell a file's name from a host's; those that are top-level domains too (zip, sh, py) are not among them."""


def _domain_or_url(raw: str) -> Observable | None:
    """Publishers put URLs, addresses and mailboxes where a domain belongs; the value says what it is."""
    found = names.domain(raw)
    if found:
        return found
    text = refanged(raw)
    if text and "/" in text:
        return addresses.address(text) or urls.url(text)
    return names.email(text) if text and "@" in text else None


def _address_or_domain(raw: str) -> Observable | None:
    return addresses.address(raw) or (names.domain(raw) if "." in raw else None)


_RULES: dict[str, Rule] = {
    "ipv4": _address_or_domain,
    "ipv6": _address_or_domain,
    "cidr": addresses.address,
    "domain": _domain_or_url,
    "url": urls.url,
    "email": names.email,
    "mac": addresses.mac,
    "asn": addresses.asn,
    "md5": hashes.file_hash,
    "sha1": hashes.file_hash,
    "sha256": hashes.file_hash,
    "sha512": hashes.file_hash,
    "ssdeep": hashes.ssdeep,
    "tlsh": hashes.tlsh,
    "imphash": hashes.imphash,
    "mutex": artefacts.mutex,
    "registry-key": artefacts.registry_key,
    "file-name": artefacts.file_name,
    "user-agent": artefacts.user_agent,
    "wallet": artefacts.wallet,
    "certificate": artefacts.certificate,
    "user-account": artefacts.settled(partial(artefacts.one_line, "user-account")),
    "software": artefacts.settled(partial(artefacts.one_line, "software")),
    "process": artefacts.settled(partial(artefacts.one_line, "process")),
    "other": artefacts.settled(partial(artefacts.one_line, "other")),
}
KINDS = frozenset(_RULES)

_STIX_TYPES = {
    "ipv4-addr": "ipv4",
    "ipv6-addr": "ipv6",
    "domain-name": "domain",
    "hostname": "domain",
    "email-addr": "email",
    "mac-addr": "mac",
    "autonomous-system": "asn",
    "windows-registry-key": "registry-key",
    "file": "file-name",
    "x509-certificate": "certificate",
    "cryptocurrency-wallet": "wallet",
    "hash": "sha256",
    "artifact": "sha256",
}


def normal_form(kind_or_stix_type: str, raw: str) -> Observable | None:
    """The one spelling of a value; None where it is no value of that kind at all.

    The kind of the answer may be another one where the value itself says so: `1.2.3.4` given as a domain is an ipv4, a
    hash's kind follows from its length. Hash names of STIX (`SHA-256`) are kinds too.
    """
    kind = _STIX_TYPES.get(kind_or_stix_type, kind_or_stix_type)
    rule = _RULES.get(kind)
    found = rule(raw) if rule else hashes.named_hash(kind, raw)
    return found if found and _printable(found.value) else None


def _printable(value: str) -> bool:
    """Lone surrogates and NUL cannot be stored as UTF-8 text."""
    if value.isascii():
        return "\x00" not in value
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\x00" not in value


_SCHEME = re.compile(r"\s*[\[(<\"']*[a-z*][a-z0-9*+.-]{1,20}\s*[\[(]?:[\])]?[\[(]?(?://|\\\\)", re.IGNORECASE)
_ONE_WORD = re.compile(r"\S+")


def recognise(raw: str) -> Observable | None:
    """A value in any spelling whose kind the asker did not say; None where it could be anything (a mutex, a name)."""
    if len(raw) > LONGEST:
        return None
    found = _recognised(raw)
    return found if found and _printable(found.value) else None


def _recognised(raw: str) -> Observable | None:
    if _SCHEME.match(raw):
        return urls.url(raw)
    for rule in _SHOWING_THEMSELVES:
        found = rule(raw)
        if found:
            return found
    text = refanged(raw)
    if not text or not _ONE_WORD.fullmatch(text):
        return None
    if "@" in text:
        return names.email(text)
    if "/" in text:
        return urls.url(text) if _host_like(text.split("/", 1)[0]) else None
    return _host_or_file(text)


def _asn_with_mark(raw: str) -> Observable | None:
    return addresses.asn(raw) if raw.strip()[:2].lower() == "as" else None


_SHOWING_THEMSELVES: tuple[Rule, ...] = (
    hashes.file_hash,
    addresses.address,
    addresses.mac_with_marks,
    _asn_with_mark,
    artefacts.known_registry_key,
    artefacts.wallet,
    hashes.ssdeep,
    hashes.tlsh,
)


def _host_or_file(text: str) -> Observable | None:
    if "." not in text.strip("."):
        return None
    ending = folded(text.rstrip(".").rpartition(".")[2])
    if ending in FILE_ENDINGS:
        return artefacts.file_name(text)
    found = names.domain(text)
    return found if (found and "." in found.value) or (found and found.kind != "domain") else None


@lru_cache(maxsize=4096)
def _host_like(host: str) -> bool:
    found = names.domain(host.partition(":")[0])
    return found is not None and (found.kind != "domain" or known_top_level(found.value))
