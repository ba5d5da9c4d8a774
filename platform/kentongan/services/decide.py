"""Decide: people say of two incidents that they belong together or do not, and take it back; what they touch is worked out anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.domain.audit import Act
from kentongan.domain.decisions import Capacity, Decision, End, Pair, Verdict, capacity, in_force
from kentongan.domain.identity import Identity, Scope
from kentongan.domain.permissions import may_decide, may_undo
from kentongan.services.errors import NotFound, Refused
from kentongan.services.evidence_codec import DECISION
from kentongan.services.read_decisions import DecisionView, ReadDecisions
from kentongan.services.read_incidents import ReadIncidents
from kentongan.services.settling import Moved, settle_campaigns, settle_cases
from kentongan.services.standing import ends_of, lay_off, lay_on, standing_of
from kentongan.services.summaries import FoundIncident
from kentongan.storage import cases, jobs
from kentongan.storage.audit import note
from kentongan.storage.cases import DUPLICATE_OF, RELATED_TO
from kentongan.storage.database import join_cases_in_order
from kentongan.storage.decisions import DecisionRow, decisions_about
from kentongan.storage.jobs import Stage

Clock = Callable[[], datetime]

KINDS: Final = (DUPLICATE_OF, RELATED_TO)
LONGEST_REASON: Final = 1000


class Decide:
    """What may be wished about two incidents. `who` asks.

    Only who sees both may say anything. Who owns one of them says it for all where the owner of the other sees both too, and so
    does who coordinates the region; of all others it is an opinion, which is shown and counted.
    """

    def __init__(self, session: Session, clock: Clock, who: Identity) -> None:
        self._session = session
        self._clock = clock
        self._who = who

    def decide(self, one: str, other: str, kind: str, verdict: Verdict, reason: str) -> DecisionView:
        """Say of two incidents, by our ids or by STIX ids, whether they report one event (`duplicate-of`) or belong to one campaign
        (`related-to`).

        Raises NotFound if who asks may not see both or may not decide, and Refused for what cannot be decided.
        """
        reason = self._begin(reason)
        if kind not in KINDS:
            raise Refused("duplicate-of (one event) or related-to (one campaign) can be decided")
        left, right = sorted(ReadIncidents(self._session).both(self._who, one, other), key=lambda found: found.key)
        if left.key == right.key:
            raise Refused("these are one and the same incident: name two")
        ends = ends_of(self._session, [left.key, right.key])
        if len(ends) < len({left.key, right.key}):
            raise Refused("one of them is withdrawn, or takes part by keyed hash only: nothing is decided about it")
        coordinates = self._who.may(Scope.COORDINATE)
        said_as = capacity(self._who.organization_id, ends[left.key], ends[right.key], coordinates=coordinates)
        self._refuse_repeating(kind, (left.key, right.key), verdict, said_as)
        row = self._entry(kind, left.key, right.key, verdict, said_as, reason)
        row.found = self._found(kind, (left.key, right.key))
        self._enter(row, ends, (left, right))
        return self._view(row)

    def undo(self, public_id: str, reason: str) -> DecisionView:
        """Take back a decision of one's own organization; who coordinates the region may take back any. What is left stands as if
        it had never been said.

        Raises NotFound for who may not see both incidents or take it back, and Refused for what is taken back already.
        """
        reason = self._begin(reason)
        row = self._session.scalars(select(DecisionRow).where(DecisionRow.public_id == public_id)).one_or_none()
        view = ReadDecisions(self._session).one(self._who, public_id)
        if row is None or not may_undo(self._who, row.organization_id):
            raise NotFound("there is no such decision of yours")
        if row.undoes_id is not None:
            raise Refused("this takes something back itself: decide anew instead")
        taken = select(DecisionRow.id).where(DecisionRow.undoes_id == row.id)
        if self._session.scalar(taken) is not None:
            raise Refused("this is taken back already")
        pair = ReadIncidents(self._session).both(self._who, view.incident.id, view.other.id)
        said_as = Capacity(row.capacity)
        undoing = self._entry(row.kind, row.left_id, row.right_id, Verdict(row.verdict), said_as, reason)
        undoing.undoes_id = row.id
        self._enter(undoing, ends_of(self._session, [row.left_id, row.right_id]), pair)
        return self._view(undoing)

    def _begin(self, reason: str) -> str:
        if not may_decide(self._who):
            raise NotFound("there is nothing to decide for you")
        reason = " ".join("".join(one if one.isprintable() else " " for one in reason).split())
        if not 1 <= len(reason) <= LONGEST_REASON:
            raise Refused(f"say why, in 1 to {LONGEST_REASON} characters: whoever sees both incidents reads it")
        join_cases_in_order(self._session)
        return reason

    def _refuse_repeating(self, kind: str, pair: Pair, verdict: Verdict, said_as: Capacity) -> None:
        for entry in in_force(self._history(kind, pair)):
            said = (entry.organization_id, entry.verdict, entry.capacity)
            if said == (self._who.organization_id, verdict, said_as):
                raise Refused("your organization has said this already")

    def _history(self, kind: str, pair: Pair) -> list[Decision]:
        every = decisions_about(self._session, pair)
        return [entry for entry in every if (entry.kind, entry.pair) == (kind, pair)]

    def _entry(self, kind: str, left: int, right: int, verdict: Verdict, said_as: Capacity, reason: str) -> DecisionRow:
        return DecisionRow(
            kind=kind,
            left_id=left,
            right_id=right,
            verdict=verdict.value,
            organization_id=self._who.organization_id,
            author=self._who.in_words(),
            capacity=said_as.value,
            reason=reason,
            decided_at=self._clock(),
        )

    def _found(self, kind: str, pair: Pair) -> dict[str, Any] | None:
        for row in cases.stored_links(self._session, kind, pair):
            if row.score:
                kept = ("rule", "weight", "alone", "audiences")
                found = [{name: item[name] for name in kept if name in item} for item in row.evidence]
                return {"score": row.score, "evidence": [item for item in found if item["rule"] != DECISION]}
        return None

    def _enter(self, row: DecisionRow, ends: dict[int, End], pair: Iterable[FoundIncident]) -> None:
        self._session.add(row)
        self._session.flush()
        if row.capacity != Capacity.OPINION.value:
            self._settle(row.kind, (row.left_id, row.right_id))
        said = {"kind": row.kind, "verdict": row.verdict, "capacity": row.capacity}
        named = [f"incident {one.row.public_id}" for one in pair]
        told = {**said, "undone": row.undoes_id is not None, "incidents": named, "reason": row.reason}
        # Whose incident it is is told where they see the other one too: else the entry would tell that there is one.
        owners = {one.organization_id for one in ends.values()}
        knowing = {owner for owner in owners if all(owner in one.seen_by for one in ends.values())}
        for about in sorted(knowing | {self._who.organization_id}):
            note(self._session, self._who, Act.DECIDED, f"decision {row.public_id}", about_id=about, **told)

    def _settle(self, kind: str, pair: Pair) -> None:
        now = self._clock()
        lay_off(self._session, kind, [pair])
        lay_on(self._session, kind, [one for one in standing_of(self._session, kind, pair) if one.pair == pair])
        moved = self._settled(kind, pair, now)
        jobs.add(self._session, Stage.MATCH, sorted(moved.incidents | set(pair)), now)
        with_cases = set(cases.incidents_in(self._session, moved.cases))
        jobs.add(self._session, Stage.PUBLISH, sorted(moved.incidents | set(pair) | with_cases), now)

    def _settled(self, kind: str, pair: Pair, now: datetime) -> Moved:
        if kind == DUPLICATE_OF:
            return settle_cases(self._session, pair, now)
        of_pair = {case for case in cases.cases_of(self._session, pair).values() if case is not None}
        return Moved(set(), settle_campaigns(self._session, of_pair, now))

    def _view(self, row: DecisionRow) -> DecisionView:
        self._session.flush()
        return ReadDecisions(self._session).one(self._who, row.public_id)
