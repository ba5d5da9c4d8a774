"""People are invited, take up their accounts, change, and leave; who may not look after them knows nothing of them."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from kentongan.domain.accounts import Purpose, Standing
from kentongan.domain.identity import Identity, OrganizationKind, Role, Scope
from kentongan.domain.oidc import Subject
from kentongan.services.errors import NotFound, Refused
from kentongan.services.foreign_accounts import ForeignAccounts
from kentongan.services.letters import NewLink, letter
from kentongan.services.own_password import OwnPassword
from kentongan.services.people import People
from kentongan.services.person_links import PersonLinks
from kentongan.services.person_sessions import Opened, PersonSessions
from kentongan.storage.database import Database
from kentongan.storage.organizations import organization_named
from kentongan.storage.person_links import PersonLink
from people_stories import CONSOLE, HOME, Desk
from portal_stories import PASSWORD, QUICK_HASH

SITI = "siti@cert.example"
HOUR = timedelta(hours=1)


@pytest.fixture
def desk(database: Database) -> Desk:
    """Two members; in the first an analyst."""
    made = Desk(database)
    made.joins("CERT-ID")
    made.joins("CERT-VN")
    made.person("CERT-ID", SITI)
    return made


def invited(desk: Desk, email: str = "new@cert.example", *roles: Role) -> NewLink:
    with desk.database.writing() as session:
        belongs = organization_named(session, "CERT-ID")
        assert belongs is not None
        return People(session, desk.clock).invite(
            CONSOLE, belongs, email=email, name="Adi", roles=roles or (Role.ANALYST,)
        )


def accepts(desk: Desk, link: NewLink) -> Opened:
    with desk.database.writing() as session:
        return PersonLinks(session, desk.clock).choose_password(link.secret, QUICK_HASH, HOME)


def who(desk: Desk, email: str) -> Identity:
    """Somebody, wholly signed in."""
    present = desk.present(desk.signs_in(email))
    return (
        present.identity
        if present.standing is Standing.WHOLE
        else desk.present(desk.enrols_app(present)[1].opened).identity
    )


def test_an_invitation_is_taken_up_once(desk: Desk) -> None:
    link = invited(desk)
    assert desk.signs_in(link.email) is None

    opened = accepts(desk, link)

    assert desk.present(opened).email == "new@cert.example"
    assert desk.signs_in(link.email) is not None
    with pytest.raises(NotFound):
        accepts(desk, link)


def test_of_two_who_follow_one_link_at_once_one_gets_in(desk: Desk) -> None:
    link, together, outcomes = invited(desk), threading.Barrier(4), []

    def follow() -> None:
        together.wait(30)
        try:
            accepts(desk, link)
            outcomes.append(True)
        except NotFound:
            outcomes.append(False)

    threads = [threading.Thread(target=follow) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(outcomes) == [False, False, False, True]


def test_an_invitation_ends_after_a_week(desk: Desk) -> None:
    link = invited(desk)
    desk.now += timedelta(days=7)

    with pytest.raises(NotFound):
        accepts(desk, link)


def test_a_new_link_ends_the_one_before(desk: Desk) -> None:
    first = invited(desk)
    with desk.database.writing() as session:
        people = People(session, desk.clock)
        second = people.reset(CONSOLE, people.named(CONSOLE, first.email))

    with pytest.raises(NotFound):
        accepts(desk, first)
    assert accepts(desk, second)


def test_of_a_link_only_the_hash_is_kept_and_the_letter_carries_it(desk: Desk) -> None:
    link = invited(desk)
    written = letter(link, "https://kentongan.example/")

    with desk.database.reading() as session:
        row = session.query(PersonLink).one()
    assert link.secret.encode() not in row.digest
    assert f"\nhttps://kentongan.example/link/{link.secret}\n" in written.text
    assert written.to == "new@cert.example"
    assert link.secret not in written.subject
    assert link.secret not in repr(link) + repr(written)


def test_a_name_with_line_breaks_starts_no_new_line_in_a_letter() -> None:
    from stories import NOON  # noqa: PLC0415

    link = NewLink("a@b.example", "Adi\n\nhttps://evil.example", "CERT\nID", Purpose.JOIN, NOON, "secret")

    assert "\nhttps://evil.example" not in letter(link, "https://kentongan.example").text


def test_a_forgotten_password_gets_a_link_for_an_hour_that_ends_every_session(desk: Desk) -> None:
    before = desk.signs_in(SITI)
    assert before is not None
    with desk.database.writing() as session:
        asked = PersonLinks(session, desk.clock).forgotten(" SITI@cert.example", HOME)
    assert asked.link is not None

    desk.now += HOUR - timedelta(seconds=1)
    opened = accepts(desk, asked.link)

    assert desk.is_present(opened)
    assert not desk.is_present(before)


def test_an_expired_link_to_a_new_password_opens_nothing(desk: Desk) -> None:
    with desk.database.writing() as session:
        asked = PersonLinks(session, desk.clock).forgotten(SITI, HOME)
    assert asked.link is not None
    desk.now += HOUR

    with pytest.raises(NotFound):
        accepts(desk, asked.link)


@pytest.mark.parametrize("name", ["nobody@cert.example", "new@cert.example", "gone@cert.example", ""])
def test_who_is_nobody_invited_or_gone_gets_no_letter(desk: Desk, name: str) -> None:
    invited(desk)
    desk.person("CERT-ID", "gone@cert.example")
    with desk.database.writing() as session:
        people = People(session, desk.clock)
        people.end(CONSOLE, people.named(CONSOLE, "gone@cert.example"))

    with desk.database.writing() as session:
        asked = PersonLinks(session, desk.clock).forgotten(name, HOME)

    assert (asked.link, asked.wait) == (None, None)


def test_nobody_is_buried_in_letters_and_unknown_names_wait_alike(desk: Desk) -> None:
    for name in (SITI, "nobody@cert.example"):
        with desk.database.writing() as session:
            asked = [PersonLinks(session, desk.clock).forgotten(name, HOME) for _ in range(4)]

        assert [each.wait for each in asked] == [None, None, None, HOUR]


def test_a_link_to_a_new_password_does_not_stand_in_for_the_second_factor(desk: Desk) -> None:
    desk.enrols_app(desk.present(desk.signs_in(SITI)))
    with desk.database.writing() as session:
        asked = PersonLinks(session, desk.clock).forgotten(SITI, HOME)
    assert asked.link is not None

    assert desk.present(accepts(desk, asked.link)).standing is Standing.OWES_FACTOR


def test_a_new_password_ends_every_other_session_and_link(desk: Desk) -> None:
    here, there = desk.signs_in(SITI), desk.signs_in(SITI)
    assert here is not None
    assert there is not None
    with desk.database.writing() as session:
        asked = PersonLinks(session, desk.clock).forgotten(SITI, HOME)
    present = desk.present(here)

    with desk.database.writing() as session:
        OwnPassword(session, desk.clock).change(present, QUICK_HASH)

    assert desk.is_present(here)
    assert not desk.is_present(there)
    assert asked.link is not None
    with pytest.raises(NotFound):
        accepts(desk, asked.link)


def test_sessions_are_listed_and_ended_by_their_owner_alone(desk: Desk) -> None:
    desk.person("CERT-ID", "adi@cert.example")
    mine, other, of_adi = desk.signs_in(SITI), desk.signs_in(SITI), desk.signs_in("adi@cert.example")
    assert mine is not None
    assert other is not None
    assert of_adi is not None
    me, adi = desk.present(mine), desk.present(of_adi)

    with desk.database.writing() as session:
        sessions = PersonSessions(session, desk.clock)
        listed = sessions.mine(me)
        foreign = sessions.mine(adi)[0].id
        with pytest.raises(NotFound):
            sessions.end(me, foreign)
        sessions.end(me, next(each.id for each in listed if not each.here))

    assert [each.address for each in listed] == [HOME.address] * 2
    assert sum(each.here for each in listed) == 1
    assert [desk.is_present(each) for each in (mine, other, of_adi)] == [True, False, True]


def test_an_administrator_looks_after_the_people_of_one_organization(desk: Desk) -> None:
    desk.person("CERT-ID", "chief@cert.example", Role.ADMINISTRATOR)
    desk.person("CERT-VN", "linh@vn.example")
    chief = who(desk, "chief@cert.example")

    with desk.database.writing() as session:
        people = People(session, desk.clock)
        names = [each.email for each in people.all(chief, people.administered_by(chief)[0])]
        elsewhere = organization_named(session, "CERT-VN")
        assert elsewhere is not None
        for forbidden in (
            lambda: people.all(chief, elsewhere),
            lambda: people.named(chief, "linh@vn.example"),
            lambda: people.named(chief, "nobody@vn.example"),
            lambda: people.organization(chief, elsewhere.stix_id),
            lambda: people.invite(chief, elsewhere, email="x@vn.example", name="X", roles=[Role.ANALYST]),
            lambda: people.end(chief, people.named(CONSOLE, "linh@vn.example")),
            lambda: people.reset(chief, people.named(CONSOLE, "linh@vn.example")),
            lambda: people.change_roles(chief, people.named(CONSOLE, "linh@vn.example"), [Role.ADMINISTRATOR]),
        ):
            with pytest.raises(NotFound):
                forbidden()

    assert sorted(names) == ["chief@cert.example", SITI]


def test_an_analyst_looks_after_nobody(desk: Desk) -> None:
    siti = who(desk, SITI)

    with desk.database.writing() as session:
        people = People(session, desk.clock)
        assert people.administered_by(siti) == []
        with pytest.raises(NotFound):
            people.named(siti, SITI)


def test_an_operator_helps_only_where_nobody_administers(desk: Desk) -> None:
    desk.person("CERT-VN", "op@vn.example", Role.OPERATOR)
    operator = who(desk, "op@vn.example")
    link = invited(desk, "chief@cert.example", Role.ADMINISTRATOR)

    def within_reach() -> list[str]:
        with desk.database.reading() as session:
            return [each.name for each in People(session, desk.clock).administered_by(operator)]

    only_invited = within_reach()
    accepts(desk, link)
    taken_up = within_reach()

    assert only_invited == ["CERT-ID", "CERT-VN"]
    assert taken_up == ["CERT-VN"]


def test_an_administrator_makes_changes_and_ends_no_operator(desk: Desk) -> None:
    desk.person("CERT-ID", "chief@cert.example", Role.ADMINISTRATOR)
    desk.person("CERT-ID", "op@cert.example", Role.OPERATOR)
    chief = who(desk, "chief@cert.example")

    with desk.database.writing() as session:
        people = People(session, desk.clock)
        operator, siti = people.named(chief, "op@cert.example"), people.named(chief, SITI)
        for forbidden in (
            lambda: people.end(chief, operator),
            lambda: people.reset(chief, operator),
            lambda: people.change_roles(chief, operator, [Role.ANALYST]),
            lambda: people.change_roles(chief, siti, [Role.OPERATOR]),
            lambda: people.invite(chief, siti.organization, email="x@x.example", name="X", roles=[Role.OPERATOR]),
        ):
            with pytest.raises(Refused, match="operators alone"):
                forbidden()


def test_nobody_ends_or_demotes_themselves_by_mistake(desk: Desk) -> None:
    desk.person("CERT-ID", "chief@cert.example", Role.ADMINISTRATOR)
    chief = who(desk, "chief@cert.example")

    with desk.database.writing() as session:
        people = People(session, desk.clock)
        me = people.named(chief, "chief@cert.example")
        with pytest.raises(Refused, match="your own account"):
            people.end(chief, me)
        with pytest.raises(Refused, match="from yourself"):
            people.change_roles(chief, me, [Role.ANALYST])


@pytest.mark.parametrize(
    ("email", "name", "roles", "why"),
    [
        ("no address", "X", [Role.ANALYST], "mail address"),
        ("SITI@cert.example", "X", [Role.ANALYST], "already signs in"),
        ("x@cert.example", " ", [Role.ANALYST], "1 to 200"),
        ("x@cert.example", "X\u202eX", [Role.ANALYST], "invisible"),
        ("x@cert.example", "X", [], "at least one role"),
    ],
)
def test_bad_input_is_refused_in_words(desk: Desk, email: str, name: str, roles: list[Role], why: str) -> None:
    with desk.database.writing() as session:
        belongs = organization_named(session, "CERT-ID")
        assert belongs is not None
        with pytest.raises(Refused, match=why):
            People(session, desk.clock).invite(CONSOLE, belongs, email=email, name=name, roles=roles)


def test_nobody_of_a_subscriber_is_an_analyst(desk: Desk) -> None:
    desk.joins("Bank Nusantara", OrganizationKind.SUBSCRIBER)

    with pytest.raises(Refused, match="choose subscriber or administrator"):
        desk.person("Bank Nusantara", "x@bank.example", Role.ANALYST)


def test_who_leaves_is_out_at_once_and_comes_back_by_no_way(desk: Desk) -> None:
    opened = desk.signs_in(SITI)
    assert opened is not None
    subject = Subject("https://id.example", "42")
    with desk.database.writing() as session:
        ForeignAccounts(session, desk.clock).bind_mine(desk.present(opened), subject, HOME)
        asked = PersonLinks(session, desk.clock).forgotten(SITI, HOME)

    with desk.database.writing() as session:
        people = People(session, desk.clock)
        people.end(CONSOLE, people.named(CONSOLE, SITI))

    assert not desk.is_present(opened)
    assert desk.signs_in(SITI) is None
    assert asked.link is not None
    with pytest.raises(NotFound):
        accepts(desk, asked.link)
    with desk.database.writing() as session:
        assert ForeignAccounts(session, desk.clock).sign_in(subject, HOME) is None


def test_who_begins_anew_shows_nothing_of_before(desk: Desk) -> None:
    _, enrolled = desk.enrols_app(desk.present(desk.signs_in(SITI)))
    with desk.database.writing() as session:
        people = People(session, desk.clock)
        link = people.reset(CONSOLE, people.named(CONSOLE, SITI))

    assert not desk.is_present(enrolled.opened)
    assert desk.signs_in(SITI) is None
    anew = desk.present(accepts(desk, link))
    assert anew.standing is Standing.WHOLE
    assert desk.shows(anew, enrolled.codes[0]).opened is None


def test_an_account_elsewhere_opens_the_account_it_was_bound_to_and_no_other(desk: Desk) -> None:
    desk.person("CERT-ID", "adi@cert.example")
    subject = Subject("https://id.example", "42")
    siti, adi = desk.present(desk.signs_in(SITI)), desk.present(desk.signs_in("adi@cert.example"))

    with desk.database.writing() as session:
        accounts = ForeignAccounts(session, desk.clock)
        assert accounts.sign_in(subject, HOME) is None
        accounts.bind_mine(siti, subject, HOME)
        with pytest.raises(Refused, match="another account"):
            accounts.bind_mine(adi, subject, HOME)
        opened = accounts.sign_in(subject, HOME)
        other_issuer = accounts.sign_in(Subject("https://other.example", "42"), HOME)
        other_sub = accounts.sign_in(Subject("https://id.example", "420"), HOME)

    assert desk.present(opened).email == SITI
    assert (other_issuer, other_sub) == (None, None)


def test_who_has_no_password_keeps_the_account_elsewhere(desk: Desk) -> None:
    link = invited(desk)
    with desk.database.writing() as session:
        opened = PersonLinks(session, desk.clock).choose_account_elsewhere(
            link.secret, Subject("https://id.example", "7"), HOME
        )

    with desk.database.writing() as session, pytest.raises(Refused, match="choose one first"):
        ForeignAccounts(session, desk.clock).remove_all(desk.present(opened))
    assert desk.signs_in("new@cert.example", password=PASSWORD) is None


def test_the_operators_scope_is_the_operators(desk: Desk) -> None:
    desk.person("CERT-ID", "op@cert.example", Role.OPERATOR)

    assert who(desk, "op@cert.example").scopes == {Scope.READ, Scope.OPERATE}
