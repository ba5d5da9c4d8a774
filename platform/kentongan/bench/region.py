"""Many incidents of eleven members, marked in every way there is: what the sharing policy has to choose from."""

# ruff: noqa: S608  # every statement is made of our own words and bound numbers

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle, islice

from sqlalchemy import text
from sqlalchemy.orm import Session

from kentongan.bench.growth import Store
from kentongan.domain.identity import Identity, OrganizationKind, Scope, at_the_console
from kentongan.domain.marking import Level
from kentongan.domain.policy import Audience
from kentongan.services.organizations import Organizations
from kentongan.storage.groups import GroupMember, SharingGroup
from kentongan.storage.organizations import Organization
from kentongan.storage.visibility import audience_id

_COUNTRIES = ("BN", "KH", "ID", "LA", "MY", "MM", "PH", "SG", "TH", "VN", "TL")
_TEMPLATES = 2_000
_CASES_OF_A_CAMPAIGN = 4
_CAMPAIGN_EVERY = 40


@dataclass(frozen=True, slots=True)
class Filled:
    """Who reads, and a value that many incidents carry."""

    member: Identity
    subscriber: Identity
    popular: str


def fill(store: Store, incidents: int) -> Filled:
    """Store so many incidents, of eleven members in turn, over all markings, in cases and campaigns."""
    store.add(min(_TEMPLATES, incidents))
    store.fill_up_to(incidents)
    with store.database.writing() as session:
        organizations = Organizations(session, lambda: datetime.now(UTC), at_the_console("benchmark"))
        members = [organizations.add(f"CERT-{code}", OrganizationKind.MEMBER, code) for code in _COUNTRIES]
        subscriber = organizations.add("A bank", OrganizationKind.SUBSCRIBER, "ID")
        audiences = [audience_id(session, each) for each in _audiences(session, members, subscriber)]
        _mark(session, [organization.id for organization in members], audiences)
        _tie(session)
        scopes = frozenset(Scope)
        filled = Filled(members[0].identity(scopes), subscriber.identity(scopes), store.popular)
    with store.database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("ANALYZE")
    return filled


def _audiences(session: Session, members: Sequence[Organization], subscriber: Organization) -> Iterator[Audience]:
    """Every second thing is for a group or for some; the eleven members in turn, so that place tells the owner."""
    group = SharingGroup(name="Banks", owner_id=members[0].id, created_at=datetime.now(UTC))
    session.add(group)
    session.flush()
    session.add_all(
        GroupMember(group_id=group.id, organization_id=each.id, strictest=int(Level.RED)) for each in members[:6]
    )
    session.add(GroupMember(group_id=group.id, organization_id=subscriber.id, strictest=int(Level.AMBER)))
    session.flush()
    some, teams = frozenset({group.id}), frozenset({members[1].id, members[2].id})
    markings = [
        *((level, frozenset[int](), frozenset[int]()) for level in Level),
        (Level.AMBER, some, frozenset[int]()),
        (Level.AMBER_STRICT, some, frozenset[int]()),
        (Level.RED, frozenset[int](), teams),
    ]
    for level, groups, recipients in markings:
        for member in members:
            yield Audience(member.id, level, groups, recipients)


def _mark(session: Session, members: Sequence[int], audiences: Sequence[int]) -> None:
    """Spread incidents and what hangs on them over members and audiences, by their numbers; each received a second later."""
    session.execute(text("CREATE TEMPORARY TABLE dealt (place INTEGER PRIMARY KEY, owner BIGINT, audience BIGINT)"))
    rows = zip(range(len(audiences)), islice(cycle(members), len(audiences)), audiences, strict=True)
    insert = text("INSERT INTO dealt VALUES (:place, :owner, :audience)")
    session.execute(insert, [{"place": place, "owner": owner, "audience": number} for place, owner, number in rows])
    place = f"(SELECT {{column}} FROM dealt WHERE place = {{number}} * 7 % {len(audiences)})"
    owner, audience = (place.format(column=column, number="incident.id") for column in ("owner", "audience"))
    for statement in (
        f"UPDATE incident SET organization_id = {owner}, audience_id = {audience}, "
        "received_at = received_at + id * 1000000, amended_at = amended_at + id * 1000000",
        "UPDATE posting SET audience_id = " + place.format(column="audience", number="posting.incident_id"),
        "UPDATE incident_tag SET audience_id = " + place.format(column="audience", number="incident_tag.incident_id"),
        "DELETE FROM object_carrier WHERE object_id IN (SELECT object_id FROM incident)",
        "INSERT INTO object_carrier (object_id, audience_id) SELECT object_id, audience_id FROM incident",
        "UPDATE stix_object SET owner_id = (SELECT organization_id FROM incident WHERE object_id = stix_object.id) "
        "WHERE id IN (SELECT object_id FROM incident)",
        "DROP TABLE dealt",
    ):
        session.execute(text(statement))


def _tie(session: Session) -> None:
    """Some cases in a row are a campaign, each tied to the next; the reason of the tie is for everybody who sees both."""
    numbered = (
        "SELECT i.id AS incident, i.case_id AS number, row_number() OVER (ORDER BY i.case_id) - 1 AS place FROM incident i "
        "WHERE i.id = (SELECT min(o.id) FROM incident o WHERE o.case_id = i.case_id)"
    )
    session.execute(text(f"CREATE TEMPORARY TABLE placed AS {numbered}"))
    session.execute(text("CREATE INDEX placed_number ON placed (number)"))
    session.execute(text("CREATE INDEX placed_place ON placed (place)"))
    in_campaign = f"place % {_CAMPAIGN_EVERY} < {_CASES_OF_A_CAMPAIGN}"
    campaign = f"(1000000 + place / {_CAMPAIGN_EVERY})"
    evidence = '[{"rule":"shared-value","words":"the same host","weight":1.0,"audiences":[]}]'
    for statement in (
        "INSERT INTO campaign (id, public_id, opened_at) SELECT DISTINCT "
        f"{campaign}, '00000000-0000-4000-8000-' || substr(CAST(1000000000000 + {campaign} AS TEXT), 2), 0 "
        f"FROM placed WHERE {in_campaign}",
        f"UPDATE incident_case SET campaign_id = (SELECT {campaign} FROM placed WHERE number = incident_case.id) "
        f"WHERE id IN (SELECT number FROM placed WHERE {in_campaign})",
        "DELETE FROM link",
        "INSERT INTO link (kind, left_id, right_id, score, bits, evidence, found_at) "
        "SELECT 'related-to', a.incident, b.incident, 1, 9, "
        f":evidence, 0 FROM placed a JOIN placed b ON b.place = a.place + 1 "
        f"WHERE a.place % {_CAMPAIGN_EVERY} < {_CASES_OF_A_CAMPAIGN - 1}",
        "DROP TABLE placed",
    ):
        session.execute(text(statement), {"evidence": evidence} if ":evidence" in statement else {})
