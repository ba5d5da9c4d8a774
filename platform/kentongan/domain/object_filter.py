"""What a TAXII client asks of a collection: the filters of TAXII 2.1 section 3.4, read from a query.

What a filter cannot be is said with its place: a filter that is misread shows more than was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kentongan.domain.date_added import from_timestamp

MOST_VALUES: Final = 100
"""Values in one match filter."""
MOST_PER_PAGE: Final = 1_000
USUAL_PAGE: Final = 100
SPEC_VERSION: Final = "2.1"
_LONGEST: Final = 255
_LONGEST_LIMIT: Final = 18
_WHOLE: Final = re.compile(r"[0-9]+", re.ASCII)
_VERSION_WORDS: Final = frozenset({"first", "last", "all"})
EVERY_MATCH: Final = ("id", "type", "version", "spec_version")


class WrongQuestion(Exception):
    """A filter cannot be what was sent: `parameter` is its name, `reason` what is wrong and `hint` what to do."""

    def __init__(self, parameter: str, reason: str, hint: str) -> None:
        super().__init__(f"{parameter} {reason}")
        self.parameter = parameter
        self.reason = reason
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Versions:
    """Which versions of each object: the first, the last, all, and those of certain moments (microseconds since 1970)."""

    first: bool = False
    last: bool = False
    all: bool = False
    moments: frozenset[int] = frozenset()


LAST: Final = Versions(last=True)
ALL: Final = Versions(all=True)


@dataclass(frozen=True, slots=True)
class ObjectFilter:
    """What of a collection is asked for; within a part any value is enough, and every part must agree."""

    added_after: int | None = None
    """Only what was added after this moment, in microseconds since 1970."""
    ids: frozenset[str] | None = None
    types: frozenset[str] | None = None
    versions: Versions = LAST
    is_stix_2_1: bool = True
    """Whether STIX 2.1 is among what is asked for: nothing else is here."""

    def told(self) -> dict[str, Any]:
        """The same as plain JSON, in one spelling: equal filters are equal texts."""
        versions = self.versions
        return {
            "added_after": self.added_after,
            "ids": None if self.ids is None else sorted(self.ids),
            "types": None if self.types is None else sorted(self.types),
            "versions": [versions.first, versions.last, versions.all, *sorted(versions.moments)],
            "2.1": self.is_stix_2_1,
        }


@dataclass(frozen=True, slots=True)
class Question:
    """A filter, how many are wanted at once, and where to go on."""

    filter: ObjectFilter = ObjectFilter()
    limit: int = USUAL_PAGE
    next: str | None = None


def question(
    asked: Mapping[str, Sequence[str]], takes: Collection[str] = EVERY_MATCH, versions: Versions = LAST
) -> Question:
    """Read a query: its parameters by name, each with all its values. `takes` are the match fields of the endpoint, `versions`
    what it gives where none are asked for.

    Raises WrongQuestion. Parameters that TAXII does not have are not looked at, as section 3.4 lets a server do.
    """
    single = {name: _once(name, values) for name, values in asked.items() if _is_ours(name)}
    for name in single:
        if name.startswith("match[") and name[6:-1] not in takes:
            known = ", ".join(f"match[{field}]" for field in takes)
            raise WrongQuestion(name, "is no filter of this endpoint", f"Use some of: {known}.")
    return Question(
        ObjectFilter(
            added_after=_added_after(single.get("added_after")),
            ids=_words("match[id]", single.get("match[id]")),
            types=_words("match[type]", single.get("match[type]")),
            versions=_versions(single.get("match[version]"), versions),
            is_stix_2_1=SPEC_VERSION
            in (_words("match[spec_version]", single.get("match[spec_version]")) or {SPEC_VERSION}),
        ),
        _limit(single.get("limit")),
        single.get("next"),
    )


def _is_ours(name: str) -> bool:
    return name in ("added_after", "limit", "next") or (name.startswith("match[") and name.endswith("]"))


def _once(name: str, values: Sequence[str]) -> str:
    if len(values) != 1:
        raise WrongQuestion(name, "stands there more than once", "Name several values in one parameter, with commas.")
    return values[0]


def _added_after(text: str | None) -> int | None:
    if text is None:
        return None
    moment = from_timestamp(text)
    if moment is None:
        raise WrongQuestion(
            "added_after", "is no timestamp", "Write it as RFC 3339 in UTC: 2026-03-02T12:00:00.000000Z."
        )
    return moment


def _limit(text: str | None) -> int:
    if text is None:
        return USUAL_PAGE
    if not _WHOLE.fullmatch(text) or not 0 < len(text) <= _LONGEST_LIMIT or int(text) < 1:
        raise WrongQuestion("limit", "is no whole number above 0", f"Ask for 1 to {MOST_PER_PAGE}.")
    return min(int(text), MOST_PER_PAGE)


def _words(name: str, text: str | None) -> frozenset[str] | None:
    if text is None:
        return None
    words = [word.strip() for word in text.split(",")]
    if not all(words) or len(words) > MOST_VALUES or any(len(word) > _LONGEST or "\0" in word for word in words):
        raise WrongQuestion(name, f"has no 1 to {MOST_VALUES} values", "Name the values with commas between.")
    return frozenset(words)


def _versions(text: str | None, otherwise: Versions) -> Versions:
    words = _words("match[version]", text)
    if words is None:
        return otherwise
    if "all" in words and len(words) > 1:
        raise WrongQuestion("match[version]", "says all and more than all", "Ask for all alone.")
    moments = {word: from_timestamp(word) for word in words - _VERSION_WORDS}
    if None in moments.values():
        wrong = "holds something that is neither first, last, all nor a timestamp"
        raise WrongQuestion("match[version]", wrong, "Write versions as `modified` has them.")
    known = frozenset(moment for moment in moments.values() if moment is not None)
    return Versions("first" in words, "last" in words, "all" in words, known)
