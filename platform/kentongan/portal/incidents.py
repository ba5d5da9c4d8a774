"""Incidents: the list with its filter, and one with all that was sent and found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flask import render_template, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest

from kentongan.domain.identity import Identity, Scope
from kentongan.domain.incident import Observable
from kentongan.domain.marking import Level
from kentongan.domain.vocabulary import RSIT, SECTORS
from kentongan.domain.warninglists import WarningLists
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.paging import PER_PAGE, asked_cursor, page_links
from kentongan.portal.presenting import COUNTRIES
from kentongan.portal.session import require
from kentongan.services.errors import NotFound
from kentongan.services.read_decisions import ReadDecisions
from kentongan.services.read_incidents import CarriedObservable, IncidentFilter, IncidentView, ReadIncidents
from kentongan.services.read_objects import ReadObjects

SEVERITIES: Final = {
    "C1": "C1 national emergency",
    "C2": "C2 highly significant",
    "C3": "C3 significant",
    "C4": "C4 substantial",
    "C5": "C5 moderate",
    "C6": "C6 localised",
}
"""The categories of the UK's National Cyber Security Centre."""

_LONGEST_RAW: Final = 200_000
_LEVELS: Final = {level.label: level for level in Level}


@dataclass(frozen=True, slots=True)
class ShownObservable:
    """A value with the reason why it is no evidence; an empty reason: it is one."""

    kind: str
    value: str
    origins: tuple[str, ...]
    why_no_evidence: str


@dataclass(frozen=True, slots=True)
class RawObject:
    """The newest version as STIX, indented; `left_out` counts the characters that are not shown."""

    text: str
    left_out: int


@portal.get("/incidents")
def incidents() -> str:
    """The list, the last received first."""
    reader = require(Scope.READ)
    with kentongan().database.reading_for(reader) as db:
        page = ReadIncidents(db).page(reader, asked_filter(), limit=PER_PAGE, cursor=asked_cursor())
    return render_template(
        "portal/incidents.html",
        room="portal.incidents",
        incidents=page.items,
        pages=page_links(page),
        asked=request.args,
        filtered=asked_filter() != IncidentFilter(),
        choices={"country": COUNTRIES, "severity": SEVERITIES, "tlp": {label: label for label in _LEVELS}},
        classes={name: name for name in RSIT},
        sectors=sorted(SECTORS),
    )


@portal.get("/incidents/<any_id>")
def incident(any_id: str) -> str:
    """One incident, by our id or by its STIX id."""
    reader = require(Scope.READ)
    with kentongan().database.reading_for(reader) as db:
        view = ReadIncidents(db).incident(reader, any_id)
        raw = _raw(db, reader, view)
        decisions = ReadDecisions(db).among(reader, [view.incident.id])
    return render_template(
        "portal/incident.html",
        room="portal.incidents",
        view=view,
        raw=raw,
        observables=shown(view.observables, WarningLists.load()),
        severities=SEVERITIES,
        decisions=decisions,
    )


def asked_filter() -> IncidentFilter:
    """The filter in the address. Raises BadRequest on a level that does not exist: to leave it out would show more than asked."""

    def word(name: str) -> str | None:
        # PostgreSQL stores no NUL, so no incident can carry what somebody asks for with one.
        return request.args.get(name, "").replace("\0", "").strip() or None

    if (label := word("tlp")) is not None and label not in _LEVELS:
        raise BadRequest("There is no marking of this name in TLP 2.0.")
    return IncidentFilter(
        country=word("country"),
        sector=word("sector"),
        rsit_class=word("rsit_class"),
        severity=word("severity"),
        tlp=_LEVELS.get(label or ""),
        observable=word("observable"),
        text=word("text"),
    )


def shown(carried: Sequence[CarriedObservable], lists: WarningLists) -> list[ShownObservable]:
    """The values of an incident, evidence first."""
    every = [
        ShownObservable(c.kind, c.value, c.origins, _why_none(Observable(c.kind, c.value), lists)) for c in carried
    ]
    return sorted(every, key=lambda observable: bool(observable.why_no_evidence))


def _why_none(observable: Observable, lists: WarningLists) -> str:
    if not lists.never_evidence(observable):
        return ""
    titles = [lists.title(name) for name in lists.hits(observable)[:2]]
    return "Everybody has it: " + "; ".join(titles) if titles else "Everybody has it."


def _raw(db: Session, reader: Identity, view: IncidentView) -> RawObject | None:
    newest = view.versions[0] if view.versions else None
    if newest is None:
        return None
    try:
        found = ReadObjects(db).object(reader, view.incident.stix_id, sha256=newest.sha256)
    except NotFound:
        return None
    text = json.dumps(json.loads(found.body), indent=2, ensure_ascii=False)
    return RawObject(text[:_LONGEST_RAW], max(0, len(text) - _LONGEST_RAW))
