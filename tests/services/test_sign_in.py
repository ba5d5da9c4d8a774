"""Signing in: guessing is slow, and slows down only who guesses; codes are good once; a session is worth what was shown in it."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pyotp
import pytest

from kentongan.domain.accounts import Standing
from kentongan.domain.attempts import Where
from kentongan.domain.audit import Act
from kentongan.domain.identity import OrganizationKind, Role, Scope
from kentongan.services.errors import Refused
from kentongan.services.passwords import UnfitPassword, fit_password, is_password
from kentongan.services.people import People
from kentongan.services.sealing import Broken, Seal
from kentongan.services.second_factor import SecondFactors
from kentongan.services.sign_in import PasswordSignIn
from kentongan.storage.attempts import Attempt
from kentongan.storage.audit import taken
from kentongan.storage.coordination import Coordinatorship, coordinator_at
from kentongan.storage.credentials import AuthenticatorApp, RecoveryCode
from kentongan.storage.database import Database
from kentongan.storage.organizations import organization_named
from people_stories import CONSOLE, HOME, SEAL, Desk
from portal_stories import PASSWORD

SITI = "siti@cert.example"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def desk(database: Database) -> Desk:
    """A member with an analyst."""
    made = Desk(database)
    made.joins("CERT-ID")
    made.person("CERT-ID", SITI)
    return made


def stranger(number: int) -> Where:
    """Somewhere else."""
    return Where(f"203.0.{number // 250}.{number % 250 + 1}")


def test_the_right_password_opens_a_session(desk: Desk) -> None:
    present = desk.present(desk.signs_in("Siti@CERT.example"))

    assert (present.standing, present.identity.organization_name) == (Standing.WHOLE, "CERT-ID")
    assert present.identity.scopes == {Scope.SUBMIT, Scope.READ, Scope.SUBSCRIPTIONS, Scope.DECIDE}
    assert present.identity.roles == {Role.ANALYST}


def test_after_eight_wrong_passwords_even_the_right_one_has_to_wait_there(desk: Desk) -> None:
    wrong = [desk.signs_in(SITI, password="wrong") for _ in range(8)]

    knocked = desk.knocks(SITI)

    assert wrong == [None] * 8
    assert knocked.counted.wait == 10 * MINUTE
    desk.now += 10 * MINUTE
    assert desk.signs_in(SITI) is not None


def test_whoever_waits_does_not_wait_longer_for_trying(desk: Desk) -> None:
    for _ in range(8):
        desk.signs_in(SITI, password="wrong")

    for _ in range(9):
        desk.now += MINUTE
        assert desk.knocks(SITI).counted.wait is not None
    desk.now += MINUTE

    assert desk.signs_in(SITI) is not None


def test_a_stranger_does_not_lock_the_victim_out_of_another_network(desk: Desk) -> None:
    for _ in range(20):
        desk.signs_in(SITI, stranger(1), password="wrong")

    assert desk.knocks(SITI, stranger(1)).counted.wait is not None
    assert desk.signs_in(SITI, HOME) is not None


def test_a_stranger_in_the_victims_own_network_does_not_lock_out_the_victims_browser(desk: Desk) -> None:
    before = desk.signs_in(SITI)
    assert before is not None
    assert before.device is not None
    for _ in range(20):
        desk.signs_in(SITI, HOME, password="wrong")

    known = replace(HOME, device=before.device)

    assert desk.knocks(SITI, HOME).counted.wait is not None
    assert desk.signs_in(SITI, known) is not None


def test_a_hundred_networks_together_stop_at_a_bound_that_a_known_network_passes(desk: Desk) -> None:
    assert desk.signs_in(SITI, HOME) is not None
    knocks = [desk.knocks(SITI, stranger(number)) for number in range(100)]

    let_through = [knocked for knocked in knocks if knocked.counted.wait is None]

    assert len(let_through) == 60
    assert desk.knocks(SITI, stranger(200)).counted.wait is not None
    assert desk.signs_in(SITI, HOME) is not None


def test_one_network_that_tries_many_names_has_to_wait(desk: Desk) -> None:
    knocks = [desk.knocks(f"nobody-{number}@cert.example", stranger(1)) for number in range(61)]

    assert [knocked.counted.wait is None for knocked in knocks] == [True] * 60 + [False]
    assert desk.signs_in(SITI, HOME) is not None


def test_an_unknown_name_is_counted_and_compared_like_a_known_one(desk: Desk) -> None:
    knocks = [desk.knocks("nobody@cert.example") for _ in range(9)]

    assert [knocked.counted.wait is None for knocked in knocks] == [True] * 8 + [False]
    assert desk.answers(knocks[0], PASSWORD) is None


def test_comparing_with_nothing_takes_as_long_as_comparing(monkeypatch: pytest.MonkeyPatch) -> None:
    from kentongan.services import passwords  # noqa: PLC0415

    compared: list[str] = []

    class Watching:
        def verify(self, kept: str, password: str) -> bool:
            compared.append(kept)
            return True

    monkeypatch.setattr(passwords, "_HASHER", Watching())

    assert not is_password(None, "whatever it is")
    (dummy,) = compared
    assert dummy.split("$")[1:4] == fit_hash().split("$")[1:4]


def fit_hash() -> str:
    """A hash as they are made today."""
    from argon2 import PasswordHasher  # noqa: PLC0415

    return PasswordHasher(time_cost=3, memory_cost=48 * 1024, parallelism=1).hash("x")


def test_a_hash_is_argon2id_and_the_same_password_has_two(desk: Desk) -> None:
    one, other = fit_password(PASSWORD, ()), fit_password(PASSWORD, ())

    assert one.startswith("$argon2id$v=19$m=49152,t=3,p=1$")
    assert one != other
    assert is_password(one, PASSWORD)
    assert not is_password(one, PASSWORD + " ")
    assert not is_password("no hash at all", PASSWORD)


def test_a_password_is_the_same_in_every_unicode_form() -> None:
    assert is_password(fit_password("la clé des champs", ()), "la cle\u0301 des champs")


def test_an_unfit_password_is_refused_in_words() -> None:
    with pytest.raises(UnfitPassword, match="at least 12"):
        fit_password("short", ())


def test_attempts_made_at_once_are_all_counted(desk: Desk) -> None:
    together, waits = threading.Barrier(12), []

    def knock() -> None:
        together.wait(30)
        waits.append(desk.knocks(SITI).counted.wait)

    threads = [threading.Thread(target=knock) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(waits) == 12
    assert sum(wait is None for wait in waits) == 8


def test_old_attempts_are_forgotten(desk: Desk) -> None:
    desk.signs_in(SITI, password="wrong")
    desk.now += timedelta(hours=1)

    desk.signs_in(SITI, password="wrong")

    with desk.database.reading() as session:
        assert session.query(Attempt).count() == 1


def test_every_sign_in_and_refusal_is_noted_without_what_was_typed(desk: Desk) -> None:
    acts = []
    for name, password in ((SITI, PASSWORD), (SITI, "wrong wrong"), ("a password in the wrong field", "x")):
        with desk.database.writing() as session:
            service = PasswordSignIn(session, desk.clock)
            knocked = service.knock(name, HOME)
            service.answer(knocked, right=is_password(knocked.kept, password), where=HOME)
            acts += taken(session)

    assert [entry.act for entry in acts] == [Act.SIGNED_IN, Act.SIGN_IN_REFUSED, Act.SIGN_IN_REFUSED]
    assert [entry.who.name for entry in acts] == ["Siti", "Siti", "not signed in"]
    assert {entry.who.address for entry in acts} == {HOME.address}
    assert "wrong" not in str([entry for entry in acts if entry.details]).replace("wrong name or password", "")


@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.ADMINISTRATOR, Role.OPERATOR])
def test_who_needs_a_second_factor_gets_nowhere_before_it_is_set_up(desk: Desk, role: Role) -> None:
    desk.person("CERT-ID", "chief@cert.example", role)

    opened = desk.signs_in("chief@cert.example")

    assert desk.present(opened).standing is Standing.OWES_ENROLMENT
    _, enrolled = desk.enrols_app(desk.present(opened))
    assert desk.present(enrolled.opened).standing is Standing.WHOLE


def test_with_the_second_factor_the_session_gets_a_new_secret(desk: Desk) -> None:
    first = desk.signs_in(SITI)
    assert first is not None

    _, enrolled = desk.enrols_app(desk.present(first))

    assert not desk.is_present(first)
    assert desk.is_present(enrolled.opened)


def test_a_code_is_good_for_one_session_alone(desk: Desk) -> None:
    secret, _ = desk.enrols_app(desk.present(desk.signs_in(SITI)))
    desk.now += MINUTE
    code = pyotp.TOTP(secret).at(desk.now)

    first, second = desk.present(desk.signs_in(SITI)), desk.present(desk.signs_in(SITI))

    assert (first.standing, second.standing) == (Standing.OWES_FACTOR, Standing.OWES_FACTOR)
    assert desk.shows(first, code).opened is not None
    assert desk.shows(second, code).opened is None


def test_the_code_that_set_an_app_up_signs_nobody_in(desk: Desk) -> None:
    secret, _ = desk.enrols_app(desk.present(desk.signs_in(SITI)))

    assert desk.shows(desk.present(desk.signs_in(SITI)), pyotp.TOTP(secret).at(desk.now)).opened is None


def test_of_two_requests_with_one_code_at_once_one_gets_in(desk: Desk) -> None:
    secret, _ = desk.enrols_app(desk.present(desk.signs_in(SITI)))
    desk.now += MINUTE
    sessions = [desk.present(desk.signs_in(SITI)) for _ in range(5)]
    together, opened = threading.Barrier(5), []

    def show(number: int) -> None:
        together.wait(30)
        opened.append(desk.shows(sessions[number], pyotp.TOTP(secret).at(desk.now)).opened)

    threads = [threading.Thread(target=show, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(opened) == 5
    assert sum(each is not None for each in opened) == 1


def test_a_recovery_code_is_good_once_however_it_is_typed(desk: Desk) -> None:
    _, enrolled = desk.enrols_app(desk.present(desk.signs_in(SITI)))
    code = enrolled.codes[0]

    first = desk.shows(desk.present(desk.signs_in(SITI)), code.lower().replace("-", " "))
    again = desk.shows(desk.present(desk.signs_in(SITI)), code)

    assert len(enrolled.codes) == 10
    assert (first.opened is not None, again.opened) == (True, None)


def test_another_persons_recovery_code_opens_nothing(desk: Desk) -> None:
    desk.person("CERT-ID", "adi@cert.example")
    _, of_adi = desk.enrols_app(desk.present(desk.signs_in("adi@cert.example")))
    desk.enrols_app(desk.present(desk.signs_in(SITI)))

    assert desk.shows(desk.present(desk.signs_in(SITI)), of_adi.codes[0]).opened is None


def test_guessing_codes_has_to_wait_although_the_password_is_known(desk: Desk) -> None:
    secret, _ = desk.enrols_app(desk.present(desk.signs_in(SITI)))
    desk.now += MINUTE
    thief = desk.present(desk.signs_in(SITI, stranger(1)))

    shown = [desk.shows(thief, "000000", stranger(1)) for _ in range(7)]

    assert [each.wait is None for each in shown] == [True] * 6 + [False]
    victim = desk.present(desk.signs_in(SITI))
    assert desk.shows(victim, pyotp.TOTP(secret).at(desk.now)).opened is not None


def test_knowing_the_password_makes_no_network_the_victims(desk: Desk) -> None:
    desk.enrols_app(desk.present(desk.signs_in(SITI)))
    for number in range(20):
        desk.shows(desk.present(desk.signs_in(SITI, stranger(number))), "000000", stranger(number))

    thief = desk.present(desk.signs_in(SITI, stranger(50)))

    assert desk.shows(thief, "000000", stranger(50)).wait is not None


def test_who_has_a_second_factor_keeps_one_where_the_role_needs_it(desk: Desk) -> None:
    desk.person("CERT-ID", "chief@cert.example", Role.OPERATOR)
    for name, refused in ((SITI, False), ("chief@cert.example", True)):
        _, enrolled = desk.enrols_app(desk.present(desk.signs_in(name)))
        present = desk.present(enrolled.opened)
        with desk.database.writing() as session:
            factors = SecondFactors(session, desk.clock, SEAL)
            if refused:
                with pytest.raises(Refused, match="only one"):
                    factors.remove_app(present)
            else:
                factors.remove_app(present)


def test_a_role_given_later_asks_for_the_factor_in_sessions_that_go_on(desk: Desk) -> None:
    opened = desk.signs_in(SITI)
    with desk.database.writing() as session:
        people = People(session, desk.clock)
        people.change_roles(CONSOLE, people.named(CONSOLE, SITI), [Role.ADMINISTRATOR])

    assert desk.present(opened).standing is Standing.OWES_ENROLMENT


def test_an_app_that_is_moved_stays_in_use_until_the_new_one_proved_itself(desk: Desk) -> None:
    secret, enrolled = desk.enrols_app(desk.present(desk.signs_in(SITI)))
    with desk.database.writing() as session:
        factors = SecondFactors(session, desk.clock, SEAL)
        factors.begin_app(desk.present(enrolled.opened).person_id)
        assert factors.confirm_app(desk.present(enrolled.opened), "000000", HOME) is None
    desk.now += MINUTE

    shown = desk.shows(desk.present(desk.signs_in(SITI)), pyotp.TOTP(secret).at(desk.now))

    assert shown.opened is not None


def test_secrets_of_apps_and_recovery_codes_lie_in_the_database_sealed_or_hashed(desk: Desk) -> None:
    secret, enrolled = desk.enrols_app(desk.present(desk.signs_in(SITI)))

    with desk.database.reading() as session:
        app = session.query(AuthenticatorApp).one()
        digests = {row.digest for row in session.query(RecoveryCode)}
    assert app.sealed is not None
    assert secret.encode() not in app.sealed
    assert not any(code.encode() in digest for code in enrolled.codes for digest in digests)
    with pytest.raises(Broken):
        SEAL.opened(app.sealed, "authenticator app of person 0")
    with pytest.raises(Broken):
        Seal("another key").opened(app.sealed, f"authenticator app of person {app.person_id}")


def test_with_another_secret_key_recovery_codes_still_open(desk: Desk) -> None:
    _, enrolled = desk.enrols_app(desk.present(desk.signs_in(SITI)))
    present = desk.present(desk.signs_in(SITI))

    with desk.database.writing() as session:
        shown = SecondFactors(session, desk.clock, Seal("another key")).show_code(present, enrolled.codes[3], HOME)

    assert shown.opened is not None


def test_a_coordinator_coordinates_only_while_the_organization_does(desk: Desk) -> None:
    desk.joins("Office", OrganizationKind.COORDINATOR)
    desk.person("Office", "chair@cert.example", Role.COORDINATOR)
    _, enrolled = desk.enrols_app(desk.present(desk.signs_in("chair@cert.example")))

    before = desk.present(enrolled.opened).identity
    with desk.database.writing() as session:
        member = organization_named(session, "CERT-ID")
        assert member is not None
        session.add(
            Coordinatorship(
                organization_id=member.id, starts_at=desk.now + MINUTE, handed_over_by="root", created_at=desk.now
            )
        )
    until_then = desk.present(enrolled.opened).identity
    desk.now += MINUTE
    after = desk.present(enrolled.opened).identity

    assert Scope.COORDINATE in before.scopes
    assert until_then.scopes == before.scopes
    assert after.scopes == frozenset()
    with desk.database.reading() as session:
        assert coordinator_at(session, desk.now) == member.id
        assert coordinator_at(session, desk.now - MINUTE) == before.organization_id
