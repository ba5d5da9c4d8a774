"""What stands by people's decisions, read for the stages, and laid over the links that the rules found.

A link that was found and that people rejected is kept under another name, ties nothing and is told to nobody; one that they
confirmed has that among its evidence, and one that only they know of has nothing else. So taking a decision back leaves what the
rules found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.domain.decisions import Decision, End, Pair, Standing, Verdict, standing
from kentongan.domain.evidence import Evidence, audiences
from kentongan.domain.masking import TakesPart
from kentongan.domain.policy import Audience, Memberships, may_see
from kentongan.services import evidence_codec
from kentongan.services.evidence_codec import DECISION
from kentongan.storage import cases
from kentongan.storage.cases import DUPLICATE_OF
from kentongan.storage.decisions import decisions_about, first_said
from kentongan.storage.groups import memberships
from kentongan.storage.incidents import Incident
from kentongan.storage.observables import WANTED, rows_in_parts
from kentongan.storage.organizations import Organization
from kentongan.storage.visibility import audiences as audiences_by_id

_WEIGHT: Final = 1.0
"""Where shares are shown, people's word makes a link by itself (domain/evidence.py: hold)."""

_COMPARED = select(Incident.id, Incident.organization_id, Incident.audience_id).where(
    Incident.id.in_(WANTED), Incident.revoked.is_(False), Incident.takes_part != int(TakesPart.BLIND)
)


class Decided:
    """What stands of the incidents that were asked about so far, as far as it concerns one kind of link."""

    def __init__(self, session: Session, kind: str) -> None:
        self._session, self._kind = session, kind
        self._standing: dict[Pair, Standing] = {}

    def ties(self, incident_ids: Collection[int]) -> list[Pair]:
        """The pairs that people put together, as far as one of these incidents is in them."""
        found = standing_of(self._session, self._kind, incident_ids)
        self._standing |= {one.pair: one for one in found}
        return [one.pair for one in found if one.verdict is Verdict.TOGETHER]

    @property
    def together(self) -> list[Pair]:
        """All of them, that first which was decided first."""
        return self._pairs(Verdict.TOGETHER)

    @property
    def apart(self) -> list[Pair]:
        """The pairs that people keep apart."""
        return self._pairs(Verdict.APART)

    def _pairs(self, verdict: Verdict) -> list[Pair]:
        every = sorted(self._standing.values(), key=lambda one: one.since)
        return [one.pair for one in every if one.verdict is verdict]


def standing_of(session: Session, kind: str, incident_ids: Collection[int]) -> list[Standing]:
    """What stands of the pairs that one of these incidents is in, that first which was decided first."""
    history = _history(session, kind, incident_ids)
    return standing(history, ends_of(session, _named(history))) if history else []


def decided_pairs(session: Session, kind: str, incident_ids: Collection[int]) -> set[Pair]:
    """The pairs of these incidents that somebody decided anything about, whatever became of it."""
    return {entry.pair for entry in _history(session, kind, incident_ids)}


def ends_of(session: Session, incident_ids: Collection[int]) -> dict[int, End]:
    """Those of these incidents that are compared openly, and which of their owners may see each."""
    rows = list(rows_in_parts(session, _COMPARED, incident_ids))
    audience_of = audiences_by_id(session, [row.audience_id for row in rows]) if rows else {}
    owners = _organizations(session, {row.organization_id for row in rows})
    living = memberships(session)
    return {
        row.id: End(row.organization_id, _readers(owners.values(), audience_of[row.audience_id], living))
        for row in rows
    }


def lay_off(session: Session, kind: str, pairs: Iterable[Pair]) -> None:
    """Let the links of these pairs be what the rules found. Hold the case lock."""
    for pair in sorted(pairs):
        for row in cases.stored_links(session, kind, pair):
            if not row.score:
                cases.drop_link(session, row.id)
            else:
                cases.change_link(session, row.id, kind, _found(row.evidence))


def lay_on(session: Session, kind: str, standings: Iterable[Standing]) -> None:
    """Let the links be what stands, after what the rules found was written. Hold the case lock."""
    for one in standings:
        rows = cases.stored_links(session, kind, one.pair)
        if one.verdict is Verdict.APART:
            for row in rows:
                cases.change_link(session, row.id, cases.REJECTED[kind], row.evidence)
            continue
        word = evidence_codec.written([_word(session, one)])
        for row in rows:
            cases.change_link(session, row.id, kind, [*_found(row.evidence), *word])
        if not rows:
            since = first_said(session, kind, one.pair, one.verdict)
            assert since is not None, "who says so has said so"
            cases.add_link(session, kind, one.pair, word, since)


def _found(evidence: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for item in evidence if item["rule"] != DECISION]


def _word(session: Session, one: Standing) -> Evidence:
    names = " and ".join(sorted(row.name for row in _organizations(session, one.organizations).values()))
    said = "both report one event" if one.kind == DUPLICATE_OF else "both belong to one campaign"
    ends = [row.audience_id for row in rows_in_parts(session, _COMPARED, one.pair)]
    return Evidence(DECISION, f"people of {names} decided that {said}", _WEIGHT, None, audiences(ends))


def _history(session: Session, kind: str, incident_ids: Collection[int]) -> list[Decision]:
    return [entry for entry in decisions_about(session, incident_ids) if entry.kind == kind]


def _named(history: Iterable[Decision]) -> set[int]:
    return {one for entry in history for one in entry.pair}


def _organizations(session: Session, numbers: Collection[int]) -> dict[int, Organization]:
    found = session.scalars(select(Organization).where(Organization.id.in_(sorted(numbers))))
    return {one.id: one for one in found}


def _readers(owners: Iterable[Organization], audience: Audience, living: Memberships) -> frozenset[int]:
    return frozenset(one.id for one in owners if may_see(one.identity(), audience, living))
