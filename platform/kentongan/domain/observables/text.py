"""Observables in free text, as reporters write them: defanged, in lists after "IOC:", or in the middle of a sentence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from kentongan.domain.incident import Observable
from kentongan.domain.observables.defang import refanged
from kentongan.domain.observables.kinds import FILE_ENDINGS, normal_form
from kentongan.domain.observables.suffixes import registered_domain

LONGEST_TEXT = 50_000
"""Characters of a text that are read; values beyond are not looked for."""

_FILE_OR_SUFFIX = frozenset(
    "zip mov sh md py pl rs ps app so cab la sc ai pub gdn java vi am in is it at my me no so to".split()
)
"""Top-level domains that in plain prose are more often a file's ending or a word after a missing blank."""

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef"
"""Scripts written without blanks (Thai, Lao, Burmese, Khmer, Han) and their marks: a value ends where they begin."""

_UNSPACED_LETTER = re.compile(rf"(?![0-9\u3000-\u303f\uff00-\uffef])[{_UNSPACED}]")
_PLAIN = rf"[^\s,;|\"'`<>“”‘’«»(){_UNSPACED}]"
_CANDIDATE = re.compile(rf"{_PLAIN}*(?:[\[({{](?:\.|dot|at|@|:|://|:/)[\])}}]{_PLAIN}*)+|{_PLAIN}+", re.IGNORECASE)
_PROMISING = re.compile(r"[.@:\[({\\]|[0-9A-Fa-f]{32}|AS[0-9]{3}|[0-9A-Za-z]{26}")
_ANYTHING = re.compile(
    r"\S[.@:\[({\\]\S|[0-9A-Fa-f]{32}|AS[0-9]{3}|[0-9A-Za-z]{26}|[\[({](?:\.|@|:|dot|at)", re.IGNORECASE
)
_LETTER = re.compile(r"[^\W\d_]")
_URL_START = re.compile(r"(?:h[xt*]{2}ps?|ftps?|fxps?|sftp|wss?|tcp|udp)(?:\[?:\]?\[?//\]?|\[://\])", re.IGNORECASE)
_HASH = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64}|[0-9a-fA-F]{128}")
_IPV4 = re.compile(
    r"(?:[0-9]{1,3}(?:\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\)|\.)){3}[0-9]{1,3}(?:/[0-9]{1,2}|:[0-9]{1,5})?", re.I
)
_IPV6 = re.compile(r"(?=(?:[^:]*:){3})[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){3,7}(?:/[0-9]{1,3})?")
_MAC = re.compile(r"(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}")
_ASN = re.compile(r"AS[0-9]{3,10}")
_WALLET = re.compile(r"[0-9A-Za-z]{26,106}")
_SHAPES = {"mac": _MAC, "ipv6": _IPV6, "asn": _ASN, "wallet": _WALLET}
_DEFANG = re.compile(r"[\[({]\s*(?:\.|dot|@|at|:|://|/)\s*[\])}]|h[x*]{2}ps?\b|\[\.|\.\]|\\\.", re.IGNORECASE)
_BLANK_DEFANG = re.compile(r"(?<=\w)\s+([\[({](?:\.|dot|at|@)[\])}])\s+(?=\w)", re.IGNORECASE)
_HEADING = re.compile(
    r"\b(?:iocs?|indicators?|indikator|petunjuk|observables?|artefak|artifacts?|c2|c&c|c&amp;c|domains?|domain|hosts?|hashes|hash|"
    r"urls?|ips?|alamat|address(?:es)?|md5|sha-?(?:1|256|512)|tên miền|địa chỉ|โดเมน|ไอพี|ที่อยู่|ដែន|ໂດເມນ|enderes[oç]u?s?|"
    r"dom[ií]nios?|endere[çc]os?|mã băm|emails?|e-mails?|surel|emel|senders?|pengirim)\b[^.:\n]{0,40}[:：=]",
    re.IGNORECASE,
)
_VERSION_BEFORE = re.compile(
    r"(?:\bv(?:er(?:sion|si)?)?\.?|phiên bản|versi|version|release|firmware|build)\s*$", re.IGNORECASE
)
_TRAILING = ".,;:!?…*_~)]}>\"'"
_SENTENCE_JOIN = re.compile(r"[a-z]\.[A-Z][a-z]*\Z")


@dataclass(frozen=True, slots=True)
class Mention:
    """A value in a text. `telling`: defanged, in a list of indicators, or of a kind nobody writes by the way (a hash);
    otherwise a name in running prose, which may as well be the victim's or a newspaper's."""

    observable: Observable
    telling: bool


def found_in_text(text: str) -> list[Observable]:
    """The values a text gives as indicators, in order, each once. Conservative: no bare words, versions or file names."""
    return [mention.observable for mention in mentions(text) if mention.telling]


@lru_cache(maxsize=64)
def mentions(text: str) -> tuple[Mention, ...]:
    """Every value in the text, in order, each once; telling if any of its places is."""
    found: dict[Observable, bool] = {}
    below_heading = False
    for line in text[:LONGEST_TEXT].splitlines():
        if _ANYTHING.search(line):
            for observable, telling in _in_line(line, below_heading):
                found[observable] = found.get(observable, False) or telling
        heading = _HEADING.search(line)
        below_heading = bool(line.strip()) and (
            below_heading or (heading is not None and not line[heading.end() :].strip())
        )
    return tuple(Mention(observable, telling) for observable, telling in found.items())


def _in_line(line: str, listed: bool) -> list[tuple[Observable, bool]]:
    """`listed`: the line stands below a heading such as "Indicators:", up to the next blank line."""
    line = _BLANK_DEFANG.sub(r"\1", line)
    heading = _HEADING.search(line)
    listed_from = 0 if listed else heading.end() if heading else len(line) + 1
    found: list[tuple[Observable, bool]] = []
    only_values = not _UNSPACED_LETTER.search(line)
    for candidate in _CANDIDATE.finditer(line):
        word, start = candidate.group(), candidate.start()
        read = _read(word, line, start, start >= listed_from) if _PROMISING.search(word) else None
        if read:
            found.append((read[0], read[1] or start >= listed_from))
        elif only_values and _LETTER.search(word):
            only_values = False
    return [(observable, telling or only_values) for observable, telling in found]


def _read(word: str, line: str, start: int, listed: bool) -> tuple[Observable, bool] | None:
    """One word of a line: the value it holds, and whether it tells by itself."""
    url = _URL_START.search(word)
    if url:
        found = normal_form("url", word[url.start() :].rstrip(_TRAILING))
        return (found, bool(_DEFANG.search(word))) if found else None
    word = word.strip("*_~=([{").rstrip(_TRAILING)
    return _self_evident(word, line[max(0, start - 30) : start]) or _named(word, listed)


def _self_evident(word: str, before: str) -> tuple[Observable, bool] | None:
    """Values whose shape leaves no doubt."""
    value = word.rpartition(":")[2] if word.count(":") == 1 else word.rpartition("=")[2]
    if _HASH.fullmatch(value):
        return _pair(normal_form("md5", value))
    if _IPV4.fullmatch(word):
        return None if _VERSION_BEFORE.search(before) else _pair(normal_form("ipv4", word))
    kind = next((kind for kind, shape in _SHAPES.items() if shape.fullmatch(word)), None)
    return _pair(normal_form(kind, word)) if kind else None


def _pair(found: Observable | None) -> tuple[Observable, bool] | None:
    return (found, True) if found else None


def _named(word: str, listed: bool) -> tuple[Observable, bool] | None:
    """Host names, mailboxes and addresses of pages without a scheme."""
    defanged = bool(_DEFANG.search(word))
    word = (refanged(word) or word) if defanged else word
    if "." not in word or word.isdecimal():
        return None
    if "@" in word:
        found = normal_form("email", word)
        return (found, defanged) if found and _exists(found.value.rpartition("@")[2]) else None
    host, slash, _ = word.partition("/")
    found = normal_form("domain", host)
    if found is None or not _believable(found, host, defanged, listed):
        return None
    whole = normal_form("url", word) if slash else found
    return (whole, defanged) if whole else None


def _believable(found: Observable, spelled: str, defanged: bool, listed: bool) -> bool:
    if found.kind != "domain":
        return defanged
    ending = found.value.rpartition(".")[2]
    if ending in FILE_ENDINGS or not _exists(found.value):
        return False
    return defanged or (
        not _SENTENCE_JOIN.search(spelled) and (listed or ending not in _FILE_OR_SUFFIX or found.value.count(".") > 1)
    )


def _exists(host: str) -> bool:
    return registered_domain(host) is not None
