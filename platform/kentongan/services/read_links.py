"""Links as one reader may know them: both incidents visible, and of the evidence only what comes from what the reader sees, where
that alone makes the link.

The stored score is shown to nobody: where evidence is hidden, it would tell that there is more. What a reader gets are the
shares of the evidence shown, which always add up to 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased

from kentongan.domain.identity import Identity
from kentongan.domain.incident import Observable
from kentongan.services import evidence_codec
from kentongan.services.seen_cases import Report, seen_cases
from kentongan.services.summaries import IncidentSummary
from kentongan.services.told_ties import ToldTie, told_tie
from kentongan.storage.cases import DUPLICATE_OF, RELATED_TO, Link
from kentongan.storage.incidents import Incident
from kentongan.storage.visibility import audience_ids, visible

Left: Final = aliased(Incident, name="left_incident")
Right: Final = aliased(Incident, name="right_incident")
_ENDS: Final = (
    ("left", "public_id", Left.public_id),
    ("left", "received_at", Left.received_at),
    ("right", "public_id", Right.public_id),
    ("right", "received_at", Right.received_at),
)


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """One reason for a link, in words and numbers.

    `share` is its part of all reasons shown that speak for the link: those add up to 1; one that speaks against it is negative.
    """

    rule: str
    words: str
    share: float
    observable: Observable | None = None


@dataclass(frozen=True, slots=True)
class LinkView:
    """A tie between two incidents: `duplicate-of` (the same event) or `related-to`. The heaviest evidence comes first."""

    kind: str
    incident: IncidentSummary
    other: IncidentSummary
    found_at: datetime
    evidence: tuple[EvidenceView, ...]


@dataclass(frozen=True, slots=True)
class FoundLink:
    """A link that the reader may know of, with the row numbers of its incidents and the keys of the reader's cases."""

    kind: str
    left_key: int
    right_key: int
    left_case_key: int
    right_case_key: int
    found_at: datetime
    evidence: tuple[EvidenceView, ...]
    tie: ToldTie

    def view(self, left: IncidentSummary, right: IncidentSummary) -> LinkView:
        """As it is shown, between these two."""
        return LinkView(self.kind, left, right, self.found_at, self.evidence)


def visible_links(session: Session, reader: Identity) -> Select[*tuple[Any, ...]]:
    """All links whose both incidents this reader may see (as `Left` and `Right`), to be narrowed and given to `links_found`.

    Those of both kinds: what of them is told depends on the reader's cases. The newest come first.
    """
    ends = (each.label(f"{side}_{name}") for side, name, each in _ENDS)
    return (
        select(Link, Link.bits.label("bits"), *ends)
        .join(Left, Left.id == Link.left_id)
        .join(Right, Right.id == Link.right_id)
        .where(visible(session, Left.audience_id, reader), visible(session, Right.audience_id, reader))
        .where(Link.kind.in_((DUPLICATE_OF, RELATED_TO)))
        .order_by(Link.id.desc())
    )


def links_found(session: Session, reader: Identity, query: Select[*tuple[Any, ...]]) -> list[FoundLink]:
    """What such a query finds, without the links that have nothing left to show.

    Reports of one event are told as duplicates, and those of two as related: links are kept whatever became of the incidents.
    """
    rows = session.execute(query).all()
    if not rows:
        return []
    mine = audience_ids(session, reader)
    ends = {row.Link.left_id: Report(row.left_public_id, row.left_received_at) for row in rows}
    ends |= {row.Link.right_id: Report(row.right_public_id, row.right_received_at) for row in rows}
    cases = seen_cases(session, reader, ends)
    found = []
    for row in rows:
        link: Link = row.Link
        left, right = cases[link.left_id].key, cases[link.right_id].key
        evidence = evidence_for(mine, link.evidence)
        tie = told_tie(mine, link.kind, row.bits, link.evidence)
        if evidence and tie and link.kind == (DUPLICATE_OF if left == right else RELATED_TO):
            ends_of = link.kind, link.left_id, link.right_id
            found.append(FoundLink(*ends_of, left, right, link.found_at, evidence, tie))
    return found


def evidence_for(mine: frozenset[int], stored: Iterable[Mapping[str, Any]]) -> tuple[EvidenceView, ...]:
    """The items of stored evidence all of whose audiences are among `mine`, the heaviest first.

    None at all unless they make the link by themselves.
    """
    known = evidence_codec.told(mine, stored)
    favour = sum(item["weight"] for item in known if item["weight"] > 0)
    shown = (_evidence(item, favour) for item in known)
    return tuple(sorted(shown, key=lambda item: (-abs(item.share), item.rule, item.words)))


def _evidence(item: Mapping[str, Any], favour: float) -> EvidenceView:
    observable = item.get("observable")
    return EvidenceView(
        rule=item["rule"],
        words=item["words"],
        share=round(item["weight"] / favour, 4),
        observable=Observable(observable["kind"], observable["value"]) if observable else None,
    )
