"""A link as one reader's cases and campaigns take it: how strong what this reader is told of it makes it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kentongan.domain import campaigns, duplicates, learned_weights
from kentongan.domain.evidence import bits_in_favour
from kentongan.services.evidence_codec import DECISION, told
from kentongan.storage.cases import DUPLICATE_OF, RELATED_TO

_RULES: Final = {
    DUPLICATE_OF: (learned_weights.PRIOR_BITS, duplicates.SAME_EVENT),
    RELATED_TO: (campaigns.PRIOR_BITS, campaigns.RELATED),
}

Items = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ToldTie:
    """What a reader is told of a link. `bits` as the rules give them, None where people alone tie the two; `together`: people
    do."""

    bits: float | None
    together: bool


def told_tie(mine: Collection[int], kind: str, bits: float | None, evidence: Items) -> ToldTie | None:
    """The link to who belongs to the audiences `mine`; None where it is told of none.

    With nothing hidden, its bits are those that it was found with (`bits`); else those that follow from what is told. `bits` is
    None where the database itself left a part of the evidence out.
    """
    every = told(mine, evidence)
    known = [item for item in every if item["rule"] != DECISION]
    together = len(known) < len(every)
    if not known:
        return ToldTie(None, together) if together else None
    if bits is not None and len(every) == len(evidence):
        return ToldTie(bits, together)
    weights = [(item["weight"], item.get("alone", 0.0)) for item in known]
    return ToldTie(bits_in_favour(weights, *_RULES[kind]), together)
