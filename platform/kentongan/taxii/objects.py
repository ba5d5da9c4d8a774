"""Objects of a collection: read, listed, added, deleted (TAXII 2.1 sections 5.3 to 5.8)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from flask import Response, request
from orjson import dumps
from sqlalchemy.orm import Session

from kentongan.domain.collections import Collection
from kentongan.domain.date_added import as_timestamp, as_version
from kentongan.domain.gate import Unreadable, read_envelope
from kentongan.domain.identity import Identity
from kentongan.domain.object_filter import ALL, EVERY_MATCH, LAST, Question, Versions, question
from kentongan.services.collections import Collections
from kentongan.services.errors import NotFound
from kentongan.services.examine import examine
from kentongan.services.read_collection import EntryPage, ReadCollection
from kentongan.services.submit import Rejected, Submit
from kentongan.services.taxii_status import Statuses
from kentongan.services.withdraw import Withdraw
from kentongan.storage.jobs import Stage
from kentongan.taxii.endpoint import answer, endpoint, raw_answer
from kentongan.taxii.errors import no_right
from kentongan.taxii.media import STIX, TAXII, is_taxii
from kentongan.taxii.root import as_resource
from kentongan.threshold.body import document, refusal_of
from kentongan.threshold.installation import installation
from kentongan.threshold.refusals import Fault, Refusal, faults_of

_OF_ONE_OBJECT: Final = ("version", "spec_version")
_OF_VERSIONS: Final = ("spec_version",)
_FIRST: Final = "X-TAXII-Date-Added-First"
_LAST: Final = "X-TAXII-Date-Added-Last"


@endpoint("GET", "/kentongan/collections/<collection_id>/objects/")
def read_objects(asker: Identity, collection_id: str) -> Response:
    """A page of objects, the first added first."""
    return _envelope(_page(asker, collection_id, _asked(EVERY_MATCH)))


@endpoint("GET", "/kentongan/collections/<collection_id>/manifest/")
def read_manifest(asker: Identity, collection_id: str) -> Response:
    """The same page, with what is known of the objects instead of them."""
    page = _page(asker, collection_id, _asked(EVERY_MATCH))
    records = [
        {"id": e.stix_id, "date_added": as_timestamp(e.number), "version": as_version(e.version), "media_type": STIX}
        for e in page.entries
    ]
    return answer({**_more(page), **({"objects": records} if records else {})}, headers=_dates(page))


@endpoint("GET", "/kentongan/collections/<collection_id>/objects/<stix_id>/")
def read_object(asker: Identity, collection_id: str, stix_id: str) -> Response:
    """One object, in its last version unless others are asked for."""
    return _envelope(_object_page(asker, collection_id, stix_id, _asked(_OF_ONE_OBJECT)))


@endpoint("GET", "/kentongan/collections/<collection_id>/objects/<stix_id>/versions/")
def list_versions(asker: Identity, collection_id: str, stix_id: str) -> Response:
    """All versions of one object, the first added first."""
    page = _object_page(asker, collection_id, stix_id, _asked(_OF_VERSIONS, ALL))
    versions = [as_version(entry.version) for entry in page.entries]
    return answer({**_more(page), **({"versions": versions} if versions else {})}, headers=_dates(page))


@endpoint("POST", "/kentongan/collections/<collection_id>/objects/")
def add_objects(asker: Identity, collection_id: str) -> Response:
    """An envelope goes the road of every submission; what its markings say decides who finds it, and not the collection."""
    place = installation()
    with place.database.reading_for(asker) as session:
        collection = Collections(session).one(asker, collection_id)
    if not collection.can_write:
        raise no_right()
    raw = _envelope_sent()
    try:
        examined = examine(raw, place.limits, place.book_of(asker), read_envelope)
        with place.database.writing() as session:
            receipt = Submit(session, place.clock).submit(asker, examined)
            status = Statuses(session).status(asker, receipt.id or "")
    except Unreadable as error:
        raise refusal_of(error) from None
    except Rejected as error:
        faults = [fault for outcome in error.receipt.objects for fault in faults_of(outcome.problems)]
        raise Refusal("rejected", "Nothing of the envelope was stored.", faults) from None
    place.nudge(Stage.INDEX)
    return answer(as_resource(status), 202)


@endpoint("DELETE", "/kentongan/collections/<collection_id>/objects/<stix_id>/")
def delete_object(asker: Identity, collection_id: str, stix_id: str) -> Response:
    """Take back what one's own organization sent under this id, in all versions unless some are asked for."""
    place = installation()
    asked = _asked(_OF_ONE_OBJECT, ALL).filter
    with place.database.reading_for(asker) as session:
        collection = Collections(session).one(asker, collection_id)
    if not (collection.can_read and collection.can_write):
        raise no_right()
    if not asked.is_stix_2_1:
        raise NotFound("nothing here is of another version of STIX")
    with place.database.writing() as session:
        Withdraw(session, place.clock).object(asker, collection, stix_id, asked.versions)
    place.nudge(Stage.DEDUPLICATE)
    place.nudge(Stage.DELIVER)
    return answer({})


def _asked(takes: tuple[str, ...], versions: Versions = LAST) -> Question:
    """The question of this request; where it does not say which versions it means, it means these."""
    return question({name: request.args.getlist(name) for name in request.args}, takes, versions)


def _page(asker: Identity, collection_id: str, asked: Question) -> EntryPage:
    with installation().database.reading_for(asker, by_index=True) as session:
        collection = _readable(session, asker, collection_id)
        return ReadCollection(session, installation().cursor_key).page(asker, collection, asked)


def _object_page(asker: Identity, collection_id: str, stix_id: str, asked: Question) -> EntryPage:
    asked = replace(asked, filter=replace(asked.filter, ids=frozenset({stix_id})))
    with installation().database.reading_for(asker, by_index=True) as session:
        collection = _readable(session, asker, collection_id)
        return ReadCollection(session, installation().cursor_key).object_page(asker, collection, stix_id, asked)


def _readable(session: Session, asker: Identity, collection_id: str) -> Collection:
    collection = Collections(session).one(asker, collection_id)
    if not collection.can_read:
        raise no_right()
    return collection


def _envelope(page: EntryPage) -> Response:
    more = b"".join(b"%b:%b," % (dumps(name), dumps(value)) for name, value in _more(page).items())
    objects = ",".join([entry.body for entry in page.entries]).encode()
    body = b'{%b"objects":[%b]}' % (more, objects) if objects else dumps({"more": False})
    return raw_answer(body, headers=_dates(page))


def _more(page: EntryPage) -> dict[str, Any]:
    return {"more": True, "next": page.next} if page.next else {"more": False}


def _dates(page: EntryPage) -> dict[str, str]:
    if not page.entries:
        return {}
    return {_FIRST: as_timestamp(page.entries[0].number), _LAST: as_timestamp(page.entries[-1].number)}


def _envelope_sent() -> bytes:
    if not is_taxii(request.headers.get("Content-Type")):
        fault = Fault("header", "Content-Type", "content-type", "is not taken here", f"Send {TAXII}.")
        raise Refusal("wrong-type", "This content type is not taken.", [fault], {"Accept": TAXII})
    return document(installation().limits.max_bytes, ("application/taxii+json",))
