"""Every address has a row that says who may use it, and keeps to it: a new one without a row fails.

LaoCERT has one of everything, all of it hidden from others. Whoever else asks for it is answered as for what never was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from alert_stories import match, subscribed
from kentongan.domain.collections import CollectionKind, own_id
from kentongan.domain.identity import Identity, OrganizationKind, Role, Scope
from kentongan.domain.incident import Observable
from kentongan.domain.marking import Level
from kentongan.domain.permissions import OF_ROLE, OF_TOKENS
from kentongan.services.drafts import Drafts
from kentongan.services.feeds import Feeds, FeedWish
from kentongan.services.tokens import Tokens
from kentongan.storage.alerts import Delivery
from kentongan.storage.cases import Campaign, Case
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from kentongan.storage.organizations import Organization
from kentongan.storage.submissions import Submission
from portal_stories import Place, Visitor, place
from stories import CONSOLE, as_bytes, bundle, group_of, incident, indicator
from stories import person as somebody

OPEN, SIGNED_IN, SIGNING_IN, OPERATIONS = "anybody", "who is signed in", "whoever signs in", "the operator's network"
"""Who may use an address, where no scope decides it."""
API: Final = "/api/v1"
TAXII: Final = "/taxii2/"
FEEDS: Final = "/feeds/"


@dataclass(frozen=True)
class Row:
    """Who may use an address, which of LaoCERT's things stand in it (by the names of its parts), and a body it takes."""

    who: Scope | str
    theirs: tuple[str, ...] = ()
    body: Any = None


DOORS: Final[dict[str, Row]] = {
    "GET /healthz": Row(OPEN),
    "GET /readyz": Row(OPEN),
    "GET /metrics": Row(OPERATIONS),
    "GET /static/<path:filename>": Row(OPEN),
    "GET /api/v1/openapi.json": Row(OPEN),
    "GET /api/v1/docs": Row(OPEN),
    "GET /api/v1/docs.css": Row(OPEN),
    "GET /api/v1/incidents": Row(Scope.READ),
    "GET /api/v1/incidents/<incident_id>": Row(Scope.READ, ("incident",)),
    "GET /api/v1/incidents/<incident_id>/explanation/<other_id>": Row(Scope.READ, ("incident", "incident")),
    "GET /api/v1/incidents/<incident_id>/decisions": Row(Scope.READ, ("incident",)),
    "POST /api/v1/incidents/<incident_id>/decisions": Row(
        Scope.DECIDE, ("incident",), {"other": "incident--x", "verdict": "apart", "reason": "two events"}
    ),
    "DELETE /api/v1/decisions/<decision_id>": Row(Scope.DECIDE, ("decision",), {"reason": "one event after all"}),
    "DELETE /api/v1/incidents/<incident_id>": Row(Scope.SUBMIT, ("incident",)),
    "GET /api/v1/matching-report": Row(Scope.READ),
    "GET /api/v1/cases": Row(Scope.READ),
    "GET /api/v1/cases/<case_id>": Row(Scope.READ, ("case",)),
    "GET /api/v1/campaigns": Row(Scope.READ),
    "GET /api/v1/campaigns/<campaign_id>": Row(Scope.READ, ("campaign",)),
    "GET /api/v1/objects/<stix_id>": Row(Scope.READ, ("object",)),
    "GET /api/v1/objects/<stix_id>/versions": Row(Scope.READ, ("object",)),
    "GET /api/v1/observables": Row(Scope.READ),
    "GET /api/v1/organizations": Row(Scope.READ),
    "GET /api/v1/organization": Row(Scope.READ),
    "PATCH /api/v1/organization": Row(Scope.ADMIN),
    "GET /api/v1/organization/history": Row(Scope.ADMIN),
    "GET /api/v1/coordinator": Row(Scope.READ),
    "GET /api/v1/groups": Row(Scope.READ),
    "POST /api/v1/groups": Row(Scope.ADMIN),
    "GET /api/v1/groups/<group_id>": Row(Scope.READ, ("group",)),
    "PATCH /api/v1/groups/<group_id>": Row(Scope.ADMIN, ("group",), {"name": "Ours now"}),
    "DELETE /api/v1/groups/<group_id>": Row(Scope.ADMIN, ("group",)),
    "PUT /api/v1/groups/<group_id>/organizations/<organization_id>": Row(Scope.ADMIN, ("group", "organization"), {}),
    "DELETE /api/v1/groups/<group_id>/organizations/<organization_id>": Row(Scope.ADMIN, ("group", "organization")),
    "GET /api/v1/tokens": Row(Scope.ADMIN),
    "POST /api/v1/tokens": Row(Scope.ADMIN),
    "DELETE /api/v1/tokens/<token_id>": Row(Scope.ADMIN, ("token",)),
    "GET /api/v1/retention": Row(Scope.ADMIN),
    "PUT /api/v1/retention": Row(Scope.ADMIN),
    "GET /api/v1/audit": Row(Scope.ADMIN),
    "GET /api/v1/audit/heads": Row(Scope.READ),
    "POST /api/v1/submissions": Row(Scope.SUBMIT),
    "GET /api/v1/submissions": Row(Scope.SUBMIT),
    "GET /api/v1/submissions/<submission_id>": Row(Scope.SUBMIT, ("submission",)),
    "DELETE /api/v1/submissions/<submission_id>": Row(Scope.SUBMIT, ("submission",)),
    "GET /api/v1/submissions/<submission_id>/content": Row(Scope.SUBMIT, ("submission",)),
    "POST /api/v1/subscriptions": Row(Scope.SUBSCRIPTIONS),
    "GET /api/v1/subscriptions": Row(Scope.SUBSCRIPTIONS),
    "GET /api/v1/subscriptions/<subscription_id>": Row(Scope.SUBSCRIPTIONS, ("subscription",)),
    "PATCH /api/v1/subscriptions/<subscription_id>": Row(Scope.SUBSCRIPTIONS, ("subscription",), {"name": "Ours"}),
    "DELETE /api/v1/subscriptions/<subscription_id>": Row(Scope.SUBSCRIPTIONS, ("subscription",)),
    "GET /api/v1/feeds": Row(Scope.READ),
    "GET /api/v1/feeds/kinds": Row(Scope.READ),
    "POST /api/v1/feeds": Row(Scope.ADMIN),
    "POST /api/v1/feeds/preview": Row(Scope.ADMIN),
    "GET /api/v1/feeds/<feed_id>": Row(Scope.READ, ("feed",)),
    "PATCH /api/v1/feeds/<feed_id>": Row(Scope.ADMIN, ("feed",), {"name": "Ours"}),
    "DELETE /api/v1/feeds/<feed_id>": Row(Scope.ADMIN, ("feed",)),
    "POST /api/v1/feeds/<feed_id>/run": Row(Scope.ADMIN, ("feed",)),
    "GET /api/v1/feeds/<feed_id>/runs": Row(Scope.READ, ("feed",)),
    "GET /api/v1/feeds/<feed_id>/items": Row(Scope.READ, ("feed",)),
    "POST /api/v1/feeds/<feed_id>/push": Row(Scope.SUBMIT, ("feed",), {}),
    "GET /api/v1/deliveries": Row(Scope.SUBSCRIPTIONS),
    "GET /api/v1/deliveries/<delivery_id>": Row(Scope.SUBSCRIPTIONS, ("delivery",)),
    "POST /api/v1/deliveries/<delivery_id>/replay": Row(Scope.SUBSCRIPTIONS, ("delivery",)),
    "GET /taxii2/": Row(Scope.TAXII),
    "GET /taxii2/kentongan/": Row(Scope.TAXII),
    "GET /taxii2/kentongan/status/<status_id>/": Row(Scope.TAXII, ("submission",)),
    "GET /taxii2/kentongan/collections/": Row(Scope.TAXII),
    "GET /taxii2/kentongan/collections/<collection_id>/": Row(Scope.TAXII, ("collection",)),
    "GET /taxii2/kentongan/collections/<collection_id>/manifest/": Row(Scope.TAXII, ("collection",)),
    "GET /taxii2/kentongan/collections/<collection_id>/objects/": Row(Scope.TAXII, ("collection",)),
    "POST /taxii2/kentongan/collections/<collection_id>/objects/": Row(Scope.TAXII, ("collection",), {}),
    "GET /taxii2/kentongan/collections/<collection_id>/objects/<stix_id>/": Row(Scope.TAXII, ("everything", "object")),
    "DELETE /taxii2/kentongan/collections/<collection_id>/objects/<stix_id>/": Row(
        Scope.TAXII, ("everything", "object")
    ),
    "GET /taxii2/kentongan/collections/<collection_id>/objects/<stix_id>/versions/": Row(
        Scope.TAXII, ("everything", "object")
    ),
    "GET /feeds/index.json": Row(Scope.READ),
    "GET /feeds/<path:name>": Row(Scope.READ),
    "GET /feeds/misp/<uuid:event_id>.json": Row(Scope.READ, ("incident",)),
    "GET /feeds/cases/<uuid:case_id>.json": Row(Scope.READ, ("case",)),
    "GET /feeds/campaigns/<uuid:campaign_id>.json": Row(Scope.READ, ("campaign",)),
    "GET /feeds/public/index.json": Row(OPEN),
    "GET /feeds/public/<path:name>": Row(OPEN),
    "GET /feeds/public/misp/<uuid:event_id>.json": Row(OPEN),
    "GET /feeds/public/cases/<uuid:case_id>.json": Row(OPEN),
    "GET /feeds/public/campaigns/<uuid:campaign_id>.json": Row(OPEN),
    "GET /feeds": Row(Scope.READ),
    "GET /incoming": Row(Scope.READ),
    "POST /incoming": Row(Scope.ADMIN),
    "GET /incoming/<public_id>": Row(Scope.READ, ("feed",)),
    "POST /incoming/<public_id>": Row(Scope.ADMIN, ("feed",)),
    "POST /incoming/<public_id>/fetch": Row(Scope.ADMIN, ("feed",)),
    "POST /incoming/<public_id>/remove": Row(Scope.ADMIN, ("feed",)),
    "GET /sign-in": Row(OPEN),
    "POST /sign-in": Row(SIGNING_IN),
    "GET /sign-in/elsewhere": Row(SIGNING_IN),
    "GET /sign-in/elsewhere/return": Row(SIGNING_IN),
    "POST /sign-in/passkey": Row(SIGNING_IN),
    "POST /sign-in/passkey/question": Row(SIGNING_IN),
    "GET /sign-in/second-factor": Row(SIGNING_IN),
    "POST /sign-in/second-factor": Row(SIGNING_IN),
    "POST /sign-out": Row(SIGNING_IN),
    "GET /forgotten": Row(OPEN),
    "POST /forgotten": Row(SIGNING_IN),
    "GET /link/<secret>": Row(SIGNING_IN),
    "POST /link/<secret>": Row(SIGNING_IN),
    "POST /link/<secret>/elsewhere": Row(SIGNING_IN),
    "GET /account": Row(SIGNED_IN),
    "GET /account/second-factor": Row(SIGNED_IN),
    "GET /account/app": Row(SIGNED_IN),
    "GET /account/app.svg": Row(SIGNED_IN),
    "POST /account/app": Row(SIGNED_IN),
    "POST /account/app/code": Row(SIGNED_IN),
    "POST /account/app/remove": Row(SIGNED_IN),
    "POST /account/elsewhere": Row(SIGNED_IN),
    "POST /account/elsewhere/remove": Row(SIGNED_IN),
    "POST /account/passkeys": Row(SIGNED_IN),
    "POST /account/passkeys/question": Row(SIGNED_IN),
    "POST /account/passkeys/<public_id>/remove": Row(SIGNED_IN, ("passkey",)),
    "POST /account/password": Row(SIGNED_IN),
    "POST /account/recovery-codes": Row(SIGNED_IN),
    "POST /account/sessions/<public_id>/end": Row(SIGNED_IN, ("session",)),
    "POST /account/sessions/end-others": Row(SIGNED_IN),
    "GET /": Row(SIGNED_IN),
    "GET /incidents": Row(Scope.READ),
    "GET /incidents/<any_id>": Row(Scope.READ, ("incident",)),
    "GET /incidents/<any_id>/explanation": Row(Scope.READ, ("incident",)),
    "GET /incidents/<any_id>/explanation/<other_id>": Row(Scope.READ, ("incident", "incident")),
    "POST /incidents/<any_id>/decisions": Row(Scope.DECIDE, ("incident",)),
    "POST /decisions/<public_id>/undo": Row(Scope.DECIDE, ("decision",)),
    "GET /matching-report": Row(Scope.READ),
    "GET /cases": Row(Scope.READ),
    "GET /cases/<public_id>": Row(Scope.READ, ("case",)),
    "GET /campaigns": Row(Scope.READ),
    "GET /campaigns/<public_id>": Row(Scope.READ, ("campaign",)),
    "GET /submit": Row(Scope.SUBMIT),
    "POST /submit": Row(Scope.SUBMIT),
    "GET /drafts": Row(Scope.SUBMIT),
    "GET /drafts/<public_id>": Row(Scope.SUBMIT, ("draft",)),
    "POST /drafts/<public_id>/submit": Row(Scope.SUBMIT, ("draft",)),
    "POST /drafts/<public_id>/discard": Row(Scope.SUBMIT, ("draft",)),
    "GET /submissions": Row(Scope.SUBMIT),
    "GET /submissions/<public_id>": Row(Scope.SUBMIT, ("submission",)),
    "GET /submissions/<public_id>/document": Row(Scope.SUBMIT, ("submission",)),
    "GET /submissions/<public_id>/progress": Row(Scope.SUBMIT, ("submission",)),
    "GET /submissions/<public_id>/erase": Row(Scope.SUBMIT, ("submission",)),
    "POST /submissions/<public_id>/erase": Row(Scope.SUBMIT, ("submission",)),
    "GET /subscriptions": Row(Scope.SUBSCRIPTIONS),
    "POST /subscriptions": Row(Scope.SUBSCRIPTIONS),
    "POST /subscriptions/<public_id>/end": Row(Scope.SUBSCRIPTIONS, ("subscription",)),
    "GET /deliveries": Row(Scope.SUBSCRIPTIONS),
    "POST /deliveries/<public_id>/replay": Row(Scope.SUBSCRIPTIONS, ("delivery",)),
    "GET /people": Row(Scope.ADMIN),
    "POST /people": Row(Scope.ADMIN),
    "POST /people/<stix_id>/end": Row(Scope.ADMIN, ("person",)),
    "POST /people/<stix_id>/reset": Row(Scope.ADMIN, ("person",)),
    "POST /people/<stix_id>/roles": Row(Scope.ADMIN, ("person",)),
    "GET /organization": Row(Scope.READ),
    "POST /organization": Row(Scope.ADMIN),
    "GET /organizations": Row(Scope.READ),
    "POST /organizations": Row(Scope.OPERATE),
    "POST /organizations/<stix_id>/end": Row(Scope.OPERATE, ("organization",)),
    "POST /coordinator": Row(SIGNED_IN, ("organization",)),
    "GET /groups": Row(Scope.READ),
    "POST /groups": Row(Scope.ADMIN),
    "GET /groups/<stix_id>": Row(Scope.READ, ("group",)),
    "POST /groups/<stix_id>/end": Row(Scope.ADMIN, ("group",)),
    "POST /groups/<stix_id>/name": Row(Scope.ADMIN, ("group",)),
    "POST /groups/<stix_id>/organizations": Row(Scope.ADMIN, ("group",)),
    "POST /groups/<stix_id>/organizations/<organization_id>/dismiss": Row(Scope.ADMIN, ("group", "organization")),
    "GET /tokens": Row(Scope.ADMIN),
    "POST /tokens": Row(Scope.ADMIN),
    "POST /tokens/<public_id>/revoke": Row(Scope.ADMIN, ("token",)),
    "GET /masking": Row(Scope.ADMIN),
    "POST /masking": Row(Scope.ADMIN),
    "GET /retention": Row(Scope.ADMIN),
    "POST /retention": Row(Scope.ADMIN),
    "GET /audit": Row(Scope.ADMIN),
}

ALSO_FOR_OPERATORS: Final = {door for door in DOORS if door.split()[1].startswith(("/people", "/audit"))}
"""Pages that an operator opens too: organizations without an administrator, and what was administered."""


@dataclass
class Region:
    """LaoCERT's things by name, and who else there is."""

    place: Place
    theirs: dict[str, str]
    others: dict[str, Identity]

    def token(self, who: Identity, scopes: frozenset[Scope]) -> str:
        with self.place.kentongan.database.writing() as session:
            mine = session.get_one(Organization, who.organization_id)
            return Tokens(session, self.place.kentongan.clock, CONSOLE).create(mine, scopes).secret

    def ask(self, door: str, things: dict[str, str], secret: str | None = None) -> TestResponse:
        method, address = door.split(" ")
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return self.place.app.test_client().open(
            filled(address, DOORS[door], things), method=method, headers=headers, json=DOORS[door].body
        )


def filled(address: str, row: Row, things: dict[str, str]) -> str:
    """An address with these things in it; parts that name nobody's thing get that name, or some word."""
    named = iter(row.theirs)
    return re.sub(r"<[^>]+>", lambda _: things.get(name := next(named, ""), name or "something"), address)


@pytest.fixture
def region(database: Database, tmp_path: Path) -> Region:
    kampung = place(database, str(tmp_path))
    with kampung.region() as told:
        laos = told.joins("LaoCERT")
        others = {
            "a member": told.joins("VNCERT"),
            "a subscriber": told.joins("A bank", OrganizationKind.SUBSCRIBER),
            "the coordinator's office": told.joins("The office", OrganizationKind.COORDINATOR),
        }
        session, home = told.session, told.session.get_one(Organization, laos.organization_id)
        hunted, campaign = indicator(marking=Level.RED), told.campaign()
        value = Observable("domain", "hidden.example")
        one, other = (
            told.reports(laos, f"{name} secret", Level.RED, seen=(value,), objects=(hunted,), case=told.case(campaign))
            for name in ("One", "Other")
        )
        told.related(one, other)
        subscription = subscribed(session, home, {"own": True})
        feeds = Feeds(session, lambda: kampung.now, CONSOLE, kampung.kentongan.inbound, kampung.kentongan.seal)
        match(session, one)
        theirs = {
            "incident": one.public_id,
            "case": session.get_one(Case, one.case_id).public_id,
            "campaign": session.get_one(Campaign, campaign.id).public_id,
            "object": hunted["id"],
            "collection": own_id(laos, CollectionKind.EVERYTHING),
            "decision": told.decides(laos, one, other, "apart").public_id,
            "submission": session.get_one(Submission, one.submission_id).public_id,
            "subscription": subscription.public_id,
            "delivery": session.scalars(select(Delivery.public_id).limit(1)).one(),
            "draft": Drafts(session, lambda: kampung.now).put(laos, "mail", as_bytes(bundle(incident("Quiet"))), "Noy"),
            "feed": feeds.add(home, FeedWish("partner", "stix", "https://partner.example/feed.json")).id,
            "group": group_of(session, "Quiet", home).stix_id,
            "organization": home.stix_id,
            "token": Tokens(session, lambda: kampung.now, CONSOLE).create(home, OF_TOKENS).token.id,
            "person": somebody(session, "Noy", home, Role.ADMINISTRATOR).stix_id,
        }
    return Region(kampung, theirs, others)


def never_there(theirs: dict[str, str]) -> dict[str, str]:
    """Ids of the same form, of nothing."""
    return {name: re.sub(r"[0-9a-f-]{36}$", str(uuid4()), thing) for name, thing in theirs.items()}


def of_api(*, scoped: bool = True) -> Iterator[tuple[str, Row]]:
    """Those of the doors for programs."""
    for_programs = ((door, row) for door, row in DOORS.items() if any(each in door for each in (API, TAXII, FEEDS)))
    return ((door, row) for door, row in for_programs if isinstance(row.who, Scope) == scoped)


def of_portal() -> Iterator[tuple[str, Row]]:
    return (
        (door, row)
        for door, row in DOORS.items()
        if not any(each in door for each in (API, TAXII, FEEDS)) and row.who not in (OPEN, OPERATIONS)
    )


def test_every_address_has_a_row_and_every_row_an_address(region: Region) -> None:
    addresses = {
        f"{method} {rule.rule}"
        for rule in region.place.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert addresses == set(DOORS)


def test_without_a_token_the_api_is_closed(region: Region) -> None:
    answers = {door: region.ask(door, region.theirs).status_code for door, _ in of_api()}

    assert answers == dict.fromkeys(answers, 401)


def test_a_token_opens_only_what_its_scopes_are_for(region: Region) -> None:
    member = region.others["a member"]
    without = {scope: region.token(member, OF_TOKENS - {scope}) for scope in OF_TOKENS}

    answers = {door: region.ask(door, region.theirs, without[Scope(row.who)]).status_code for door, row in of_api()}

    assert answers == dict.fromkeys(answers, 403)


@pytest.mark.parametrize("who", ["a member", "a subscriber", "the coordinator's office"])
def test_over_the_api_anothers_things_are_as_if_they_never_were(region: Region, who: str) -> None:
    secret, unknown = region.token(region.others[who], OF_TOKENS), never_there(region.theirs)

    for door, row in of_api():
        if row.theirs:
            hidden, missing = (region.ask(door, things, secret) for things in (region.theirs, unknown))
            assert hidden.status_code == 404, (door, hidden.text)
            assert (hidden.data, list(hidden.headers)) == (missing.data, list(missing.headers)), door


def test_no_header_says_who_asks(region: Region) -> None:
    secret = region.token(region.others["a subscriber"], OF_TOKENS)
    claims = {
        **dict.fromkeys(("X-Organization", "X-Remote-User", "X-Forwarded-User", "Remote-User"), "LaoCERT"),
        **dict.fromkeys(("X-Original-URL", "X-Rewrite-URL"), "/healthz"),
        "X-HTTP-Method-Override": "DELETE",
        "X-Forwarded-For": "127.0.0.1",
        "Forwarded": "for=127.0.0.1;host=elsewhere.example",
    }
    client, address = region.place.app.test_client(), f"{API}/incidents/{region.theirs['incident']}"

    shown = client.get(address, headers={"Authorization": f"Bearer {secret}", **claims})

    assert (shown.status_code, client.get(address, headers=claims).status_code) == (404, 401)


def test_nothing_of_it_was_changed_by_asking(region: Region) -> None:
    for who in region.others.values():
        secret = region.token(who, OF_TOKENS)
        for door, row in of_api():
            if row.theirs:
                region.ask(door, region.theirs, secret)

    with region.place.kentongan.database.reading() as session:
        assert len(session.scalars(select(Incident)).all()) == 2
        assert len(session.scalars(select(Submission)).all()) == 2


def test_who_has_not_signed_in_is_led_to_the_sign_in(region: Region) -> None:
    for door, row in of_portal():
        if row.who == SIGNING_IN:
            continue
        answer = region.ask(door, region.theirs)
        led = answer.status_code in (302, 303) and answer.location.startswith("/sign-in")
        assert led or answer.status_code == 400, (door, answer.status_code)


@pytest.mark.parametrize("role", Role)
def test_a_role_opens_its_pages_and_no_others(region: Region, role: Role) -> None:
    # The role of coordinator counts where the region is coordinated, and nowhere else.
    home = "the coordinator's office" if role is Role.COORDINATOR else "a member"
    visitor = region.place.signed_in(region.others[home], role)
    opens = OF_ROLE[role]

    for door, row in of_portal():
        if isinstance(row.who, Scope) and door.startswith("GET"):
            answer = visitor.get(filled(door.split()[1], row, region.theirs))
            may = row.who in opens or (role is Role.OPERATOR and door in ALSO_FOR_OPERATORS)
            expected = (404 if row.theirs else 200) if may else 403
            assert answer.status_code == expected, (door, answer.status_code)


def test_a_coordinators_role_opens_nothing_where_nothing_is_coordinated(region: Region) -> None:
    visitor = region.place.signed_in(region.others["a member"], Role.COORDINATOR)

    assert [visitor.get(address).status_code for address in ("/incidents", "/cases", "/subscriptions")] == [403] * 3


def test_in_the_portal_anothers_things_are_as_if_they_never_were(region: Region) -> None:
    visitor = region.place.signed_in(region.others["a member"], Role.ANALYST, Role.ADMINISTRATOR)
    unknown = never_there(region.theirs)

    for door, row in of_portal():
        if row.who is not Scope.OPERATE and row.theirs and set(row.theirs) <= region.theirs.keys():
            hidden, missing = (opened(visitor, door, row, things) for things in (region.theirs, unknown))
            assert hidden.status_code == 404, (door, hidden.status_code)
            assert plain(hidden) == plain(missing), door


def opened(visitor: Visitor, door: str, row: Row, things: dict[str, str]) -> TestResponse:
    method, address = door.split()
    address = filled(address, row, things)
    return visitor.get(address) if method == "GET" else visitor.send(address, form_page="/account", roles="analyst")


def plain(answer: TestResponse) -> str:
    """A page without what differs from visit to visit."""
    return re.sub(r'name="csrf_token" value="[^"]+"', "", answer.text)
