"""Reading campaigns."""

from __future__ import annotations

from flask import Response

from kentongan.api.asked import Paged
from kentongan.api.operation import Answer, answer, operation
from kentongan.domain.identity import Identity, Scope
from kentongan.services.paging import Page
from kentongan.services.read_campaigns import CampaignSummary, CampaignView, ReadCampaigns
from kentongan.threshold.installation import installation


@operation(
    "GET",
    "/campaigns",
    "List campaigns",
    scope=Scope.READ,
    query=Paged,
    answers={200: Answer("A page, that with the latest report first.", Page[CampaignSummary])},
)
def list_campaigns(reader: Identity, query: Paged) -> Response:
    """Campaigns of which you may see at least two cases and what ties them. A page may hold fewer than `limit` and still have a
    next one."""
    with installation().database.reading_for(reader) as session:
        page = ReadCampaigns(session).page(reader, query.limit, query.cursor)
    return answer(page)


@operation(
    "GET",
    "/campaigns/<campaign_id>",
    "Read one campaign",
    scope=Scope.READ,
    answers={200: Answer("The campaign with its cases and the links that hold them together.", CampaignView)},
    refuses=("not-found",),
)
def read_campaign(reader: Identity, campaign_id: str) -> Response:
    """The id of a campaign that was merged into another leads to that one."""
    with installation().database.reading_for(reader) as session:
        view = ReadCampaigns(session).campaign(reader, campaign_id)
    return answer(view)
