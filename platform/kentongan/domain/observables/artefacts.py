"""What is found on a machine or in an account: file names, registry keys, mutexes, user agents, wallets, ..."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import wraps

from kentongan.domain.incident import Observable
from kentongan.domain.observables.defang import LONGEST, unwrapped
from kentongan.domain.observables.names import folded

_BLANKS = re.compile(r"\s+")
_HIVES = {
    "hklm": "hkey_local_machine",
    "hkcu": "hkey_current_user",
    "hkcr": "hkey_classes_root",
    "hku": "hkey_users",
    "hkcc": "hkey_current_config",
    "hkpd": "hkey_performance_data",
}
_HIVE_NAMES = frozenset(_HIVES.values())
_SEPARATORS = re.compile(r"[\\/]+")
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_SHAPE = re.compile(r"[13T][1-9A-HJ-NP-Za-km-z]{25,34}")
_BASE58_VERSIONS = {"1": 0x00, "3": 0x05, "T": 0x41}
_BECH32 = re.compile(r"(?:bc1|ltc1)[02-9ac-hj-np-z]{8,87}", re.IGNORECASE)
_ETHEREUM = re.compile(r"0x[0-9a-f]{40}", re.IGNORECASE)
_MONERO = re.compile(r"[48][1-9A-HJ-NP-Za-km-z]{94}(?:[1-9A-HJ-NP-Za-km-z]{11})?")
_SERIAL = re.compile(r"[0-9a-f]{1,64}")


def settled(rule: Callable[[str], Observable | None]) -> Callable[[str], Observable | None]:
    """The rule applied until nothing changes: peeling quotes off a value can bare another layer. None if it never ends."""

    @wraps(rule)
    def until_settled(raw: str) -> Observable | None:
        for _ in range(8):
            found = rule(raw)
            if found is None or found.value == raw:
                return found
            raw = found.value
        return None

    return until_settled


def _one_line(raw: str) -> str:
    return _BLANKS.sub(" ", unwrapped(raw)).strip() if len(raw) <= LONGEST else ""


@settled
def file_name(raw: str) -> Observable | None:
    """The last part of a path in lower case. Example: `C:\\Users\\Public\\Invoice.EXE` is `invoice.exe`."""
    parts = [part.strip() for part in _SEPARATORS.split(folded(_one_line(raw)))]
    name = unwrapped(parts[-1])
    return Observable("file-name", name) if name.strip(". ") else None


@settled
def registry_key(raw: str) -> Observable | None:
    """A registry key in lower case, its hive written out. Example: `HKLM\\Software\\X` is `hkey_local_machine\\software\\x`."""
    parts = [part for part in _SEPARATORS.split(folded(_one_line(raw)).removeprefix("computer\\")) if part.strip()]
    if not parts:
        return None
    hive = parts[0].strip("[]: ")
    return Observable("registry-key", "\\".join([_HIVES.get(hive, hive) or parts[0], *parts[1:]]))


def known_registry_key(raw: str) -> Observable | None:
    """A registry key that begins with a known hive, as free text and unknown values must."""
    found = registry_key(raw)
    return found if found and "\\" in found.value and found.value.split("\\", 1)[0] in _HIVE_NAMES else None


@settled
def mutex(raw: str) -> Observable | None:
    """A mutex as it is: names of mutexes are case-sensitive."""
    text = unwrapped(raw) if len(raw) <= LONGEST else ""
    return Observable("mutex", text) if text else None


@settled
def user_agent(raw: str) -> Observable | None:
    """A user agent as it is, without its header name."""
    text = re.sub(r"(?:user-agent:\s*)+", "", _one_line(raw), count=1, flags=re.IGNORECASE).strip()
    return Observable("user-agent", unwrapped(text)) if unwrapped(text) else None


def wallet(raw: str) -> Observable | None:
    """A Bitcoin, Litecoin, Tron, Ethereum or Monero address; Base58 ones only with a true checksum."""
    text = unwrapped(raw) if len(raw) <= LONGEST else ""
    text = text.partition(":")[2] if text.lower().startswith(("bitcoin:", "ethereum:")) else text
    if _BECH32.fullmatch(text) or _ETHEREUM.fullmatch(text):
        return Observable("wallet", text.lower())
    if _MONERO.fullmatch(text) or (_BASE58_SHAPE.fullmatch(text) and _base58_holds(text)):
        return Observable("wallet", text)
    return None


def _base58_holds(text: str) -> bool:
    number = 0
    for letter in text:
        number = number * 58 + _BASE58.index(letter)
    if number >= 1 << 200:
        return False
    octets = number.to_bytes(25, "big")
    checksum = hashlib.sha256(hashlib.sha256(octets[:21]).digest()).digest()[:4]
    return octets[0] == _BASE58_VERSIONS[text[0]] and checksum == octets[21:]


def certificate(raw: str) -> Observable | None:
    """A certificate's serial number in lower-case hexadecimal without colons and leading zeros."""
    digits = re.sub(r"[\s:-]+", "", raw[:LONGEST]).lower().removeprefix("0x").lstrip("0")
    return Observable("certificate", digits) if _SERIAL.fullmatch(digits) else None


def one_line(kind: str, raw: str) -> Observable | None:
    """Values without spelling rules of their own: lower case, one blank between words."""
    text = unwrapped(folded(_one_line(raw)))
    return Observable(kind, text) if text else None
