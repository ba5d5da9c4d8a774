"""What tests of erasure tell their stories with: a region whose stages, deliveries and erasures run as they really do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import select

from alert_stories import subscribed
from kentongan.domain.alert import Channel, Outgoing, Receipt
from kentongan.domain.identity import Identity, Scope
from kentongan.services.deliver import Deliver
from kentongan.services.erase import Erase
from kentongan.services.errors import Stone
from kentongan.services.match import Match
from kentongan.services.publish import Publish
from kentongan.storage import Base, jobs
from kentongan.storage.alerts import Delivery, Subscription
from kentongan.storage.cases import Case
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from kentongan.storage.jobs import JobRow, Stage
from kentongan.storage.organizations import Organization
from kentongan.storage.submissions import Submission
from matching_stories import Region as Matching
from stories import Stix

EVERYTHING = frozenset(Scope)


@dataclass
class Post:
    """A channel that remembers what it was given, and answers `says`."""

    says: str = "HTTP 200: received"
    sent: list[Outgoing] = field(default_factory=list)

    def send(self, outgoing: Outgoing) -> Receipt:
        """It always arrives."""
        self.sent.append(outgoing)
        return Receipt(True, self.says)


@dataclass
class Region(Matching):
    """Members that report, subscribe and erase."""

    post: Post = field(default_factory=Post)

    def asks(self, name: str) -> Identity:
        """A member with every scope."""
        member = self.member(name)
        return Identity(member.organization_id, member.organization_name, member.kind, EVERYTHING)

    def sends(self, name: str, *objects: Stix) -> str:
        """Submit and settle; gives the submission's public id."""
        self.submit(name, objects)
        self.settle()
        return self.newest_of(name).public_id

    def newest_of(self, name: str) -> Submission:
        """The last submission of a member."""
        own = select(Submission).where(Submission.organization_id == self.member(name).organization_id)
        with self.database.reading() as session:
            return session.scalars(own.order_by(Submission.id.desc()).limit(1)).one()

    def settle(self) -> None:
        """All stages, matching and publishing too."""
        super().settle()
        for stage, service in ((Stage.MATCH, Match), (Stage.PUBLISH, Publish)):
            while self._step(stage, service):
                pass

    def subscribes(self, name: str, **how: object) -> int:
        """A member wants to hear everything; gives the subscription's row number."""
        member = self.member(name)
        with self.database.writing() as session:
            return subscribed(session, session.get_one(Organization, member.organization_id), **how).id  # type: ignore[arg-type]

    def deliver(self) -> list[Outgoing]:
        """Send what waits; gives what was sent."""
        before, service = len(self.post.sent), self.deliverer()
        with self.database.writing() as session:
            due = jobs.claim(session, Stage.DELIVER, self.now, timedelta(minutes=1), 1000)
        with self.database.writing() as session:
            messages = service.plan(session, [job.subject_id for job in due])
        for message in messages:
            answer = service.send(message)
            with self.database.writing() as session:
                service.record(session, message.delivery_id, answer)
        with self.database.writing() as session:
            jobs.finish(session, due)
        return self.post.sent[before:]

    def deliverer(self) -> Deliver:
        """The service with the channel that remembers."""
        channels: dict[str, Channel] = {"webhook": self.post, "email": self.post}
        return Deliver(lambda: self.now, channels, "https://kentongan.example")

    def erases(self, name: str, submission: str, reason: str = "", *, recalls: bool = True) -> Stone:
        """A member erases one of its submissions."""
        who = self.asks(name)
        with self.database.writing() as session:
            return Erase(session, lambda: self.now, recalls=recalls).submission(
                who, who.organization_id, submission, reason
            )

    def erases_incident(self, name: str, any_id: str, reason: str = "") -> Stone:
        """A member erases one of its incidents."""
        who = self.asks(name)
        with self.database.writing() as session:
            return Erase(session, lambda: self.now).incident(who, who.organization_id, any_id, reason)

    def incidents(self) -> list[Incident]:
        """All rows."""
        with self.database.reading() as session:
            return list(session.scalars(select(Incident).order_by(Incident.id)))

    def campaigns_of(self, stix_ids: Sequence[str]) -> list[int | None]:
        """The campaigns that these incidents' cases are in."""
        with self.database.reading() as session:
            return [session.get_one(Case, self.case_of(one)).campaign_id for one in stix_ids]

    def promised(self) -> list[JobRow]:
        """All jobs."""
        with self.database.reading() as session:
            return list(session.scalars(select(JobRow).order_by(JobRow.id)))

    def deliveries_of(self, subscription_id: int) -> list[Delivery]:
        """What became of the alerts to a subscription."""
        query = select(Delivery).where(Delivery.subscription_id == subscription_id).order_by(Delivery.id)
        with self.database.reading() as session:
            return list(session.scalars(query))

    def pause(self, subscription_id: int) -> None:
        """The subscription ends."""
        with self.database.writing() as session:
            session.get_one(Subscription, subscription_id).active = False


def where_it_stands(database: Database, canary: str) -> set[str]:
    """Every `table.column` that holds this text anywhere, whatever its type: the driver's own values are looked through."""
    found = set()
    with database.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            rows = connection.exec_driver_sql(f"SELECT * FROM {table.name}")  # our own tables' names
            names = list(rows.keys())
            for row in rows:
                found |= {
                    f"{table.name}.{name}" for name, value in zip(names, row, strict=True) if _holds(value, canary)
                }
    return found


def _holds(value: object, canary: str) -> bool:
    if isinstance(value, bytes | memoryview):
        return canary.encode() in bytes(value)
    return canary in str(value)
