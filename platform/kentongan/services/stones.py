"""Tombstones, as their owner is shown them."""

from __future__ import annotations

from sqlalchemy.orm import Session

from kentongan.services.errors import Stone
from kentongan.storage.tombstones import Tombstone, tombstone_of


def told_of(stone: Tombstone) -> Stone:
    """A tombstone as its owner is shown it."""
    return Stone(
        id=stone.public_id,
        kind=stone.kind,
        organization=stone.organization.name,
        received_at=stone.received_at,
        sha256=stone.sha256.hex() if stone.sha256 else None,
        erased_at=stone.erased_at,
        who=stone.who,
        reason=stone.reason,
    )


def stone_of(session: Session, kind: str, public_id: str, organization_id: int) -> Stone | None:
    """What is left of something that this organization erased; None if it erased nothing of this id."""
    stone = tombstone_of(session, kind, public_id, organization_id)
    return told_of(stone) if stone else None
