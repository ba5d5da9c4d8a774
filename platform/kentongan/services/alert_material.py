"""What contents of alerts are made of, loaded for a whole batch with a fixed number of queries, each thing with its audience."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
from sqlalchemy import BindParameter, and_, bindparam, or_, select, union
from sqlalchemy.orm import Session, aliased

from kentongan.domain.incident import Observable
from kentongan.domain.redaction import in_common, redact
from kentongan.services.seen_cases import CasesForMany, Report, SeenCase
from kentongan.storage.alerts import Alert
from kentongan.storage.cases import DUPLICATE_OF, RELATED_TO, Link
from kentongan.storage.incidents import Incident
from kentongan.storage.objects import Carried, ObjectCarrier, StixObject, carried_by, parts_of
from kentongan.storage.observables import WITHIN, Posting, StoredObservable
from kentongan.storage.organizations import Organization
from kentongan.storage.submissions import Submission

_AT_ONCE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Beside:
    """A link from an incident to another one."""

    key: int
    id: str
    title: str
    audience_id: int
    kind: str
    evidence: Collection[Mapping[str, Any]]  # as the links table keeps it


@dataclass(frozen=True, slots=True)
class Setting:
    """Who reported an incident, and whether it was compared with the others."""

    organization: str
    is_compared: bool


@dataclass(frozen=True, slots=True)
class Stored:
    """One content of an object."""

    id: int
    stix_id: str
    body: str


class Material:
    """What was loaded for some alerts. Nothing here is filtered: who uses it asks for the audiences."""

    def __init__(self, session: Session, alerts: Sequence[tuple[Alert, Incident]]) -> None:
        self._session = session
        incidents = sorted({incident.id for _, incident in alerts})
        submissions = sorted({alert.submission_id for alert, _ in alerts})
        self.settings = {row[0]: Setting(*row[1:]) for row in session.execute(_SETTINGS, {"ids": incidents})}
        self._cases = CasesForMany(session, {one.id: Report(one.public_id, one.received_at) for _, one in alerts})
        self._carried = {row[0]: dict(row[1]) for row in session.execute(_CARRIED, {"ids": submissions})}
        self._carriers: dict[int, set[int]] = defaultdict(set)
        self._parts: dict[tuple[int, int], dict[int, Sequence[str]]] = {}
        self._stored: dict[str, list[Stored]] = {}
        self._observables = _grouped(session.execute(_OBSERVABLES, {"ids": incidents, "within": WITHIN}))
        self._links = _links(session, incidents)
        self._whole: dict[int, list[Carried]] = {}

    def case(self, incident_id: int, visible: frozenset[int]) -> SeenCase:
        """The case that an incident is in for who belongs to `visible`."""
        return self._cases.of(incident_id, visible)

    def carried(self, submission_id: int) -> Mapping[int, int]:
        """The objects of a submission with the audiences that it carried them to."""
        return self._carried[submission_id]

    def observables(self, incident_id: int, visible: frozenset[int]) -> Iterator[Observable]:
        """The values of an incident, in the order in which they were first seen here."""
        return (
            Observable(kind, value) for audience, kind, value in self._observables[incident_id] if audience in visible
        )

    def links(self, incident_id: int) -> Sequence[Beside]:
        """The links of an incident, the newest first."""
        return self._links[incident_id]

    def load(self, stix_ids: Iterable[str]) -> None:
        """Have every content of these objects at hand."""
        missing = sorted(set(stix_ids) - self._stored.keys())
        self._stored.update((one, []) for one in missing)
        for some in _in_parts(missing):
            rows = [Stored(*row) for row in self._session.execute(_OBJECTS, {"ids": some})]
            for row in rows:
                self._stored[row.stix_id].append(row)
            for ids in _in_parts([row.id for row in rows]):
                for object_id, audience_id in self._session.execute(_CARRIERS, {"ids": ids}):
                    self._carriers[object_id].add(audience_id)
            self._parts |= parts_of(self._session, [row.id for row in rows])

    def contents(self, stix_id: str) -> Sequence[Stored]:
        """Every content of an object that was loaded, the oldest version first."""
        return self._stored.get(stix_id, ())

    def audiences(self, object_id: int) -> Collection[int]:
        """Who was given a content that was loaded, as it is now: a stricter newer version took the older ones with it."""
        return self._carriers.get(object_id, ())

    def is_seen(self, object_id: int, visible: frozenset[int]) -> bool:
        """Whether a content that was loaded was carried to any of these audiences."""
        return not visible.isdisjoint(self.audiences(object_id))

    def shown(self, content: Stored, carriers: Collection[int], visible: frozenset[int]) -> Stored | None:
        """A content that was loaded as these of its audiences show it to who belongs to `visible`; None: not at all."""
        hidden = [self._hidden(content.id, number, visible) for number in carriers]
        gone = in_common(hidden)
        rest = redact(orjson.loads(content.body), gone) if gone else None
        if gone:
            return replace(content, body=orjson.dumps(rest).decode()) if rest is not None else None
        return content

    def _hidden(self, object_id: int, audience_id: int, visible: frozenset[int]) -> list[str]:
        parts = self._parts.get((object_id, audience_id), {})
        return [name for number, names in parts.items() if number not in visible for name in names]

    def whole(self, submission_id: int) -> Sequence[Carried]:
        """All objects of a submission."""
        if submission_id not in self._whole:
            self._whole |= carried_by(self._session, [submission_id])
        return self._whole[submission_id]


def _links(session: Session, incident_ids: Collection[int]) -> dict[int, list[Beside]]:
    links: dict[int, list[Beside]] = defaultdict(list)
    for incident_id, *beside in session.execute(_LINKS, {"ids": incident_ids}):
        links[incident_id].append(Beside(*beside))
    return links


def _grouped(rows: Iterable[Any]) -> dict[int, list[tuple[int, str, str]]]:
    found: dict[int, list[tuple[int, str, str]]] = defaultdict(list)
    for incident_id, *rest in rows:
        found[incident_id].append((rest[0], rest[1], rest[2]))
    return found


def _in_parts(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """A statement takes a bounded number of parameters."""
    return (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))


# The statements are built once: building them costs more than running them.
_IDS: Final[BindParameter[int]] = bindparam("ids", expanding=True)
_Other: Final = aliased(Incident, name="other_incident")
_SETTINGS: Final = (
    select(Incident.id, Organization.name, Incident.case_id.is_not(None))
    .join(Organization, Organization.id == Incident.organization_id)
    .where(Incident.id.in_(_IDS))
)
_CARRIED: Final = select(Submission.id, Submission.carried).where(Submission.id.in_(_IDS))
_OBSERVABLES: Final = (
    select(Posting.incident_id, Posting.audience_id, StoredObservable.kind, StoredObservable.value)
    .join(StoredObservable, StoredObservable.id == Posting.observable_id)
    .where(Posting.incident_id.in_(_IDS), Posting.origin != bindparam("within"))
    .order_by(Posting.incident_id, StoredObservable.id)
)
_LINKS: Final = (
    select(
        Incident.id,
        _Other.id,
        _Other.public_id,
        _Other.title,
        _Other.audience_id,
        Link.kind,
        Link.evidence,
    )
    .join_from(Link, Incident, or_(Incident.id == Link.left_id, Incident.id == Link.right_id))
    .join(_Other, and_(_Other.id == Link.left_id + Link.right_id - Incident.id))
    .where(
        Incident.id.in_(_IDS),
        Link.kind.in_((DUPLICATE_OF, RELATED_TO)),
        # Two look-ups by index: a database asked for either end at once may read all links.
        Link.id.in_(
            union(select(Link.id).where(Link.left_id.in_(_IDS)), select(Link.id).where(Link.right_id.in_(_IDS)))
        ),
    )
    .order_by(Link.id.desc())
)
_OBJECTS: Final = (
    select(StixObject.id, StixObject.stix_id, StixObject.body)
    .where(StixObject.stix_id.in_(_IDS))
    .order_by(StixObject.modified, StixObject.id)
)
_CARRIERS: Final = select(ObjectCarrier.object_id, ObjectCarrier.audience_id).where(ObjectCarrier.object_id.in_(_IDS))
