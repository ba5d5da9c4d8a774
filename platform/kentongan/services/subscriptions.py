"""What an organization wants to hear, and over which channel. Nobody sees or changes another organization's subscriptions."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kentongan.domain.alert_filter import AlertFilter, WrongFilter
from kentongan.domain.audit import Act
from kentongan.domain.gate.problem import Problem
from kentongan.domain.identity import Identity
from kentongan.domain.target import Network, WrongTarget, mail_target, webhook_target
from kentongan.services.errors import NotFound, Refused
from kentongan.storage.alerts import Subscription
from kentongan.storage.audit import note

WEBHOOK: Final = "webhook"
EMAIL: Final = "email"
MOST_SUBSCRIPTIONS: Final = 200
_SECRET_BYTES: Final = 32

Clock = Callable[[], datetime]


class InvalidSubscription(Refused):
    """The subscription cannot be what was asked for; `problems` are all that is wrong with it, at once."""

    def __init__(self, problems: Collection[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{problem.path}: {problem.reason}" for problem in self.problems))


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """A subscription as its organization sees it. The secret is not among it: that was shown once."""

    id: str
    name: str
    channel: str
    target: str
    filter: dict[str, Any]  # as AlertFilter writes it
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """A subscription just made. `secret` (`whsec_...`) is shown this once; None for e-mail, which is not signed."""

    subscription: SubscriptionView
    secret: str | None


class Subscriptions:
    """What an organization may wish about its own subscriptions."""

    def __init__(self, session: Session, clock: Clock, allowed: Sequence[Network] = ()) -> None:
        self._session = session
        self._clock = clock
        self._allowed = allowed

    def create(
        self,
        identity: Identity,
        *,
        channel: str,
        target: str,
        filter: Any = None,  # any parsed JSON; None hears everything
        name: str = "",
    ) -> NewSubscription:
        """Subscribe. Raises InvalidSubscription with every problem, Refused when there are too many already."""
        name, problems = name.strip() or target.strip()[:200], _Problems()
        self._check(problems, name, channel, target)
        wanted = problems.filter({} if filter is None else filter)
        problems.raise_any()
        self._refuse_too_many(identity)
        made = Subscription(
            organization_id=identity.organization_id,
            name=name,
            filter=wanted.as_json(),
            channel=channel,
            target=target,
            secret=_new_secret() if channel == WEBHOOK else "",
            active=True,
            created_at=self._clock(),
        )
        self._session.add(made)
        self._session.flush()
        self._note(identity, Act.ADDED, made)
        return NewSubscription(_view(made), made.secret or None)

    def all(self, identity: Identity) -> tuple[SubscriptionView, ...]:
        """Those that have not ended, the oldest first; there are never more than MOST_SUBSCRIPTIONS."""
        mine = _mine(identity).order_by(Subscription.id)
        return tuple(_view(one) for one in self._session.scalars(mine))

    def subscription(self, identity: Identity, public_id: str) -> SubscriptionView:
        """One of them. Raises NotFound, for another organization's as for an unknown one."""
        return _view(self._own(identity, public_id))

    def change(
        self,
        identity: Identity,
        public_id: str,
        *,
        name: str | None = None,
        target: str | None = None,
        filter: Any = None,  # any parsed JSON
    ) -> SubscriptionView:
        """Change what is given and keep the rest; the channel and the secret stay. Raises NotFound, InvalidSubscription."""
        one, problems = self._own(identity, public_id), _Problems()
        new_name = one.name if name is None else name.strip()
        new_target = one.target if target is None else target
        self._check(problems, new_name, one.channel, new_target)
        wanted = None if filter is None else problems.filter(filter)
        problems.raise_any()
        one.name, one.target = new_name, new_target
        one.filter = one.filter if wanted is None else wanted.as_json()
        self._session.flush()
        self._note(identity, Act.CHANGED, one)
        return _view(one)

    def end(self, identity: Identity, public_id: str) -> None:
        """Nothing more is sent. The row stays, without its secret: its deliveries are the proof of what was told.

        Raises NotFound.
        """
        one = self._own(identity, public_id)
        one.active, one.secret = False, ""
        self._session.flush()
        self._note(identity, Act.ENDED, one)

    def _note(self, who: Identity, act: Act, one: Subscription) -> None:
        told = {"name": one.name, "channel": one.channel, "filter": one.filter}
        subject = f"subscription {one.public_id}"
        note(self._session, who, act, subject, about_id=one.organization_id, **told)

    def _own(self, identity: Identity, public_id: str) -> Subscription:
        mine = _mine(identity).where(Subscription.public_id == public_id)
        found: Subscription | None = self._session.scalars(mine).one_or_none()
        if found is None:
            raise NotFound("there is no such subscription")
        return found

    def _check(self, problems: _Problems, name: str, channel: str, target: str) -> None:
        problems.name(name)
        if channel == WEBHOOK:
            problems.target(lambda: webhook_target(target, self._allowed))
        elif channel == EMAIL:
            problems.target(lambda: mail_target(target))
        else:
            problems.add("$.channel", "channel", "there is no such channel", f"Use {WEBHOOK} or {EMAIL}.")

    def _refuse_too_many(self, identity: Identity) -> None:
        many = self._session.scalar(select(func.count()).select_from(_mine(identity).subquery())) or 0
        if many >= MOST_SUBSCRIPTIONS:
            raise Refused(f"an organization has at most {MOST_SUBSCRIPTIONS} subscriptions: end one first")


class _Problems:
    """Collects what is wrong, so that all of it can be said at once."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, path: str, rule: str, reason: str, hint: str) -> None:
        self._found.append(Problem(path, rule, reason, hint))

    def name(self, name: str) -> None:
        if not 1 <= len(name) <= 200 or not name.isprintable():
            self.add("$.name", "name", "a name has 1 to 200 printable characters", "Choose another name.")

    def target(self, check: Callable[[], object]) -> None:
        try:
            check()
        except WrongTarget as error:
            self.add("$.target", "target", error.reason, error.hint)

    def filter(self, value: Any) -> AlertFilter:  # any parsed JSON
        try:
            return AlertFilter.from_json(value)
        except WrongFilter as error:
            for one in error.problems:
                self.add("$.filter" + one.path.removeprefix("$"), one.rule, one.reason, one.hint)
            return AlertFilter()

    def raise_any(self) -> None:
        if self._found:
            raise InvalidSubscription(self._found)


def _mine(identity: Identity) -> Any:  # a Select of Subscription, whose generic spelling says less than this
    return select(Subscription).where(Subscription.organization_id == identity.organization_id, Subscription.active)


def _new_secret() -> str:
    """As Standard Webhooks wants it: 24 to 64 random bytes in base64, behind `whsec_`."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def _view(one: Subscription) -> SubscriptionView:
    return SubscriptionView(one.public_id, one.name, one.channel, one.target, one.filter, one.created_at)
