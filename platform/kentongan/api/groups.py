"""Sharing groups that one's own organization is in or owns."""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Response
from pydantic import AfterValidator, BeforeValidator, Field

from kentongan.api.asked import PRINTABLE, Asked, as_label, body_as, level_of_label
from kentongan.api.operation import Answer, RequestBody, answer, operation, with_headers
from kentongan.api.organizations import own
from kentongan.domain.identity import Identity, Scope
from kentongan.services.groups import Groups, GroupView
from kentongan.services.organizations import Organizations
from kentongan.threshold.body import small_json
from kentongan.threshold.installation import installation

GroupName = Annotated[str, Field(min_length=1, max_length=200, pattern=PRINTABLE)]
Strictest = Annotated[
    Literal["TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"], BeforeValidator(as_label), AfterValidator(str)
]


class GroupNamed(Asked):
    """How a group is called."""

    name: GroupName
    """A name that no other group of its owner has, or had."""


class Admission(Asked):
    """How an organization is in a group."""

    strictest: Strictest = "TLP:RED"
    """The strictest TLP level that reaches it through the group."""


@operation(
    "POST",
    "/groups",
    "Found a sharing group",
    scope=Scope.ADMIN,
    body=RequestBody("The group.", model=GroupNamed),
    answers={201: Answer("Founded; your organization is in it.", GroupView, headers={"Location": "Its address."})},
    refuses=("unreadable", "not-found", "too-large", "wrong-type", "refused"),
)
def create_group(asker: Identity) -> Response:
    """Only a member CERT founds groups. Markings name it by its id."""
    wished = body_as(GroupNamed, small_json())
    with installation().database.writing() as session:
        made = Groups(session, installation().clock, asker).create(own(session, asker), wished.name)
    return answer(made, 201, {"Location": f"/api/v1/groups/{made.id}"})


@operation(
    "GET",
    "/groups",
    "List your sharing groups",
    scope=Scope.READ,
    answers={200: Answer("Those you are in, by name.", tuple[GroupView, ...])},
)
def list_groups(asker: Identity) -> Response:
    """Who is not in a group does not learn that it is there."""
    with installation().database.reading() as session:
        found = Groups(session, installation().clock, asker).all()
    return answer(found)


@operation(
    "GET",
    "/groups/<group_id>",
    "Read one sharing group",
    scope=Scope.READ,
    answers={200: Answer("The group and who is in it.", GroupView)},
    refuses=("not-found",),
)
def read_group(asker: Identity, group_id: str) -> Response:
    """Only for who is in it."""
    with installation().database.reading() as session:
        found = Groups(session, installation().clock, asker).group(group_id)
    return answer(found)


@operation(
    "PATCH",
    "/groups/<group_id>",
    "Rename a sharing group",
    scope=Scope.ADMIN,
    body=RequestBody("The new name.", model=GroupNamed),
    answers={200: Answer("As it is now.", GroupView)},
    refuses=("unreadable", "not-found", "too-large", "wrong-type", "refused"),
)
def rename_group(asker: Identity, group_id: str) -> Response:
    """Only for its owner."""
    wished = body_as(GroupNamed, small_json())
    with installation().database.writing() as session:
        found = Groups(session, installation().clock, asker).rename(group_id, wished.name)
    return answer(found)


@operation(
    "DELETE",
    "/groups/<group_id>",
    "End a sharing group",
    scope=Scope.ADMIN,
    answers={204: Answer("Ended: nobody reads anything through it any more.")},
    refuses=("not-found",),
)
def end_group(asker: Identity, group_id: str) -> Response:
    """Only for its owner. What was marked for it is its owners' alone from now on."""
    with installation().database.writing() as session:
        Groups(session, installation().clock, asker).end(group_id)
    return with_headers(Response(status=204))


@operation(
    "PUT",
    "/groups/<group_id>/organizations/<organization_id>",
    "Let an organization into a sharing group",
    scope=Scope.ADMIN,
    body=RequestBody("How it is in the group.", model=Admission),
    answers={200: Answer("As it is now.", GroupView)},
    refuses=("unreadable", "not-found", "too-large", "wrong-type", "refused"),
)
def admit_to_group(asker: Identity, group_id: str, organization_id: str) -> Response:
    """Only for its owner; takes effect at once, also for what was shared before."""
    wished = body_as(Admission, small_json())
    with installation().database.writing() as session:
        one = Organizations(session, installation().clock, asker).with_stix_id(organization_id)
        groups = Groups(session, installation().clock, asker)
        found = groups.admit(group_id, one, level_of_label(wished.strictest))
    return answer(found)


@operation(
    "DELETE",
    "/groups/<group_id>/organizations/<organization_id>",
    "Let an organization go from a sharing group",
    scope=Scope.ADMIN,
    answers={200: Answer("As it is now.", GroupView)},
    refuses=("not-found", "refused"),
)
def dismiss_from_group(asker: Identity, group_id: str, organization_id: str) -> Response:
    """Only for its owner; takes effect at once."""
    with installation().database.writing() as session:
        one = Organizations(session, installation().clock, asker).with_stix_id(organization_id)
        found = Groups(session, installation().clock, asker).dismiss(group_id, one)
    return answer(found)
