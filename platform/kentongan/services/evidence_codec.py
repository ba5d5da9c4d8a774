"""Evidence as the JSON that `link.evidence` holds: {rule, words, weight, observable, audiences, alone?}."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from kentongan.domain.evidence import Evidence, hold
from kentongan.domain.incident import Observable

DECISION: Final = "decision"
"""The rule that a person's word is told under, among the evidence of a link."""


def written(evidence: Iterable[Evidence]) -> list[dict[str, Any]]:
    """The reasons in favour, heaviest first; what spoke against a link is in their weights, and no reason for it."""
    return [
        {
            "rule": one.rule,
            "words": one.words,
            "weight": one.weight,
            "observable": {"kind": one.observable.kind, "value": one.observable.value} if one.observable else None,
            "audiences": list(one.audiences),
            **({"alone": one.alone} if one.alone else {}),
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
            one.get("alone", 0.0),
        )
        for one in stored
    )


def told(mine: Collection[int], stored: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The items of one link's stored evidence all of whose audiences are among `mine`.

    None of what was found unless it makes the link by itself: else it would tell that something that is hidden speaks for it too.
    What people decided is told besides.
    """
    known = [item for item in stored if set(item["audiences"]).issubset(mine)]
    found = [item for item in known if item["rule"] != DECISION]
    said = [item for item in known if item["rule"] == DECISION]
    return [*found, *said] if hold((item["weight"], item.get("alone", 0.0)) for item in found) else said


def by_link(stored: Iterable[Mapping[str, Any]]) -> Collection[list[Mapping[str, Any]]]:
    """Evidence of several links, that of each together; each item has the incidents (`refs`) that its link ties."""
    of_link: dict[tuple[str, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for item in stored:
        of_link[tuple(item["refs"])].append(item)
    return of_link.values()


def told_of_links(mine: Collection[int], stored: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What `told` gives of each of these links."""
    return [item for items in by_link(stored) for item in told(mine, items)]
