"""How well matching does, by what people confirmed and rejected."""

from __future__ import annotations

from typing import Final

from flask import render_template

from kentongan.domain.identity import Scope
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.session import require
from kentongan.services.matching_report import MatchingReport

RULES: Final = {
    "class": "Class of incident",
    "country": "Country",
    "culprit": "Malware or actor",
    "further": "Further reasons of little weight",
    "number": "Number in the text",
    "page": "Page referred to",
    "reported": "Time of the reports",
    "same-id": "The same id",
    "sector": "Sector",
    "time": "Time",
    "value": "Value",
    "victim": "Victim",
    "within": "Host or domain of a value",
    "wording": "Wording",
}
"""What a rule looks at; one that is not listed is called as it is."""


@portal.get("/matching-report")
def matching_report() -> str:
    """One's own organization's part; all of it for who coordinates the region."""
    reader = require(Scope.READ)
    with kentongan().database.reading() as db:  # scores stand behind the second wall for nobody
        told = MatchingReport(db).report(reader)
    return render_template("portal/matching_report.html", room="portal.cases", told=told, rules=RULES)
