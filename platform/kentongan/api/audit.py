"""The audit trail about one's own data, and the signed heads by which everybody can tell whether it was rewritten."""

from __future__ import annotations

from flask import Response

from kentongan.api.asked import Moment, Paged
from kentongan.api.operation import Answer, answer, operation
from kentongan.domain.audit import Act
from kentongan.domain.audit_head import SignedHead
from kentongan.domain.identity import Identity, Scope
from kentongan.services.audit import AuditEntryView, AuditFilter, ReadAudit
from kentongan.services.audit_heads import Heads
from kentongan.services.paging import Page
from kentongan.threshold.installation import installation


class AuditAsked(Paged):
    """Which entries."""

    act: Act | None = None
    """Only what was done so: one of the words that entries carry."""
    after: Moment | None = None
    """Not before this moment (RFC 3339, with a time zone)."""
    before: Moment | None = None
    """Only before this moment (RFC 3339, with a time zone)."""


@operation(
    "GET",
    "/audit",
    "List what was done to your data",
    scope=Scope.ADMIN,
    query=AuditAsked,
    answers={200: Answer("A page, newest first.", Page[AuditEntryView])},
)
def list_audit(reader: Identity, query: AuditAsked) -> Response:
    """Every read of what your organization marked TLP:AMBER or stricter, every change, export, delivery and administrative act
    about it: who did it, what, when and from where. What was read in one request is one entry, with all ids in its details."""
    wanted = AuditFilter(query.act, query.after, query.before)
    with installation().database.reading() as session:
        page = ReadAudit(session).page(reader, wanted, query.limit, query.cursor)
    return answer(page)


@operation(
    "GET",
    "/audit/heads",
    "List signed heads of the audit trail",
    scope=Scope.READ,
    query=Paged,
    answers={200: Answer("A page, newest first.", Page[SignedHead])},
)
def list_heads(_reader: Identity, query: Paged) -> Response:
    """One an hour. Keep them: `kentongan audit verify --head FILE` tells with a kept one whether the trail before it was
    rewritten, whoever did it. `signature` is Ed25519 over the other members as JSON, keys in order, without blanks."""
    with installation().database.reading() as session:
        page = Heads(session).page(query.limit, query.cursor)
    return answer(page)
