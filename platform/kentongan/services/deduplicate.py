"""Deduplicate: reports of one event find each other and make a case."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

from kentongan.domain import duplicates
from kentongan.domain.campaigns import components
from kentongan.domain.evidence import Judgement
from kentongan.services import evidence_codec
from kentongan.services.comparing import Compared, Comparing
from kentongan.services.parting import part_campaigns
from kentongan.services.stage import StageService
from kentongan.storage import cases, jobs
from kentongan.storage.cases import DUPLICATE_OF, FoundLink, Pair
from kentongan.storage.database import join_cases_in_order
from kentongan.storage.jobs import Stage


class Deduplicate(StageService[Compared]):
    """Link incidents that report one event, and keep the cases to what the links say."""

    def look(self, incident_ids: Sequence[int]) -> Compared:
        """Compare these incidents with what is indexed."""
        earlier = cases.linked_pairs(self._session, DUPLICATE_OF, incident_ids)
        comparing = Comparing(self._session, incident_ids)
        return Compared(incident_ids, comparing, _judged(comparing, earlier))

    def keep(self, found: Compared) -> None:
        """Write links and cases, and promise the next stage.

        An incident that runs again is scored anew. A case is always one connected part of the links: whoever is tied to it
        by no link any more leaves for a case of its own, and the part with the oldest report keeps the case.
        """
        now = self._clock()
        join_cases_in_order(self._session)
        if found.comparing.outrun(self._session):
            found = self.look(found.incident_ids)
        incident_ids, comparing, judged = found.incident_ids, found.comparing, found.judged
        # Another worker may have linked these incidents since the look-up; only the lock makes the second look final.
        earlier = cases.linked_pairs(self._session, DUPLICATE_OF, incident_ids)
        gone = {pair for pair in earlier if pair not in judged and comparing.outdated(pair)}
        links = [FoundLink(pair, j.score, evidence_codec.written(j.evidence)) for pair, j in judged.items()]
        cases.replace_links(self._session, DUPLICATE_OF, gone, links, now)
        touched = {one for pair in (*gone, *judged) for one in pair} | cases.cases_of(
            self._session, incident_ids
        ).keys()
        moved = self._settle(touched, now)
        jobs.add(self._session, Stage.CORRELATE, sorted(moved | set(comparing.batch) | set(incident_ids)), now)

    def _settle(self, touched: Collection[int], now: datetime) -> set[int]:
        """Make the cases of these incidents the connected parts of their links; gives the incidents that changed case."""
        case_of = cases.cases_of(self._session, touched)
        case_of |= cases.incidents_in(self._session, {case for case in case_of.values() if case is not None})
        members = sorted(case_of)
        links = cases.linked_pairs(self._session, DUPLICATE_OF, members)
        parts = components(members, links)
        keeps = _kept(parts, case_of)
        fresh = iter(cases.open_cases(self._session, keeps.count(None), now))
        final = {
            one: case
            for part, kept in zip(parts, keeps, strict=True)
            for case in [next(fresh) if kept is None else kept]
            for one in part
        }
        moved = {one: case for one, case in final.items() if case_of[one] != case}
        cases.move_incidents(self._session, moved)
        self._redirect(case_of, final)
        left = {old for one in moved if (old := case_of[one]) is not None}
        part_campaigns(self._session, cases.campaigns_of(self._session, left).values(), now)
        return set(moved)

    def _redirect(self, before: dict[int, int | None], after: dict[int, int]) -> None:
        """Cases without incidents lead to where their oldest one went; a campaign follows its case."""
        merged: dict[int, int] = {}
        living = set(after.values())
        for one in sorted(after):
            old = before[one]
            if old is not None and old not in living:
                merged.setdefault(old, after[one])
        if not merged:
            return
        campaign_of = cases.campaigns_of(self._session, [*merged, *merged.values()])
        cases.merge_cases(self._session, merged)
        theirs: dict[int, set[int]] = defaultdict(set)
        for old, new in merged.items():
            theirs[new] |= {c for c in (campaign_of[old], campaign_of[new]) if c is not None}
        led: dict[int, int] = {}
        for case, campaigns in sorted(theirs.items()):
            self._join_campaigns(case, {_led(led, number) for number in campaigns}, led)
        cases.dissolve_lonely(self._session, {_led(led, number) for some in theirs.values() for number in some})

    def _join_campaigns(self, case: int, campaigns: set[int], led: dict[int, int]) -> None:
        """One event belongs to one campaign: those of the cases that were found to be one are one too."""
        if not campaigns:
            return
        oldest, *others = sorted(campaigns)
        for other in others:
            cases.merge_campaigns(self._session, other, oldest)
            led[other] = oldest
        cases.join_campaign(self._session, [case], oldest)


def _led(led: dict[int, int], number: int) -> int:
    while number in led:
        number = led[number]
    return number


def _judged(comparing: Comparing, earlier: set[Pair]) -> dict[Pair, Judgement]:
    pairs = comparing.pairs(victims=True, further=earlier)
    rarity, reports = comparing.rarity(), comparing.reports
    scored = {pair: duplicates.compare(reports[pair[0]], reports[pair[1]], rarity) for pair in pairs}
    same = {pair: judgement for pair, judgement in scored.items() if judgement.score >= duplicates.SAME_EVENT}
    return _without_contradiction(same, comparing)


def _without_contradiction(same: dict[Pair, Judgement], comparing: Comparing) -> dict[Pair, Judgement]:
    """A report that names no victim may resemble two events at two victims: it joins only the one it resembles most."""
    kept: dict[Pair, Judgement] = {}
    partners: dict[int, list[int]] = defaultdict(list)
    for pair, judgement in sorted(same.items(), key=lambda item: (-item[1].bits, item[0])):
        one, other = pair
        joined = [(one, third) for third in partners[other]] + [(other, third) for third in partners[one]]
        if any(duplicates.name_others(comparing.reports[a], comparing.reports[b]) for a, b in joined):
            continue
        kept[pair] = judgement
        partners[one].append(other)
        partners[other].append(one)
    return kept


def _kept(parts: list[list[int]], case_of: dict[int, int | None]) -> list[int | None]:
    """The case each part keeps: of the cases whose oldest incident it holds the lowest; None where it needs a new one."""
    oldest: dict[int, int] = {}
    for one, case in sorted(case_of.items()):
        if case is not None:
            oldest.setdefault(case, one)
    return [min((case for case, one in oldest.items() if one in set(part)), default=None) for part in parts]
