"""Organizations, their tokens, groups and the coordinator's role: who may change what, and what is entered into the trail."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from threading import Thread
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from kentongan.domain.audit import read_details
from kentongan.domain.identity import Identity, OrganizationKind, Role, Scope, at_the_console
from kentongan.domain.marking import Level
from kentongan.domain.permissions import OF_TOKENS, may_administer, scopes_of
from kentongan.services.coordination import Coordination
from kentongan.services.errors import NotFound, Refused
from kentongan.services.groups import Groups
from kentongan.services.organizations import Organizations, WrongValue
from kentongan.services.tokens import SignIn, Tokens
from kentongan.storage.audit import AuditEntry
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from kentongan.storage.organizations import Organization, Token
from kentongan.storage.visibility import visible
from pgp_keys import ED25519, ED25519_FINGERPRINT
from reading_stories import Region
from stories import CONSOLE, NOON, organization, person, sharing_marking

SUBSCRIBER = OrganizationKind.SUBSCRIBER


def clock(**later: float) -> datetime:
    return NOON + timedelta(**later)


def now() -> datetime:
    return NOON


def administrator(of: Organization) -> Identity:
    return replace(of.identity(frozenset({Scope.READ, Scope.ADMIN})), roles=frozenset({Role.ADMINISTRATOR}))


def operator(of: Organization) -> Identity:
    return replace(of.identity(frozenset({Scope.READ, Scope.OPERATE})), roles=frozenset({Role.OPERATOR}))


def test_a_member_vouches_for_a_subscriber_and_for_nobody_else(database: Database) -> None:
    with database.writing() as session:
        organizations = Organizations(session, now, CONSOLE)
        indonesia = organizations.add("CERT-ID", OrganizationKind.MEMBER, "id")
        bank = organizations.add("Bank Nusantara", SUBSCRIBER, "ID", indonesia)

        with pytest.raises(Refused):
            organizations.add("Another bank", SUBSCRIBER, "ID", bank)
        with pytest.raises(Refused):
            organizations.add("CERT-MY", OrganizationKind.MEMBER, "MY", indonesia)

        assert organizations.profile(bank).organization.vouched_by == "CERT-ID"
        assert indonesia.country == "ID"


def test_of_two_who_add_one_name_at_the_same_moment_one_is_refused(postgres_database: Database) -> None:
    refused: list[Refused] = []

    def add_too() -> None:
        try:
            with postgres_database.writing() as session:
                Organizations(session, now, CONSOLE).add("cert-id", OrganizationKind.MEMBER)
        except Refused as error:
            refused.append(error)

    other = Thread(target=add_too)
    with postgres_database.writing() as session:
        Organizations(session, now, CONSOLE).add("CERT-ID", OrganizationKind.MEMBER)
        other.start()
        end = monotonic() + 20
        while not session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            assert monotonic() < end, "the other one does not wait for this one"
    other.join(20)

    assert [str(error) for error in refused] == ["an organization named 'cert-id' is already there"]
    with postgres_database.reading() as session:
        assert session.scalars(select(Organization.name)).all() == ["CERT-ID"]


def test_two_names_never_differ_by_case_alone_whoever_adds_them(database: Database) -> None:
    with database.writing() as session:
        Organizations(session, now, CONSOLE).add("Straße CERT", OrganizationKind.MEMBER)
        with pytest.raises(Refused):
            Organizations(session, now, CONSOLE).add("STRASSE cert", OrganizationKind.MEMBER)

    with pytest.raises(IntegrityError), database.writing() as session:
        organization(session, "STRASSE CERT")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("time-zone", "Asia/Jakarta", "Jakarta"),
        ("languages", "id, en", "Bahasa Indonesia!"),
        ("phone", "+62 21 555 0100", "call us"),
        ("pgp-key", ED25519, "-----BEGIN PGP PRIVATE KEY BLOCK-----"),
        ("host-agency", "Badan Siber dan Sandi Negara", "a\x07b"),
        ("contact-address", "Jl. Harsono 70\nJakarta", ""),
    ],
)
def test_what_an_organization_tells_is_checked_and_dated(database: Database, name: str, good: str, bad: str) -> None:
    with database.writing() as session:
        mine = organization(session, "CERT-ID")
        organizations = Organizations(session, now, administrator(mine))

        organizations.tell(mine, name, good, clock(days=300))
        with pytest.raises(WrongValue):
            organizations.tell(mine, name, bad)

        (told,) = organizations.profile(mine).attributes
        assert (told.name, told.value, told.valid_from, told.expires_at) == (name, good, NOON, clock(days=300))

        assert told.fingerprint == (ED25519_FINGERPRINT if name == "pgp-key" else None)

        organizations.tell(mine, name, None)
        assert organizations.profile(mine).attributes == ()


def test_what_an_organization_told_before_stays_with_who_said_it_and_until_when(database: Database) -> None:
    with database.writing() as session:
        mine, other = organization(session, "CERT-ID"), organization(session, "CERT-PH")
        siti = replace(administrator(mine), name="Siti")

        Organizations(session, now, siti).tell(mine, "time-zone", "Asia/Jakarta")
        Organizations(session, lambda: clock(days=9), CONSOLE).tell(mine, "time-zone", "Asia/Makassar")
        Organizations(session, now, siti).tell(mine, "languages", "id, en")

        told = Organizations(session, now, siti).history(mine)
        assert [(each.value, each.valid_from, each.until, each.set_by) for each in told] == [
            ("id, en", NOON, None, "Siti of CERT-ID"),
            ("Asia/Makassar", clock(days=9), None, "root of operator"),
            ("Asia/Jakarta", NOON, clock(days=9), "Siti of CERT-ID"),
        ]
        with pytest.raises(NotFound):
            Organizations(session, now, administrator(other)).history(mine)


def test_who_left_vouches_for_nobody_and_leaving_twice_is_entered_once(database: Database) -> None:
    with database.writing() as session:
        organizations = Organizations(session, now, CONSOLE)
        indonesia = organizations.add("CERT-ID", OrganizationKind.MEMBER)
        organizations.end(indonesia)
        organizations.end(indonesia)

        with pytest.raises(Refused):
            organizations.add("Bank Nusantara", SUBSCRIBER, "ID", indonesia)
        with pytest.raises(NotFound):
            organizations.with_stix_id(f"identity--{uuid4()}")
        assert organizations.with_stix_id(indonesia.stix_id) is indonesia

    with database.reading() as session:
        acts = session.scalars(select(AuditEntry.act).order_by(AuditEntry.number)).all()
    assert acts == ["added", "ended"]


def test_an_administrator_changes_the_own_organization_only_and_an_operator_one_that_has_none(
    database: Database,
) -> None:
    with database.writing() as session:
        mine, other, host = (organization(session, name) for name in ("CERT-ID", "CERT-PH", "Host"))
        person(session, "Siti", mine, Role.ADMINISTRATOR)

        Organizations(session, now, administrator(mine)).tell(mine, "time-zone", "Asia/Jakarta")
        Organizations(session, now, operator(host)).tell(other, "time-zone", "Asia/Manila")
        for who, whose in ((administrator(mine), other), (operator(host), mine)):
            with pytest.raises(NotFound):
                Organizations(session, now, who).tell(whose, "phone", "+63 2 555 0100")
            with pytest.raises(NotFound):
                Tokens(session, now, who).create(whose, frozenset({Scope.READ}))
        with pytest.raises(NotFound):
            Organizations(session, now, administrator(mine)).add("CERT-XX", OrganizationKind.MEMBER)


def test_a_role_gives_its_scopes_and_the_coordinators_only_while_one_coordinates() -> None:
    roles = [Role.COORDINATOR, Role.SUBSCRIBER]

    assert Scope.COORDINATE in scopes_of(roles, coordinates=True)
    assert scopes_of(roles, coordinates=False) == frozenset({Scope.READ, Scope.SUBSCRIPTIONS})
    assert may_administer(at_the_console("root"), 7, administered=True)


def test_a_token_opens_until_it_expires_is_revoked_or_its_organization_leaves(database: Database) -> None:
    with database.writing() as session:
        mine = organization(session, "CERT-ID")
        tokens = Tokens(session, now, CONSOLE)
        short, ended, plain = (
            tokens.create(mine, frozenset({Scope.READ}), expires_at=at) for at in (clock(hours=1), None, None)
        )
        tokens.revoke(mine, ended.token.id)

        def opens(secret: str, at: datetime = NOON) -> bool:
            return SignIn(session.connection(), lambda: at).identity(secret, "192.0.2.1") is not None

        assert [opens(each.secret) for each in (short, ended, plain)] == [True, False, True]
        assert not opens(short.secret, clock(hours=1))
        assert not opens(plain.secret[:-1])
        Organizations(session, now, CONSOLE).end(mine)
        assert not opens(plain.secret)


@pytest.mark.parametrize(
    ("address", "opens"),
    [("192.0.2.77", True), ("::ffff:192.0.2.77", True), ("2001:db8::1", True), ("198.51.100.1", False), ("", False)],
)
def test_a_token_is_bound_to_networks(database: Database, address: str, opens: bool) -> None:
    with database.writing() as session:
        mine = organization(session, "CERT-ID")
        made = Tokens(session, now, CONSOLE).create(
            mine, frozenset({Scope.READ}), networks=["192.0.2.0/24", "2001:db8::/32"]
        )

        assert (SignIn(session.connection(), now).identity(made.secret, address) is not None) == opens


def test_a_tokens_use_is_noted_once_a_minute(database: Database) -> None:
    with database.writing() as session:
        made = Tokens(session, now, CONSOLE).create(organization(session, "CERT-ID"), frozenset({Scope.READ}))

        def used(at: datetime) -> bool:
            sign_in = SignIn(session.connection(), lambda: at)
            found = sign_in.identity(made.secret, "192.0.2.1")
            assert found is not None
            if found[1]:
                sign_in.used(found[0])
                session.expire_all()
            return found[1]

        assert [used(clock(seconds=seconds)) for seconds in (0, 30, 60, 90)] == [True, False, True, False]
        assert session.scalars(select(Token.last_used_at)).one() == clock(seconds=60)


def test_a_token_makes_none_that_may_more_than_itself(database: Database) -> None:
    with database.writing() as session:
        mine = organization(session, "CERT-ID")
        made = Tokens(session, now, CONSOLE).create(mine, frozenset({Scope.ADMIN, Scope.READ}), read_only=True)
        found = SignIn(session.connection(), now).identity(made.secret, "192.0.2.1")
        assert found is not None

        second = Tokens(session, now, found[0]).create(mine, frozenset({Scope.READ}))
        with pytest.raises(Refused):
            Tokens(session, now, found[0]).create(mine, frozenset({Scope.SUBMIT}))

        assert second.token.read_only


@pytest.mark.parametrize(
    ("wish", "made"),
    [
        ({"expires_at": clock(days=30), "networks": ["192.0.2.0/25"]}, True),
        ({"expires_at": clock(days=1), "networks": ["192.0.2.7/32", "2001:db8::/48"]}, True),
        ({"networks": ["192.0.2.0/25"]}, False),
        ({"expires_at": clock(days=31), "networks": ["192.0.2.0/25"]}, False),
        ({"expires_at": clock(days=1)}, False),
        ({"expires_at": clock(days=1), "networks": ["192.0.2.0/25", "198.51.100.0/24"]}, False),
        ({"expires_at": clock(days=1), "networks": ["192.0.0.0/16"]}, False),
    ],
)
def test_a_token_makes_none_that_outlives_it_or_opens_from_elsewhere(
    database: Database, wish: dict[str, Any], made: bool
) -> None:
    with database.writing() as session:
        mine = organization(session, "CERT-ID")
        bounds: dict[str, Any] = {"expires_at": clock(days=30), "networks": ["192.0.2.0/24", "2001:db8::/32"]}
        first = Tokens(session, now, CONSOLE).create(mine, frozenset({Scope.ADMIN}), **bounds)
        found = SignIn(session.connection(), now).identity(first.secret, "192.0.2.1")
        assert found is not None

        tokens = Tokens(session, now, found[0])

        if made:
            assert tokens.create(mine, frozenset({Scope.ADMIN}), **wish).token.networks == tuple(wish["networks"])
        else:
            with pytest.raises(Refused, match=r"outlives it|other networks"):
                tokens.create(mine, frozenset({Scope.ADMIN}), **wish)


@pytest.mark.parametrize("scope", sorted(frozenset(Scope) - OF_TOKENS))
def test_no_token_runs_the_platform_or_coordinates(database: Database, scope: Scope) -> None:
    with database.writing() as session, pytest.raises(Refused):
        Tokens(session, now, CONSOLE).create(organization(session, "CERT-ID"), frozenset({scope}))


def test_only_a_member_founds_groups_and_only_its_administrators_change_them(database: Database) -> None:
    with database.writing() as session:
        mine, other, bank, stranger = (
            organization(session, "CERT-ID"),
            organization(session, "CERT-PH"),
            organization(session, "Bank", kind=SUBSCRIBER),
            organization(session, "CERT-VN"),
        )
        groups = Groups(session, now, administrator(mine))
        made = groups.create(mine, "Banks")
        groups.admit(made.id, other)
        view = groups.admit(made.id, bank, Level.AMBER)

        assert [(each.name, each.constituent, each.strictest) for each in view.organizations] == [
            ("Bank", True, "TLP:AMBER"),
            ("CERT-ID", False, "TLP:RED"),
            ("CERT-PH", False, "TLP:RED"),
        ]
        assert Groups(session, now, administrator(other)).group(made.id) == view
        with pytest.raises(Refused):
            Groups(session, now, administrator(bank)).create(bank, "Our own")
        with pytest.raises(NotFound):
            Groups(session, now, administrator(other)).admit(made.id, stranger)
        with pytest.raises(NotFound):
            Groups(session, now, administrator(stranger)).group(made.id)
        assert Groups(session, now, administrator(stranger)).all() == ()


def test_a_name_tells_nobody_that_another_members_group_is_there(database: Database) -> None:
    with database.writing() as session:
        mine, other = organization(session, "CERT-ID"), organization(session, "CERT-PH")
        first = Groups(session, now, administrator(mine)).create(mine, "Operation Garuda")

        second = Groups(session, now, administrator(other)).create(other, "Operation Garuda")
        with pytest.raises(Refused):
            Groups(session, now, administrator(mine)).create(mine, "Operation Garuda")
        again = Groups(session, now, administrator(mine)).rename(first.id, "Operation Garuda")

        assert again == first
        assert second.id != first.id
        assert Groups(session, now, administrator(mine)).all() == (first,)


def test_a_change_of_a_group_takes_effect_at_once_for_what_was_shared_before(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        jakarta, manila, bank = region.joins("CERT-ID"), region.joins("CERT-PH"), region.joins("A bank", SUBSCRIBER)
        owner, member, listener = (
            session.get_one(Organization, one.organization_id) for one in (jakarta, manila, bank)
        )
        groups = Groups(session, now, administrator(owner))
        group = groups.create(owner, "Banks").id
        region.reports(jakarta, "Skimming", sharing_marking(level=Level.AMBER_STRICT, groups=[group]))

        def reads(who: Identity) -> bool:
            return bool(
                session.scalars(select(Incident).where(visible(session, Incident.audience_id, who))).unique().all()
            )

        assert [reads(jakarta), reads(manila), reads(bank)] == [True, False, False]
        groups.admit(group, member)
        groups.admit(group, listener)
        assert [reads(manila), reads(bank)] == [True, False]  # STRICT leaves out who is no member CERT
        groups.admit(group, member, Level.AMBER)
        assert not reads(manila)
        groups.admit(group, member)
        assert reads(manila)
        groups.dismiss(group, member)
        assert not reads(manila)
        groups.admit(group, member)
        groups.end(group)
        assert [reads(jakarta), reads(manila)] == [True, False]


def test_an_ended_group_is_known_to_its_owner_alone_and_stays_as_it_was(database: Database) -> None:
    with database.writing() as session:
        mine, other = organization(session, "CERT-ID"), organization(session, "CERT-PH")
        groups = Groups(session, now, administrator(mine))
        made = groups.create(mine, "Banks")
        groups.admit(made.id, other)
        with pytest.raises(Refused):
            groups.dismiss(made.id, mine)

        groups.end(made.id)

        assert [each.ended for each in groups.all()] == [True]
        assert Groups(session, now, administrator(other)).all() == ()
        with pytest.raises(NotFound):
            groups.admit(made.id, other)


def test_the_coordinators_role_is_handed_over_from_a_day_on(database: Database) -> None:
    with database.writing() as session:
        office = organization(session, "The office", kind=OrganizationKind.COORDINATOR)
        malaysia, bank = organization(session, "CERT-MY"), organization(session, "Bank", kind=SUBSCRIBER)
        begins = clock(days=30)

        def told(at: datetime) -> tuple[str | None, str | None]:
            found = Coordination(session, lambda: at, CONSOLE).now()
            return found.organization, found.next

        coordinator = replace(office.identity(frozenset({Scope.COORDINATE})), roles=frozenset({Role.COORDINATOR}))
        Coordination(session, now, coordinator).hand_over(malaysia, begins)

        assert told(NOON) == ("The office", "CERT-MY")
        assert told(begins) == ("CERT-MY", None)
        with pytest.raises(NotFound):
            Coordination(session, lambda: begins, coordinator).hand_over(office, clock(days=60))
        with pytest.raises(Refused):
            Coordination(session, now, CONSOLE).hand_over(bank, begins)
        with pytest.raises(Refused):
            Coordination(session, now, CONSOLE).hand_over(malaysia, clock(days=-1))


def test_every_administrative_act_is_entered_once(database: Database) -> None:
    with database.writing() as session:
        console = at_the_console("root")
        mine = Organizations(session, now, console).add("CERT-ID", OrganizationKind.MEMBER)
        Organizations(session, now, console).tell(mine, "time-zone", "Asia/Jakarta")
        made = Tokens(session, now, console).create(mine, frozenset({Scope.READ}))
        Tokens(session, now, console).revoke(mine, made.token.id)
        group = Groups(session, now, console).create(mine, "Banks")
        Groups(session, now, console).rename(group.id, "All banks")
        Coordination(session, now, console).hand_over(mine, NOON)

    assert _entered(database) == [
        ("added", "organization CERT-ID"),
        ("changed", "organization CERT-ID"),
        ("added", f"token {made.token.id}"),
        ("ended", f"token {made.token.id}"),
        ("added", "sharing group Banks"),
        ("changed", "sharing group All banks"),
        ("changed", "coordinator's role"),
    ]


def _entered(database: Database) -> list[tuple[str, str]]:
    def rows(session: Session) -> list[AuditEntry]:
        return list(session.scalars(select(AuditEntry).order_by(AuditEntry.number)))

    with database.reading() as session:
        entries = rows(session)
    who = {(told.name, told.address) for told in (read_details(entry.details or "") for entry in entries)}
    assert who == {("root", "command line")}
    return [(entry.act, entry.subject) for entry in entries]
