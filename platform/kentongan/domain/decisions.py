"""What people decide about two incidents, and what of it stands: a merge, a split, a confirmation, a rejection.

What stands follows from the decisions that are in force and from nothing else, so that taking them back, in any order, leads back
to what was. Nothing is overwritten: who changes their mind decides anew, and taking back is an entry of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

Pair = tuple[int, int]
"""The row numbers of two incidents, the lower first."""


class Verdict(StrEnum):
    """What somebody says of two incidents: that they report one event (or belong to one campaign), or that they do not."""

    TOGETHER = "together"
    APART = "apart"


class Capacity(StrEnum):
    """As what somebody decides. An opinion is shown and counted, and changes nothing."""

    OWNER = "owner"
    COORDINATOR = "coordinator"
    OPINION = "opinion"


@dataclass(frozen=True, slots=True)
class Decision:
    """One entry of the history. `undoes` is the number of the entry that this one takes back; it then decides nothing itself."""

    number: int
    kind: str
    pair: Pair
    verdict: Verdict
    organization_id: int
    capacity: Capacity
    undoes: int | None = None


@dataclass(frozen=True, slots=True)
class End:
    """An incident that is decided about: whose it is, and which organizations that own an incident of the pair may see it."""

    organization_id: int
    seen_by: frozenset[int]


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands of two incidents. `since` is the number of the first decision that says so, `organizations` who says so."""

    kind: str
    pair: Pair
    verdict: Verdict
    since: int
    organizations: tuple[int, ...]


def capacity(organization_id: int, one: End, other: End, *, coordinates: bool) -> Capacity:
    """As what a person of this organization decides about two incidents that they see.

    Who owns one of them decides for all, but only where the owner of the other sees both: else a report that nobody else knows
    could tie what others reported, and nobody would see why. Who coordinates the region decides about what others own.
    """
    if organization_id in (one.organization_id, other.organization_id):
        return Capacity.OWNER if _is_open(one, other) else Capacity.OPINION
    return Capacity.COORDINATOR if coordinates else Capacity.OPINION


def in_force(history: Iterable[Decision]) -> list[Decision]:
    """The decisions that nobody took back and that their organization did not replace by a later one, the oldest first."""
    entries = sorted(history, key=lambda entry: entry.number)
    gone = {entry.undoes for entry in entries}
    latest = {
        (entry.kind, entry.pair, entry.organization_id, entry.capacity is Capacity.OPINION): entry
        for entry in entries
        if entry.undoes is None and entry.number not in gone
    }
    return sorted(latest.values(), key=lambda entry: entry.number)


def words_in_force(history: Iterable[Decision]) -> dict[str, Verdict]:
    """What was decided for all about one pair and is in force, by kind of link."""
    said: dict[str, Verdict] = {}
    for entry in in_force(history):
        if entry.capacity is not Capacity.OPINION and said.get(entry.kind) is not Verdict.APART:
            said[entry.kind] = entry.verdict
    return said


def standing(history: Iterable[Decision], ends: dict[int, End]) -> list[Standing]:
    """What stands, that first which was decided first.

    Of several organizations each has one word, its latest; where they contradict each other, apart wins: nobody's report is tied
    to another against the will of who owns it, and a wrong merge does more harm than a wrong split. Pairs of which `ends` does not
    know both incidents rest: one of them was withdrawn, or is compared by keyed hash only.
    """
    said: dict[tuple[str, Pair], list[Decision]] = {}
    for entry in in_force(history):
        if all(one in ends for one in entry.pair) and _counts(entry, *(ends[one] for one in entry.pair)):
            said.setdefault((entry.kind, entry.pair), []).append(entry)
    return sorted((_settled(entries) for entries in said.values()), key=lambda one: one.since)


def _settled(entries: Collection[Decision]) -> Standing:
    apart = any(entry.verdict is Verdict.APART for entry in entries)
    verdict = Verdict.APART if apart else Verdict.TOGETHER
    saying = [entry for entry in entries if entry.verdict is verdict]
    organizations = tuple(sorted(entry.organization_id for entry in saying))
    return Standing(saying[0].kind, saying[0].pair, verdict, saying[0].number, organizations)


def _counts(entry: Decision, one: End, other: End) -> bool:
    """Whether it is more than an opinion, also now: an owner may have tightened a marking since."""
    return entry.capacity is Capacity.COORDINATOR or (entry.capacity is Capacity.OWNER and _is_open(one, other))


def _is_open(one: End, other: End) -> bool:
    return one.organization_id in other.seen_by and other.organization_id in one.seen_by
