"""Reading STIX objects, exactly as sent."""

from __future__ import annotations

from typing import Annotated, Any, Final

from flask import Response
from pydantic import Field

from kentongan.api.asked import Asked, Moment
from kentongan.api.operation import Answer, answer, operation, with_headers
from kentongan.domain.identity import Identity, Scope
from kentongan.services.read_objects import ObjectVersion, ReadObjects
from kentongan.threshold.installation import installation

STIX: Final = "application/stix+json;version=2.1"


class ObjectAsked(Asked):
    """Which version; without a parameter what the id stands for now."""

    modified: Moment | None = None
    """The version of this `modified`."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """The content of this SHA-256, as the list of versions names it."""


@operation(
    "GET",
    "/objects/<stix_id>",
    "Read one STIX object",
    scope=Scope.READ,
    query=ObjectAsked,
    answers={200: Answer("The object, property by property as it was sent.", dict[str, Any], STIX)},
    refuses=("not-found",),
)
def read_object(reader: Identity, stix_id: str, query: ObjectAsked) -> Response:
    """The newest version of the organization the id belongs to, as far as you may see it; else your own; else that of whoever
    sent one first. A relationship or sighting is there only if all it ties is."""
    with installation().database.reading_for(reader) as session:
        found = ReadObjects(session).object(reader, stix_id, modified=query.modified, sha256=query.sha256)
    return with_headers(Response(found.body, content_type=STIX), {"X-Content-Sha256": found.version.sha256})


@operation(
    "GET",
    "/objects/<stix_id>/versions",
    "List the versions of a STIX object",
    scope=Scope.READ,
    answers={200: Answer("Every version you may see, newest first, whoever sent it.", tuple[ObjectVersion, ...])},
    refuses=("not-found",),
)
def list_versions(reader: Identity, stix_id: str) -> Response:
    """Ask for one with `?modified=` or `?sha256=`."""
    with installation().database.reading_for(reader) as session:
        versions = ReadObjects(session).versions(reader, stix_id)
    return answer(versions)
