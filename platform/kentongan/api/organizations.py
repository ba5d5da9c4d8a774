"""The directory of organizations, and what one's own tells of itself."""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Response
from pydantic import AfterValidator, Field
from sqlalchemy.orm import Session

from kentongan.api.asked import Asked, Moment, body_as
from kentongan.api.operation import Answer, RequestBody, answer, operation
from kentongan.domain.identity import Identity, Scope
from kentongan.domain.profile import LONGEST_KEY
from kentongan.services.coordination import Coordination, CoordinatorView
from kentongan.services.organizations import Organizations, OrganizationView, ProfileView, ToldOnce, WrongValue
from kentongan.storage.organizations import Organization
from kentongan.threshold.body import small_json
from kentongan.threshold.installation import installation
from kentongan.threshold.refusals import Fault, Refusal

Value = Annotated[str, Field(min_length=1, max_length=LONGEST_KEY)]
Name = Annotated[
    Literal["host-agency", "time-zone", "languages", "contact-address", "phone", "pgp-key"], AfterValidator(str)
]


class AttributeTold(Asked):
    """One attribute as it is from now on."""

    name: Name
    """Which attribute."""
    value: Value | None = None
    """Its value; null: it is told no more."""
    expires_at: Moment | None = None
    """Until when it holds, such as the expiry of a PGP key."""


@operation(
    "GET",
    "/organizations",
    "List the organizations",
    scope=Scope.READ,
    answers={200: Answer("All that take part, by name.", tuple[OrganizationView, ...])},
)
def list_organizations(asker: Identity) -> Response:
    """Who takes part. The id is the STIX id that a RED marking names a recipient by."""
    with installation().database.reading() as session:
        found = _organizations(session, asker).directory()
    return answer(found)


@operation(
    "GET",
    "/organization",
    "Read your own organization",
    scope=Scope.READ,
    answers={200: Answer("Your organization, with what it tells of itself.", ProfileView)},
)
def read_organization(asker: Identity) -> Response:
    """What it tells now; earlier values stay in the history."""
    with installation().database.reading() as session:
        found = _organizations(session, asker).profile(own(session, asker))
    return answer(found)


@operation(
    "PATCH",
    "/organization",
    "Tell something of your organization",
    scope=Scope.ADMIN,
    body=RequestBody("One attribute.", model=AttributeTold),
    answers={200: Answer("As it is now.", ProfileView)},
    refuses=("unreadable", "too-large", "wrong-type", "refused"),
)
def change_organization(asker: Identity) -> Response:
    """From now on; what was told before stays beside it with its date."""
    told = body_as(AttributeTold, small_json())
    with installation().database.writing() as session:
        organizations, mine = _organizations(session, asker), own(session, asker)
        try:
            organizations.tell(mine, told.name, told.value, told.expires_at)
        except WrongValue as error:
            fault = Fault("body", "$.value", "attribute", error.reason, error.hint)
            raise Refusal("refused", f"The {error.name} was not changed.", [fault]) from None
        found = organizations.profile(mine)
    return answer(found)


@operation(
    "GET",
    "/organization/history",
    "Read what your organization told so far",
    scope=Scope.ADMIN,
    answers={200: Answer("Everything it ever told, the newest first.", tuple[ToldOnce, ...])},
)
def read_organization_history(asker: Identity) -> Response:
    """With who said it, since when it held, and until when."""
    with installation().database.reading() as session:
        found = _organizations(session, asker).history(own(session, asker))
    return answer(found)


@operation(
    "GET",
    "/coordinator",
    "Read who coordinates the region",
    scope=Scope.READ,
    answers={200: Answer("Who does now, and who does next.", CoordinatorView)},
)
def read_coordinator(asker: Identity) -> Response:
    """The role goes from one member to another; handing it over takes a person."""
    with installation().database.reading() as session:
        found = Coordination(session, installation().clock, asker).now()
    return answer(found)


def own(session: Session, asker: Identity) -> Organization:
    """The organization that asks."""
    return session.get_one(Organization, asker.organization_id)


def _organizations(session: Session, asker: Identity) -> Organizations:
    return Organizations(session, installation().clock, asker)
