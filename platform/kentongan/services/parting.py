"""Campaigns fall apart where what tied their cases is gone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from kentongan.domain.campaigns import components
from kentongan.storage import cases


def part_campaigns(session: Session, campaign_ids: Iterable[int | None], now: datetime) -> None:
    """Let each of these campaigns keep the part with its oldest case; the other parts become campaigns of their own, or single
    cases. Hold the case lock."""
    for campaign in sorted({number for number in campaign_ids if number is not None}):
        members, ties = cases.related_cases(session, campaign)
        for part in components(members, ties)[1:]:
            if len(part) > 1:
                cases.join_campaign(session, part, cases.open_campaign(session, now))
            else:
                cases.leave_campaigns(session, part)
        cases.dissolve_lonely(session, [campaign])
