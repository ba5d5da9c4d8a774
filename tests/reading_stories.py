"""Stories for those who read: reports, cases, campaigns and links as the stages would have left them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from kentongan.domain import naming
from kentongan.domain.gate import Limits
from kentongan.domain.identity import Identity, OrganizationKind, Scope
from kentongan.domain.incident import IncidentFacts, Observable, StixId
from kentongan.domain.marking import Level, terms_of_definition
from kentongan.domain.policy import Audience
from kentongan.domain.sharing import Names, SharingBook, names_in
from kentongan.services.examine import examine
from kentongan.services.sharing_books import SharingBooks
from kentongan.services.submit import Submit
from kentongan.storage.cases import DUPLICATE_OF, RELATED_TO, Campaign, Case, Link
from kentongan.storage.database import Database
from kentongan.storage.decisions import DecisionRow
from kentongan.storage.incidents import Incident, IncidentTag
from kentongan.storage.objects import StixObject
from kentongan.storage.observables import ObjectObservable, Posting, StoredObservable, digest_of
from kentongan.storage.submissions import Submission
from kentongan.storage.visibility import audience_id
from stories import NOON, Stix, as_bytes, bundle, incident, organization

EVERY_SCOPE = frozenset(Scope)


@dataclass
class Region:
    """A region in one open session; what it is told is flushed, and committed by the test."""

    session: Session
    now: datetime = NOON

    def joins(
        self, name: str, kind: OrganizationKind = OrganizationKind.MEMBER, country: str | None = None
    ) -> Identity:
        """An organization joins, with every scope."""
        return organization(self.session, name, country, kind).identity(EVERY_SCOPE)

    def sends(self, who: Identity, *objects: Stix) -> Submission:
        """A submission through the gate, a minute after the one before."""
        self.now += timedelta(minutes=1)

        def look_up(names: Names) -> SharingBook:
            return SharingBooks(self.session).book(who, names)

        examined = examine(as_bytes(bundle(*objects)), Limits(), look_up)
        receipt = Submit(self.session, lambda: self.now).submit(who, examined)
        assert receipt.refused == 0, receipt.objects
        return self.session.scalars(select(Submission).where(Submission.public_id == receipt.id)).one()

    def reports(
        self,
        who: Identity,
        title: str = "Web shell",
        level: Level | Stix = Level.GREEN,
        *,
        objects: tuple[Stix, ...] = (),
        seen: tuple[Observable, ...] = (),
        case: Case | None = None,
        stix: Stix | None = None,
        seen_at: Level | None = None,
        **columns: Any,
    ) -> Incident:
        """An incident as the stage `index` leaves it, with its own case unless another is given.

        `seen` are the observables it carries, marked `seen_at` (as the incident itself, unless told otherwise). Further
        names are columns of the incident; `countries`, `sectors`, `description` and `victims` are facts.
        """
        own = stix or incident(title, marking=level)
        submission = self.sends(who, *([level] if isinstance(level, dict) else []), own, *objects)
        stored = self.session.scalars(
            select(StixObject).where(StixObject.stix_id == own["id"]).order_by(StixObject.id.desc())
        ).first()
        assert stored is not None
        told = {
            name: columns.pop(name) for name in ("countries", "sectors", "description", "victims") if name in columns
        }
        ids = tuple(StixId(obj["id"]) for obj in objects)
        place = case or self.case()
        if place.home_id is None:
            columns = {"public_id": naming.named_by_case(place.public_id), **columns}
        facts = IncidentFacts(StixId(own["id"]), title, reporter=who.organization_name, object_ids=ids, **told)
        row = Incident(
            stix_id=own["id"],
            organization_id=who.organization_id,
            audience_id=self.audience(who, level),
            object_id=stored.id,
            submission_id=submission.id,
            received_at=self.now,
            amended_at=self.now,
            title=title,
            facts=orjson.loads(orjson.dumps(facts)),
            case_id=place.id,
            **columns,
        )
        self.session.add(row)
        self.session.flush()
        self._names(row, place)
        for kind, values in (("country", facts.countries), ("sector", facts.sectors)):
            for value in values:
                self.session.add(
                    IncidentTag(kind=kind, value=value.casefold(), incident_id=row.id, audience_id=row.audience_id)
                )
        for observable in seen:
            self.posts(row, observable, self.audience(who, seen_at or level))
        self.session.flush()
        return row

    def audience(self, who: Identity, marking: Level | Stix) -> int:
        """The id of a policy class."""
        return audience_id(self.session, self.who_may_see(who, marking))

    def who_may_see(self, who: Identity, marking: Level | Stix) -> Audience:
        """The audience of what is marked so."""
        if isinstance(marking, Level):
            return Audience(who.organization_id, marking)
        book = SharingBooks(self.session).book(who, names_in([marking]))
        return book.audience(who.organization_id, terms_of_definition(marking).settled(Level.AMBER))

    def _names(self, row: Incident, place: Case) -> None:
        """A case and a campaign are called after the first report told of in them."""
        if place.home_id is None:
            place.home_id = row.id
        if place.campaign_id is not None:
            campaign = self.session.get_one(Campaign, place.campaign_id)
            if campaign.home_id is None:
                campaign.home_id, campaign.public_id = row.id, naming.campaign_id(row.public_id)

    def case(self, campaign: Campaign | None = None) -> Case:
        """A case."""
        row = Case(opened_at=self.now, campaign_id=campaign.id if campaign else None)
        self.session.add(row)
        self.session.flush()
        return row

    def campaign(self) -> Campaign:
        """A campaign."""
        row = Campaign(opened_at=self.now)
        self.session.add(row)
        self.session.flush()
        return row

    def duplicates(self, left: Incident, right: Incident, *evidence: dict[str, Any]) -> Link:
        """A link between two reports of one event."""
        return self._link(DUPLICATE_OF, left, right, evidence)

    def related(self, left: Incident, right: Incident, *evidence: dict[str, Any]) -> Link:
        """A link between two incidents of one campaign."""
        return self._link(RELATED_TO, left, right, evidence)

    def decides(
        self, who: Identity, one: Incident, other: Incident, verdict: str, reason: str = "I know"
    ) -> DecisionRow:
        """What an organization said of two incidents, as an opinion."""
        left, right = sorted((one.id, other.id))
        row = DecisionRow(
            kind=DUPLICATE_OF,
            left_id=left,
            right_id=right,
            verdict=verdict,
            organization_id=who.organization_id,
            author=f"Sari of {who.organization_name}",
            capacity="opinion",
            reason=reason,
            decided_at=self.now,
        )
        self.session.add(row)
        self.session.flush()
        return row

    def _link(self, kind: str, left: Incident, right: Incident, evidence: tuple[dict[str, Any], ...]) -> Link:
        plain = evidence or (reason("rare value", [left.audience_id, right.audience_id]),)
        row = Link(
            kind=kind, left_id=left.id, right_id=right.id, score=0.97, bits=5.0, evidence=list(plain), found_at=self.now
        )
        self.session.add(row)
        self.session.flush()
        return row

    def posts(self, row: Incident, observable: Observable, audience: int) -> None:
        """An incident carries a value, in an object that is for this audience."""
        digest = digest_of(observable)
        stored = self.session.scalars(select(StoredObservable).where(StoredObservable.digest == digest)).one_or_none()
        if stored is None:
            stored = StoredObservable(digest=digest, kind=observable.kind, value=observable.value)
            self.session.add(stored)
            self.session.flush()
        where = {"observable_id": stored.id, "organization_id": row.organization_id, "incident_id": row.id}
        self.session.add(Posting(**where, audience_id=audience, origin="sco"))
        self.session.flush()

    def carries(self, stix_id: str, observable: Observable) -> None:
        """A STIX object carries a value that is stored already."""
        stored = self.session.scalars(select(StoredObservable).where(StoredObservable.digest == digest_of(observable)))
        key = stored.one().id
        for obj in self.session.scalars(select(StixObject.id).where(StixObject.stix_id == stix_id)):
            self.session.add(ObjectObservable(observable_id=key, object_id=obj))
        self.session.flush()


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements that are said meanwhile."""
    said: list[str] = []

    def listen(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            said.append(statement)

    event.listen(database.engine, "before_cursor_execute", listen)
    yield said
    event.remove(database.engine, "before_cursor_execute", listen)


def reason(words: str, audiences: list[int], weight: float = 1.0, value: str | None = None) -> dict[str, Any]:
    """One item of stored evidence."""
    item: dict[str, Any] = {"rule": "shared-value", "words": words, "weight": weight, "audiences": audiences}
    return {**item, "observable": {"kind": "domain", "value": value}} if value else item
