"""Do two incidents belong to one campaign? And which cases make up a campaign, so that no chain of weak links makes a giant.

Cases belong together when they share what belongs to the attacker. Each shared value weighs by its rarity and kind; what a
value loses with every further incident that carries it, it cannot regain by the store's growth. What everybody shares (a
malware's name, an article, a wording) only supports: none of these joins alone, and no two of them do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from math import log2
from typing import TypeVar

from kentongan.domain import wording
from kentongan.domain.duplicates import Rarity, Report, kind_in_words, shortened, value_audiences
from kentongan.domain.evidence import Finding, Judgement, audiences, judged
from kentongan.domain.incident import Observable
from kentongan.domain.rarity import bits

PRIOR_BITS = -5.5
RELATED = 0.5
"""From this probability on two incidents are linked as related."""

MOST_CARRIERS = 100
"""A value that more incidents carry is not looked up and weighs nothing: it joins everything."""

_KIND_WORTH: Mapping[str, float] = {
    "ipv4": 0.9,
    "ipv6": 0.9,
    "cidr": 0.4,
    "asn": 0.1,
    "mac": 0.8,
    "ssdeep": 0.8,
    "tlsh": 0.8,
    "imphash": 0.4,
    "file-name": 0.25,
    "user-agent": 0.25,
    "registry-key": 0.25,
    "process": 0.2,
    "user-account": 0.3,
    "software": 0.0,
    "other": 0.3,
}
"""How far a kind of value belongs to one attacker alone; 1 for what is not listed: files, names, mailboxes, wallets."""


def compare(one: Report, other: Report, rarity: Rarity) -> Judgement:
    """The probability that both belong to one campaign, with the reasons. Symmetric."""
    findings = [finding for rule in _RULES for finding in rule(one, other, rarity)]
    if not any(finding.rule in _ALONE for finding in findings if finding.bits > 0):
        supports = {finding.rule for finding in findings if finding.bits > 0}
        if not supports >= _TOGETHER:
            return judged([], PRIOR_BITS, RELATED)
    return judged(findings, PRIOR_BITS, RELATED)


_ALONE = frozenset({"value", "within"})
_TOGETHER = frozenset({"page", "wording", "culprit"})
"""Of what only supports, all three kinds are needed where no value is shared."""


def _values(one: Report, other: Report, rarity: Rarity) -> Iterable[Finding]:
    """Shared values. The first counts in full, each further one half of what the one before did: they come in sets."""
    shared = [("value", value, 1.0) for value in one.values.keys() & other.values.keys()]
    shared += [("within", value, 0.6) for value in _within_both(one, other)]
    weighed = []
    for rule, value, share in shared:
        carriers = rarity.of_value(one, other, value)
        if weight := share * value_bits(carriers, value):
            weighed.append((-weight, value, rule, carriers))
    part = 1.0
    for negative, value, rule, carriers in sorted(weighed):
        seen_by = value_audiences(one, other, value)
        yield Finding(rule, -negative * part, _words(rule, value, carriers), value, seen_by, alone=-negative)
        part /= 2


def _within_both(one: Report, other: Report) -> set[Observable]:
    """Hosts and domains in which values of both lie, other than values that both carry themselves."""
    mine, others = one.values.keys() | one.within.keys(), other.values.keys() | other.within.keys()
    return (mine & others) - (one.values.keys() & other.values.keys())


def value_bits(carriers: int, value: Observable) -> float:
    """How telling it is that two carry this value of so many carriers: its surprise, less two bits for chance, at most eight; it
    falls faster once more than six incidents carry it, and then never joins alone."""
    if carriers > MOST_CARRIERS:
        return 0.0
    crowd = 1.06 * max(0.0, log2(carriers / 6))
    return max(0.0, min(8.0, bits(carriers) - 2.0) - crowd) * _KIND_WORTH.get(value.kind, 1.0)


def _words(rule: str, value: Observable, carriers: int) -> str:
    """Frequency is told in two steps only: a number would count incidents that the reader may not see."""
    common = "which few reports name" if carriers <= 16 else "which many reports name"
    if rule == "within":
        return f"both reports name something within the {kind_in_words(value)} {shortened(value)}, {common}"
    return f"both reports name the {kind_in_words(value)} {shortened(value)}, {common}"


def _culprit(one: Report, other: Report, _rarity: Rarity) -> Iterable[Finding]:
    if one.culprits and other.culprits:
        common = wording.any_in_common(one.culprits, other.culprits)
        shown = next((name for name in one.culprits if wording.name_key(name) in common), "")
        words = f"both name {shown}" if common else "they name different malware or actors"
        yield _fact(one, other, "culprit", 1.5 if common else -1.5, words)


def _page(one: Report, other: Report, _rarity: Rarity) -> Iterable[Finding]:
    for page in sorted(one.pages.keys() & other.pages.keys())[:1]:
        shown = one.pages[page]
        yield _fact(one, other, "page", 2.0, f"both refer to {shown if len(shown) <= 80 else shown[:77] + '…'}")


def _wording(one: Report, other: Report, _rarity: Rarity) -> Iterable[Finding]:
    covered = wording.overlap(one.words, other.words)
    if covered >= 0.6 and min(len(one.words), len(other.words)) > 4:
        yield _fact(one, other, "wording", 3.0 * covered, "the texts say the same in large part")


def _time(one: Report, other: Report, _rarity: Rarity) -> Iterable[Finding]:
    """Infrastructure changes hands: what was shared a year apart tells less."""
    apart = abs((one.received - other.received).total_seconds()) / 86_400
    if one.happened is not None and other.happened is not None:
        apart = wording.days_apart(one.happened, other.happened)
    if apart > 365:
        yield _fact(one, other, "time", -min(4.0, apart / 365), "more than a year lies between them")


def _fact(one: Report, other: Report, rule: str, bits: float, words: str) -> Finding:
    return Finding(rule, bits, words, None, audiences((one.audience_id, other.audience_id)))


Rule = Callable[[Report, Report, Rarity], Iterable[Finding]]
_RULES: tuple[Rule, ...] = (_values, _culprit, _page, _wording, _time)


def join_bits(smaller: int, larger: int) -> float:
    """How many bits of links must tie two groups of that many cases before they become one campaign.

    Two cases need no more than the link itself has. Each doubling of the smaller group asks for two bits more, so that two
    campaigns never meet over one stray value, and each doubling of the larger beyond eight for one more, so that a campaign
    does not swallow case after case by its mere size.
    """
    return 2.0 * log2(max(1, smaller)) + max(0.0, log2(max(1, larger) / 8))


Node = TypeVar("Node", bound=Hashable)


def components(nodes: Sequence[Node], edges: Iterable[tuple[Node, Node]]) -> list[list[Node]]:
    """The connected parts of a graph, each in the order of `nodes`; edges to what is not a node are ignored."""
    parent = {node: node for node in nodes}

    def root(node: Node) -> Node:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, other in edges:
        if one in parent and other in parent:
            parent[root(one)] = root(other)
    parts: dict[Node, list[Node]] = defaultdict(list)
    for node in nodes:
        parts[root(node)].append(node)
    return list(parts.values())
