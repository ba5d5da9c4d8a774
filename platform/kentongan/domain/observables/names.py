"""Names of machines and mailboxes: domains (RFC 1035, IDNA 2008 with UTS 46) and e-mail addresses."""

from __future__ import annotations

import re
import unicodedata

import idna

from kentongan.domain.incident import Observable
from kentongan.domain.observables.addresses import address
from kentongan.domain.observables.defang import WRAPPING, host_refanged, refanged

_PLAIN = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_-]{1,63}\.)*(?![0-9]+\Z)(?!0x[0-9a-f]*\Z)[a-z0-9_-]{1,63}")
_PORT = re.compile(r":[0-9]{0,5}\Z")
_FULL_STOPS = str.maketrans({"\u3002": ".", "\uff0e": ".", "\uff61": "."})
_DISPLAY_NAME = re.compile(r".*<([^<>]+)>\s*", re.DOTALL)
_AROUND = WRAPPING + ".,;"
_LOCAL = re.compile(r"[^\s@,;:<>()\[\]\\\"]{1,64}")


def domain(raw: str) -> Observable | None:
    """A host name in lower case, without trailing dot, as A-labels; an address where it is one.

    Examples: `EVIL[.]example.` is `evil.example`; `bücher.example` is `xn--bcher-kva.example`; `1.2.3[.]4` is the
    address `1.2.3.4`. A port, a leading `*.` and a leading dot are dropped.
    """
    plain = raw.lower()
    if _PLAIN.fullmatch(plain):
        return Observable("domain", plain)
    text = refanged(raw)
    return None if text is None else _of_refanged(host_refanged(text))


def _of_refanged(text: str) -> Observable | None:
    host = _PORT.sub("", text.translate(_FULL_STOPS)) if text.count(":") == 1 else text.translate(_FULL_STOPS)
    host = host.lower().strip(_AROUND).removeprefix("*.").strip(".")
    if not host.isascii():
        host = a_labels(host) or ""
    if _PLAIN.fullmatch(host):
        return Observable("domain", host)
    found = address(host)
    return found if found and found.kind != "cidr" else None


def a_labels(host: str) -> str | None:
    """The ASCII form of an international name (UTS 46); what the standard refuses is spelled with plain Punycode,
    because attackers register and reporters write names that no registry should have allowed. None if impossible."""
    try:
        return idna.encode(host, uts46=True).decode("ascii").strip(".").lower()
    except (idna.IDNAError, UnicodeError, ValueError, IndexError):
        return _forced(host)


def _forced(host: str) -> str | None:
    labels = unicodedata.normalize("NFKC", host).lower().translate(_FULL_STOPS).strip(".").split(".")
    try:
        return ".".join(
            label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii") for label in labels
        )
    except UnicodeError:
        return None


def email(raw: str) -> Observable | None:
    """A mailbox in lower case, its domain as A-labels.

    Example: `Ops <Ops(at)EVIL[.]example>` is `ops@evil.example`. Case in the local part may differ by RFC 5321, but no
    provider of note lets it.
    """
    text = refanged(raw)
    if text is None:
        return None
    named = _DISPLAY_NAME.fullmatch(text + ">" if "<" in text and ">" not in text else text)
    text = (named.group(1) if named else text).strip()
    text = text[7:] if text[:7].lower() == "mailto:" else text
    local, at, host = text.partition("?")[0].rpartition("@")
    where = domain(host) if at else None
    local = folded(local).strip(WRAPPING)
    return Observable("email", f"{local}@{where.value}") if where and _LOCAL.fullmatch(local) else None


def folded(text: str) -> str:
    """Lower case and composed (NFC); repeated, as composing can make a letter that has a lower case of its own."""
    if text.isascii():
        return text.lower()
    for _ in range(4):
        text = unicodedata.normalize("NFC", text.lower())
    return text
