"""What indicators say of a value beyond that it was seen: until when it counts, and what may be done with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.domain.date_added import from_timestamp
from kentongan.domain.identity import Identity
from kentongan.domain.pap import Pap, pap_of, stricter
from kentongan.services.read_collection import objects_named
from kentongan.storage.base import in_parts, microseconds
from kentongan.storage.objects import ObjectCarrier, StixObject
from kentongan.storage.observables import ObjectObservable
from kentongan.storage.visibility import visible

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Said:
    """What all indicators about one value say together.

    `holds`: at least one of them is neither revoked nor past its `valid_until`, or there is none at all. `pap` is the strictest
    step that one states which was not revoked.
    """

    holds: bool = True
    pap: Pap | None = None


def what_indicators_say(
    session: Session, reader: Identity, observable_ids: Collection[int], as_of: datetime
) -> dict[int, Said]:
    """By value (row numbers); values of which no indicator speaks that the reader sees are missing.

    An indicator speaks in its last version, as the reader finds it. One that carries the value only in parts that are hidden from
    the reader is not listened to: else the answer would tell of those parts.
    """
    about: dict[str, dict[int, bool]] = defaultdict(dict)
    for some in in_parts(sorted(observable_ids)):
        rows = session.execute(
            select(StixObject.stix_id, ObjectObservable.observable_id, ObjectObservable.in_part)
            .join(ObjectObservable, ObjectObservable.object_id == StixObject.id)
            .join(ObjectCarrier, ObjectCarrier.object_id == StixObject.id)
            .where(
                ObjectObservable.observable_id.in_(some),
                StixObject.type == "indicator",
                visible(session, ObjectCarrier.audience_id, reader),
            )
            .distinct()
        )
        for stix_id, number, in_part in rows:
            about[stix_id][number] = about[stix_id].get(number, True) and in_part
    said: dict[int, Said] = {}
    ids = sorted(about)
    for start in range(0, len(ids), _AT_ONCE):
        for entry in objects_named(session, reader, frozenset(ids[start : start + _AT_ONCE]), are_shown=False):
            word = _word(orjson.loads(entry.body), as_of)
            for number, in_part in about[entry.stix_id].items():
                if not (entry.divided and in_part):
                    before = said.get(number)
                    said[number] = word if before is None else _together(before, word)
    return said


def _word(stix: dict[str, Any], as_of: datetime) -> Said:
    if stix.get("revoked") is True:
        return Said(holds=False)
    until = from_timestamp(str(stix.get("valid_until", "")))
    labels = stix.get("labels")
    pap = pap_of(labels) if isinstance(labels, list) else None
    return Said(until is None or until > microseconds(as_of), pap)


def _together(one: Said, other: Said) -> Said:
    return Said(one.holds or other.holds, stricter(one.pap, other.pap))
