"""What would become of an item of a feed, tried out; nothing of it stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from kentongan.domain.feeding import Converted, summed_up
from kentongan.domain.gate import Problem, Unreadable
from kentongan.domain.identity import Identity
from kentongan.domain.versions import CHANGES_NOTHING
from kentongan.services.converting import Prepared
from kentongan.services.read_feeds import ChangeTold
from kentongan.services.receipts import ObjectOutcome, Receipt
from kentongan.services.submit import Rejected, Submit

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would become of one item: how many objects would be accepted and refused, and how many come to each outcome."""

    name: str
    accepted: int
    refused: int
    counts: Mapping[str, int]
    changes: tuple[ChangeTold, ...]
    problems: tuple[Problem, ...]
    documents: tuple[bytes, ...]
    """In STIX 2.1, as they would be kept."""


def try_out(session: Session, clock: Clock, who: Identity, name: str, prepared: Prepared) -> Foreseen:
    """Against what is stored, in a session of which nothing stays (`database.trying`)."""
    receipts: list[Receipt] = []
    for document in prepared.examined:
        try:
            receipts.append(Submit(session, clock).try_out(who, document))
        except Rejected as error:
            receipts.append(error.receipt)
    return _foreseen(name, prepared.converted, [one for receipt in receipts for one in receipt.objects])


def converted_alone(name: str, prepared: Prepared) -> Foreseen:
    """As if nothing were stored yet."""
    return _foreseen(name, prepared.converted, [one.likely for each in prepared.examined for one in each.objects])


def refused_as_a_whole(name: str, error: Unreadable) -> Foreseen:
    """An item of which nothing can be kept."""
    return Foreseen(name, 0, 1, {}, (), tuple(error.problems), ())


def _foreseen(name: str, converted: Converted, outcomes: Iterable[ObjectOutcome]) -> Foreseen:
    every = list(outcomes)
    counts = Counter(one.outcome.value for one in every)
    accepted = sum(one.outcome not in CHANGES_NOTHING for one in every)
    return Foreseen(
        name,
        accepted,
        len(every) - accepted + len(converted.problems),
        dict(counts),
        tuple(ChangeTold(**{**each, "paths": tuple(each["paths"])}) for each in summed_up(converted.changes)),
        (*converted.problems, *(problem for one in every for problem in one.problems)),
        converted.documents,
    )
