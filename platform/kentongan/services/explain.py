"""Why two incidents are tied, or why not: from what the reader may see of both, and nothing else."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from kentongan.domain import campaigns, duplicates
from kentongan.domain.decisions import Verdict, words_in_force
from kentongan.domain.duplicates import Report
from kentongan.domain.evidence import Judgement
from kentongan.domain.identity import Identity
from kentongan.services.comparing import Comparing
from kentongan.services.read_incidents import ReadIncidents
from kentongan.services.read_links import EvidenceView, links_found, visible_links
from kentongan.services.summaries import IncidentSummary
from kentongan.storage.cases import DUPLICATE_OF, RELATED_TO, Link
from kentongan.storage.decisions import decisions_about
from kentongan.storage.visibility import audience_ids

LINKED = "they are linked: what speaks for it outweighs what speaks against it"
OUTWEIGHED = "they are not linked: what speaks against it outweighs what speaks for it"
NOT_ENOUGH = "they are not linked: what speaks for it is not telling enough"
NOTHING = "they are not linked: nothing that you may see speaks for it"
ONE_CASE = "they report one event: whatever campaign it belongs to, both belong to it"
OTHERS_PART = "they are not linked, though what speaks for it is telling enough: their ties to others part them"
SAME = "this is one and the same incident"
TOLD_TOGETHER = "they are linked: people decided so"
TOLD_APART = "they are not linked: people decided so"
BY_HASH = "they are not compared openly: at least one takes part by keyed hash only, or is withdrawn"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to one question: `duplicate-of` (one event?) or `related-to` (one campaign?).

    `evidence` has all that speaks for it and against it (a negative share), the heaviest first. `decided` is what people
    decided for all: together, apart or None.
    """

    kind: str
    linked: bool
    words: str
    evidence: tuple[EvidenceView, ...]
    decided: str | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Both answers about two incidents."""

    incident: IncidentSummary
    other: IncidentSummary
    answers: tuple[Answer, ...]


class Explain:
    """What a reader may be told of two incidents side by side."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def explain(self, reader: Identity, one: str, other: str) -> Explanation:
        """By our ids or by STIX ids. Raises NotFound if the reader may not see both.

        The two are compared anew from what the reader sees of them: a value in a part that is hidden speaks neither for a link nor
        against it here. A link that rests on nothing the reader may see is not told of.
        """
        left, right = ReadIncidents(self._session).both(reader, one, other)
        told = (left.summary, right.summary)
        if left.key == right.key:
            return Explanation(*told, tuple(Answer(kind, False, SAME, ()) for kind in (DUPLICATE_OF, RELATED_TO)))
        comparing = Comparing(self._session, [left.key, right.key])
        if len(comparing.batch) < len(told):
            return Explanation(*told, tuple(Answer(kind, False, BY_HASH, ()) for kind in (DUPLICATE_OF, RELATED_TO)))
        first, second = (self._seen(reader, comparing.reports[key]) for key in comparing.batch)
        rarity, linked = comparing.counted(), self._linked(reader, left.key, right.key)
        judged = (
            (DUPLICATE_OF, duplicates.compare(first, second, rarity)),
            (RELATED_TO, campaigns.compare(first, second, rarity)),
        )
        decided = self._decided(left.key, right.key)
        return Explanation(
            *told, tuple(_answer(kind, judgement, linked, decided.get(kind)) for kind, judgement in judged)
        )

    def _seen(self, reader: Identity, report: Report) -> Report:
        mine = audience_ids(self._session, reader)
        values = {value: audience for value, audience in report.values.items() if audience in mine}
        within = {value: audience for value, audience in report.within.items() if audience in mine}
        return replace(report, values=values, within=within)

    def _linked(self, reader: Identity, one: int, other: int) -> set[str]:
        pair = (Link.left_id == min(one, other)) & (Link.right_id == max(one, other))
        return {
            link.kind for link in links_found(self._session, reader, visible_links(self._session, reader).where(pair))
        }

    def _decided(self, one: int, other: int) -> dict[str, str]:
        """What was decided of the two and is in force: who sees both may know of it."""
        history = decisions_about(self._session, [min(one, other)])
        about = [said for said in history if said.pair == (min(one, other), max(one, other))]
        return {kind: verdict.value for kind, verdict in words_in_force(about).items()}


def _answer(kind: str, judgement: Judgement, links: Collection[str], decided: str | None) -> Answer:
    favour = sum(one.weight for one in judgement.evidence if one.weight > 0) or 1.0
    evidence = tuple(
        EvidenceView(one.rule, one.words, round(one.weight / favour, 4), one.observable) for one in judgement.evidence
    )
    linked = kind in links
    words = LINKED if linked else ONE_CASE if DUPLICATE_OF in links else _why_not(judgement)
    if decided is not None:
        words = TOLD_TOGETHER if linked else TOLD_APART if decided == Verdict.APART else words
    return Answer(kind, linked, words, evidence, decided)


def _why_not(judgement: Judgement) -> str:
    favour = sum(finding.bits for finding in judgement.findings if finding.bits > 0)
    against = -sum(finding.bits for finding in judgement.findings if finding.bits < 0)
    if not favour:
        return NOTHING
    if favour >= judgement.needed:
        return OTHERS_PART
    return OUTWEIGHED if against >= favour else NOT_ENOUGH
