"""What `relink` would change, without writing anything: all links are worked out in portions and grouped in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from kentongan.domain.relinking import Changes, rules_version
from kentongan.services.comparing import Compared
from kentongan.services.relink import PORTION, changed_groups, compared, noted, rules_of
from kentongan.services.settling import campaign_groups, case_groups, strongest_between, tied_to
from kentongan.services.standing import Decided
from kentongan.storage import cases, relinks
from kentongan.storage.cases import DUPLICATE_OF, REJECTED, RELATED_TO, Pair

Ties = dict[Pair, float]


class ForeseeRelink:
    """Walks over the store in sessions that only read; what it finds stays here. Two bits of memory for every link."""

    def __init__(self, clock: Callable[[], datetime], portion: int = PORTION) -> None:
        self._clock = clock
        self._portion = portion
        self._changes = Changes()
        self._ties: dict[str, Ties] = {DUPLICATE_OF: {}, RELATED_TO: {}}
        self._stored: dict[str, set[Pair]] = {DUPLICATE_OF: set(), RELATED_TO: set()}

    def look(self, session: Session, after: int, up_to: int) -> int | None:
        """Compare the next incidents behind one; gives the last of them, None if there is none up to `up_to`."""
        some = relinks.following(session, after, up_to, self._portion)
        if not some:
            return None
        for kind, found in compared(session, self._clock, some).items():
            self._foresee(session, kind, found)
        self._changes.incidents += len(some)
        return some[-1]

    def report(self, session: Session) -> dict[str, Any]:
        """What would change, as `Relink.finish` tells it."""
        before = relinks.places_now(session)
        now = self._places(session, before.keys())
        return {"rules_version": rules_version(), **self._changes.as_json(), **changed_groups(before, now)}

    def _foresee(self, session: Session, kind: str, found: Compared) -> None:
        earlier = cases.linked_pairs(session, kind, found.incident_ids, rejected=True)
        fresh = {pair: bits for pair, bits in earlier.items() if pair not in self._stored[kind]}
        self._stored[kind] |= fresh.keys()
        reasons = {pair: rules_of(session, kind, pair) for pair in fresh.keys() - found.judged.keys()}
        judged = {pair: one.bits for pair, one in found.judged.items()}
        kept = {pair: bits for pair, bits in earlier.items() if not found.comparing.outdated(pair)} | judged
        unseen = {pair: bits for pair, bits in kept.items() if pair not in self._ties[kind] and pair not in earlier}
        noted(
            self._changes,
            kind,
            fresh,
            {**unseen, **{pair: kept[pair] for pair in fresh if pair in kept}},
            found,
            reasons,
        )
        self._ties[kind] |= kept

    def _places(self, session: Session, incident_ids: Collection[int]) -> relinks.Places:
        """Where everything would be: cases and campaigns go by made-up numbers."""
        duplicates, related = (self._told(session, kind) for kind in (DUPLICATE_OF, RELATED_TO))
        groups: list[list[int]] = []
        seen: set[int] = set()
        for start in _tied_first(incident_ids, duplicates):
            if start not in seen:
                members, some = case_groups(session, [start], duplicates.of)
                seen |= members
                groups += some
        case_of = {one: number for number, group in enumerate(_in_order(session, groups)) for one in group}
        campaign_of = _campaigns(session, case_of, related)
        return {one: (case_of.get(one), campaign_of.get(case_of.get(one, -1))) for one in incident_ids}

    def _told(self, session: Session, kind: str) -> _Around:
        """The ties that count: what people rejected is found, and ties nothing."""
        rejected = cases.linked_pairs(session, REJECTED[kind], {one for pair in self._ties[kind] for one in pair})
        return _Around({pair: bits for pair, bits in self._ties[kind].items() if pair not in rejected})


class _Around:
    """Ties by what they tie."""

    def __init__(self, ties: Ties) -> None:
        self.ties = ties
        self._pairs: dict[int, list[Pair]] = defaultdict(list)
        for pair in ties:
            for one in pair:
                self._pairs[one].append(pair)

    def of(self, some: Collection[int]) -> Mapping[Pair, float]:
        """All ties of some of them."""
        return {pair: self.ties[pair] for one in some for pair in self._pairs.get(one, ())}


def _tied_first(incident_ids: Iterable[int], around: _Around) -> list[int]:
    return sorted(incident_ids, key=lambda one: not around.of([one]))


def _in_order(session: Session, groups: list[list[int]]) -> list[list[int]]:
    places = {
        one: place for place, one in enumerate(cases.in_lasting_order(session, [one for g in groups for one in g]))
    }
    return sorted(groups, key=lambda group: min(places[one] for one in group))


def _campaigns(session: Session, case_of: Mapping[int, int], related: _Around) -> dict[int, int]:
    decided = Decided(session, RELATED_TO)
    decided.ties(case_of)
    together, parted = (
        strongest_between(case_of, dict.fromkeys(pairs, 0.0)) for pairs in (decided.together, decided.apart)
    )
    around, people = _Around(strongest_between(case_of, related.ties)), _Around(together)
    campaign_of: dict[int, int] = {}
    seen: set[int] = set()
    for case in sorted(set(case_of.values())):
        if case not in seen:
            members, ties = tied_to([case], around.of, lambda some: list(people.of(some)))
            seen |= members
            for group in campaign_groups(sorted(members), ties, list(together), list(parted)):
                campaign_of |= dict.fromkeys(group, group[0])
    return campaign_of
