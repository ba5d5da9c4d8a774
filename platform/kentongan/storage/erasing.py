"""How what was sent leaves the tables again: each statement takes away exactly what nobody else has a part in."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Delete, Text, Update, delete, exists, or_, select, tuple_, type_coerce, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from kentongan.storage.base import in_parts
from kentongan.storage.blind import replace_blind_links, replace_blind_postings
from kentongan.storage.cases import Link, leave_homes
from kentongan.storage.collection_entries import CollectionEntry, TieEnd
from kentongan.storage.incidents import Incident, IncidentTag
from kentongan.storage.jobs import JobRow, Stage
from kentongan.storage.objects import CarrierPart, ObjectCarrier, StixObject
from kentongan.storage.observables import ObjectObservable, Posting, StoredObservable, TextBand
from kentongan.storage.signs import Sign
from kentongan.storage.submissions import IdempotencyKey, Submission
from kentongan.storage.visibility import AudienceRow

_SUBMISSIONS_AT_ONCE = 500

Pairs = list[tuple[int, int]]
"""(stix_object id, audience id), as `submission.carried` has them."""


def overwrite_what_is_deleted(session: Session) -> None:
    """Have SQLite write zeros over what this connection deletes; PostgreSQL has no such wish (docs/operations.md)."""
    if session.get_bind().dialect.name == "sqlite":
        session.connection().exec_driver_sql("PRAGMA secure_delete=ON")


def carriers_among(session: Session, organization_id: int, numbers: Collection[int]) -> dict[int, Pairs]:
    """Which of the organization's submissions carry one of these objects, and all that these submissions carry.

    What a submission carried is a list in it, which no index knows: all of the organization's lists are read, in parts. That
    is the price of storing fast, and it is paid only here.
    """
    wanted, after = {str(number) for number in numbers}, 0
    found: dict[int, Pairs] = {}
    query = select(Submission.id, type_coerce(Submission.carried, Text).label("carried"))
    query = (
        query.where(Submission.organization_id == organization_id).order_by(Submission.id).limit(_SUBMISSIONS_AT_ONCE)
    )
    while rows := session.execute(query.where(Submission.id > after)).all():
        for number, carried in rows:
            # Looked for in the text: of ten thousand lists few are wanted, and parsing them all takes ten times as long.
            if not wanted.isdisjoint(_NUMBER.findall(carried)):
                found[number] = [(pair[0], pair[1]) for pair in orjson.loads(carried)]
        after = rows[-1].id
    return found


_NUMBER = re.compile(r"\[(\d+),")
"""The first of each pair."""


def versions_of(session: Session, organization_id: int, stix_ids: Collection[str]) -> dict[int, str]:
    """Every content of these objects that the organization carries, by number, with its STIX id; the oldest version first."""
    theirs = (
        exists()
        .where(
            ObjectCarrier.object_id == StixObject.id,
            AudienceRow.id == ObjectCarrier.audience_id,
            AudienceRow.owner_id == organization_id,
        )
        .correlate(StixObject)
    )
    query = select(StixObject.id, StixObject.stix_id, StixObject.modified).where(theirs)
    rows = [
        row
        for some in in_parts(sorted(stix_ids))
        for row in session.execute(query.where(StixObject.stix_id.in_(some)).order_by(StixObject.id))
    ]
    return {row.id: row.stix_id for row in sorted(rows, key=lambda row: (row.modified is not None, row.modified or 0))}


def stix_ids_of(session: Session, numbers: Collection[int]) -> dict[int, tuple[str, str]]:
    """STIX id and type of these objects."""
    query = select(StixObject.id, StixObject.stix_id, StixObject.type)
    return {
        row.id: (row.stix_id, row.type)
        for some in in_parts(sorted(numbers))
        for row in session.execute(query.where(StixObject.id.in_(some)))
    }


def linked_with(session: Session, incident_ids: Collection[int]) -> set[int]:
    """The other ends of all links of these incidents."""
    pairs = [
        pair
        for some in in_parts(sorted(incident_ids))
        for ends in ((Link.left_id, Link.right_id), (Link.right_id, Link.left_id))
        for pair in session.execute(select(*ends).where(ends[0].in_(some)))
    ]
    return {pair[1] for pair in pairs} - set(incident_ids)


def drop_entries(session: Session, incident_ids: Collection[int]) -> set[int]:
    """Nothing is found by these incidents any more: no value, word, tag or link. Gives the ids of the values they carried."""
    held: set[int] = set()
    for some in in_parts(sorted(incident_ids)):
        held |= set(session.scalars(select(Posting.observable_id).where(Posting.incident_id.in_(some))))
        _execute(session, delete(Link).where(or_(Link.left_id.in_(some), Link.right_id.in_(some))))
    replace_blind_links(session, incident_ids, [])
    replace_blind_postings(session, incident_ids, [])
    for column in (Posting.incident_id, IncidentTag.incident_id, Sign.incident_id, TextBand.incident_id):
        _delete(session, column, incident_ids)
    return held


def drop_incidents(session: Session, incident_ids: Collection[int]) -> None:
    """Delete the rows themselves; nothing may refer to them any more."""
    leave_homes(session, incident_ids)
    _delete(session, Incident.id, incident_ids)


def drop_carriers(session: Session, pairs: Collection[tuple[int, int]]) -> None:
    """These objects are no longer carried to these audiences, nor is anything of them kept from fewer."""
    for table in (CarrierPart, ObjectCarrier):
        key = tuple_(table.object_id, table.audience_id)
        for some in in_parts(sorted(pairs)):
            _execute(session, delete(table).where(key.in_(list(some))))


def carried_to(session: Session, organization_id: int, numbers: Collection[int]) -> set[tuple[int, int]]:
    """(object id, audience id) of everybody to whom the organization carries these objects."""
    query = select(ObjectCarrier.object_id, ObjectCarrier.audience_id).join(
        AudienceRow, AudienceRow.id == ObjectCarrier.audience_id
    )
    return {
        (row.object_id, row.audience_id)
        for some in in_parts(sorted(numbers))
        for row in session.execute(
            query.where(ObjectCarrier.object_id.in_(some), AudienceRow.owner_id == organization_id)
        )
    }


def drop_unheld_objects(session: Session, numbers: Collection[int]) -> set[int]:
    """Delete those of these objects that nobody carries any more; the others are now of who still does.

    Gives the ids of the values that the deleted ones carried.
    """
    holders = _holders(session, numbers)
    alone = sorted(set(numbers) - holders.keys())
    held: set[int] = set()
    for some in in_parts(alone):
        held |= set(session.scalars(select(ObjectObservable.observable_id).where(ObjectObservable.object_id.in_(some))))
    _delete(session, ObjectObservable.object_id, alone)
    _delete(session, CarrierPart.object_id, alone)
    _delete(session, TieEnd.object_id, alone)
    _delete(session, CollectionEntry.object_id, alone)
    _delete(session, StixObject.id, alone)
    for number, owner_ids in holders.items():
        left = StixObject.owner_id.not_in(sorted(owner_ids))
        _execute(session, update(StixObject).where(StixObject.id == number, left).values(owner_id=min(owner_ids)))
    return held


def _holders(session: Session, numbers: Collection[int]) -> Mapping[int, set[int]]:
    found: dict[int, set[int]] = {}
    query = select(ObjectCarrier.object_id, AudienceRow.owner_id).join(
        AudienceRow, AudienceRow.id == ObjectCarrier.audience_id
    )
    for some in in_parts(sorted(numbers)):
        for number, owner_id in session.execute(query.where(ObjectCarrier.object_id.in_(some))):
            found.setdefault(number, set()).add(owner_id)
    return found


def drop_unseen_observables(session: Session, observable_ids: Collection[int]) -> None:
    """Delete those of these values that nothing carries any more."""
    unseen = ~exists().where(Posting.observable_id == StoredObservable.id)
    unsaid = ~exists().where(ObjectObservable.observable_id == StoredObservable.id)
    for some in in_parts(sorted(observable_ids)):
        _execute(session, delete(StoredObservable).where(StoredObservable.id.in_(some), unseen, unsaid))


def drop_submissions(session: Session, submission_ids: Collection[int]) -> None:
    """Delete the documents, and the keys under which they could be sent again."""
    _delete(session, IdempotencyKey.submission_id, submission_ids)
    _delete(session, Submission.id, submission_ids)


def drop_jobs(session: Session, subjects: Mapping[Stage, Collection[int]]) -> None:
    """Delete the promises for these subjects that no worker holds.

    One that is held stays with its worker, which finds nothing to do: its number must not be given to another promise while
    somebody may still finish it. What a failure said of it is forgotten all the same.
    """
    for stage, subject_ids in subjects.items():
        for some in in_parts(sorted(subject_ids)):
            ours = (JobRow.stage == stage.value, JobRow.subject_id.in_(some))
            free = select(JobRow.id, JobRow.fence, JobRow.available_at).where(*ours).with_for_update(skip_locked=True)
            rows = session.execute(free).all()
            unheld = [row.id for row in rows if row.fence == 0 or row.available_at is None]
            _delete(session, JobRow.id, unheld)
            held = sorted({row.id for row in rows} - set(unheld))
            if held:
                _execute(session, update(JobRow).where(JobRow.id.in_(held)).values(last_error=None))


def _delete(session: Session, column: InstrumentedAttribute[int], values: Collection[int]) -> None:
    for some in in_parts(sorted(values)):
        clause: ColumnElement[bool] = column.in_(some)
        _execute(session, delete(column.class_).where(clause))


def _execute(session: Session, statement: Delete | Update) -> None:
    session.execute(statement.execution_options(synchronize_session=False))


def carried_without(pairs: Pairs, gone: Collection[int]) -> Pairs:
    """What is left of a submission's list."""
    return [pair for pair in pairs if pair[0] not in gone]


def outcomes_without(outcomes: Sequence[dict[str, Any]], stix_ids: Collection[str]) -> list[dict[str, Any]]:
    """What is left of a submission's outcomes when these objects are not to be told of any more."""
    return [outcome for outcome in outcomes if outcome["id"] not in stix_ids]
