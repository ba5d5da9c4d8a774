"""Which id a group of incidents goes by: that of the case, or the campaign, whose home is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from kentongan.storage import cases
from kentongan.storage.cases import Grouping, Place


def place(
    session: Session, table: Grouping, groups: Sequence[Sequence[int]], before: Mapping[int, int | None], now: datetime
) -> dict[int, int]:
    """The case or campaign of every incident of these groups; `before` says where each was, also those of no group.

    A group goes by the oldest case or campaign that has its home in it. Where there is none, it keeps one that its members are in
    and that has no home in any group any more, which gets a new home here; else one is opened. What was opened for one of these
    incidents and does not stand for a group leads to the one that its home is in.
    """
    group_of = {member: number for number, group in enumerate(groups) for member in group}
    known = cases.places_at(session, table, before, {number for number in before.values() if number is not None})
    standing: dict[int, int] = {}
    for one in known:
        if one.home in group_of:
            standing.setdefault(group_of[one.home], one.id)
    moved_home = _adopted(known, groups, group_of, before, standing)
    opened = cases.open_places(session, table, [min(g) for n, g in enumerate(groups) if n not in standing], now)
    standing |= {group_of[one.home]: one.id for one in opened if one.home is not None}
    cases.lead(session, table, _leading(known, group_of, standing), moved_home)
    return {member: standing[number] for member, number in group_of.items()}


def _adopted(
    known: Sequence[Place],
    groups: Sequence[Sequence[int]],
    group_of: Mapping[int, int],
    before: Mapping[int, int | None],
    standing: dict[int, int],
) -> dict[int, int]:
    """Lets groups without a home keep what they were in, where its home is lost to all groups; gives the new homes."""
    lost = {one.id for one in known if one.home not in group_of}
    homes: dict[int, int] = {}
    for number, group in enumerate(groups):
        kept = {was for member in group if (was := before[member]) in lost and was is not None} - homes.keys()
        if number not in standing and kept:
            standing[number] = min(kept)
            homes[min(kept)] = min(group)
    return homes


def _leading(known: Sequence[Place], group_of: Mapping[int, int], standing: Mapping[int, int]) -> dict[int, int | None]:
    """Where those lead now that led elsewhere, or nowhere, before."""
    stands = set(standing.values())
    leads: dict[int, int | None] = {}
    for one in known:
        at_home = group_of.get(one.home) if one.home is not None else None
        target = standing[at_home] if at_home is not None and one.id not in stands else None
        if target != one.leads_to:
            leads[one.id] = target
    return leads
