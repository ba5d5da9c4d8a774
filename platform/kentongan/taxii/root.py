"""Discovery, the API root and the status of what was added (TAXII 2.1 section 4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from flask import Response

from kentongan.domain.date_added import as_version
from kentongan.domain.identity import Identity
from kentongan.services.taxii_status import ObjectStatus, Status, Statuses
from kentongan.taxii.endpoint import ROOT, answer, endpoint
from kentongan.taxii.media import TAXII
from kentongan.threshold.installation import installation

_TITLE: Final = "Kentongan"
_SAYS: Final = "Incidents that national CERTs share, as far as they are shared with you."


@endpoint("GET", "/")
def discovery(_asker: Identity) -> Response:
    """Where the API roots are; there is one."""
    return answer({"title": _TITLE, "description": _SAYS, "default": ROOT, "api_roots": [ROOT]})


@endpoint("GET", "/kentongan/")
def api_root(_asker: Identity) -> Response:
    """What this root speaks, and how much it takes at once."""
    most = installation().limits.max_bytes
    return answer({"title": _TITLE, "description": _SAYS, "versions": [TAXII], "max_content_length": most})


@endpoint("GET", "/kentongan/status/<status_id>/")
def status(asker: Identity, status_id: str) -> Response:
    """What became of what one's own organization added."""
    with installation().database.reading_for(asker) as session:
        found = Statuses(session).status(asker, status_id)
    return answer(as_resource(found))


def as_resource(status: Status) -> dict[str, Any]:
    """A status as section 4.3.1 writes it."""
    lists = {"successes": _details(status.successes), "failures": _details(status.failures)}
    return {
        "id": status.id,
        "status": "complete",
        "request_timestamp": status.requested_at,
        "total_count": status.total,
        "success_count": len(status.successes),
        "failure_count": len(status.failures),
        "pending_count": 0,
        **{name: details for name, details in lists.items() if details},
    }


def _details(objects: Iterable[ObjectStatus]) -> list[dict[str, str]]:
    return [{"id": one.id, "version": as_version(one.version), "message": one.message} for one in objects]
