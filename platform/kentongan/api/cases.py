"""Reading cases."""

from __future__ import annotations

from flask import Response

from kentongan.api.asked import Paged
from kentongan.api.operation import Answer, answer, operation
from kentongan.domain.identity import Identity, Scope
from kentongan.services.paging import Page
from kentongan.services.read_cases import CaseView, ReadCases
from kentongan.services.summaries import CaseSummary
from kentongan.threshold.installation import installation


@operation(
    "GET",
    "/cases",
    "List cases",
    scope=Scope.READ,
    query=Paged,
    answers={200: Answer("A page, the last begun first.", Page[CaseSummary])},
)
def list_cases(reader: Identity, query: Paged) -> Response:
    """Cases with at least one report you may see, counted and dated by those."""
    with installation().database.reading_for(reader) as session:
        page = ReadCases(session).page(reader, query.limit, query.cursor)
    return answer(page)


@operation(
    "GET",
    "/cases/<case_id>",
    "Read one case",
    scope=Scope.READ,
    answers={200: Answer("The case with its reports side by side.", CaseView)},
    refuses=("not-found",),
)
def read_case(reader: Identity, case_id: str) -> Response:
    """The id of a case that was merged into another leads to that one: the answer carries the id it lives on under."""
    with installation().database.reading_for(reader) as session:
        view = ReadCases(session).case(reader, case_id)
    return answer(view)
