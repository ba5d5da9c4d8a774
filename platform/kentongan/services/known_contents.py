"""What is stored already of the objects that arrive, as their submitter stands to it."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from sqlalchemy import Row, Select, bindparam, case, func, select
from sqlalchemy.orm import Session

from kentongan.domain.identity import Identity
from kentongan.domain.marking import Level
from kentongan.domain.versions import Arriving, History, Known
from kentongan.storage.base import in_parts
from kentongan.storage.objects import ObjectCarrier, StixObject
from kentongan.storage.visibility import AudienceRow, readable_levels


class KnownContents:
    """Every stored content of some object ids, and of what the same document brought before."""

    def __init__(self, session: Session, identity: Identity, stix_ids: set[str]) -> None:
        self._contents: dict[str, History] = defaultdict(History)
        for ids in in_parts(sorted(stix_ids)):
            asked = {"me": identity.organization_id, "levels": readable_levels(identity), "ids": list(ids)}
            for row in session.execute(_CONTENTS, asked):
                self._contents[row.stix_id].add(_known(row))

    def of(self, stix_id: str) -> History | None:
        """What is stored of one id, if anything is."""
        return self._contents.get(stix_id)

    def remember(self, stix_id: str, arriving: Arriving, level: Level, place_holder: int) -> None:
        """The same document may bring the next version of what it just brought."""
        self._contents[stix_id].add(Known(place_holder, arriving.modified, arriving.sha256, True, level, True))

    def newest_level(self, stix_id: str) -> Level:
        """The level of the newest version the submitter carried; the loosest where there is none."""
        newest = self._contents[stix_id].newest_of_mine
        return newest.my_level if newest is not None and newest.my_level is not None else Level.CLEAR


def _contents() -> Select[int, str, datetime | None, bytes, int, int]:
    """Every stored content of the object ids `ids`, as the submitter `me`, who may read `levels`, stands to it."""
    mine = AudienceRow.owner_id == bindparam("me")
    seen = mine | AudienceRow.level.in_(bindparam("levels", expanding=True))
    return (
        select(
            StixObject.id,
            StixObject.stix_id,
            StixObject.modified,
            StixObject.sha256,
            func.max(case((mine, AudienceRow.level), else_=-1)).label("my_level"),
            func.max(case((seen, 1), else_=0)).label("visible"),
        )
        .join(ObjectCarrier, ObjectCarrier.object_id == StixObject.id)
        .join(AudienceRow, AudienceRow.id == ObjectCarrier.audience_id)
        .where(StixObject.stix_id.in_(bindparam("ids", expanding=True)))
        .group_by(StixObject.id, StixObject.stix_id, StixObject.modified, StixObject.sha256)
        .order_by(StixObject.id)
    )


_CONTENTS = _contents()
"""Built once: building a statement takes longer than running it."""


def _known(row: Row[int, str, datetime | None, bytes, int, int]) -> Known:
    mine = row.my_level >= 0
    return Known(row.id, row.modified, row.sha256, mine, Level(row.my_level) if mine else None, bool(row.visible))
