"""Deduplicate: reports of one event find each other and make a case."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from kentongan.domain import duplicates
from kentongan.domain.evidence import Judgement
from kentongan.services import evidence_codec
from kentongan.services.comparing import Compared, Comparing
from kentongan.services.settling import settle_cases
from kentongan.services.stage import StageService
from kentongan.storage import cases, jobs
from kentongan.storage.blind import takes_part_blind
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
        moved = settle_cases(self._session, touched, now)
        jobs.add(self._session, Stage.CORRELATE, sorted(moved | set(comparing.batch) | set(incident_ids)), now)
        # Asked under the case lock, which `meet` holds too: whichever comes second finds the other.
        if takes_part_blind(self._session):
            jobs.add(self._session, Stage.MEET, sorted(set(incident_ids)), now)


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
