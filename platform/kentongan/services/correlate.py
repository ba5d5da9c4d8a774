"""Correlate: cases that share what belongs to an attacker make a campaign."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from kentongan.domain import campaigns
from kentongan.domain.campaigns import join_bits
from kentongan.domain.evidence import Judgement
from kentongan.services import evidence_codec
from kentongan.services.comparing import Compared, Comparing
from kentongan.services.parting import part_campaigns
from kentongan.services.stage import StageService
from kentongan.storage import cases, jobs
from kentongan.storage.cases import RELATED_TO, FoundLink, Pair
from kentongan.storage.database import join_cases_in_order
from kentongan.storage.jobs import Stage


class Correlate(StageService[Compared]):
    """Link incidents of different cases that belong together, and join their cases to campaigns."""

    def look(self, incident_ids: Sequence[int]) -> Compared:
        """Compare these incidents with what is indexed."""
        earlier = cases.linked_pairs(self._session, RELATED_TO, incident_ids)
        comparing = Comparing(self._session, incident_ids)
        return Compared(incident_ids, comparing, _judged(comparing, earlier))

    def keep(self, found: Compared) -> None:
        """Write links and campaigns, and promise the next stage.

        An incident that runs again is scored anew; where a link is gone, its campaign falls into the parts that still hang
        together, and the part with the oldest case keeps the campaign.
        """
        now = self._clock()
        join_cases_in_order(self._session)
        if found.comparing.outrun(self._session):
            found = self.look(found.incident_ids)
        incident_ids, comparing, judged = found.incident_ids, found.comparing, found.judged
        case_of = cases.cases_of(self._session, {one for pair in judged for one in pair})
        across = {
            pair: judgement
            for pair, judgement in judged.items()
            if None not in (ends := [case_of[one] for one in pair]) and ends[0] != ends[1]
        }
        earlier = cases.linked_pairs(self._session, RELATED_TO, incident_ids)
        gone = {pair for pair in earlier if pair not in across and comparing.outdated(pair)}
        links = [FoundLink(pair, j.score, evidence_codec.written(j.evidence)) for pair, j in across.items()]
        cases.replace_links(self._session, RELATED_TO, gone, links, now)
        part_campaigns(self._session, self._campaigns_of({one for pair in gone for one in pair}), now)
        self._grow(across, case_of, now)
        for stage in (Stage.MATCH, Stage.PUBLISH):
            jobs.add(self._session, stage, sorted(incident_ids), now)

    def _campaigns_of(self, incident_ids: Collection[int]) -> set[int | None]:
        of_incidents = cases.cases_of(self._session, incident_ids).values()
        return set(cases.campaigns_of(self._session, {case for case in of_incidents if case is not None}).values())

    def _grow(self, across: dict[Pair, Judgement], case_of: dict[int, int | None], now: datetime) -> None:
        """Join the groups that links tie, the strongest tie first, each only if it is strong enough for their sizes."""
        ties: dict[tuple[int, int], float] = defaultdict(float)
        for pair, judgement in across.items():
            ends = sorted(case for one in pair if (case := case_of[one]) is not None)
            ties[ends[0], ends[1]] += judgement.bits
        if not ties:
            return
        groups = _Groups(self._session, {case for ends in ties for case in ends}, now)
        while tie := groups.strongest(ties):
            groups.join(*tie)


def _judged(comparing: Comparing, earlier: set[Pair]) -> dict[Pair, Judgement]:
    pairs = comparing.pairs(victims=False, further=earlier)
    rarity, reports = comparing.rarity(), comparing.reports
    scored = {pair: campaigns.compare(reports[pair[0]], reports[pair[1]], rarity) for pair in pairs}
    return {pair: judgement for pair, judgement in scored.items() if judgement.score >= campaigns.RELATED}


class _Groups:
    """The campaigns of some cases while they are joined; a case without one is a group of its own."""

    def __init__(self, session: Session, case_ids: Collection[int], now: datetime) -> None:
        self._session = session
        self._now = now
        self._campaign = cases.campaigns_of(session, case_ids)
        self._sizes = cases.campaign_sizes(session, {c for c in self._campaign.values() if c is not None})

    def strongest(self, ties: dict[tuple[int, int], float]) -> tuple[int, int] | None:
        """Two cases whose groups are tied most strongly of all that may be joined, or None."""
        between: dict[tuple[tuple[bool, int], ...], float] = defaultdict(float)
        cases_between: dict[tuple[tuple[bool, int], ...], tuple[int, int]] = {}
        for (one, other), bits in sorted(ties.items()):
            ends = tuple(sorted((self._group(one), self._group(other))))
            if ends[0] != ends[1]:
                between[ends] += bits
                cases_between.setdefault(ends, (one, other))
        able = [
            (bits, cases_between[ends]) for ends, bits in between.items() if bits >= self._needed(cases_between[ends])
        ]
        return max(able, key=lambda tie: (tie[0], tie[1]), default=(0.0, None))[1]

    def join(self, one: int, other: int) -> None:
        """Make the groups of two cases one campaign; the older keeps its id."""
        known = sorted({number for case in (one, other) if (number := self._campaign[case]) is not None})
        if len(known) == 2:
            cases.merge_campaigns(self._session, known[1], known[0])
            self._sizes[known[0]] += self._sizes.pop(known[1])
            self._campaign = {
                case: known[0] if number == known[1] else number for case, number in self._campaign.items()
            }
            return
        campaign = known[0] if known else cases.open_campaign(self._session, self._now)
        joining = [case for case in (one, other) if self._campaign[case] is None]
        cases.join_campaign(self._session, joining, campaign)
        self._sizes[campaign] = self._sizes.get(campaign, 0) + len(joining)
        self._campaign |= dict.fromkeys(joining, campaign)

    def _group(self, case: int) -> tuple[bool, int]:
        campaign = self._campaign[case]
        return (True, campaign) if campaign is not None else (False, case)

    def _needed(self, ends: tuple[int, int]) -> float:
        campaigns_of_ends = [self._campaign[case] for case in ends]
        smaller, larger = sorted(1 if number is None else self._sizes[number] for number in campaigns_of_ends)
        return join_bits(smaller, larger)
