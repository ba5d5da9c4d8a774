"""Index: what a submission's objects say becomes incidents that can be listed, and entries under which they are found."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce
from itertools import chain
from typing import Any

import orjson
from sqlalchemy import select

from kentongan.domain import wording
from kentongan.domain.extract import Extract, extract
from kentongan.domain.incident import IncidentFacts, Observable
from kentongan.domain.masking import TakesPart
from kentongan.domain.observables.breadth import broader
from kentongan.domain.pap import pap_of
from kentongan.domain.policy import Audience, covers, meet
from kentongan.domain.redaction import without
from kentongan.domain.text_bands import text_bands
from kentongan.services import facts_codec
from kentongan.services.stage import StageService
from kentongan.services.veiling import Here, Sent, Veiling, victim_keys
from kentongan.services.weighing import let_go
from kentongan.storage import jobs
from kentongan.storage.base import in_parts, new_public_id
from kentongan.storage.crowds import entries_of
from kentongan.storage.incidents import Incident, facts_told, incidents_reported, replace_tags
from kentongan.storage.jobs import Stage
from kentongan.storage.maskings import masking_wishes
from kentongan.storage.objects import Carried, StixObject, carried_by, insert_ignoring_twins, newest_carried
from kentongan.storage.observables import (
    WITHIN,
    ObjectObservable,
    hide_in_parts,
    observable_ids,
    replace_bands,
    replace_postings,
)
from kentongan.storage.signs import PAGE, VICTIM, replace_signs
from kentongan.storage.submissions import Submission
from kentongan.storage.tombstones import keep_while_nobody_erases, last_erasure
from kentongan.storage.visibility import audience_id, audiences

_STRONGEST = {"sco": 0, "pattern": 1, "observed-data": 2, "external-reference": 3, "text": 4, WITHIN: 5}
_COMPANIONS = frozenset({"identity", "marking-definition", "extension-definition"})
"""What comes with every incident, also with one that is sent alone."""


@dataclass(frozen=True, slots=True)
class _Version:
    """One incident as one submission tells it."""

    submission: Submission
    sent: Sent
    facts: IncidentFacts
    values: Mapping[Observable, tuple[int, str]]
    """Each value with the audience that may know it and where it stands."""
    veiled: Mapping[Observable, bool] = field(default_factory=dict)
    """Each value that takes part by keyed hash only, with whether others may be told of something related."""
    takes_part: TakesPart = TakesPart.OPENLY

    @property
    def key(self) -> tuple[str, int]:
        return self.sent.stix["id"], self.submission.organization_id


@dataclass(frozen=True, slots=True)
class Told:
    """What some submissions say: the newest version of each incident, and every value with the number of its object.

    `erasures` is what had been erased when they were read.
    """

    submission_ids: Sequence[int]
    erasures: int
    versions: list[_Version]
    seen: dict[tuple[int, Observable], bool]
    """Whether it stands nowhere in the object but in parts that granular markings name."""
    new_audiences: Mapping[int, Audience]
    """By place-holders, which are negative: who sees several parts is first met here."""
    masked_parts: Collection[int]
    """The numbers of objects of which a part is masked."""


class Index(StageService[Told]):
    """Read the accepted objects of submissions, and make what they say findable."""

    def look(self, submission_ids: Sequence[int]) -> Told:
        """Read these submissions.

        An amendment that brings nothing but the incident itself leaves what the earlier version came with as it was;
        any other amendment says all anew, and what it does not name any more is no longer found.
        """
        erasures = last_erasure(self._session)
        submissions = self._session.scalars(select(Submission).where(Submission.id.in_(submission_ids))).all()
        carried = carried_by(self._session, submission_ids)
        # What is erased between two statements is not there any more; then `keep` looks again.
        submissions = [one for one in submissions if one.id in carried]
        sent = {
            one.id: [_sent(held) for held in carried[one.id]] for one in sorted(submissions, key=lambda one: one.id)
        }
        everything = [held for objects in sent.values() for held in objects]
        self._veiling = Veiling(masking_wishes(self._session, [one.organization_id for one in submissions]))
        self._audiences: dict[int, Audience] = {}
        self._know_audiences(everything)
        self._new_audiences: dict[int, Audience] = {}
        self._masked_parts: set[int] = set()
        self._told = facts_told(self._session, {h.stix["id"] for h in everything if h.stix["type"] == "incident"})
        by_id = {one.id: one for one in submissions}
        versions: dict[tuple[str, int], _Version] = {}
        seen: dict[tuple[int, Observable], bool] = {}
        for submission_id, objects in sent.items():
            for version in self._versions(by_id[submission_id], objects, seen):
                known = versions.get(version.key)
                if known is None or not _older(version.sent, known.sent):
                    versions[version.key] = version
        return Told(submission_ids, erasures, list(versions.values()), seen, self._new_audiences, self._masked_parts)

    def keep(self, found: Told) -> None:
        """Index what they say and promise the next stage for every incident whose newest version they hold.

        Where something was erased since the look, it is looked again, while nobody erases: what is gone must not come back.
        """
        keep_while_nobody_erases(self._session)
        if last_erasure(self._session) != found.erasures:
            found = self.look(found.submission_ids)
        followed = self._follow(found.versions)
        before = entries_of(self._session, self._amended & followed.keys())
        met = {number: audience_id(self._session, audience) for number, audience in found.new_audiences.items()}
        hide_in_parts(self._session, found.masked_parts)
        self._make_findable(followed, found.seen, met)
        weighed_otherwise = let_go(self._session, before - entries_of(self._session, self._amended & followed.keys()))
        jobs.add(self._session, Stage.DEDUPLICATE, sorted(followed.keys() | weighed_otherwise), self._clock())
        veiled = [number for number, version in followed.items() if version.takes_part]
        jobs.add(self._session, Stage.MEET, sorted(veiled), self._clock())

    def _versions(
        self, submission: Submission, objects: list[Sent], seen: dict[tuple[int, Observable], bool]
    ) -> Iterator[_Version]:
        """The incidents of one submission; every value of every object that is not masked is added to `seen`."""
        objects = sorted(objects, key=lambda held: (held.modified is not None, held.modified))
        newest = {held.stix["id"]: held for held in objects}
        extracts, loose = extract([held.stix for held in newest.values()])
        in_sight, openly = self._veiling.in_the_open(newest), extracts
        if in_sight is not newest:
            openly, loose = extract([held.stix for held in in_sight.values()])
            self._masked_parts |= self._veiling.in_parts(newest)
        for one in chain(loose, *(found.observables for found in openly)):
            seen[newest[one.object_id].number, one.observable] = False
        for held in in_sight.values():
            seen.update(((held.number, value), True) for value in _only_in_parts(held.stix))
        told = {found.facts.stix_id: found for found in openly}
        for found in extracts:
            stix_id, here = found.facts.stix_id, newest
            if all(ref.partition("--")[0] in _COMPANIONS for ref in found.facts.object_ids):
                here = self._with_earlier(submission, newest, stix_id)
            if here is newest:
                yield self._told_of(submission, found, newest, in_sight, told.get(stix_id))
            else:
                whole, open_here = _extract_of(stix_id, here), self._veiling.in_the_open(here)
                is_open = open_here is not here and stix_id in open_here
                openly_told = _extract_of(stix_id, open_here) if is_open else whole
                yield self._told_of(submission, whole, here, open_here, openly_told)

    def _told_of(
        self, submission: Submission, whole: Extract, here: Here, in_sight: Here, openly: Extract | None
    ) -> _Version:
        """One incident: `whole` is read from all that came with it, `openly` from what takes part openly."""
        if in_sight is here:
            return self._version(submission, here, whole)
        if openly is None or whole.facts.stix_id not in in_sight:
            version = self._version(submission, here, whole)
            veiled = self._veiling.veiled(here, whole, ())
            return replace(version, values={}, veiled=veiled, takes_part=TakesPart.BLIND)
        version = self._version(submission, in_sight, openly)
        veiled = self._veiling.veiled(here, whole, [*version.values, *victim_keys(version.facts)])
        return replace(version, veiled=veiled, takes_part=TakesPart.PARTLY_BLIND)

    def _with_earlier(self, submission: Submission, newest: dict[str, Sent], stix_id: str) -> dict[str, Sent]:
        """What the incident's earlier version came with, under what is sent now."""
        told = self._told.get((stix_id, submission.organization_id), {})
        refs = [ref for ref in told.get("object_ids", ()) if ref not in newest]
        if not refs:
            return newest
        earlier = newest_carried(self._session, refs, submission.organization_id)
        before = {held.object.stix_id: _sent(held) for held in earlier}
        self._know_audiences(before.values())
        alone = {ref: held for ref, held in newest.items() if ref == stix_id or held.stix["type"] != "incident"}
        return before | alone

    def _know_audiences(self, objects: Iterable[Sent]) -> None:
        numbers = [number for held in objects for number in (held.audience_id, *held.parts)]
        found = audiences(self._session, numbers)
        self._audiences |= found
        self._veiling.know(found)

    def _version(self, submission: Submission, here: Mapping[str, Sent], found: Extract) -> _Version:
        """Facts only from what whoever sees the incident may see; each value for the loosest audience it came to."""
        sent, facts = here[found.facts.stix_id], found.facts
        readers = self._audiences[sent.audience_id]
        open_enough = [held for held in here.values() if covers(self._audiences[held.audience_id], readers)]
        divided = any(held.parts for held in here.values())
        if len(open_enough) < len(here) or divided:
            facts = _extract_from(facts.stix_id, [self._shown_to(readers, held) for held in open_enough]).facts
        values: dict[Observable, tuple[int, str]] = {}
        plain = _extract_from(facts.stix_id, [held.plain for held in here.values()]) if divided else found
        for one in plain.observables:
            self._keep(values, one.observable, here[one.object_id].audience_id, one.origin)
        if divided:
            self._keep_what_parts_tell(values, here, found, plain)
        for value, (audience, _) in list(values.items()):
            for above in broader(value):
                self._keep(values, above, audience, WITHIN)
        return _Version(submission, sent, facts, values)

    def _shown_to(self, readers: Audience, held: Sent) -> dict[str, Any]:
        """What all of these readers see of an object that they see."""
        hidden = [
            name for part, names in held.parts.items() if not covers(self._audiences[part], readers) for name in names
        ]
        return without(held.stix, hidden) if hidden else held.stix

    def _keep_what_parts_tell(
        self, values: dict[Observable, tuple[int, str]], here: Mapping[str, Sent], whole: Extract, plain: Extract
    ) -> None:
        """Values that only parts tell are for who may see every part of their object.

        One that belongs to the incident by a reference in a part, wherever that stands, is for who may see every part of all.
        """
        told = {(one.object_id, one.observable) for one in plain.observables}
        belongs = {plain.facts.stix_id, *plain.facts.object_ids}
        every_part = [part for held in here.values() for part in held.parts]
        for one in whole.observables:
            if (one.object_id, one.observable) not in told:
                held = here[one.object_id]
                parts = held.parts if one.object_id in belongs else every_part
                audience = reduce(meet, (self._audiences[part] for part in parts), self._audiences[held.audience_id])
                known = values.get(one.observable)
                # Whoever knows the value anyway learns nothing of the part, not even that the value stands there.
                if known is None or not covers(self._audiences[known[0]], audience):
                    self._keep(values, one.observable, self._number_of(audience), one.origin)

    def _number_of(self, audience: Audience) -> int:
        known = next((number for number, each in self._audiences.items() if each == audience), None)
        if known is not None:
            return known
        place_holder = -1 - len(self._new_audiences)
        self._audiences[place_holder] = self._new_audiences[place_holder] = audience
        return place_holder

    def _keep(
        self, values: dict[Observable, tuple[int, str]], value: Observable, audience_id: int, origin: str
    ) -> None:
        known = values.get(value)
        if known is None:
            values[value] = (audience_id, origin)
        elif known[1] == WITHIN or origin != WITHIN:
            is_looser = covers(self._audiences[audience_id], self._audiences[known[0]])
            values[value] = (audience_id if is_looser else known[0], min(known[1], origin, key=_STRONGEST.__getitem__))

    def _follow(self, versions: list[_Version]) -> dict[int, _Version]:
        """Bring the incident rows to their newest versions; gives the rows that now follow one of these versions."""
        # In the order of arrival, so that of reports taken in together the first sent is the oldest of its case.
        versions = sorted(versions, key=lambda version: (version.submission.id, version.key))
        known = incidents_reported(self._session, [version.key for version in versions])
        self._amended = {row.id for row in known.values()}
        new = [_new_row(version) for version in versions if version.key not in known]
        if new:
            insert_ignoring_twins(self._session, Incident, new)
            # Another transaction may have stored the same incident in between: then its row is there now.
            known = incidents_reported(self._session, [version.key for version in versions])
        held = self._versions_held(row.object_id for row in known.values())
        followed: dict[int, _Version] = {}
        for version in versions:
            row = known[version.key]
            mine, theirs = version.sent.modified, held[row.object_id]
            if row.object_id != version.sent.number and mine is not None and theirs is not None and theirs > mine:
                continue
            _amend(row, version)
            followed[row.id] = version
        self._session.flush()
        return followed

    def _versions_held(self, object_ids: Iterable[int]) -> dict[int, datetime | None]:
        query = select(StixObject.id, StixObject.modified)
        return {
            row.id: row.modified
            for some in in_parts(sorted(set(object_ids)))
            for row in self._session.execute(query.where(StixObject.id.in_(some)))
        }

    def _make_findable(
        self, followed: dict[int, _Version], seen: Mapping[tuple[int, Observable], bool], met: Mapping[int, int]
    ) -> None:
        alive = {number: version for number, version in followed.items() if not _revoked(version)}
        wanted = {value for version in alive.values() for value in version.values}
        ids = observable_ids(self._session, wanted | {value for _, value in seen})
        postings = [
            {
                "observable_id": ids[value],
                "organization_id": version.submission.organization_id,
                "incident_id": number,
                "audience_id": met.get(audience, audience),
                "origin": origin,
            }
            for number, version in alive.items()
            for value, (audience, origin) in version.values.items()
        ]
        replace_postings(self._session, followed, postings)
        carried = sorted((ids[value], number, in_part) for (number, value), in_part in seen.items())
        rows = [{"observable_id": row[0], "object_id": row[1], "in_part": row[2]} for row in carried]
        insert_ignoring_twins(self._session, ObjectObservable, rows)
        replace_tags(self._session, followed, [tag for n, v in followed.items() for tag in _tags(n, v)])
        replace_signs(self._session, followed, [sign for n, v in alive.items() for sign in _signs(n, v)])
        bands = [
            {"band": band, "incident_id": number}
            for number, version in alive.items()
            if version.takes_part is not TakesPart.BLIND
            for band in text_bands(version.facts)
        ]
        replace_bands(self._session, followed, bands)


def _extract_of(stix_id: str, here: Here) -> Extract:
    """What these objects say of one incident among them."""
    return _extract_from(stix_id, [held.stix for held in here.values()])


def _extract_from(stix_id: str, objects: Iterable[dict[str, Any]]) -> Extract:
    extracts, _ = extract([*objects])
    return next(one for one in extracts if one.facts.stix_id == stix_id)


def _only_in_parts(stix: dict[str, Any]) -> set[Observable]:
    """The values that an object carries nowhere but where its granular markings point, whatever these say."""
    marked = [one for one in stix.get("granular_markings", ()) if "marking_ref" in one]
    if not marked:
        return set()
    return _values_in(stix) - _values_in(without(stix, [name for one in marked for name in one["selectors"]]))


def _values_in(stix: dict[str, Any]) -> set[Observable]:
    extracts, loose = extract([stix])
    return {one.observable for one in chain(loose, *(found.observables for found in extracts))}


def _sent(held: Carried) -> Sent:
    stored = held.object
    return Sent(stored.id, orjson.loads(stored.body), stored.modified, held.audience_id, held.parts)


def _older(one: Sent, other: Sent) -> bool:
    return one.modified is not None and other.modified is not None and one.modified < other.modified


def _revoked(version: _Version) -> bool:
    return version.sent.stix.get("revoked") is True


def _new_row(version: _Version) -> dict[str, Any]:
    received = version.submission.received_at
    return {
        "public_id": new_public_id(),
        "stix_id": version.sent.stix["id"],
        "organization_id": version.submission.organization_id,
        "received_at": received,
        **_follows(version),
    }


def _amend(row: Incident, version: _Version) -> None:
    for name, value in _follows(version).items():
        setattr(row, name, value)


def _follows(version: _Version) -> dict[str, Any]:
    """The columns that follow the newest version."""
    facts = version.facts
    return {
        "audience_id": version.sent.audience_id,
        "object_id": version.sent.number,
        "submission_id": version.submission.id,
        "amended_at": version.submission.received_at,
        "revoked": _revoked(version),
        "title": facts.title,
        "happened_at": facts.happened.at if facts.happened else None,
        "rsit_class": _cut(facts.rsit_class, 100),
        "rsit_type": _cut(facts.rsit_type, 100),
        "severity": _cut(facts.severity, 40),
        "status": _cut(facts.status, 100),
        "facts": facts_codec.written(facts),
        "takes_part": int(version.takes_part),
    }


def _cut(value: str | None, most: int) -> str | None:
    return value[:most] if value else None


def _tags(number: int, version: _Version) -> list[dict[str, Any]]:
    """What filters ask for."""
    facts = version.facts
    told: dict[str, Iterable[str]] = {
        "country": facts.countries,
        "sector": facts.sectors,
        "technique": facts.techniques,
        "malware": facts.malware,
        "actor": facts.actors,
        "vulnerability": facts.vulnerabilities,
    }
    if (pap := pap_of(facts.labels)) is not None:
        told["pap"] = [pap.name]
    return [
        {"kind": kind, "value": value, "incident_id": number, "audience_id": version.sent.audience_id}
        for kind, values in told.items()
        for value in sorted({value.casefold()[:255] for value in values if value})
    ]


def _signs(number: int, version: _Version) -> list[dict[str, Any]]:
    """What finds the other reports on a victim or a page."""
    if version.takes_part is TakesPart.BLIND:
        return []
    pages = [wording.page_key(address) for address in version.facts.references]
    told = {VICTIM: [key.casefold() for key in victim_keys(version.facts)], PAGE: pages}
    reporter = version.submission.organization_id
    return [
        {"kind": kind, "key": key, "organization_id": reporter, "incident_id": number}
        for kind, keys in told.items()
        for key in sorted({key[:255] for key in keys if key})
    ]
