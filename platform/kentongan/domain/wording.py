"""How differently people write the same thing: victims' names, malware names, titles, dates, addresses of pages.

Everything here is a normal form or a comparison of two, so that the rules of matching need not know about spelling.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import lru_cache

from kentongan.domain.glossary import SPOKEN
from kentongan.domain.incident import Moment
from kentongan.domain.synonyms import known_name

_LEGAL_FORMS = frozenset(
    "ltd limited inc incorporated corp corporation co company plc llc llp lp gmbh ag sa nv bv spa srl sarl oy ab as kk "
    "pte pty pt tbk persero cv sdn bhd berhad lda limitada sole jsc ctcp tnhh pcl public private holdings holding group "
    "the of and de da do di dan van va và inc".split()
)
"""Words that say what kind of body it is, not which one, and words that come and go inside a name."""

_LEGAL_PHRASES = (
    "cong ty co phan",
    "cong ty trach nhiem huu han",
    "cong ty tnhh",
    "tong cong ty",
    "perusahaan perseroan",
    "บริษัท",
    "จำกัด",
    "มหาชน",
    "ບໍລິສັດ",
    "ຈຳກັດ",
    "ក្រុមហ៊ុន",
    "ကုမ္ပဏီလီမိတက်",
    "ကုမ္ပဏီ",
)
_BODIES = {
    body: kind
    for kind, spelled in (
        ("hospital", "hospital|rumah sakit|benh vien|rsud|rsup|hospital pusat|ospital|โรงพยาบาล|ໂຮງໝໍ|មន្ទីរពេទ្យ|ဆေးရုံ"),
        (
            "university",
            "university|universitas|universiti|universidade|unibersidad|pamantasan|dai hoc|truong dai hoc"
            "|มหาวิทยาลัย|ມະຫາວິທະຍາໄລ|សាកលវិទ្យាល័យ|တက္ကသိုလ်",
        ),
        ("bank", "bank|ngan hang|banco|bangko|ธนาคาร|ທະນາຄານ|ធនាគារ|ဘဏ်"),
        ("ministry", "ministry|kementerian|kementrian|ministerio|kagawaran|bo|กระทรวง|ກະຊວງ|ក្រសួង|ဝန်ကြီးဌာန"),
        ("municipality", "municipality|majlis perbandaran|pemerintah kota|municipio|เทศบาล"),
        ("telecom", "telecom|telekom|telecommunications|telekomunikasi|vien thong|telco"),
        ("logistics", "logistics|logistik|van tai"),
        ("technology", "technology|technologies|teknologi|cong nghe|tecnologia"),
        ("energy", "energy|energi|tenaga|nang luong|energia"),
        ("industry", "industry|industries|industri|manufacturing|cong nghiep"),
        ("retail", "retail|ritel|sieu thi"),
    )
    for body in spelled.split("|")
}
_BODY = re.compile(r"(?<!\w)(" + "|".join(sorted(_BODIES, key=len, reverse=True)) + r")(?!\w)")
"""What kind of body a victim is, in the region's languages: the one word of a name that is translated."""

_INITIALS = re.compile(r"\(([^()]{2,12})\)\s*$")
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_WORD = re.compile(r"[^\W_]+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u4e00-\u9fff]{2,}")
_UNSPACED_LETTER = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_VALUE_LIKE = re.compile(
    r"\S+(?:\[\.?\]|\(\.\)|\[dot\])\S+|h[xt]{2}ps?\S+|\b[0-9a-f]{32,128}\b|\b\d{1,3}(?:\.\d{1,3}){3}\b|\S+@\S+",
    re.IGNORECASE,
)


@lru_cache(maxsize=65536)
def plain(text: str) -> str:
    """Lower case, without accents, compatibility forms undone: `Đà Nẵng` is `da nang`."""
    if text.isascii():
        return text.lower()
    spread = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold().replace("đ", "d"))
    return unicodedata.normalize("NFC", "".join(c for c in spread if unicodedata.category(c) != "Mn" or c >= "\u0e00"))


_UNSPACED_BODIES = {plain(body): f" {kind} " for body, kind in _BODIES.items() if _UNSPACED_LETTER.search(body)}
_PLAIN_LEGAL_PHRASES = tuple(map(plain, _LEGAL_PHRASES))


@lru_cache(maxsize=16384)
def victim_words(name: str) -> tuple[str, ...]:
    """The words that name a victim, in order, without legal forms, initials in brackets and accents.

    `PT. Surya Kartikatama Energi (Persero)` is ("surya", "kartikatama", "energi").
    """
    text = plain(name)
    text = _BRACKETS.sub(" ", text) if _BRACKETS.sub("", text).strip() else text
    for phrase in _PLAIN_LEGAL_PHRASES:
        text = text.replace(phrase, " ")
    if not text.isascii():
        for body, kind in _UNSPACED_BODIES.items():
            text = text.replace(body, kind)
    text = _BODY.sub(lambda found: _BODIES[found.group(1)], text.replace("'", "").replace("’", ""))
    words = tuple(_WORD.findall(text))
    return tuple(word for word in words if word not in _LEGAL_FORMS) or words


def in_two_scripts(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether two names share no script besides the word for their body, so that nobody can tell whether they are one.

    ("hospital", "ศิริราช") and ("hospital", "siriraj") are in two scripts.
    """
    latin = [{word.isascii() for word in words if word not in _KINDS_OF_BODY} for words in (one, other)]
    return all(latin) and not latin[0] & latin[1]


_KINDS_OF_BODY = frozenset(_BODIES.values())


def victim_initials(name: str) -> str | None:
    """The initials a name carries in brackets, or is: `Surya Kartikatama Energi (SKE)` and `SKE` give `ske`."""
    found = _INITIALS.search(name)
    short = found.group(1) if found else name.strip()
    short = short.replace(".", "")
    return plain(short) if 2 <= len(short) <= 8 and short.isalpha() and short.isupper() else None


_BETWEEN = frozenset({"of", "the", "and", "for", "de", "da", "do", "dan", "di"})


@lru_cache(maxsize=16384)
def initials(name: str) -> frozenset[str]:
    """What a name may be abbreviated to: by its telling words, by all of them, by all but the small ones between.

    `Rumah Sakit Kara Minto` is `rskm`, and `hkm` since all hospitals go by one word here.
    """
    every = _WORD.findall(plain(_BRACKETS.sub(" ", name)))
    ways = (victim_words(name), every, [word for word in every if word not in _BETWEEN])
    return frozenset("".join(word[0] for word in words) for words in ways if len(words) > 1)


@lru_cache(maxsize=16384)
def victim_keys(name: str) -> tuple[str, ...]:
    """Index entries under which a victim is found again: its words run together, the same in alphabetical order, and without
    vowels, so that transliterations meet."""
    words = victim_words(name)
    if not words:
        return ()
    together, ordered = "".join(words), "".join(sorted(words))
    skeleton = _skeleton(ordered)
    keys = [together[:120], "~" + ordered[:120]] if ordered != together else [together[:120]]
    return tuple([*keys, "#" + skeleton[:120]] if len(skeleton) >= 5 else keys)


def _skeleton(text: str) -> str:
    """Consonants only, doubled ones once, and letters that transliterations swap made one."""
    text = text.replace("ph", "f").replace("ck", "k").translate(str.maketrans("cqzvy", "kksbi"))
    text = re.sub(r"(?<=[a-z])h", "", text)
    return re.sub(r"(.)\1+", r"\1", re.sub(r"[aeiouwj]", "", text))


@lru_cache(maxsize=16384)
def name_key(name: str) -> str:
    """A malware's or actor's name without case, blanks and punctuation: `Ivanti-Connect-Secure` is `ivanticonnectsecure`."""
    return "".join(_WORD.findall(plain(name)))


def telling_words(text: str) -> frozenset[str]:
    """The words of a text that can tell one event from another: without values, dates and short words.

    What every report speaks of is its concept in whatever language (domain/glossary.py), and a number is its digits:
    `12.000 pelanggan` and `12,000 customers` are both {"#12000", "=customers"}. Scripts that set no blanks between words
    (Thai, Lao, Khmer, Burmese, Han) are cut into overlapping threes.
    """
    return _telling_words(text[:20_000])


@lru_cache(maxsize=8192)
def _telling_words(text: str) -> frozenset[str]:
    text = plain(_VALUE_LIKE.sub(" ", text))
    found = set(_numbers(text))
    if not text.isascii():
        for run in _UNSPACED.findall(text):
            found |= _unspaced_words(run)
        text = _UNSPACED.sub(" ", text)
    words = _WORD.findall(text)
    for place, word in enumerate(words):
        concept = _CONCEPTS.get(word)
        if word in _PHRASE_STARTS:
            longest = (_CONCEPTS.get(" ".join(words[place : place + count])) for count in (4, 3, 2))
            concept = next(filter(None, longest), concept)
        if concept:
            found.add(concept)
        elif len(word) > 3 and not any(letter.isdigit() for letter in word):
            found.add(word)
    return frozenset(found)


def _unspaced_words(run: str) -> set[str]:
    """The concepts in a run of letters without blanks, and the overlapping threes of what stands between them."""
    found = set()
    for phrase, concept in _UNSPACED_CONCEPTS:
        if phrase in run:
            found.add(concept)
            run = run.replace(phrase, " ")
    return found | {part[i : i + 3] for part in run.split() for i in range(len(part) - 2)}


_CONCEPTS = {plain(phrase).replace("-", " "): concept for phrase, concept in SPOKEN.items()}
_PHRASE_STARTS = frozenset(phrase.partition(" ")[0] for phrase in _CONCEPTS if " " in phrase)
_UNSPACED_CONCEPTS = sorted(
    ((phrase, concept) for phrase, concept in _CONCEPTS.items() if _UNSPACED_LETTER.search(phrase)),
    key=lambda spoken: (-len(spoken[0]), spoken),
)
_TIMES = {
    word: times
    for times, words in (
        (1_000, "thousand ribu nghin ngan mil libo พัน ພັນ ពាន់ ထောင်"),
        (1_000_000, "million millions juta trieu milhao milhoes milyon ล้าน ລ້ານ លាន သန်း"),
    )
    for word in map(plain, words.split())
}
_NUMBER = re.compile(
    r"(?<![\w.,/:-])(\d{1,3}(?:[.,]\d{3})+|\d{1,9})(?:[.,](\d{1,2}))?(?![\w/:-]|[.,]\d)(?:\s*("
    + "|".join(sorted(map(re.escape, _TIMES), key=len, reverse=True))
    + r")(?!\w))?"
)


def _numbers(text: str) -> Iterator[str]:
    """Numbers from a hundred on that are no years, as `#` and their digits: `1.2 million` and `1,2 juta` are `#1200000`."""
    if not any(letter.isdigit() for letter in text):
        return
    for whole, part, times in _NUMBER.findall(text):
        number = float(re.sub("[.,]", "", whole) + ("." + part if part else "")) * _TIMES.get(times, 1)
        if number >= 100 and not (1990 <= number <= 2040 and whole.isdigit()):
            yield f"#{number:.0f}"


_SPAN_DAYS = {"second": 0.0, "minute": 0.0, "hour": 0.05, "day": 1.0, "week": 7.0, "month": 31.0, "year": 366.0}


def days_apart(one: Moment, other: Moment) -> float:
    """The least number of days between two moments, each being a span as long as its precision; 0 if the spans touch."""
    first, second = sorted((one, other), key=lambda moment: moment.at)
    end = first.at + timedelta(days=_SPAN_DAYS.get(first.precision, 0.0))
    return max(0.0, (second.at - end).total_seconds() / 86_400)


def days_known(moment: Moment) -> float:
    """How many days long the span is that a moment stands for; infinite where nobody said."""
    return _SPAN_DAYS.get(moment.precision, float("inf"))


_TRACKING = re.compile(r"(?:^|&)(?:utm_[a-z]+|gclid|fbclid|mc_[ce]id|cmpid|ref|rss|mod|source)=[^&]*")


@lru_cache(maxsize=16384)
def page_key(url: str) -> str:
    """The address of a page without what does not change the page: scheme, `www.`, tracking parameters, trailing slash.

    At most 255 characters."""
    rest = url.split("://", 1)[-1].split("#", 1)[0]
    for mirror in ("www.", "m.", "amp."):
        rest = rest.removeprefix(mirror)
    path, mark, query = rest.partition("?")
    query = _TRACKING.sub("", query).lstrip("&") if mark else ""
    return (path.rstrip("/") + ("?" + query if query else ""))[:255]


def overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of the smaller set that is in the other too (overlap coefficient), 0 to 1."""
    smaller = min(len(one), len(other))
    return len(one & other) / smaller if smaller else 0.0


def any_in_common(one: Iterable[str], other: Iterable[str]) -> frozenset[str]:
    """Names that both lists hold, however they are spelled and whichever of a malware's or actor's names each uses."""
    theirs = {known_name(name_key(name)) for name in other}
    return frozenset(key for name in one if known_name(key := name_key(name)) in theirs)
