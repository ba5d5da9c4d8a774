"""STIX timestamps as moments."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_timestamp(text: str) -> datetime | None:
    """A STIX timestamp (STIX 2.1 section 2.14: RFC 3339 in UTC with `Z`, any number of fraction digits), to the microsecond.

    None if it is none. Example: "2024-01-01T00:00:00.1Z" is 100 ms past midnight.
    """
    if not text.endswith("Z") or len(text) < 20:
        return None
    try:
        # Milliseconds are what nearly everybody sends, and Python reads those as they are.
        if len(text) == 24:
            return datetime.fromisoformat(text)
        return datetime.fromisoformat(_microseconds(text[:-1])).replace(tzinfo=UTC)
    except ValueError:
        return None


def format_timestamp(moment: datetime) -> str:
    """As STIX writes it, in milliseconds: `2024-01-01T00:00:00.100Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _microseconds(text: str) -> str:
    whole, dot, fraction = text.partition(".")
    if whole.endswith(":60"):  # a leap second, which a datetime cannot say: the last moment before it stands for it
        return whole[:-2] + "59.999999"
    return f"{whole}.{fraction[:6].ljust(6, '0')}" if dot else whole
