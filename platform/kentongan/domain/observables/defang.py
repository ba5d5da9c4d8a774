"""Undo what reporters do to a value so that nobody clicks it by accident: `hxxp://evil[.]example` and its many cousins."""

from __future__ import annotations

import re

LONGEST = 4096
"""Characters. A longer text is no observable: nobody compares it, and no index should hold it."""

_ROUNDS = 4
"""Nested brackets are peeled in a few rounds; a text that still changes after these was made to keep us busy. For the
same reason every repetition below is bounded: no text may cost more than its length."""

WRAPPING = " \t\r\n\f\v\x00\ufeff\u200b\u200e\u200f\u00a0<>\"'`“”‘’«»"
_HINT = re.compile(r"[\[\](){}\\]|[hHfF][xX*]|[hH][tT][xX]|&#|\u200b", re.IGNORECASE)
_DOT = re.compile(
    r"\s{0,3}[\[({]{1,4}\s{0,3}(?:\.|,|dot|punkt|titik)\s{0,3}[\])}]{1,4}\s{0,3}|\\{1,4}\.|&#46;", re.IGNORECASE
)
_AT = re.compile(r"\s{0,3}[\[({]{1,4}\s{0,3}(?:@|at)\s{0,3}[\])}]{1,4}\s{0,3}|&#64;", re.IGNORECASE)
_COLON = re.compile(r"\[{1,4}(:/{0,2})\]{1,4}|\({1,4}(:/{0,2})\){1,4}|\{{1,4}(:/{0,2})\}{1,4}")
_SLASH = re.compile(r"[\[({]/{1,2}[\])}]")
_SCHEME = re.compile(r"\s*(?:h[xt*]{2}p|htxp|hxtp|h__p|fxp)(s?)\s*:(?=/{2}|\\{2})", re.IGNORECASE)
_HALF_OPEN = re.compile(r"[\[({](?=\.)|(?<=\.)[\])}]")


def unwrapped(raw: str) -> str:
    """The text without the blanks, quotes and angle brackets around it. Example: `<evil.example> ` is `evil.example`."""
    return raw.strip(WRAPPING)


def refanged(raw: str) -> str | None:
    """The value as it was before it was made harmless; None for a text too long or too tangled to be one.

    Example: `hxxps[:]//evil[.]example/a` is `https://evil.example/a`. What is not defanged comes back unchanged.
    """
    if len(raw) > LONGEST:
        return None
    text = unwrapped(raw)
    if not _HINT.search(text):
        return text
    for _ in range(_ROUNDS):
        peeled = unwrapped(_one_round(text))
        if peeled == text:
            return text
        text = peeled
    return None


def host_refanged(host: str) -> str:
    """A host name without the half brackets that some write. Example: `evil[.example` is `evil.example`."""
    return _HALF_OPEN.sub("", host)


def _one_round(text: str) -> str:
    text = _COLON.sub(lambda found: found.group(1) or found.group(2) or found.group(3), text)
    text = _SLASH.sub(lambda found: found.group(0)[1:-1], text)
    text = _SCHEME.sub(_true_scheme, text, count=1) if _SCHEME.match(text) else text
    return _AT.sub("@", _DOT.sub(".", text))


def _true_scheme(found: re.Match[str]) -> str:
    return ("ftp" if found.group(0).lstrip()[0] in "fF" else "http") + found.group(1).lower() + ":"
