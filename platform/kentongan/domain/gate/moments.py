"""Times as STIX writes them, compared without building a datetime for each."""

from __future__ import annotations

from calendar import monthrange


def moment_key(timestamp: str) -> str:
    """A string that sorts as the moment does; for timestamps of the form the schemas demand (UTC, `Z`).

    Example: moment_key("2024-01-01T00:00:00.500Z") == moment_key("2024-01-01T00:00:00.5Z")
    """
    return timestamp[:19] + timestamp[19:-1].rstrip("0").rstrip(".")


def is_before(one: str, other: str) -> bool:
    """Whether the first moment is earlier than the second."""
    return one != other and moment_key(one) < moment_key(other)


def is_real_day(timestamp: str) -> bool:
    """Whether the day exists: the schemas let 31 February pass."""
    day = timestamp[8:10]
    if day <= "28":
        return True
    year = int(timestamp[:4])
    return year > 0 and int(day) <= monthrange(year, int(timestamp[5:7]))[1]
