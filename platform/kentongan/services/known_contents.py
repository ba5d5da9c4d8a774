"""What is stored already of the objects that arrive, as their submitter stands to it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Row, Select, bindparam, case, func, select, union
from sqlalchemy.orm import Session

from kentongan.domain.identity import Identity
from kentongan.domain.policy import Audience
from kentongan.domain.versions import Arriving, History, Known
from kentongan.storage.base import in_parts
from kentongan.storage.bulk import found_among
from kentongan.storage.objects import CarrierPart, ObjectCarrier, StixObject
from kentongan.storage.visibility import AudienceRow, audience_ids, audiences


class KnownContents:
    """Every stored content of some object ids, and of what the same document brought before.

    `stix_ids` are the ids of the document's objects, each as often as it comes.
    """

    def __init__(self, session: Session, identity: Identity, stix_ids: Iterable[str]) -> None:
        self._session = session
        self._owner_id = identity.organization_id
        self._contents: dict[str, History] = defaultdict(History)
        self._brought: dict[int, Audience] = {}
        counted = Counter(stix_ids)
        self._come_again = {stix_id for stix_id, times in counted.items() if times > 1}
        # Most ids are new, and whether they are is asked faster than what is stored of them.
        for ids in in_parts([*found_among(session, "stix_object", "stix_id", counted)]):
            readable = sorted(audience_ids(session, identity))
            asked = {"me": identity.organization_id, "readable": readable, "ids": list(ids)}
            for row in session.connection().execute(_CONTENTS, asked):
                self._contents[row.stix_id].add(_known(row))

    def of(self, stix_id: str) -> History | None:
        """What is stored of one id, if anything is."""
        return self._contents.get(stix_id)

    def remember(self, stix_id: str, arriving: Arriving, audience: Audience, place_holder: int) -> None:
        """The same document may bring the next version of what it just brought."""
        if stix_id not in self._come_again:
            return
        self._contents[stix_id].add(Known(place_holder, arriving.modified, arriving.sha256, True, True))
        self._brought[place_holder] = audience

    def newest_audiences(self, stix_id: str) -> list[Audience]:
        """Whom the submitter carried its newest version to, and the parts of it that fewer may see."""
        newest = self._contents[stix_id].newest_of_mine
        if newest is None:
            return []
        if newest.key in self._brought:
            return [self._brought[newest.key]]
        carried = union(
            select(ObjectCarrier.audience_id).where(ObjectCarrier.object_id == newest.key),
            select(CarrierPart.part_audience_id).where(CarrierPart.object_id == newest.key),
        )
        all_of_them = audiences(self._session, self._session.scalars(carried).all())
        return [audience for audience in all_of_them.values() if audience.owner_id == self._owner_id]


def _contents() -> Select[int, str, datetime | None, bytes, int, int, bool]:
    """Every stored content of the object ids `ids`, as the submitter `me`, who may read `readable`, stands to it."""
    mine = AudienceRow.owner_id == bindparam("me")
    seen = AudienceRow.id.in_(bindparam("readable", expanding=True))
    return (
        select(
            StixObject.id,
            StixObject.stix_id,
            StixObject.modified,
            StixObject.sha256,
            func.max(case((mine, 1), else_=0)).label("mine"),
            func.max(case((seen, 1), else_=0)).label("visible"),
            (StixObject.owner_id == bindparam("me")).label("owned"),
        )
        .join(ObjectCarrier, ObjectCarrier.object_id == StixObject.id)
        .join(AudienceRow, AudienceRow.id == ObjectCarrier.audience_id)
        .where(StixObject.stix_id.in_(bindparam("ids", expanding=True)))
        .group_by(StixObject.id, StixObject.stix_id, StixObject.modified, StixObject.sha256, StixObject.owner_id)
        .order_by(StixObject.id)
    )


_CONTENTS = _contents()
"""Built once: building a statement takes longer than running it."""


def _known(row: Row[int, str, datetime | None, bytes, int, int, bool]) -> Known:
    return Known(row.id, row.modified, row.sha256, bool(row.mine), bool(row.visible), bool(row.owned))
