"""The demonstration from the first submission to the last alert; what it found is told in table.py."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx2
from sqlalchemy import select

from kentongan.bootstrap import Kentongan, assemble
from kentongan.demo import views
from kentongan.demo.cast import GUESTS, LISTENERS, Listener, players
from kentongan.demo.guests import Key, let_in
from kentongan.demo.incidents import DemoSubmission, attack_flow, stream
from kentongan.demo.verify import SentIncident, expected, fault_of, sent_incidents
from kentongan.demo.views import View
from kentongan.domain.alert import message_id
from kentongan.domain.identity import Identity, at_the_console
from kentongan.domain.permissions import OF_TOKENS
from kentongan.domain.target import networks
from kentongan.services.groups import Groups
from kentongan.services.organizations import Organizations
from kentongan.services.subscriptions import Subscriptions
from kentongan.services.tokens import Tokens
from kentongan.settings import Settings
from kentongan.storage import jobs
from kentongan.storage.alerts import Delivery
from kentongan.trial.receivers import LOOPBACK, Arrival, Arrivals, MailReceiver, WebhookReceiver

_SETTLE_SECONDS = 180.0
_STAGE = at_the_console("demonstration")
"""Who lets everybody in."""
_EVERY_SCOPE = OF_TOKENS


class WentWrong(Exception):
    """Something did not happen as it must; the message says what."""


@dataclass(slots=True)
class Outcome:
    """Everything the demonstration saw."""

    sent: dict[str, SentIncident] = field(default_factory=dict)
    accepted: dict[str, int] = field(default_factory=dict)
    """How many objects came to each outcome."""
    submissions: int = 0
    submit_seconds: float = 0.0
    sent_at: dict[str, float] = field(default_factory=dict)
    """When each incident began to be sent (time.monotonic())."""
    arrivals: list[Arrival] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    views: list[View] = field(default_factory=list)
    """What three CERTs and a subscriber see of one campaign."""
    keys: list[Key] = field(default_factory=list)
    """How the guests sign in, to look around."""
    reader: Identity | None = None
    """Through whose eyes cases and campaigns are shown."""


class Play:
    """Runs against an installation that is up, through the same doors as everybody."""

    def __init__(self, settings: Settings, url: str, receiver: WebhookReceiver, arrivals: Arrivals) -> None:
        self._kentongan: Kentongan = assemble(settings)
        self._api = f"{url}/api/v1"
        self._receiver = receiver
        self._arrivals = arrivals
        self._kinds = {player.name: player.kind for player in players()}
        self._tokens: dict[str, str] = {}

    @property
    def kentongan(self) -> Kentongan:
        """The installation's database, to tell what was found."""
        return self._kentongan

    def run(self, progress: Callable[[Iterable[DemoSubmission]], Iterable[DemoSubmission]]) -> Outcome:
        """Let everybody in, submit everything, wait until all is done, check what arrived."""
        outcome = Outcome()
        self._let_in(outcome)
        everything = (*attack_flow(), *stream(), *self._campaign_of_four_markings())
        outcome.sent = sent_incidents(everything)
        self._submit(outcome, progress(everything))
        self._settle()
        outcome.views = views.views(self._ask)
        outcome.arrivals = self._arrivals.all()
        outcome.faults = [
            *self._faults_of_arrivals(outcome),
            *self._faults_of_ledger(outcome),
            *views.faults(outcome.views),
        ]
        return outcome

    def _campaign_of_four_markings(self) -> list[DemoSubmission]:
        with self._kentongan.database.writing() as session:
            organizations = Organizations(session, self._kentongan.clock, _STAGE)
            groups = Groups(session, self._kentongan.clock, _STAGE)
            owner, *others = (organizations.named(name) for name in views.IN_THE_GROUP)
            group = groups.create(owner, views.GROUP)
            for other in others:
                groups.admit(group.id, other)
            return views.submissions(group.id, owner.stix_id)

    def _ask(self, reader: str, path: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._tokens[reader]}"}
        answer = httpx2.get(f"{self._api}{path}", headers=headers, timeout=60)
        if answer.status_code != 200:
            raise WentWrong(f"{reader} asked for {path} and was answered {answer.status_code}")
        told: dict[str, Any] = answer.json()
        return told

    def _let_in(self, outcome: Outcome) -> None:
        with self._kentongan.database.writing() as session:
            organizations = Organizations(session, self._kentongan.clock, _STAGE)
            for player in players():
                made = organizations.add(player.name, player.kind, player.country)
                self._tokens[player.name] = (
                    Tokens(session, self._kentongan.clock, _STAGE).create(made, OF_TOKENS).secret
                )
            subscriptions = Subscriptions(
                session, self._kentongan.clock, networks(self._kentongan.settings.egress_allow)
            )
            for listener in LISTENERS:
                self._subscribe(subscriptions, listener, organizations)
            outcome.reader = organizations.named("CERT-ID").identity(_EVERY_SCOPE)
            outcome.keys = [let_in(session, self._kentongan, guest) for guest in GUESTS]

    def _subscribe(self, subscriptions: Subscriptions, listener: Listener, organizations: Organizations) -> None:
        webhook = listener.channel == "webhook"
        made = subscriptions.create(
            organizations.named(listener.organization).identity(_EVERY_SCOPE),
            name=f"Demonstration: {listener.slug}",
            channel=listener.channel,
            target=self._receiver.url_for(listener.slug) if webhook else f"{listener.slug}@localhost",
            filter=listener.filter,
        )
        if made.secret:
            self._receiver.secrets[listener.slug] = made.secret

    def _submit(self, outcome: Outcome, submissions: Iterable[DemoSubmission]) -> None:
        started = time.monotonic()
        with httpx2.Client(timeout=60) as client:
            for submission in submissions:
                at = time.monotonic()
                for obj in submission.bundle["objects"]:
                    if obj["type"] == "incident":
                        outcome.sent_at[obj["id"]] = at
                self._submit_one(outcome, client, submission)
        outcome.submit_seconds = time.monotonic() - started

    def _submit_one(self, outcome: Outcome, client: httpx2.Client, submission: DemoSubmission) -> None:
        headers = {
            "Authorization": f"Bearer {self._tokens[submission.reporter]}",
            "Content-Type": "application/stix+json;version=2.1",
        }
        answer = client.post(f"{self._api}/submissions", content=submission.content, headers=headers)
        if answer.status_code != 202:
            raise WentWrong(
                f"a submission of {submission.reporter} was answered {answer.status_code}: {answer.text[:300]}"
            )
        outcome.submissions += 1
        for what, count in answer.json()["counts"].items():
            outcome.accepted[what] = outcome.accepted.get(what, 0) + count

    def _settle(self) -> None:
        until = time.monotonic() + _SETTLE_SECONDS
        while open_jobs := self._open_jobs():
            if open_jobs.get("failed"):
                raise WentWrong("jobs failed; `kentongan doctor` on this data folder names them")
            if time.monotonic() > until:
                raise WentWrong(f"after {_SETTLE_SECONDS:.0f} s work still waits: {open_jobs}")
            time.sleep(0.1)

    def _open_jobs(self) -> dict[str, int]:
        with self._kentongan.database.reading() as session:
            return {stage: count for stage, count in jobs.counts(session).items() if count}

    def _faults_of_arrivals(self, outcome: Outcome) -> list[str]:
        listeners = {listener.slug: listener for listener in LISTENERS}
        found = []
        for arrival in outcome.arrivals:
            listener = listeners.get(arrival.subscriber)
            if listener is None:
                found.append(f"an alert came for nobody: {arrival.subscriber}")
            elif fault := fault_of(arrival, listener, self._kinds[listener.organization], outcome.sent):
                found.append(f"{listener.slug}: {fault}")
        return found

    def _faults_of_ledger(self, outcome: Outcome) -> list[str]:
        """Every delivery that says delivered arrived, every expected incident was told, and nothing else waits."""
        found = []
        arrived = {arrival.message_id for arrival in outcome.arrivals}
        with self._kentongan.database.reading() as session:
            for delivery in session.scalars(select(Delivery)):
                if delivery.state != "delivered":
                    found.append(f"a delivery is {delivery.state}: {delivery.last_answer}")
                elif not any(message_id(delivery.public_id) in each for each in arrived):
                    found.append(f"a delivery says delivered but did not arrive: {delivery.public_id}")
        for listener in LISTENERS:
            if listener.channel == "webhook" and listener.filter.get("countries"):
                missing = expected(listener, self._kinds[listener.organization], outcome.sent) - told_to(
                    outcome, listener
                )
                found += [f"{listener.slug} was not told of {stix_id}" for stix_id in sorted(missing)]
        return found


def told_to(outcome: Outcome, listener: Listener) -> set[str]:
    """The incidents that this listener was told of, by webhook."""
    return {
        arrival.content["incident"]["stix_id"]
        for arrival in outcome.arrivals
        if arrival.subscriber == listener.slug and not arrival.fault and arrival.channel == "webhook"
    }


def demo_settings(mail: MailReceiver) -> dict[str, object]:
    """What the demonstration's installation is set to: alerts may go to loopback, where its own receivers are."""
    return {
        "egress_allow": f"{LOOPBACK}/32",
        "smtp_host": LOOPBACK,
        "smtp_port": mail.port,
        "mail_from": "alerts@localhost",
    }
