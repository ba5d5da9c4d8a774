"""What was done to one's own organization's data; to an operator: who takes part, and who let them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from flask import render_template, request
from werkzeug.exceptions import BadRequest, Forbidden

from kentongan.domain.audit import Act
from kentongan.domain.identity import Identity, Scope
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.paging import PER_PAGE, asked_cursor, page_links
from kentongan.portal.session import reader
from kentongan.services.audit import AuditFilter, ReadAudit

_ACTS: Final = {act.value: act for act in Act}


@portal.get("/audit")
def audit() -> str:
    """The entries, the newest first."""
    who = _allowed()
    wanted = _asked_filter()
    with kentongan().database.reading() as db:
        page = ReadAudit(db).page(who, wanted, PER_PAGE, asked_cursor())
    return render_template(
        "portal/audit.html",
        room="portal.audit",
        entries=page.items,
        pages=page_links(page),
        acts=list(_ACTS),
        asked=request.args,
        filtered=wanted != AuditFilter(),
    )


def _allowed() -> Identity:
    who = reader()
    if not (who.may(Scope.ADMIN) or who.may(Scope.OPERATE)):
        raise Forbidden("The audit trail is for your organization's administrators.")
    return who


def _asked_filter() -> AuditFilter:
    """The filter in the address. Raises BadRequest on what cannot be meant: to leave it out would show more than asked."""
    act = request.args.get("act") or None
    if act is not None and act not in _ACTS:
        raise BadRequest("There is no act of this name.")
    return AuditFilter(_ACTS[act] if act else None, _day("after"), _day("before"))


def _day(name: str) -> datetime | None:
    """The beginning of a day, in UTC."""
    given = request.args.get(name) or None
    try:
        return datetime.strptime(given, "%Y-%m-%d").replace(tzinfo=UTC) if given else None
    except ValueError:
        raise BadRequest("A day is written as 2026-03-02.") from None
