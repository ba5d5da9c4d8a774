"""Cases: one real event each, with its reports side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from flask import render_template

from kentongan.domain.identity import Scope
from kentongan.domain.incident import IncidentFacts
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.paging import PER_PAGE, asked_cursor, page_links
from kentongan.portal.presenting import country, known_words
from kentongan.portal.session import require
from kentongan.services.read_cases import ReadCases
from kentongan.services.read_decisions import ReadDecisions
from kentongan.services.summaries import IncidentReport


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One fact as each report has it, in the order of the reports. `differs` is true where they do not say the same."""

    name: str
    cells: tuple[tuple[str, ...], ...]

    @property
    def differs(self) -> bool:
        """Whether two reports that say something say different things; silence is no contradiction."""
        return len({frozenset(text.casefold() for text in cell) for cell in self.cells if cell}) > 1


@portal.get("/cases")
def cases() -> str:
    """The list, the last begun first."""
    reader = require(Scope.READ)
    with kentongan().database.reading_for(reader) as db:
        page = ReadCases(db).page(reader, limit=PER_PAGE, cursor=asked_cursor())
    return render_template("portal/cases.html", room="portal.cases", cases=page.items, pages=page_links(page))


@portal.get("/cases/<public_id>")
def case(public_id: str) -> str:
    """One case."""
    reader = require(Scope.READ)
    with kentongan().database.reading_for(reader) as db:
        view = ReadCases(db).case(reader, public_id)
        decisions = ReadDecisions(db).among(reader, [report.incident.id for report in view.reports])
    rows = compared(view.reports)
    return render_template("portal/case.html", room="portal.cases", view=view, rows=rows, decisions=decisions)


def compared(reports: Sequence[IncidentReport]) -> tuple[ComparedRow, ...]:
    """What the reports say, fact by fact; a fact that none of them tells is left out."""
    rows = (ComparedRow(name, tuple(read(report) for report in reports)) for name, read in _FACTS.items())
    return tuple(row for row in rows if any(row.cells))


def _one(value: str | None) -> tuple[str, ...]:
    return (value,) if value else ()


def _of(read: Callable[[IncidentFacts], str | None]) -> Callable[[IncidentReport], tuple[str, ...]]:
    return lambda report: _one(read(report.facts))


def _many(read: Callable[[IncidentFacts], tuple[str, ...]]) -> Callable[[IncidentReport], tuple[str, ...]]:
    return lambda report: tuple(sorted(read(report.facts)))


_FACTS: Final[dict[str, Callable[[IncidentReport], tuple[str, ...]]]] = {
    "Title": lambda report: _one(report.incident.title),
    "Happened": lambda report: _one(known_words(report.facts.happened)) if report.facts.happened else (),
    "Victim": _many(lambda facts: tuple(victim.name for victim in facts.victims if victim.name)),
    "Countries": _many(lambda facts: tuple(country(code) for code in facts.countries)),
    "Sectors": _many(lambda facts: facts.sectors),
    "Class": _of(lambda facts: facts.rsit_class),
    "Type": _of(lambda facts: facts.rsit_type),
    "Severity": _of(lambda facts: facts.severity),
    "Status": _of(lambda facts: facts.status),
    "Determination": _of(lambda facts: facts.determination),
    "Malware": _many(lambda facts: facts.malware),
    "Actors": _many(lambda facts: facts.actors),
    "Techniques": _many(lambda facts: facts.techniques),
    "Vulnerabilities": _many(lambda facts: facts.vulnerabilities),
    "Description": _of(lambda facts: facts.description),
}
