"""Styles, scripts and images: kept by browsers for good, because their addresses change with their content."""

from __future__ import annotations

from flask import Response, request

from kentongan.portal.blueprint import portal
from kentongan.portal.presenting import fingerprint


@portal.after_request
def keep_what_never_changes(response: Response) -> Response:
    """Only the address that carries the right fingerprint may be kept."""
    name = (request.view_args or {}).get("filename", "")
    if (
        request.endpoint == "portal.static"
        and response.status_code == 200
        and request.args.get("v") == fingerprint(name)
    ):
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
