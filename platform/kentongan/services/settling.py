"""Cases are made the connected parts of their links: they grow, merge and split where links come and go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from sqlalchemy.orm import Session

from kentongan.domain.campaigns import components
from kentongan.services.parting import part_campaigns
from kentongan.storage import cases
from kentongan.storage.cases import DUPLICATE_OF


def settle_cases(session: Session, touched: Collection[int], now: datetime) -> set[int]:
    """Make the cases of these incidents the connected parts of their links; gives the incidents that changed case.

    Hold the case lock.
    """
    case_of = cases.cases_of(session, touched)
    case_of |= cases.incidents_in(session, {case for case in case_of.values() if case is not None})
    members = sorted(case_of)
    links = cases.linked_pairs(session, DUPLICATE_OF, members)
    parts = components(members, links)
    keeps = _kept(parts, case_of)
    fresh = iter(cases.open_cases(session, keeps.count(None), now))
    final = {
        one: case
        for part, kept in zip(parts, keeps, strict=True)
        for case in [next(fresh) if kept is None else kept]
        for one in part
    }
    moved = {one: case for one, case in final.items() if case_of[one] != case}
    cases.move_incidents(session, moved)
    _redirect(session, case_of, final)
    left = {old for one in moved if (old := case_of[one]) is not None}
    part_campaigns(session, cases.campaigns_of(session, left).values(), now)
    return set(moved)


def _redirect(session: Session, before: dict[int, int | None], after: dict[int, int]) -> None:
    """Cases without incidents lead to where their oldest one went; a campaign follows its case."""
    merged: dict[int, int] = {}
    living = set(after.values())
    for one in sorted(after):
        old = before[one]
        if old is not None and old not in living:
            merged.setdefault(old, after[one])
    if not merged:
        return
    campaign_of = cases.campaigns_of(session, [*merged, *merged.values()])
    cases.merge_cases(session, merged)
    theirs: dict[int, set[int]] = defaultdict(set)
    for old, new in merged.items():
        theirs[new] |= {c for c in (campaign_of[old], campaign_of[new]) if c is not None}
    led: dict[int, int] = {}
    for case, campaigns in sorted(theirs.items()):
        _join_campaigns(session, case, {_led(led, number) for number in campaigns}, led)
    cases.dissolve_lonely(session, {_led(led, number) for some in theirs.values() for number in some})


def _join_campaigns(session: Session, case: int, campaigns: set[int], led: dict[int, int]) -> None:
    """One event belongs to one campaign: those of the cases that were found to be one are one too."""
    if not campaigns:
        return
    oldest, *others = sorted(campaigns)
    for other in others:
        cases.merge_campaigns(session, other, oldest)
        led[other] = oldest
    cases.join_campaign(session, [case], oldest)


def _led(led: dict[int, int], number: int) -> int:
    while number in led:
        number = led[number]
    return number


def _kept(parts: list[list[int]], case_of: dict[int, int | None]) -> list[int | None]:
    """The case each part keeps: of the cases whose oldest incident it holds the lowest; None where it needs a new one."""
    oldest: dict[int, int] = {}
    for one, case in sorted(case_of.items()):
        if case is not None:
            oldest.setdefault(case, one)
    return [min((case for case, one in oldest.items() if one in set(part)), default=None) for part in parts]
