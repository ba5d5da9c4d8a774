"""The audit trail, as far as it is about one's own organization, and the signed heads for everybody to keep."""

from __future__ import annotations

from typing import Annotated

from flask import Response
from pydantic import Field

from kentongan.api.asked import Asked
from kentongan.api.installation import installation
from kentongan.api.operation import Answer, answer, operation
from kentongan.domain.audit import Act
from kentongan.domain.identity import Identity, Scope
from kentongan.services.audit import AuditPage, AuditTrail, SignedHead
from kentongan.services.paging import MOST_PER_PAGE


class AuditAsked(Asked):
    """Which entries."""

    act: Act | None = None
    """Only this kind of act."""
    before: Annotated[int, Field(ge=1, le=2**62)] | None = None
    """Only entries with a lower number: the `next` of the page before."""
    limit: Annotated[int, Field(ge=1, le=MOST_PER_PAGE)] = 50
    """At most so many."""


@operation(
    "GET",
    "/audit",
    "Read the audit trail",
    scope=Scope.ADMIN,
    query=AuditAsked,
    answers={200: Answer("A page, newest first.", AuditPage)},
)
def list_audit_entries(asker: Identity, query: AuditAsked) -> Response:
    """The entries about your organization's data: who did what to it, when, and from where."""
    with installation().database.reading() as session:
        page = AuditTrail(session).page(asker, limit=query.limit, before=query.before, act=query.act)
    return answer(page)


@operation(
    "GET",
    "/audit/heads",
    "Fetch signed heads of the audit trail",
    scope=Scope.READ,
    answers={200: Answer("The newest heads, the newest first.", tuple[SignedHead, ...])},
)
def list_audit_heads(_asker: Identity) -> Response:
    """Keep them where the operator of this installation cannot reach: `kentongan audit verify --head` tells with one whether
    the trail is still the same. The signature is Ed25519, over the head as JSON with its keys in order and without blanks."""
    with installation().database.reading() as session:
        heads = AuditTrail(session).heads()
    return answer(heads)
