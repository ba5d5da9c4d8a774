"""What one's own organization wants to hear: made, changed, ended."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from flask import Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from kentongan.api.asked import PRINTABLE, Asked, Tlp, body_as
from kentongan.api.operation import Answer, RequestBody, answer, operation, with_headers
from kentongan.domain.alert import AlertKind
from kentongan.domain.alert_filter import LONGEST_TEXT, LONGEST_VALUE, MOST_VALUES
from kentongan.domain.identity import Identity, Scope
from kentongan.domain.target import LONGEST_TARGET, networks
from kentongan.services.subscriptions import InvalidSubscription, NewSubscription, Subscriptions, SubscriptionView
from kentongan.threshold.body import small_json
from kentongan.threshold.installation import installation
from kentongan.threshold.refusals import Refusal, faults_of

Word = Annotated[str, Field(min_length=1, max_length=LONGEST_VALUE)]
Words = Annotated[tuple[Word, ...], Field(max_length=MOST_VALUES)]
Country = Annotated[str, Field(pattern=r"^[A-Za-z]{2}$")]
Target = Annotated[str, Field(min_length=1, max_length=LONGEST_TARGET, pattern=PRINTABLE)]


class NamedObservable(Asked):
    """A value of which the kind is said."""

    kind: Word
    value: Word


class WantedAlerts(Asked):
    """What a subscription wants to hear of. All parts given must agree; within a part one of its values is enough."""

    countries: Annotated[tuple[Country, ...], Field(max_length=MOST_VALUES)] = ()
    """Countries of the event, with two letters."""
    sectors: Words = ()
    """Sectors of the victims."""
    rsit_classes: Words = ()
    """Classes of the Reference Security Incident Taxonomy."""
    rsit_types: Words = ()
    """Types of that taxonomy."""
    severities: Words = ()
    """Severities: C1 to C6."""
    tlp_min: Tlp | None = None
    """The least strict level to hear of."""
    tlp_max: Tlp | None = None
    """The strictest level to hear of."""
    observables: Annotated[tuple[Word | NamedObservable, ...], Field(max_length=MOST_VALUES)] = ()
    """Values, in any spelling. A domain agrees with its hosts and their URLs too, a network with its addresses."""
    text: Annotated[str, Field(max_length=LONGEST_TEXT, pattern=PRINTABLE)] = ""
    """Words that must all stand in the title or the description."""
    kinds: tuple[AlertKind, ...] = ()
    """Kinds of alert."""
    own: bool = False
    """Whether to hear of what the organization itself reported."""


class SubscriptionWished(Asked):
    """A subscription to make."""

    channel: Literal["webhook", "email"]
    """webhook (signed as Standard Webhooks says) or email."""
    target: Target
    """An https address, or a mail address."""
    filter: WantedAlerts = WantedAlerts()
    """What it wants to hear of; {} hears everything that may be shared with you."""
    name: Annotated[str, Field(max_length=200, pattern=PRINTABLE)] = ""
    """A name of your own; left out, the target stands for it."""


class SubscriptionChange(Asked):
    """What to change of a subscription; what is left out stays."""

    target: Target | None = None
    """Another address, on the same channel."""
    filter: WantedAlerts | None = None
    """What it wants to hear of from now on, as a whole."""
    name: Annotated[str, Field(min_length=1, max_length=200, pattern=PRINTABLE)] | None = None
    """Another name."""


_ALL: Final = tuple[SubscriptionView, ...]


@operation(
    "POST",
    "/subscriptions",
    "Subscribe",
    scope=Scope.SUBSCRIPTIONS,
    body=RequestBody("The subscription.", model=SubscriptionWished),
    answers={
        201: Answer("Made. The secret is shown this once.", NewSubscription, headers={"Location": "Its address."})
    },
    refuses=("unreadable", "too-large", "wrong-type", "refused"),
)
def create_subscription(asker: Identity) -> Response:
    """Alerts to a webhook are signed with the secret of the answer (Standard Webhooks), which is never shown again."""
    wished = body_as(SubscriptionWished, small_json())
    with installation().database.writing() as session:
        try:
            made = _subscriptions(session).create(
                asker, channel=wished.channel, target=wished.target, filter=_filter(wished.filter), name=wished.name
            )
        except InvalidSubscription as error:
            raise _refused(error) from None
    return answer(made, 201, {"Location": f"/api/v1/subscriptions/{made.subscription.id}"})


@operation(
    "GET",
    "/subscriptions",
    "List your subscriptions",
    scope=Scope.SUBSCRIPTIONS,
    answers={200: Answer("All of them, the oldest first.", _ALL)},
)
def list_subscriptions(asker: Identity) -> Response:
    """There are never more than 200."""
    with installation().database.reading_for(asker) as session:
        found = _subscriptions(session).all(asker)
    return answer(found)


@operation(
    "GET",
    "/subscriptions/<subscription_id>",
    "Read one subscription",
    scope=Scope.SUBSCRIPTIONS,
    answers={200: Answer("The subscription, without its secret.", SubscriptionView)},
    refuses=("not-found",),
)
def read_subscription(asker: Identity, subscription_id: str) -> Response:
    """Only for the organization whose it is."""
    with installation().database.reading_for(asker) as session:
        found = _subscriptions(session).subscription(asker, subscription_id)
    return answer(found)


@operation(
    "PATCH",
    "/subscriptions/<subscription_id>",
    "Change a subscription",
    scope=Scope.SUBSCRIPTIONS,
    body=RequestBody("What to change.", model=SubscriptionChange),
    answers={200: Answer("As it is now.", SubscriptionView)},
    refuses=("unreadable", "not-found", "too-large", "wrong-type", "refused"),
)
def change_subscription(asker: Identity, subscription_id: str) -> Response:
    """The channel and the secret stay: for another channel make another subscription."""
    change = body_as(SubscriptionChange, small_json())
    wanted = None if change.filter is None else _filter(change.filter)
    with installation().database.writing() as session:
        try:
            changed = _subscriptions(session).change(
                asker, subscription_id, name=change.name, target=change.target, filter=wanted
            )
        except InvalidSubscription as error:
            raise _refused(error) from None
    return answer(changed)


@operation(
    "DELETE",
    "/subscriptions/<subscription_id>",
    "End a subscription",
    scope=Scope.SUBSCRIPTIONS,
    answers={204: Answer("Ended: nothing more is sent.")},
    refuses=("not-found",),
)
def end_subscription(asker: Identity, subscription_id: str) -> Response:
    """What was delivered before stays listed among the deliveries."""
    with installation().database.writing() as session:
        _subscriptions(session).end(asker, subscription_id)
    return with_headers(Response(status=204))


def _subscriptions(session: Session) -> Subscriptions:
    place = installation()
    return Subscriptions(session, place.clock, networks(place.settings.egress_allow))


def _filter(wanted: BaseModel) -> dict[str, Any]:
    """As the domain reads a filter: only the parts that were given."""
    return wanted.model_dump(mode="json", exclude_unset=True, exclude_none=True)


def _refused(error: InvalidSubscription) -> Refusal:
    return Refusal(
        "refused", "The subscription cannot be so. What is wrong stands under problems.", faults_of(error.problems)
    )
