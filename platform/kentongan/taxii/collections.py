"""The collections one finds (TAXII 2.1 sections 5.1 and 5.2)."""

from __future__ import annotations

from typing import Any

from flask import Response

from kentongan.domain.collections import Collection
from kentongan.domain.identity import Identity
from kentongan.services.collections import Collections
from kentongan.taxii.endpoint import answer, endpoint
from kentongan.taxii.media import STIX
from kentongan.threshold.installation import installation


@endpoint("GET", "/kentongan/collections/")
def list_collections(asker: Identity) -> Response:
    """Those of who asks; nobody else's are named."""
    with installation().database.reading_for(asker) as session:
        found = Collections(session).all(asker)
    return answer({"collections": [_resource(one) for one in found]})


@endpoint("GET", "/kentongan/collections/<collection_id>/")
def read_collection(asker: Identity, collection_id: str) -> Response:
    """One of them, by id or alias."""
    with installation().database.reading_for(asker) as session:
        found = Collections(session).one(asker, collection_id)
    return answer(_resource(found))


def _resource(collection: Collection) -> dict[str, Any]:
    alias = {"alias": collection.alias} if collection.alias else {}
    return {
        "id": collection.id,
        "title": collection.title,
        "description": collection.description,
        **alias,
        "can_read": collection.can_read,
        "can_write": collection.can_write,
        "media_types": [STIX],
    }
