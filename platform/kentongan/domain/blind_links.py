"""What may be known of two incidents that hold the same value, where one side or both mask it.

The rule: whoever masks a value is shown who shows the same one, and nobody is shown who masks it. That something related exists
is told only where the other side allows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kentongan.domain.campaigns import PRIOR_BITS, value_bits
from kentongan.domain.duplicates import kind_in_words
from kentongan.domain.evidence import Evidence
from kentongan.domain.incident import Observable


@dataclass(frozen=True, slots=True)
class Holder:
    """An incident that holds a value: openly for an audience, or masked (None)."""

    incident_id: int
    audience_id: int | None
    tells: bool = False
    """Masked, and others may be told that something related exists."""

    @property
    def is_plain(self) -> bool:
        """Whether it holds the value openly."""
        return self.audience_id is not None


@dataclass(frozen=True, slots=True)
class Known:
    """What the reporter of one incident may know of another one: reasons to be shown it, and whether to be told of something."""

    evidence: tuple[Evidence, ...]
    told: bool


def known_of(
    meetings: Iterable[tuple[Observable, Holder, Holder]], carriers: Mapping[Observable, int], *, same_owner: bool
) -> Known:
    """What the reporter of the first holders' incident may know, given the values (at least one side of each masked) and how many
    hold each, in steps.

    Only values count that would tie two incidents of one campaign alone (domain/campaigns.py).
    """
    evidence: dict[tuple[str, tuple[int, ...]], Evidence] = {}
    told = False
    for value, mine, other in meetings:
        bits = value_bits(carriers[value], value)
        if bits + PRIOR_BITS < 0:
            continue
        told = told or (other.tells and not same_owner)
        if mine.is_plain and not same_owner:
            continue
        if other.is_plain or same_owner:
            audiences = () if other.audience_id is None else (other.audience_id,)
            words = f"the same {kind_in_words(value)}, masked by you"
            evidence.setdefault(
                (words, audiences), Evidence("masked", words, round(-bits / PRIOR_BITS, 4), None, audiences)
            )
    return Known(tuple(evidence.values()), told)
