"""Are two incidents reports of one event? A probability, from findings that are weighed by how telling each is.

The model is that of record linkage (Fellegi and Sunter, 1969): every rule looks at one thing the two reports may have in
common and says, in bits, how much likelier that makes one event than two; the bits add up on top of the prior. A rule that
cannot tell (a victim withheld, a time unknown) says nothing. docs/matching.md has the rules in words and what was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from math import log2

from rapidfuzz.distance import JaroWinkler

from kentongan.domain import wording
from kentongan.domain.evidence import Finding, Judgement, audiences, judged
from kentongan.domain.glossary import is_concept
from kentongan.domain.incident import IncidentFacts, Moment, Observable
from kentongan.domain.learned_weights import LEARNED, PRIOR_BITS
from kentongan.domain.rarity import ALONE, CARRIER_STEPS, Spread, bits

SAME_EVENT = 0.8
"""From this probability on two incidents are linked as duplicates; it is as old as the hand-set weights, not learned."""

COMMON_WORD = 0.33
"""What a word counts that every report of an incident uses, against one that does not stand in the glossary."""

RULE_OF = {level: level.partition(":")[0] for level in LEARNED}


@dataclass(frozen=True)
class Report:
    """What the rules know of one incident: its facts, when it came, and the values that may be evidence, each with the
    audience of the object that carried it. `within` are the hosts and domains in which those values lie."""

    facts: IncidentFacts
    received: datetime
    audience_id: int
    values: Mapping[Observable, int]
    within: Mapping[Observable, int]
    organization_id: int = 0
    """Who reported it."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The victims' names that were told."""
        return victims_named(self.facts)

    @cached_property
    def countries(self) -> frozenset[str]:
        """Where it happened, as far as told."""
        told = [*self.facts.countries, *(c for v in self.facts.victims for c in v.countries)]
        return frozenset(country.upper() for country in told)

    @cached_property
    def sectors(self) -> frozenset[str]:
        """Whom it hit, as far as told."""
        told = [*self.facts.sectors, *(s for v in self.facts.victims for s in v.sectors)]
        return frozenset(wording.name_key(sector) for sector in told)

    @cached_property
    def culprits(self) -> tuple[str, ...]:
        """Malware and actors that were named."""
        return (*self.facts.malware, *self.facts.actors)

    @cached_property
    def happened(self) -> Moment | None:
        """The time of the event, where its precision is known."""
        told = self.facts.happened
        return told if told is not None and told.precision != "unknown" else None

    @cached_property
    def words(self) -> frozenset[str]:
        """What the title and the description say, besides who was hit and by what."""
        known = {word for name in self.names for word in wording.telling_words(name)}
        known |= {word for name in self.culprits for word in wording.telling_words(name)}
        return (wording.telling_words(self.facts.title) | wording.telling_words(self.facts.description)) - known

    @cached_property
    def pages(self) -> Mapping[str, str]:
        """The addresses it refers to, by what makes them the same page."""
        return {wording.page_key(address): address for address in self.facts.references}


def victims_named(facts: IncidentFacts) -> tuple[str, ...]:
    """The names of victims that say who it is."""
    return tuple(v.name for v in facts.victims if v.name and wording.victim_words(v.name))


@dataclass(frozen=True, slots=True)
class Rarity:
    """How common values, victims (by the keys of their names) and pages are. What is not listed counts as carried by these two
    alone."""

    values: Mapping[Observable, Spread]
    victims: Mapping[str, Spread]
    pages: Mapping[str, Spread]

    def of_value(self, one: Report, other: Report, value: Observable) -> int:
        """How many carriers of a value count between two reports."""
        return self.values.get(value, ALONE).between(one.organization_id, other.organization_id)

    def of_victim(self, one: Report, other: Report, keys: Iterable[str]) -> int:
        """The same of the most common of these keys."""
        mine, theirs = one.organization_id, other.organization_id
        return max((self.victims.get(key, ALONE).between(mine, theirs) for key in keys), default=CARRIER_STEPS[0])

    def of_page(self, one: Report, other: Report, page: str) -> int:
        """The same of a page."""
        return self.pages.get(page, ALONE).between(one.organization_id, other.organization_id)


def compare(one: Report, other: Report, rarity: Rarity) -> Judgement:
    """The probability that both are reports of one event, with the reasons for and against it. Symmetric."""
    findings = [finding for rule in _RULES for finding in rule(one, other, rarity)]
    return judged(findings, PRIOR_BITS, SAME_EVENT)


def _fact(one: Report, other: Report, level: str, words: str, strength: float = 1.0) -> Finding:
    """A finding about the incidents themselves: `level` is the rule and, after a colon, how far they agree by it."""
    mine, theirs = one.audience_id, other.audience_id
    seen_by = (mine,) if mine == theirs else (min(mine, theirs), max(mine, theirs))
    return Finding(RULE_OF[level], LEARNED[level] * strength, words, None, seen_by, level, strength)


def _same_id(one: Report, other: Report, _rarity: Rarity) -> Iterable[Finding]:
    if one.facts.stix_id == other.facts.stix_id:
        yield _fact(one, other, "same-id", "both reports carry the same incident id")


def _victim(one: Report, other: Report, rarity: Rarity) -> Iterable[Finding]:
    """The best agreement among the victims named, by how rare the name is; two other names tell that these are two events."""
    if not one.names or not other.names:
        return
    agreement, *names = max((_name_agreement(a, b), a, b) for a in one.names for b in other.names)
    if agreement == _TWO_SCRIPTS:
        return
    if agreement == _OTHER_NAME:
        yield _fact(one, other, "victim:other", "the reports name different victims")
        return
    # Only keys of both: how many others have one that the other report lacks depends on which of the two is asked.
    common = set.intersection(*(set(wording.victim_keys(name)) for name in names))
    share, words = _NAMED[agreement]
    yield _fact(one, other, "victim:same", words, share * min(8.0, bits(rarity.of_victim(one, other, common)) - 2.0))


def other_names(mine: Sequence[str], others: Sequence[str]) -> bool:
    """Whether both name victims, and none of them could be the same."""
    known = [_name_agreement(one, other) for one in mine for other in others]
    return bool(known) and max(known) == _OTHER_NAME


_SAME_NAME, _SPELLING, _PART, _TWO_SCRIPTS, _OTHER_NAME = 4, 3, 2, 1, 0
_NAMED = {
    _SAME_NAME: (1.0, "both reports name the same victim"),
    _SPELLING: (0.8, "the victims' names differ only in spelling"),
    _PART: (0.5, "one victim's name is part of the other's"),
}


def _name_agreement(one: str, other: str) -> int:
    words, others = wording.victim_words(one), wording.victim_words(other)
    if words == others:
        return _SAME_NAME
    if _initials_of(one, other) or _initials_of(other, one) or "".join(words) == "".join(others):
        return _SPELLING
    if wording.in_two_scripts(words, others):
        return _TWO_SCRIPTS
    shorter, longer = sorted((words, others), key=len)
    if not all(any(_same_word(word, long) for long in longer) for word in shorter):
        return (
            _SPELLING
            if len(words) == len(others) and "".join(sorted(words)) == "".join(sorted(others))
            else _OTHER_NAME
        )
    if len(shorter) == len(longer):
        return _SPELLING
    return _PART if len(shorter) > 1 or shorter[0] in longer else _OTHER_NAME


def _initials_of(name: str, other: str) -> bool:
    """A name that is nothing but the other's initials: `SKE` for Surya Kartikatama Energi."""
    short = wording.victim_initials(name)
    return short is not None and wording.victim_words(name) == (short,) and short in wording.initials(other)


def _same_word(one: str, other: str) -> bool:
    return one == other or (min(len(one), len(other)) > 3 and JaroWinkler.similarity(one, other) > 0.92)


_EVENT_GAP = (0.0, 2.0, 4.0, 7.0, 14.0, 30.0, 90.0)
_REPORT_GAP = (10.0, 21.0, 45.0, 90.0)
"""Where one level of agreement ends and the next begins: days between the events, or between the reports where an event's time
is unknown or told to a month."""


def _time(one: Report, other: Report, _rarity: Rarity) -> Iterable[Finding]:
    reported = abs((one.received - other.received).total_seconds()) / 86_400
    if one.happened is None or other.happened is None:
        yield _fact(one, other, _step("reported", _REPORT_GAP, reported), f"reported {_days(reported)}")
        return
    apart = wording.days_apart(one.happened, other.happened)
    coarse = max(wording.days_known(one.happened), wording.days_known(other.happened))
    level = _step("time", _EVENT_GAP, apart)
    if coarse > 8 and apart <= 7:
        yield _fact(one, other, _step("reported", _REPORT_GAP, reported), f"reported {_days(reported)}")
        level = "time:year" if coarse > 32 else "time:month"
    yield _fact(one, other, level, "the times told fit each other" if apart == 0 else f"happened {_days(apart)}")


def _step(rule: str, steps: tuple[float, ...], days: float) -> str:
    return next((f"{rule}:{limit:.0f}" for limit in steps if days <= limit), f"{rule}:more")


def _days(days: float) -> str:
    hours = round(days * 24)
    if hours < 2:
        return "within an hour or so"
    if days < 2:
        return f"{hours} hours apart"
    return f"{round(days)} days apart" if days < 60 else f"{round(days / 30)} months apart"


def _values(one: Report, other: Report, rarity: Rarity) -> Iterable[Finding]:
    """Shared values, each by its rarity, together by the share of the shorter list they make up."""
    smaller = min(len(one.values), len(other.values))
    if not smaller:
        return
    shared = one.values.keys() & other.values.keys()
    contained = _one_contains(one, other) - shared if len(shared) < smaller else set()
    covered = min(1.0, (len(shared) + len(contained)) / smaller)
    weights = {value: _value_bits(rarity.of_value(one, other, value)) for value in shared}
    weights |= {value: 0.5 * _value_bits(rarity.of_value(one, other, value)) for value in contained}
    total = sum(weights.values())
    worth = min(7.0, total) * (0.25 + 0.75 * covered)
    for value, weight in weights.items():
        strength = weight / total * worth if total else 0.0
        shown = _shown(one, other, value, value in shared)
        yield Finding("value", LEARNED["value"] * strength, *shown, "value", strength)
    if covered < 0.5:
        level = "other-values:most" if shared else "other-values:all"
        words = "most of their values differ" if shared else "they have no telling value in common"
        yield _fact(one, other, level, words, (1 - 2 * covered) * min(5.0, 2.0 + smaller / 2))


_HASH_KINDS = frozenset({"md5", "sha1", "sha256", "sha512", "ssdeep", "tlsh", "imphash"})


def _value_bits(carriers: int) -> float:
    return min(2.5, max(0.0, (bits(carriers) - 4.0) / 3.0))


def _one_contains(one: Report, other: Report) -> set[Observable]:
    """Values of one report in which a value of the other lies: the host of its URL, the registered domain of its host."""
    return (one.values.keys() & other.within.keys()) | (other.values.keys() & one.within.keys())


def _shown(one: Report, other: Report, value: Observable, both: bool) -> tuple[str, Observable, tuple[int, ...]]:
    words = f"both reports name the {kind_in_words(value)} {shortened(value)}"
    if not both:
        words = f"one report names the {kind_in_words(value)} {shortened(value)}, the other something within it"
    return words, value, value_audiences(one, other, value)


def value_audiences(one: Report, other: Report, value: Observable) -> tuple[int, ...]:
    """Who must be asked before a value that both reports carry, or lie within, is shown."""
    carried = [kept[value] for report in (one, other) for kept in (report.values, report.within) if value in kept]
    return audiences((one.audience_id, other.audience_id), carried)


def kind_in_words(value: Observable) -> str:
    """How a sentence calls this kind of value."""
    if value.kind in _HASH_KINDS:
        return "file"
    names = {
        "ipv4": "address",
        "ipv6": "address",
        "cidr": "network",
        "url": "URL",
        "asn": "AS",
        "email": "mail address",
    }
    return names.get(value.kind, value.kind.replace("-", " "))


def shortened(value: Observable) -> str:
    """A value as it stands in a sentence: hashes by their first eight characters, long ones cut."""
    if value.kind in _HASH_KINDS:
        return value.value[:8] + "…"
    return value.value if len(value.value) <= 60 else value.value[:57] + "…"


def _country(one: Report, other: Report, _rarity: Rarity) -> Iterable[Finding]:
    if one.countries and other.countries:
        same = bool(one.countries & other.countries)
        yield _fact(
            one, other, *(("country:same", "the same country") if same else ("country:other", "different countries"))
        )


def _sector(one: Report, other: Report, _rarity: Rarity) -> Iterable[Finding]:
    if one.sectors and other.sectors:
        same = bool(one.sectors & other.sectors)
        yield _fact(
            one, other, *(("sector:same", "the same sector") if same else ("sector:other", "different sectors"))
        )


def _culprit(one: Report, other: Report, _rarity: Rarity) -> Iterable[Finding]:
    if one.culprits and other.culprits:
        common = wording.any_in_common(one.culprits, other.culprits)
        shown = next((name for name in one.culprits if wording.name_key(name) in common), "")
        told = ("culprit:same", f"both name {shown}")
        yield _fact(one, other, *(told if common else ("culprit:other", "they name different malware or actors")))


def _wording(one: Report, other: Report, _rarity: Rarity) -> Iterable[Finding]:
    """The share of the shorter text's words that the longer one has; telling only where there are words enough.

    Where that is little, as of two languages, the same number in both still tells.
    """
    shared, smaller = one.words & other.words, min(len(one.words), len(other.words))
    if smaller < 4:
        return
    covered = len(shared) / smaller
    if covered >= 0.5:
        common = sum(map(is_concept, shared))
        strength = min(6.5, (len(shared) - common * (1.0 - COMMON_WORD)) / 2.5) * covered
        yield _fact(one, other, "wording:alike", "the texts say the same in large part", strength)
        return
    numbers = sorted(word for word in shared if word.startswith("#"))
    if numbers:
        yield _fact(one, other, "number", f"both texts tell the number {numbers[-1][1:]}", min(2.0, len(numbers)))
    elif covered < 0.15 and smaller > 7:
        yield _fact(one, other, "wording:other", "the texts speak of other things")


def _page(one: Report, other: Report, rarity: Rarity) -> Iterable[Finding]:
    """The same page referred to; one page that many incidents refer to lists many events."""
    shared = one.pages.keys() & other.pages.keys()
    carriers = {page: rarity.of_page(one, other, page) for page in shared}
    for page in sorted(shared, key=lambda page: (carriers[page], page))[:1]:
        strength = max(0.0, 3.0 - log2(carriers[page] / 2))
        shown = one.pages[page]
        yield _fact(one, other, "page", f"both refer to {shown if len(shown) <= 80 else shown[:77] + '…'}", strength)


def _rsit(one: Report, other: Report, _rarity: Rarity) -> Iterable[Finding]:
    if one.facts.rsit_class and other.facts.rsit_class:
        same = one.facts.rsit_class == other.facts.rsit_class
        told = ("class:same", "the same class of incident")
        yield _fact(one, other, *(told if same else ("class:other", "different classes of incident")))


Rule = Callable[[Report, Report, Rarity], Iterable[Finding]]
_RULES: tuple[Rule, ...] = (_same_id, _victim, _time, _values, _country, _sector, _culprit, _wording, _page, _rsit)
