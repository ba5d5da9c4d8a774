"""Correlate: cases that share what belongs to an attacker make a campaign."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kentongan.domain import campaigns
from kentongan.domain.evidence import Judgement
from kentongan.services.comparing import Compared, Comparing
from kentongan.services.linking import keep_links
from kentongan.services.settling import settle_campaigns
from kentongan.services.stage import StageService
from kentongan.storage import cases, jobs
from kentongan.storage.cases import RELATED_TO, Pair
from kentongan.storage.database import join_cases_in_order
from kentongan.storage.jobs import Stage


class Correlate(StageService[Compared]):
    """Link incidents of different cases that belong together, and join their cases to campaigns."""

    def look(self, incident_ids: Sequence[int]) -> Compared:
        """Compare these incidents with what is indexed."""
        earlier = cases.linked_pairs(self._session, RELATED_TO, incident_ids, rejected=True)
        comparing = Comparing(self._session, incident_ids)
        return Compared(incident_ids, comparing, _judged(comparing, earlier))

    def keep(self, found: Compared) -> None:
        """Write links and campaigns, and promise the next stage.

        An incident that runs again is scored anew. Links are kept between reports of one case too: what they tie shows as soon as
        somebody finds that it was two events.
        """
        now = self._clock()
        join_cases_in_order(self._session)
        if found.comparing.outrun(self._session):
            found = self.look(found.incident_ids)
        changed = keep_links(self._session, RELATED_TO, found, now)
        case_of = cases.cases_of(self._session, changed)
        settle_campaigns(self._session, {case for case in case_of.values() if case is not None}, now)
        for stage in (Stage.MATCH, Stage.PUBLISH):
            jobs.add(self._session, stage, sorted(found.incident_ids), now)


def _judged(comparing: Comparing, earlier: Collection[Pair]) -> dict[Pair, Judgement]:
    pairs = comparing.pairs(victims=False, further=earlier)
    rarity, reports = comparing.rarity(), comparing.reports
    scored = {pair: campaigns.compare(reports[pair[0]], reports[pair[1]], rarity) for pair in pairs}
    return {pair: judgement for pair, judgement in scored.items() if judgement.score >= campaigns.RELATED}
