"""What more and more incidents carry tells less and less: links that rest on it are weighed again, step by step.

A link must not depend on how many others had come when it was found. How many carry a value counts in a few steps only; who passes
one sees to it that those for whom it has passed are compared again. Values that nobody else gets to carry cost nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy.orm import Session

from kentongan.domain.rarity import ALONE, OWN_STEPS, spread_of, weighed_otherwise
from kentongan.services.comparing import MOST_WITH_SIGN, Comparing
from kentongan.storage.crowds import CrowdKey, forget_spreads, keep_spreads, spreads_kept
from kentongan.storage.observables import counts_of, first_carriers
from kentongan.storage.signs import PAGE, VICTIM, newest_with_sign, sign_counts

MOST_COUNTED = OWN_STEPS[-1] + 1
"""Incidents of one organization that are counted: more tell nothing more."""


def weigh_again(session: Session, comparing: Comparing) -> set[int]:
    """The incidents that must be compared again, since of what they carry a step was passed. Hold the case lock.

    What was counted while looking may be out of date: what seems to have changed is counted again here, where nobody else does.
    """
    seen = comparing.crowds()
    known = spreads_kept(session, seen)
    passed = {key for key, spread in seen.items() if _differ(weighed_otherwise(known.get(key, ALONE), spread))}
    if not passed:
        return set()
    counts = _counts(session, passed)
    spreads = {key: spread_of(counts.get(key, {})) for key in passed}
    changed = {key: weighed_otherwise(known.get(key, ALONE), spread) for key, spread in spreads.items()}
    keep_spreads(session, {key: spreads[key] for key, change in changed.items() if _differ(change)})
    again: set[int] = set()
    for key, (for_all, organizations) in changed.items():
        whose = counts.get(key, {}).keys() if for_all else organizations & counts.get(key, {}).keys()
        again |= _carriers(session, key, {one: counts[key][one] for one in whose})
    return again


def let_go(session: Session, keys: Iterable[CrowdKey]) -> set[int]:
    """The incidents that must be compared again, since others no longer carry these; give what was just let go."""
    wanted = set(keys)
    known = spreads_kept(session, wanted).keys()
    forget_spreads(session, known)
    counts = _counts(session, known)
    return {one for key, by_organization in counts.items() for one in _carriers(session, key, by_organization)}


def _differ(change: tuple[bool, set[int]]) -> bool:
    return change[0] or bool(change[1])


def _counts(session: Session, keys: Collection[CrowdKey]) -> dict[CrowdKey, dict[int, int]]:
    values = counts_of(session, [int(key) for kind, key in keys if kind == "value"], MOST_COUNTED)
    found: dict[CrowdKey, dict[int, int]] = {("value", str(number)): counts for number, counts in values.items()}
    for sign in (VICTIM, PAGE):
        counted = sign_counts(session, sign, [key for kind, key in keys if kind == sign], MOST_COUNTED)
        found |= {(sign, key): counts for key, counts in counted.items()}
    return found


def _carriers(session: Session, key: CrowdKey, counts: dict[int, int]) -> set[int]:
    """Of each organization as many as are looked at."""
    kind, name = key
    if kind == "value":
        return {
            one for organization in counts for one in first_carriers(session, int(name), organization, MOST_COUNTED)
        }
    found = newest_with_sign(session, kind, {name: counts}, MOST_WITH_SIGN) if counts else {}
    return {incident for _, incident in found.get(name, ())}
