"""How well matching does, by what one's own people said."""

from __future__ import annotations

from flask import Response

from kentongan.api.operation import Answer, answer, operation
from kentongan.domain.identity import Identity, Scope
from kentongan.services.matching_report import MatchingReport, OrganizationFeedback
from kentongan.threshold.installation import installation


@operation(
    "GET",
    "/matching-report",
    "How right the links were",
    scope=Scope.READ,
    answers={200: Answer("By kind of link and by rule.", tuple[OrganizationFeedback, ...])},
)
def matching_report(reader: Identity) -> Response:
    """By what your organization's people confirmed and rejected of what you may see. What all organizations said is for who
    coordinates the region, on a page of the portal: no token coordinates."""
    # In front of the second wall: scores stand behind it for nobody, and only counts of several leave here.
    with installation().database.reading() as session:
        told = MatchingReport(session).report(reader)
    return answer(told)
