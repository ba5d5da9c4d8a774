"""Hashes of files and certificates. The length decides the kind: publishers mix up the names more often than the digits."""

from __future__ import annotations

import re

from kentongan.domain.incident import Observable
from kentongan.domain.observables.defang import LONGEST, unwrapped

_BY_LENGTH = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
_UNLISTED = {56: "sha224", 96: "sha384"}
_HEX = re.compile(r"[0-9a-f]+")
_MARKS = re.compile(r"[\s:_-]+")
_NAMED = re.compile(
    r"(?:md5|sha-?(?:1|224|256|384|512)|sha3-(?:224|256|384|512)|imphash|authentihash|pehash|hash)\s*[:=]\s*(.+)", re.I
)
_SSDEEP = re.compile(r"[0-9]{1,10}:[A-Za-z0-9+/]{1,200}:[A-Za-z0-9+/]{1,200}")
_TLSH = re.compile(r"(?:T1)?([0-9A-F]{70})", re.IGNORECASE)
_NAME_MARKS = re.compile(r"[^a-z0-9]+")


def file_hash(raw: str) -> Observable | None:
    """A cryptographic hash in lower-case hexadecimal. Example: `D4:1D:8C:...` of 32 digits is an md5."""
    plain = raw.lower()
    kind = _BY_LENGTH.get(len(plain))
    if kind and _HEX.fullmatch(plain):
        return Observable(kind, plain)
    return _in_another_spelling(raw) if len(raw) <= LONGEST else None


def _in_another_spelling(raw: str) -> Observable | None:
    text = unwrapped(raw)
    named = _NAMED.fullmatch(text)
    digits = _MARKS.sub("", named.group(1) if named else text).lower().removeprefix("0x")
    if not _HEX.fullmatch(digits):
        return None
    if len(digits) in _UNLISTED:
        return Observable("other", f"{_UNLISTED[len(digits)]}:{digits}")
    kind = _BY_LENGTH.get(len(digits))
    return Observable(kind, digits) if kind else None


def ssdeep(raw: str) -> Observable | None:
    """A context-triggered piecewise hash, as it is: its letters' case has meaning."""
    text = unwrapped(raw.split(",", 1)[0]) if len(raw) <= LONGEST else ""
    return Observable("ssdeep", text) if _SSDEEP.fullmatch(text) else None


def tlsh(raw: str) -> Observable | None:
    """A locality-sensitive hash in upper case with its version mark. Example: 70 digits without `T1` get it."""
    found = _TLSH.fullmatch(unwrapped(raw)) if len(raw) <= LONGEST else None
    return Observable("tlsh", "T1" + found.group(1).upper()) if found else None


def imphash(raw: str) -> Observable | None:
    """The hash of a program's import table: an md5 by its digits, but of something else."""
    found = file_hash(raw)
    return Observable("imphash", found.value) if found and found.kind == "md5" else None


def named_hash(name: str, raw: str) -> Observable | None:
    """A hash under the name a publisher gave it: `SHA-256`, `SHA256`, `sha256`, `ssdeep`, `authentihash`, ..."""
    plain = _NAME_MARKS.sub("", name.lower())
    special = {"ssdeep": ssdeep, "tlsh": tlsh, "imphash": imphash}.get(plain)
    if special:
        return special(raw)
    found = file_hash(raw)
    if found and plain.startswith(("sha3", "authentihash", "pehash", "telfhash", "vhash")):
        return Observable("other", f"{plain}:{found.value.rpartition(':')[2]}")
    return found
