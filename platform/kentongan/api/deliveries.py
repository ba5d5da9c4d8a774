"""What became of the alerts to one's own organization, and the wish to be told once more."""

from __future__ import annotations

from typing import Literal

from flask import Response

from kentongan.api.asked import Paged, PublicId
from kentongan.api.operation import Answer, answer, operation
from kentongan.domain.identity import Identity, Scope
from kentongan.services.deliveries import Deliveries, DeliveryView
from kentongan.services.paging import Page
from kentongan.storage.jobs import Stage
from kentongan.threshold.installation import installation


class DeliveriesAsked(Paged):
    """Which deliveries."""

    state: Literal["waiting", "delivered", "given-up"] | None = None
    """Only those in this state."""
    subscription: PublicId | None = None
    """Only those to the subscription of this id."""


@operation(
    "GET",
    "/deliveries",
    "List your deliveries",
    scope=Scope.SUBSCRIPTIONS,
    query=DeliveriesAsked,
    answers={200: Answer("A page, newest first.", Page[DeliveryView])},
)
def list_deliveries(asker: Identity, query: DeliveriesAsked) -> Response:
    """What your organization was told, or will be. `last_answer` is what the other side said, as sent: escape it."""
    with installation().database.reading_for(asker) as session:
        page = Deliveries(session, installation().clock).page(
            asker, limit=query.limit, cursor=query.cursor, state=query.state, subscription=query.subscription
        )
    return answer(page)


@operation(
    "GET",
    "/deliveries/<delivery_id>",
    "Read one delivery",
    scope=Scope.SUBSCRIPTIONS,
    answers={200: Answer("The delivery.", DeliveryView)},
    refuses=("not-found",),
)
def read_delivery(asker: Identity, delivery_id: str) -> Response:
    """Only for the organization it is for."""
    with installation().database.reading_for(asker) as session:
        found = Deliveries(session, installation().clock).delivery(asker, delivery_id)
    return answer(found)


@operation(
    "POST",
    "/deliveries/<delivery_id>/replay",
    "Send one again",
    scope=Scope.SUBSCRIPTIONS,
    answers={202: Answer("It waits to be sent again.", DeliveryView)},
    refuses=("not-found", "refused"),
)
def replay_delivery(asker: Identity, delivery_id: str) -> Response:
    """Under the same message id, whatever became of it before."""
    with installation().database.writing() as session:
        found = Deliveries(session, installation().clock).replay(asker, delivery_id)
    installation().nudge(Stage.DELIVER)
    return answer(found, 202)
