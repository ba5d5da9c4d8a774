"""IncidentFacts as the JSON that `incident.facts` holds, and back."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import TypeAdapter

from kentongan.domain.incident import IncidentFacts

_FACTS = TypeAdapter(IncidentFacts)


def written(facts: IncidentFacts) -> dict[str, Any]:
    """Field by field, times as RFC 3339; fields that say nothing are left out. `read(written(facts)) == facts`."""
    told: dict[str, Any] = orjson.loads(orjson.dumps(facts))
    return {name: value for name, value in told.items() if value not in (None, [], "") or name in ("stix_id", "title")}


def read(stored: dict[str, Any]) -> IncidentFacts:
    """Raises pydantic.ValidationError on what was not written by `written`."""
    return _FACTS.validate_python(stored)
