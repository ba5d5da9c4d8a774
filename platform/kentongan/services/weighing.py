"""What more and more incidents carry tells less and less: links that rest on it are weighed again, step by step.

A link must not depend on how many others had come when it was found. How many carry a value counts in a few steps only; who passes
one sees to it that all who carry the value are compared again. Values that nobody else gets to carry cost nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy.orm import Session

from kentongan.domain.duplicates import CARRIER_STEPS, in_steps
from kentongan.services.comparing import MOST_WITH_TAG, Comparing
from kentongan.storage.crowds import CrowdKey, forget_steps, keep_steps, steps_of
from kentongan.storage.incidents import newest_with_tag
from kentongan.storage.observables import some_carriers

ALONE = CARRIER_STEPS[0]


def weigh_again(session: Session, comparing: Comparing) -> set[int]:
    """The incidents that must be compared again, since of what they carry a step was passed. Hold the case lock.

    What was counted while looking may be out of date: what seems to have changed is counted again here, where nobody else does.
    """
    seen = comparing.crowds()
    known = steps_of(session, seen)
    passed = {key for key, step in seen.items() if step != known.get(key, ALONE)}
    if not passed:
        return set()
    carriers = _carriers(session, passed)
    steps = {key: in_steps(len(carriers.get(key, ()))) for key in passed}
    changed = {key: step for key, step in steps.items() if step != known.get(key, ALONE)}
    keep_steps(session, changed)
    return {one for key in changed for one in carriers.get(key, ())}


def let_go(session: Session, keys: Iterable[CrowdKey]) -> set[int]:
    """The incidents that must be compared again, since others no longer carry these; give what was just let go."""
    wanted = set(keys)
    known = steps_of(session, wanted).keys()
    forget_steps(session, known)
    return {one for carriers in _carriers(session, known).values() for one in carriers}


def _carriers(session: Session, keys: Collection[CrowdKey]) -> dict[CrowdKey, list[int]]:
    values = [int(key) for kind, key in keys if kind == "value"]
    found: dict[CrowdKey, list[int]] = {
        ("value", str(number)): carriers
        for number, carriers in some_carriers(session, values, CARRIER_STEPS[-1] + 1).items()
    }
    for tag in ("victim", "page"):
        with_tag = newest_with_tag(session, tag, [key for kind, key in keys if kind == tag], MOST_WITH_TAG)
        found |= {(tag, key): carriers for key, carriers in with_tag.items()}
    return found
