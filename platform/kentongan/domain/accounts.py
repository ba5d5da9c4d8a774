"""The rules of people's accounts: how a name is spelled, what a password must be, what a session is worth.

Sources: NIST SP 800-63B-4 (length and lists instead of composition rules, normalization, context-specific words).
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum
from typing import Final

import idna

from kentongan.domain.common_passwords import is_common
from kentongan.domain.identity import Role
from kentongan.domain.permissions import SECOND_FACTOR_NEEDED
from kentongan.domain.target import WrongTarget, mail_target

SHORTEST_PASSWORD: Final = 12
LONGEST_PASSWORD: Final = 256
"""Characters; argon2 takes more, but whoever sends a megabyte wants to keep us busy."""

INVITATION_LASTS: Final = timedelta(days=7)
RESET_LASTS: Final = timedelta(hours=1)
SESSION_LASTS: Final = timedelta(hours=12)
HALF_SESSION_LASTS: Final = timedelta(minutes=15)
"""How long somebody who proved a password may take over the second factor."""

FRESH_FOR: Final = timedelta(minutes=15)
"""How long after signing in one may change how one signs in."""

_OWN_WORD: Final = 4
_LEFT_WITHOUT_OWN_WORDS: Final = 8
_WORD: Final = re.compile(r"[^\W_]+")


class WrongName(Exception):
    """This is no name that somebody could sign in with; the message says why."""


class Standing(StrEnum):
    """What a session may be used for."""

    WHOLE = "whole"
    OWES_FACTOR = "owes a second factor"
    OWES_ENROLMENT = "owes the enrolment of a second factor"


class Purpose(StrEnum):
    """What a link in a letter is for."""

    JOIN = "join"
    RESET = "reset"


def canonical_name(email: str) -> str:
    """The one spelling of a mail address as a name to sign in with. Raises WrongName.

    Example: ` Siti@CERT.Example ` is `siti@cert.example`; the normal form of a normal form is itself.
    """
    local, at, domain = unicodedata.normalize("NFKC", email).strip().rpartition("@")
    if not at:
        raise WrongName("a name to sign in with is a mail address, such as siti@cert.example")
    try:
        domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
        return mail_target(f"{local}@{domain}".lower())
    except (idna.IDNAError, UnicodeError, WrongTarget):
        raise WrongName("a name to sign in with is a mail address in ASCII, such as siti@cert.example") from None


def sought_name(typed: str) -> str:
    """What somebody typed as their name, for looking it up and for counting attempts: canonical where that can be."""
    try:
        return canonical_name(typed)
    except WrongName:
        return typed.strip().casefold()[:254]


def normal_password(password: str) -> str:
    """The same password from every keyboard and system: NFKC, as SP 800-63B-4 section 3.1.1.2 asks."""
    return unicodedata.normalize("NFKC", password)


def password_fault(password: str, about: Iterable[str]) -> str | None:
    """Why this password cannot be chosen, as a sentence for the person who chose it; None if it can.

    `about` are the words that everybody who knows the person would try: their name, mail address and organization.
    """
    password = normal_password(password)
    if len(password) < SHORTEST_PASSWORD:
        return f"A password has at least {SHORTEST_PASSWORD} characters; several words in a row make a good one."
    if len(password) > LONGEST_PASSWORD:
        return f"A password has at most {LONGEST_PASSWORD} characters."
    folded = password.casefold()
    if any(_is_worn(core) for core in _cores(folded)):
        return "This password is among the first that are tried, or is one of those with something around it."
    if len(_without(folded, about)) < _LEFT_WITHOUT_OWN_WORDS:
        return "This password is made of your name, your mail address or your organization."
    return None


def needs_second_factor(roles: Iterable[Role]) -> bool:
    """Whether somebody of these roles never gets in with a password alone."""
    return not SECOND_FACTOR_NEEDED.isdisjoint(roles)


def standing(roles: Iterable[Role], *, proven: bool, enrolled: bool) -> Standing:
    """What a session is worth now. `proven`: a second factor was shown in it; `enrolled`: the person has one.

    Asked at every request: who is given a role that needs a second factor shows it before the next page.
    """
    if proven:
        return Standing.WHOLE
    if enrolled:
        return Standing.OWES_FACTOR
    return Standing.OWES_ENROLMENT if needs_second_factor(roles) else Standing.WHOLE


def _cores(folded: str) -> set[str]:
    """The password itself, and what remains without digits and signs at its ends. Example: `sunshine2026!!` has the core
    `sunshine`."""
    stripped = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", folded)
    return {folded, stripped} if len(stripped) >= _OWN_WORD else {folded}


def _is_worn(core: str) -> bool:
    piece = _repeated(core)
    return is_common(piece) or _is_run(piece) or (piece != core and len(piece) < _OWN_WORD)


def _repeated(text: str) -> str:
    """The shortest piece that the text is a row of; the text itself where it is no row. Example: `abcabcabcabc` repeats `abc`."""
    return text[: (text + text).find(text, 1)]


def _is_run(core: str) -> bool:
    """Whether each character is the next, the same or the previous one. Examples: `abcdefghijkl`, `567890123456`."""
    steps = {ord(after) - ord(before) for before, after in itertools.pairwise(core)}
    if core.isdecimal() and core.isascii():
        steps = {(step + 1) % 10 - 1 for step in steps}
    return len(steps) <= 1 and steps <= {-1, 0, 1}


def _without(folded: str, about: Iterable[str]) -> str:
    words = {word for each in about for word in _WORD.findall(each.casefold()) if len(word) >= _OWN_WORD}
    for word in sorted(words, key=len, reverse=True):
        folded = folded.replace(word, "")
    return folded
