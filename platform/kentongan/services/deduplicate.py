"""Deduplicate: reports of one event find each other and make a case."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy.orm import Session

from kentongan.domain import duplicates
from kentongan.domain.evidence import Judgement
from kentongan.services.comparing import Compared, Comparing
from kentongan.services.linking import keep_links
from kentongan.services.settling import settle_cases
from kentongan.services.stage import StageService
from kentongan.services.weighing import weigh_again
from kentongan.storage import cases, jobs
from kentongan.storage.blind import takes_part_blind
from kentongan.storage.cases import DUPLICATE_OF, Pair
from kentongan.storage.database import join_cases_in_order
from kentongan.storage.jobs import Stage


class Deduplicate(StageService[Compared]):
    """Link incidents that report one event, and keep the cases to what the links say."""

    def look(self, incident_ids: Sequence[int]) -> Compared:
        """Compare these incidents with what is indexed."""
        earlier = cases.linked_pairs(self._session, DUPLICATE_OF, incident_ids, rejected=True)
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
        touched = keep_links(self._session, DUPLICATE_OF, found, now) | _caseless(self._session, found.incident_ids)
        moved = settle_cases(self._session, touched, now).incidents if touched else set()
        weighed_otherwise = weigh_again(self._session, found.comparing)
        jobs.add(self._session, Stage.DEDUPLICATE, sorted(weighed_otherwise - set(found.incident_ids)), now)
        jobs.add(self._session, Stage.CORRELATE, sorted(moved | set(found.incident_ids)), now)
        # Asked under the case lock, which `meet` holds too: whichever comes second finds the other.
        if takes_part_blind(self._session):
            jobs.add(self._session, Stage.MEET, sorted(set(found.incident_ids)), now)


def _caseless(session: Session, incident_ids: Collection[int]) -> set[int]:
    return {one for one, case in cases.cases_of(session, incident_ids).items() if case is None}


def _judged(comparing: Comparing, earlier: Collection[Pair]) -> dict[Pair, Judgement]:
    pairs = comparing.pairs(victims=True, further=earlier)
    rarity, reports = comparing.rarity(), comparing.reports
    scored = {pair: duplicates.compare(reports[pair[0]], reports[pair[1]], rarity) for pair in pairs}
    return {pair: judgement for pair, judgement in scored.items() if judgement.score >= duplicates.SAME_EVENT}
