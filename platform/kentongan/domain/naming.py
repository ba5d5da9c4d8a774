"""What a case and a campaign are called: after the oldest report in them that the reader sees.

So their ids follow from what the reader sees alone, and nothing has to be kept for every group that any reader may see. From one
id the other follows, both ways: neither tells more than the other, and a report is found under either by who may see it.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

_FIXED: Final = 0xF << 76 | 0x3 << 62
"""The bits of a UUID that say which kind it is (RFC 9562, section 4): they stay."""

_CASE: Final = UUID("d1a5c3e0-7b42-0f19-2c86-95b70e4a6d33").int & ~_FIXED
_CAMPAIGN: Final = UUID("8e62f7b4-310d-0ac5-1b79-4fd2836ce05a").int & ~_FIXED

NOBODY: Final = "00000000-0000-0000-0000-000000000000"
"""The id of no incident."""


def case_id(incident_id: str) -> str:
    """The id of the case whose oldest report has this id."""
    return _turned(incident_id, _CASE)


def campaign_id(incident_id: str) -> str:
    """The id of the campaign whose oldest report has this id."""
    return _turned(incident_id, _CAMPAIGN)


def named_by_case(asked: str) -> str:
    """The id of the report that a case of this id is called after; NOBODY for what is no id."""
    return _turned(asked, _CASE)


def named_by_campaign(asked: str) -> str:
    """The same of a campaign."""
    return _turned(asked, _CAMPAIGN)


def _turned(text: str, bits: int) -> str:
    try:
        known = UUID(text)
    except ValueError:
        return NOBODY
    return str(UUID(int=known.int ^ bits)) if str(known) == text else NOBODY
