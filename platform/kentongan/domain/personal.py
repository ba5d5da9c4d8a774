"""Where a document tells who was hit and names mailboxes: what an organization may want masked in all it sends.

Names are those of the identities that its incidents hit, and of persons; in free text they are recognised as they are written
there, or without their legal form, or by the initials that they carry in brackets. What an indicator's pattern says is left: it
tells what to look for, not who was hit.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Final

from kentongan.domain import wording
from kentongan.domain.masking import texts_in
from kentongan.domain.redaction import FIXED, root_of
from kentongan.domain.victims import shown_name, victims_of

Stix = dict[str, Any]
_MAILBOX: Final = re.compile(
    r"[\w.+%'-]+(?:@|\s?(?:\[at\]|\(at\)|\[@\])\s?)[\w-]+(?:(?:\.|\s?(?:\[\.\]|\(\.\)|\[dot\])\s?)[\w-]+)+",
    re.IGNORECASE,
)
_IN_BRACKETS: Final = re.compile(r"[(\[]([A-Z][A-Z.]{1,9})[)\]]")
_OF_A_PERSON: Final = ("name", "description", "contact_information")
_LEFT: Final = frozenset({*FIXED, "pattern", "extensions", "created_by_ref"})
_SHORTEST: Final = 4
"""A name of fewer letters stands in other words too: it is looked for as it is written."""


def personal_parts(objects: Sequence[Stix], earlier: Sequence[Stix] = ()) -> dict[int, list[str]]:
    """The selectors of what is personal, by the place of each object that has some; as domain/redaction.py reads them.

    `earlier` is what came with these incidents before: an amendment need not name again who was hit.
    """
    hit = _hit([*earlier, *objects])
    named = re.compile("|".join(_spellings(hit)) or r"(?!)")
    persons = {obj["id"] for obj in hit}
    found = {place: _parts_of(obj, obj.get("id") in persons, named) for place, obj in enumerate(objects)}
    return {place: selectors for place, selectors in found.items() if selectors}


def _hit(objects: Sequence[Stix]) -> list[Stix]:
    incidents = [obj for obj in objects if obj.get("type") == "incident"]
    sound = [obj for obj in objects if isinstance(obj.get("id"), str)]
    hit = {obj["id"] for incident in incidents for obj in victims_of(incident, sound)}
    is_person = (obj.get("type") == "identity" and obj.get("identity_class") == "individual" for obj in sound)
    return [obj for obj, person in zip(sound, is_person, strict=True) if person or obj["id"] in hit]


def _spellings(identities: Sequence[Stix]) -> list[str]:
    """Regular expressions, the longest name first, so that none is cut into by a shorter one."""
    names = sorted({name for obj in identities if (name := shown_name(obj.get("name")))}, key=len, reverse=True)
    return list(dict.fromkeys(chain.from_iterable(map(_spelling, names))))


def _spelling(name: str) -> list[str]:
    telling = set(wording.victim_words(name))
    words = [(word, wording.plain(word) in telling) for word in re.findall(r"\w+", _IN_BRACKETS.sub(" ", name))]
    short = [rf"\b{re.escape(found.replace('.', ''))}\b" for found in _IN_BRACKETS.findall(name)]
    ways = [re.escape(name)]
    if sum(len(word) for word, tells in words if tells) >= _SHORTEST:
        ways = [f"(?i:{way})" for way in (*ways, _without_legal_forms(words))]
    return [*ways, *short]


def _without_legal_forms(words: Sequence[tuple[str, bool]]) -> str:
    """The words that name it, one after the other; those of its legal form, which do not tell, are taken along where they stand."""
    said, between = "", ""
    for word, tells in words:
        way = re.escape(word)
        if tells:
            said, between = said + between + way, r"\W{1,3}"
        else:
            said += rf"(?:\W{{1,3}}{way}\b\.?)?" if between else rf"(?:{way}\W{{1,3}})?"
    return rf"\b{said}(?!\w)" if between else said


def _parts_of(obj: Mapping[str, Any], is_person: bool, named: re.Pattern[str]) -> list[str]:
    selectors: list[str] = []
    if is_person:
        selectors += [name for name in _OF_A_PERSON if name in obj]
    if obj.get("type") == "email-addr":
        selectors += [name for name in ("value", "display_name") if name in obj]
    passages: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for selector, text in texts_in(dict(obj)):
        if root_of(selector) not in _LEFT and not selector.endswith("_ref") and root_of(selector) not in selectors:
            passages[selector] += [match.span() for one in (named, _MAILBOX) for match in one.finditer(text)]
    for selector, spans in passages.items():
        if spans:
            selectors.append(f"{selector}@" + ",".join(f"{start}-{end}" for start, end in _merged(spans)))
    return selectors


def _merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Without those that overlap."""
    whole: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if whole and start < whole[-1][1]:
            whole[-1] = (whole[-1][0], max(end, whole[-1][1]))
        else:
            whole.append((start, end))
    return whole
