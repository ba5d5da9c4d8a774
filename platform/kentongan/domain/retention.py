"""How long things are kept: an organization's own wish, within bounds that hold for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Final

LEAST_DAYS: Final = {"incident_days": 30, "content_days": 7, "log_days": 31}
"""Shorter would be no platform for finding each other: reports of one event come weeks apart. The proof of a delivery is kept
longer than a delivery is ever tried (30 days), so that nothing that is still on its way loses it."""

MOST_DAYS: Final = 36_500


@dataclass(frozen=True, slots=True)
class Retention:
    """Days, counted from when something was received; None: kept until it is erased.

    `incident_days` are for an incident with all its versions, from the newest on, and for what was sent without an incident.
    `content_days` are for the document as received: the objects in it stay. `log_days` are for what became of alerts.
    """

    incident_days: int | None = None
    content_days: int | None = None
    log_days: int | None = None

    def problems(self) -> Iterator[tuple[str, str]]:
        """Each field that is out of bounds, and the reason."""
        for name in (field.name for field in fields(self)):
            days = getattr(self, name)
            if days is not None and not LEAST_DAYS[name] <= days <= MOST_DAYS:
                yield name, f"lies between {LEAST_DAYS[name]} and {MOST_DAYS} days, or is left open"


def over_before(days: int, now: datetime) -> datetime:
    """What was received before this moment has been kept for so many days. Example: of 30 days on March 31, what came before
    the same time on March 1."""
    return now - timedelta(days=days)
