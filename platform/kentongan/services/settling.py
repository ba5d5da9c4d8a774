"""Cases are made of the links between incidents, and campaigns of those between cases: they grow, merge and split with them.

What is in one case or campaign follows from the links alone, whatever the order in which they were found, and from what people
decided, which outranks them. Which id it has follows from homes: a case stands for the group that the incident is in for which it
was opened, and where a group is home to several, the oldest stays and the others lead there. So a case keeps its id while it grows,
and what was merged gets its own back when it parts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import add

from sqlalchemy.orm import Session

from kentongan.domain import duplicates
from kentongan.domain.campaigns import components, join_bits
from kentongan.domain.grouping import grouped, reached
from kentongan.services.comparing import names_of
from kentongan.services.homes import place
from kentongan.services.standing import Decided
from kentongan.storage import cases
from kentongan.storage.cases import DUPLICATE_OF, RELATED_TO, Campaign, Case, Pair

MOST_TIED = 2000
"""Incidents, or cases, that are grouped anew at once. What hangs together in larger numbers is grouped without its weakest ties."""

TiesOf = Callable[[Collection[int]], Mapping[Pair, float]]
"""All ties of some incidents, or cases, in bits."""

_RISING_BITS = (float("-inf"), 3.0, 6.0, 9.0, 12.0, 20.0, float("inf"))
"""Ties weaker than this are left out, one step after the other, until what is reached is no more than MOST_TIED."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What is elsewhere now: incidents in another case, cases in another campaign or in none."""

    incidents: set[int]
    cases: set[int]


def settle_cases(session: Session, touched: Collection[int], now: datetime) -> Moved:
    """Make the cases of these incidents, and of all they are tied to, what their links and people say; then the campaigns of those
    cases that changed.

    Hold the case lock.
    """
    case_of = cases.cases_of(session, touched)
    company = cases.incidents_in(session, {case for case in case_of.values() if case is not None})
    members, groups = case_groups(
        session, case_of.keys() | company.keys(), lambda some: cases.linked_pairs(session, DUPLICATE_OF, some)
    )
    before = cases.cases_of(session, members)
    after = place(session, Case, groups, before, now)
    moved = {one: case for one, case in after.items() if before[one] != case}
    cases.move_incidents(session, moved)
    left = {case for one in moved if (case := before[one]) is not None}
    return Moved(set(moved), settle_campaigns(session, left | set(moved.values()), now))


def case_groups(session: Session, start: Collection[int], ties_of: TiesOf) -> tuple[set[int], list[list[int]]]:
    """The incidents that hang together with these, by what `ties_of` gives for some of them, and what of them is one event each."""
    decided = Decided(session, DUPLICATE_OF)
    members, links = tied_to(start, ties_of, decided.ties)
    order = cases.in_lasting_order(session, members)
    contradict = contradicting(session, order, links, decided.together)
    people = decided.together, decided.apart
    return members, grouped(order, links, between=max, together=people[0], parted=people[1], apart=contradict)


def settle_campaigns(session: Session, case_ids: Collection[int], now: datetime) -> set[int]:
    """Make the campaigns of these cases, and of all they are tied to, what the links of their incidents and people say. Gives the
    cases that changed campaign.

    A campaign has at least two cases. Hold the case lock.
    """
    now_in = {number for number in cases.campaigns_of(session, case_ids).values() if number is not None}
    decided = Decided(session, RELATED_TO)
    members, ties = tied_to(
        {*case_ids, *cases.cases_in(session, now_in)},
        lambda some: _case_ties(session, some),
        lambda some: _between_cases(session, decided.ties(cases.incidents_in(session, some))),
    )
    before = cases.campaigns_of(session, members)
    incidents: dict[int, list[int]] = defaultdict(list)
    for one, case in cases.members_in_lasting_order(session, members).items():
        incidents[case].append(one)
    together, parted = (_between_cases(session, pairs) for pairs in (decided.together, decided.apart))
    groups = campaign_groups(list(incidents), ties, together, parted)
    reports = [[one for case in group for one in incidents[case]] for group in groups]
    after = place(session, Campaign, reports, {one: before[case] for case in incidents for one in incidents[case]}, now)
    moves = {case: after.get(incidents[case][0]) if case in incidents else None for case in before}
    moved = {case: campaign for case, campaign in moves.items() if before[case] != campaign}
    cases.move_cases(session, moved)
    return set(moved)


def campaign_groups(
    order: Sequence[int], ties: Mapping[Pair, float], together: Sequence[Pair], parted: Sequence[Pair]
) -> list[list[int]]:
    """Which of these cases make a campaign, at least two each, by the strongest link between each pair and what people said."""
    every = grouped(order, ties, between=add, needed=join_bits, together=together, parted=parted)
    return [group for group in every if len(group) > 1]


def tied_to(
    start: Collection[int],
    ties_of: TiesOf,
    decided_of: Callable[[Collection[int]], Collection[Pair]],
) -> tuple[set[int], dict[Pair, float]]:
    """What hangs together with `start`, and by which ties; what people put together does in any case."""
    for least in _RISING_BITS:
        found: dict[Pair, float] = {}

        def tied(some: Collection[int], least: float = least, found: dict[Pair, float] = found) -> Iterable[Pair]:
            ties = {pair: bits for pair, bits in ties_of(some).items() if bits >= least}
            found |= ties
            return [*ties, *decided_of(some)]

        members, whole = reached(start, tied, max(MOST_TIED, len(start)))
        if whole:
            break
    return members, found


def _case_ties(session: Session, case_ids: Collection[int]) -> dict[Pair, float]:
    """The cases that these are tied to, each by the strongest link of their incidents: reports of one event repeat each other."""
    mine = cases.incidents_in(session, case_ids)
    links = cases.linked_pairs(session, RELATED_TO, mine)
    return strongest_between(cases.cases_of(session, {one for pair in links for one in pair}), links)


def strongest_between(case_of: Mapping[int, int | None], links: Mapping[Pair, float]) -> dict[Pair, float]:
    """The pairs of cases that these links tie, each by the strongest, in their order."""
    ties: dict[Pair, float] = {}
    for (one, other), bits in links.items():
        mine, others = case_of[one], case_of[other]
        if mine is not None and others is not None and mine != others:
            pair = (min(mine, others), max(mine, others))
            ties[pair] = max(bits, ties.get(pair, bits))
    return ties


def _between_cases(session: Session, pairs: Collection[Pair]) -> list[Pair]:
    """The pairs of cases that these pairs of incidents are in, in their order."""
    case_of = cases.cases_of(session, {one for pair in pairs for one in pair})
    return list(strongest_between(case_of, dict.fromkeys(pairs, 0.0)))


def contradicting(
    session: Session, members: Sequence[int], links: Mapping[Pair, float], together: Collection[Pair]
) -> Callable[[int, int], bool]:
    """Whether two incidents that nothing links name different victims.

    A report that names no victim may resemble two events at two victims: it joins the one it resembles most, and never both. What
    people put together has all the names of its reports.
    """
    names = names_of(session, members) if len(members) > 2 else {}
    named = {one for pair in together for one in pair}
    for block in components([one for one in members if one in named], together):
        names |= dict.fromkeys(block, tuple(name for one in block for name in names.get(one, ())))

    def apart(one: int, other: int) -> bool:
        if (one, other) in links or (other, one) in links:
            return False
        return duplicates.other_names(names.get(one, ()), names.get(other, ()))

    return apart
