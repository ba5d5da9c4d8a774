"""What would become of an item of a feed, as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from kentongan.domain.gate import Problem
from kentongan.services.foresee_feed import Foreseen
from kentongan.services.read_feeds import ChangeTold


@dataclass(frozen=True, slots=True)
class ForeseenItem:
    """What would become of a document: how many objects would be accepted and refused, and how many come to each outcome.

    `changes` are what is not as the source has it, `problems` why something would be refused, `documents` the STIX 2.1 that it
    comes to.
    """

    name: str
    accepted: int
    refused: int
    counts: dict[str, int]
    changes: tuple[ChangeTold, ...]
    problems: tuple[Problem, ...]
    documents: tuple[dict[str, Any] | list[Any], ...]  # STIX


def shown(foreseen: Foreseen) -> ForeseenItem:
    """With its documents as JSON, not as text."""
    return ForeseenItem(
        foreseen.name,
        foreseen.accepted,
        foreseen.refused,
        dict(foreseen.counts),
        foreseen.changes,
        foreseen.problems,
        tuple(orjson.loads(document) for document in foreseen.documents),
    )
