"""Evidence as the JSON that `link.evidence` holds: {rule, words, weight, observable, audiences}."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kentongan.domain.evidence import Evidence
from kentongan.domain.incident import Observable


def written(evidence: Iterable[Evidence]) -> list[dict[str, Any]]:
    """The reasons in favour, heaviest first; what spoke against a link is in its score, and no reason for it."""
    return [
        {
            "rule": one.rule,
            "words": one.words,
            "weight": one.weight,
            "observable": {"kind": one.observable.kind, "value": one.observable.value} if one.observable else None,
            "audiences": list(one.audiences),
        }
        for one in evidence
        if one.weight > 0
    ]


def read(stored: Iterable[dict[str, Any]]) -> tuple[Evidence, ...]:
    """The same, back."""
    return tuple(
        Evidence(
            one["rule"],
            one["words"],
            one["weight"],
            Observable(**one["observable"]) if one["observable"] else None,
            tuple(one["audiences"]),
        )
        for one in stored
    )
