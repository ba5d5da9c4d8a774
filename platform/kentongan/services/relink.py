"""Relink: all links are worked out anew after rules or weights changed, in portions, and nobody is alerted.

Each portion is one transaction, with the position it ends at: whoever goes on after a kill goes on behind it, and two who walk at
once share the way. Between portions everybody else writes. Links depend on their two reports alone (docs/adr/0018), so it does not
matter that half of the store is linked by the old rules meanwhile, nor what is submitted: that is linked by the new ones.

What each value was last counted at (`services/weighing.py`) is left alone: rarity is counted anew for every portion, and who brings
a value past a step later has its carriers compared again as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from kentongan.domain.relinking import Changes, regrouped, rules_version
from kentongan.services.comparing import Compared
from kentongan.services.correlate import Correlate
from kentongan.services.deduplicate import Deduplicate
from kentongan.services.evidence_codec import DECISION
from kentongan.services.linking import keep_links
from kentongan.services.settling import settle_campaigns, settle_cases
from kentongan.storage import cases, jobs, relinks
from kentongan.storage.blind import masked_incidents
from kentongan.storage.cases import DUPLICATE_OF, RELATED_TO, Pair
from kentongan.storage.database import join_cases_in_order
from kentongan.storage.jobs import Stage
from kentongan.storage.relinks import RelinkRun

Clock = Callable[[], datetime]

PORTION: Final = 200
"""Incidents at once: so long others wait who want to write."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Some incidents that were compared anew; `after` is the position that they follow."""

    run_id: int
    after: int
    incident_ids: Sequence[int]
    found: dict[str, Compared]


class Relink:
    """One step of the walk at a time: `begin`, then `look` and `keep` until nothing is left, then `finish`."""

    def __init__(self, session: Session, clock: Clock, portion: int = PORTION) -> None:
        self._session = session
        self._clock = clock
        self._portion = portion

    def begin(self) -> RelinkRun:
        """The run that was broken off, if the rules are still the same, or a new one."""
        join_cases_in_order(self._session)
        run, rules = relinks.newest_run(self._session), rules_version()
        if run is not None and run.finished_at is None and run.rules == rules:
            return run
        return relinks.begin_run(self._session, rules, self._clock())

    def look(self) -> Portion | None:
        """Compare the next incidents; None: all are done. Writes nothing."""
        run = relinks.newest_run(self._session)
        if run is None or run.finished_at is not None:
            return None
        some = relinks.following(self._session, run.position, run.last, self._portion)
        return Portion(run.id, run.position, some, compared(self._session, self._clock, some)) if some else None

    def keep(self, portion: Portion) -> bool:
        """Write what was found; False: somebody else did meanwhile."""
        join_cases_in_order(self._session)
        run = relinks.newest_run(self._session)
        if run is None or (run.id, run.position, run.finished_at) != (portion.run_id, portion.after, None):
            return False
        found = portion.found
        if any(one.comparing.outrun(self._session) for one in found.values()):
            found = compared(self._session, self._clock, portion.incident_ids)
        changes = Changes.of(run.changes)
        touched: set[int] = set()
        for kind, one in found.items():
            touched |= self._link(kind, one, changes)
        changes.incidents += len(portion.incident_ids)
        run.changes, run.position = changes.as_json(), portion.incident_ids[-1]
        jobs.add(self._session, Stage.PUBLISH, sorted(touched), self._clock())
        return True

    def finish(self) -> dict[str, Any] | None:
        """What changed, once all is done; None while something is left."""
        join_cases_in_order(self._session)
        run = relinks.newest_run(self._session)
        if run is None or relinks.following(self._session, run.position, run.last, 1):
            return None
        if run.finished_at is None:
            before, now = relinks.places_before(self._session), relinks.places_now(self._session)
            run.changes = run.changes | changed_groups(before, now)
            run.finished_at = self._clock()
            relinks.forget_before(self._session)
            # What is masked is compared elsewhere, by the same weights.
            jobs.add(self._session, Stage.MEET, sorted(masked_incidents(self._session)), self._clock())
        return {"rules_version": run.rules, **run.changes}

    def _link(self, kind: str, found: Compared, changes: Changes) -> set[int]:
        """Write the links of one kind and what follows; gives the incidents at which something is otherwise now."""
        session, now = self._session, self._clock()
        earlier = cases.linked_pairs(session, kind, found.incident_ids, rejected=True)
        reasons = {pair: rules_of(session, kind, pair) for pair in earlier.keys() - found.judged.keys()}
        touched = keep_links(session, kind, found, now)
        after = cases.linked_pairs(session, kind, found.incident_ids, rejected=True)
        noted(changes, kind, earlier, after, found, reasons)
        if kind == DUPLICATE_OF:
            alone = {one for one, case in cases.cases_of(session, found.incident_ids).items() if case is None}
            moved = settle_cases(session, touched | alone, now)
        else:
            case_of = cases.cases_of(session, touched).values()
            moved_cases = settle_campaigns(session, {case for case in case_of if case is not None}, now)
            return touched | set(cases.incidents_in(session, moved_cases))
        return touched | moved.incidents | set(cases.incidents_in(session, moved.cases))


def compared(session: Session, clock: Clock, incident_ids: Sequence[int]) -> dict[str, Compared]:
    """What the rules of both kinds of link say of these incidents now."""
    return {
        DUPLICATE_OF: Deduplicate(session, clock).look(incident_ids),
        RELATED_TO: Correlate(session, clock).look(incident_ids),
    }


def noted(
    changes: Changes,
    kind: str,
    earlier: dict[Pair, float],
    after: dict[Pair, float],
    found: Compared,
    reasons: dict[Pair, set[str]],
) -> None:
    """Count what came and went with one portion."""
    for pair in after.keys() - earlier.keys():
        judged = found.judged.get(pair)
        changes.note("gained", kind, [one.rule for one in judged.evidence if one.weight > 0] if judged else ())
    for pair in earlier.keys() - after.keys():
        changes.note("lost", kind, reasons.get(pair, ()))
    for pair in earlier.keys() & after.keys():
        if earlier[pair] != after[pair]:
            changes.note("reweighed", kind)


def rules_of(session: Session, kind: str, pair: Pair) -> set[str]:
    """The rules behind a link as it is stored, people's word left out."""
    every = {item["rule"] for row in cases.stored_links(session, kind, pair) for item in row.evidence}
    return every - {DECISION}


def changed_groups(before: relinks.Places, now: relinks.Places) -> dict[str, Any]:
    """How many cases and campaigns are several of before, and how many of before are several now."""
    told = {}
    for place, name in enumerate(("cases", "campaigns")):
        was, is_now = ({one: at[place] for one, at in places.items()} for places in (before, now))
        told[name] = asdict(regrouped(was, is_now))
    return told
