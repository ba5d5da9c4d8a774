"""The audit trail: what happened, by whom, about whose data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from kentongan.domain.audit import Act
from kentongan.domain.identity import Identity

_NOTED: Final = "kentongan.audit"


@dataclass(frozen=True, slots=True)
class Noted:
    """One entry to be, before it has its place in the chain."""

    who: Identity
    act: Act
    subject: str
    """What it was done to: a kind and a public id or name, e.g. `incident 6f1c...`."""
    about_id: int | None
    """The organization whose data it was done to: it may read the entry."""
    details: Mapping[str, Any]


def note(
    session: Session, who: Identity, act: Act, subject: str, *, about_id: int | None = None, **details: Any
) -> None:
    """Have this entered into the trail when the transaction of this session commits, or not at all.

    `details` are plain JSON and hold no secret, and nothing that the organization `about_id` may not read.
    """
    session.info.setdefault(_NOTED, []).append(Noted(who, act, subject, about_id, details))


def noted(session: Session) -> list[Noted]:
    """What was noted in this session so far."""
    found: list[Noted] = session.info.get(_NOTED, [])
    return found
