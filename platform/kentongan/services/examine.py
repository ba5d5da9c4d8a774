"""A document before any transaction: read, checked, and told apart into what its objects say of themselves.

Checking takes longer than storing, and storing happens under a lock: whatever does not depend on what is stored is done here.
"""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from kentongan.domain.gate import Checked, Document, Limits, check, read
from kentongan.domain.gate.markings import inseparable
from kentongan.domain.marking import Mask, Terms, granular_terms, terms_defined
from kentongan.domain.masking import Mentions
from kentongan.domain.parts import MOST_PARTS, MOST_TRIES, UNDIVIDED, Divided, Granular, Part, divided
from kentongan.domain.personal import personal_parts
from kentongan.domain.sharing import NO_BOOK, Names, SharingBook, names_in
from kentongan.domain.timestamp import parse_timestamp
from kentongan.domain.versions import Arriving, Outcome, carried_by_many, parts_beside, terms_carried
from kentongan.services.receipts import ObjectOutcome

_LARGE = 64 * 1024
_LARGE_TURN = threading.Lock()
"""Large documents are checked one at a time in each process. Threads share one interpreter: several at once would only keep
each other, and whoever stores under the database's lock, waiting for it. Small ones never wait."""


class ExaminedObject(NamedTuple):
    """One object after the gate."""

    checked: Checked
    stix_id: str
    terms: Terms
    """Who it is for as a whole, as its markings say it."""
    arriving: Arriving | None
    """None: the gate refuses it."""
    likely: ObjectOutcome
    """What becomes of it if nothing with its id is stored: nearly always what happens."""
    also: frozenset[Terms] = frozenset()
    """Its readers must be readers under these as well: of parts that it can not hide, or of incidents that it might tell."""
    parts: tuple[Part, ...] = ()
    """What of it fewer may see."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A document that went through the gate. `sha256` is of `raw`; `book` holds what its markings refer to."""

    raw: bytes
    sha256: bytes
    objects: list[ExaminedObject]
    book: SharingBook
    mask_personal: Callable[[Mask, Sequence[dict[str, Any]]], list[ExaminedObject]]
    """The objects as they are where what is personal in them is masked, given what came with its incidents before."""


def no_book(_names: Names) -> SharingBook:
    """For documents whose markings refer to nothing but TLP and what they define themselves: all else is unknown."""
    return NO_BOOK


def examine(
    raw: bytes,
    limits: Limits,
    look_up: Callable[[Names], SharingBook] = no_book,
    read: Callable[[bytes, Limits], Document] = read,
) -> Examined:
    """Read and check one document. Raises gate.Unreadable if it must be refused as a whole.

    `look_up` finds what its markings name outside the document; asked at most once. `read` is how the document is opened.
    """
    with _LARGE_TURN if len(raw) >= _LARGE else nullcontext():
        document = read(raw, limits)
        names = names_in(document.objects)
        book = look_up(names) if names else NO_BOOK
        objects = check(document, book)
    sound = [checked.obj if not checked.problems else _marking(checked.obj) for checked in objects]
    terms = terms_carried(sound, book.definitions)
    whole = [_examined(checked, its_terms) for checked, its_terms in zip(objects, terms, strict=True)]

    def divide(further: Mapping[int, Granular]) -> list[ExaminedObject]:
        return _in_parts(whole, sound, terms_defined(sound, book.definitions), document, further)

    def mask_personal(mask: Mask, earlier: Sequence[dict[str, Any]]) -> list[ExaminedObject]:
        parts = personal_parts(sound, earlier)
        return divide({place: [(Terms(mask=mask), selectors)] for place, selectors in parts.items()})

    is_divided = any("granular_markings" in each.obj for each in objects) or any(each.mask for each in terms)
    return Examined(raw, hashlib.sha256(raw).digest(), divide({}) if is_divided else whole, book, mask_personal)


def _examined(checked: Checked, terms: Terms) -> ExaminedObject:
    obj, refused = checked.obj, bool(checked.problems)
    stix_id, stix_type = _text(obj.get("id")), _text(obj.get("type"))
    outcome = Outcome.REFUSED if refused else Outcome.ACCEPTED
    likely = ObjectOutcome(checked.position, stix_id, stix_type, outcome, None, checked.problems, checked.warnings)
    arriving = None if refused else Arriving(_modified(obj), checked.sha256, carried_by_many(obj))
    return ExaminedObject(checked, stix_id or "", terms, arriving, likely)


def _in_parts(
    examined: list[ExaminedObject],
    sound: list[dict[str, Any]],
    defined: Mapping[str, Terms],
    document: Document,
    masked: Mapping[int, Granular],
) -> list[ExaminedObject]:
    """Told apart by their granular markings, which also bear upon what came with them unmarked, and by what is `masked` beside."""
    beside = parts_beside(sound, [each.terms for each in examined], defined)
    whole = [each._replace(also=also) for each, also in zip(examined, beside, strict=True)]
    tried, found = 0, []
    for place, each in enumerate(whole):
        most = MOST_PARTS if tried < MOST_TRIES else 0
        parts = _divided(each, defined, most, masked.get(place, ()))
        tried += parts.tries
        found.append(_with_parts(each, parts, document))
    return _without_telling_ids(whole, found, defined, document, masked)


def _divided(each: ExaminedObject, defined: Mapping[str, Terms], most: int, further: Granular = ()) -> Divided:
    if each.arriving is None or not (further or "granular_markings" in each.checked.obj):
        return UNDIVIDED
    return divided(each.checked.obj, each.terms, [*granular_terms(each.checked.obj, defined), *further], most)


def _without_telling_ids(
    whole: list[ExaminedObject],
    found: list[ExaminedObject],
    defined: Mapping[str, Terms],
    document: Document,
    beside: Mapping[int, Granular],
) -> list[ExaminedObject]:
    """What names a masked observable is masked there: the id is made of the value, so whoever guesses one has the other.

    `found` are the objects of `whole`, told apart by their own markings.
    """
    fresh = {each.stix_id: mask for each in found if (mask := _mask_of(each))}
    if not fresh:
        return found
    mentions = Mentions([each.checked.obj for each in whole], {each.stix_id for each in whole})
    further: dict[int, list[tuple[Terms, Sequence[str]]]] = defaultdict(list)
    further |= {place: list(granular) for place, granular in beside.items()}
    masked = set(fresh)
    while fresh:
        mask, named = max(fresh.values()), mentions.of(fresh)
        for position, selectors in named.items():
            further[position].append((Terms(mask=mask), selectors))
            parts = _divided(whole[position], defined, MOST_PARTS, further[position])
            found[position] = _with_parts(whole[position], parts, document)
        fresh = {found[at].stix_id: mask for at in named if (mask := _mask_of(found[at]))}
        fresh = {stix_id: mask for stix_id, mask in fresh.items() if stix_id not in masked}
        masked |= fresh.keys()
    return found


def _mask_of(each: ExaminedObject) -> Mask:
    """Of the object as a whole, where the gate takes it."""
    if each.arriving is None:
        return Mask.NONE
    return max(each.terms.mask, *(terms.mask for terms in each.also)) if each.also else each.terms.mask


def _with_parts(each: ExaminedObject, found: Divided, document: Document) -> ExaminedObject:
    """The sender is warned of what can not be hidden."""
    if not found.inseparable:
        return each._replace(parts=found.parts)
    path = document.path(each.checked.position)
    warnings = inseparable(each.checked.obj, path, found.inseparable_selectors)
    likely = replace(each.likely, warnings=(*each.likely.warnings, *warnings))
    also = each.also.union(part.terms for part in found.inseparable)
    return each._replace(also=also, parts=found.parts, likely=likely)


def _marking(refused: dict[str, Any]) -> dict[str, Any]:
    """What of an object that is not sound may still say how strictly the others are meant: a refused RED incident does."""
    stated = refused.get("type")
    return {
        "type": stated if isinstance(stated, str) and stated != "marking-definition" else "",
        "object_marking_refs": refused.get("object_marking_refs"),
        "granular_markings": refused.get("granular_markings"),
    }


def _modified(obj: dict[str, Any]) -> datetime | None:
    text = obj.get("modified")
    return parse_timestamp(text) if isinstance(text, str) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
