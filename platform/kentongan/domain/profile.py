"""What an organization tells of itself, and in which form: each with the moment from which it holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final
from zoneinfo import available_timezones

from kentongan.domain.pgp import NoPublicKey, fingerprint

LONGEST: Final = 500
LONGEST_KEY: Final = 50_000
_LANGUAGES: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*(, ?[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*)*")
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()./-]{3,40}")
_NO_PLACES: Final = frozenset({"Factory", "localtime"})
"""What stands among the names of the time zones and is none."""


class WrongAttribute(Exception):
    """A value that an attribute cannot have; `reason` and `hint` say why and what to do."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


def checked(name: str, value: str) -> str:
    """The value as it is kept. Raises WrongAttribute; KeyError for a name that is none of ATTRIBUTES."""
    # A browser sends the line breaks of a text field as CR LF.
    return ATTRIBUTES[name](value.replace("\r\n", "\n").strip())


def _words(value: str) -> str:
    if not 1 <= len(value) <= LONGEST or not all(char.isprintable() or char == "\n" for char in value):
        raise WrongAttribute(f"it has not 1 to {LONGEST} visible characters", "Shorten it, or leave it out.")
    return value


def _time_zone(value: str) -> str:
    if value not in available_timezones() - _NO_PLACES:
        raise WrongAttribute("there is no such time zone", "Use a name of the IANA database, such as Asia/Jakarta.")
    return value


def _languages(value: str) -> str:
    if len(value) > LONGEST or not _LANGUAGES.fullmatch(value):
        raise WrongAttribute("these are no language tags (BCP 47)", "Write them so: id, en.")
    return value


def _phone(value: str) -> str:
    if not _PHONE.fullmatch(value):
        raise WrongAttribute("this is no telephone number", "Write it internationally: +62 21 555 0100.")
    return value


def _pgp_key(value: str) -> str:
    hint = "Paste the block that `gpg --armor --export` prints."
    if len(value) > LONGEST_KEY:
        raise WrongAttribute(f"it is longer than {LONGEST_KEY} characters", hint)
    try:
        fingerprint(value)
    except NoPublicKey:
        raise WrongAttribute("this is no armoured PGP public key", hint) from None
    return value


ATTRIBUTES: Final[Mapping[str, Callable[[str], str]]] = {
    "host-agency": _words,
    "time-zone": _time_zone,
    "languages": _languages,
    "contact-address": _words,
    "phone": _phone,
    "pgp-key": _pgp_key,
}
"""Every attribute by its name, with what checks it."""
