"""From the id of something that was merged away to what it lives on as."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.storage.cases import Campaign, Case

NOTHING: Final = 0
"""The row number of what is not there; no row has it."""


def living_key(session: Session, table: type[Case] | type[Campaign], public_id: str) -> int:
    """The row number of the case or campaign that `public_id` leads to, over any number of merges; NOTHING for an unknown id.

    Whoever asks goes on with either alike: an unknown id then costs the same statements as a hidden one.
    """
    way = select(table.id, table.merged_into_id).where(table.public_id == public_id).cte("way", recursive=True)
    # UNION, not UNION ALL: it would end even if two rows named each other.
    way = way.union(select(table.id, table.merged_into_id).join(way, table.id == way.c.merged_into_id))
    return session.scalar(select(way.c.id).where(way.c.merged_into_id.is_(None))) or NOTHING
