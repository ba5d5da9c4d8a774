"""Signing in with a name and a password, staying signed in, signing out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kentongan.domain.identity import Role
from kentongan.services.people import People
from kentongan.storage.person_sessions import PersonSession
from kentongan.storage.persons import Person
from portal_stories import CONSOLE, PASSWORD, Place, Visitor, csrf_token


@pytest.fixture
def siti(kampung: Place) -> str:
    """An analyst, by the name she signs in with."""
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    return kampung.person(jakarta, email="siti@cert.example")


def test_a_page_asks_to_sign_in_and_is_reached_afterwards(kampung: Place, siti: str) -> None:
    visitor = kampung.visitor()

    asked = visitor.get("/incidents?country=ID")
    signed_in = visitor.sign_in(siti, next="/incidents?country=ID")

    assert asked.status_code == 302
    assert asked.location == "/sign-in?next=/incidents?country%3DID"
    assert signed_in.location == "/incidents?country=ID"
    assert "ID-CERT" in visitor.sees("/incidents?country=ID")


@pytest.mark.parametrize("spelled", ["siti@cert.example", " SITI@CERT.Example ", "ｓｉｔｉ@cert.example"])
def test_a_name_is_known_in_every_spelling(kampung: Place, siti: str, spelled: str) -> None:
    assert kampung.visitor().sign_in(spelled).status_code == 302


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)", "evil"],
)
def test_the_sign_in_leads_nowhere_else(kampung: Place, siti: str, elsewhere: str) -> None:
    answer = kampung.visitor().sign_in(siti, next=elsewhere)

    assert answer.location == "/"


@pytest.mark.parametrize("name", ["siti@cert.example", "nobody@cert.example", "", "é\0", "' OR 1=1 --", "x" * 3000])
@pytest.mark.parametrize("password", ["wrong wrong wrong", "", "x" * 3000])
def test_every_refusal_says_the_same(kampung: Place, siti: str, name: str, password: str) -> None:
    answer = kampung.visitor().sign_in(name, password)

    assert answer.status_code == 401
    assert "This name and password do not open the portal." in answer.text


def test_who_was_invited_and_who_has_left_is_refused_like_a_stranger(kampung: Place, siti: str) -> None:
    with kampung.region() as region:
        hanoi = region.joins("VNCERT")
    gone = kampung.person(hanoi, email="gone@cert.example")
    with kampung.kentongan.database.writing() as session:
        people = People(session, kampung.kentongan.clock)
        people.end(CONSOLE, people.named(CONSOLE, gone))
        organization = people.named(CONSOLE, siti).organization
        people.invite(CONSOLE, organization, email="new@cert.example", name="New", roles=[Role.ANALYST])

    answers = [kampung.visitor().sign_in(name) for name in (gone, "new@cert.example", "nobody@cert.example")]

    assert [answer.status_code for answer in answers] == [401, 401, 401]
    pages = {answer.text.partition('name="csrf_token"')[0] for answer in answers}
    assert len(pages) == 1


def test_a_session_is_new_at_every_sign_in_and_the_one_before_opens_nothing(kampung: Place, siti: str) -> None:
    victim, thief = kampung.visitor(), kampung.visitor()
    victim.sign_in(siti)
    thief.client.set_cookie("kentongan", cookie(victim))
    assert thief.get("/").status_code == 200

    victim.sign_in(siti)

    assert victim.get("/").status_code == 200
    assert cookie(victim) != cookie(thief)
    assert thief.get("/").status_code == 302


def test_a_session_planted_before_the_sign_in_is_not_the_one_after_it(kampung: Place, siti: str) -> None:
    attacker, victim = kampung.visitor(), kampung.visitor()
    attacker.get("/sign-in")
    victim.client.set_cookie("kentongan", cookie(attacker))

    victim.sign_in(siti)

    assert victim.get("/").status_code == 200
    assert attacker.get("/").status_code == 302


def test_an_ended_person_is_out_at_once(kampung: Place, siti: str) -> None:
    visitor = kampung.visitor()
    visitor.sign_in(siti)
    assert visitor.get("/").status_code == 200

    with kampung.kentongan.database.writing() as session:
        people = People(session, kampung.kentongan.clock)
        people.end(CONSOLE, people.named(CONSOLE, siti))

    assert visitor.get("/").status_code == 302


def test_a_role_that_is_taken_away_counts_no_more_at_the_next_request(kampung: Place, siti: str) -> None:
    visitor = kampung.visitor()
    visitor.sign_in(siti)
    assert visitor.get("/submit").status_code == 200

    with kampung.kentongan.database.writing() as session:
        people = People(session, kampung.kentongan.clock)
        people.change_roles(CONSOLE, people.named(CONSOLE, siti), [Role.SUBSCRIBER])

    assert visitor.get("/submit").status_code == 403


def test_a_session_ends_after_twelve_hours(kampung: Place, siti: str) -> None:
    visitor = kampung.visitor()
    visitor.sign_in(siti)

    kampung.now += timedelta(hours=11, minutes=59)
    before = visitor.get("/").status_code
    kampung.now += timedelta(minutes=1)

    assert (before, visitor.get("/").status_code) == (200, 302)


def test_signing_out_ends_the_session_and_not_only_the_cookie(kampung: Place, siti: str) -> None:
    visitor, thief = kampung.visitor(), kampung.visitor()
    visitor.sign_in(siti)
    thief.client.set_cookie("kentongan", cookie(visitor))

    answer = visitor.send("/sign-out", form_page="/")

    assert answer.location == "/sign-in"
    assert visitor.get("/").status_code == 302
    assert thief.get("/").status_code == 302


def test_the_cookies_are_out_of_reach_of_scripts_and_hold_no_password(kampung: Place, siti: str) -> None:
    cookies = kampung.visitor().sign_in(siti).headers.getlist("Set-Cookie")

    assert sorted(each.partition("=")[0] for each in cookies) == ["kentongan", "kentongan_device"]
    for each in cookies:
        assert "HttpOnly" in each
        assert "SameSite=Lax" in each
        assert "Secure" not in each
        assert PASSWORD not in each


def test_of_a_session_only_the_hash_is_kept(kampung: Place, siti: str) -> None:
    visitor = kampung.visitor()
    visitor.sign_in(siti)

    with visitor.client.session_transaction() as held, kampung.region() as region:
        row = region.session.query(PersonSession).one()
        secret = held["who"]

    assert secret.encode() not in row.digest
    assert all(secret not in str(value) for value in vars(row).values())


def test_the_cookie_is_secure_over_https(kampung: Place) -> None:
    answer = kampung.app.test_client().get("/sign-in", base_url="https://kentongan.example")

    assert "Secure" in answer.headers["Set-Cookie"]


def test_both_cookies_are_secure_where_the_installation_is_known_by_https(kampung: Place, siti: str) -> None:
    settings = kampung.kentongan.settings.model_copy(update={"public_url": "https://kentongan.example"})
    object.__setattr__(kampung.kentongan, "settings", settings)
    client = kampung.app.test_client()
    visitor = Visitor(client)
    visitor.client.environ_base["wsgi.url_scheme"] = "https"

    cookies = visitor.sign_in(siti).headers.getlist("Set-Cookie")

    assert len(cookies) == 2
    assert all("Secure" in each for each in cookies)


def test_a_forged_cookie_signs_nobody_in(kampung: Place) -> None:
    client = kampung.app.test_client()
    client.set_cookie("kentongan", "eyJ3aG8iOiIxIn0.aaaaaa.forged")

    assert client.get("/").status_code == 302


@pytest.mark.parametrize("address", ["/submit", "/submissions"])
def test_people_open_only_the_rooms_of_their_roles(kampung: Place, address: str) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    visitor = kampung.signed_in(jakarta, Role.SUBSCRIBER)

    answer = visitor.get(address)

    assert answer.status_code == 403
    assert "lack the scope" in answer.text
    assert f'href="{address}"' not in visitor.sees("/")


def test_last_seen_is_written_every_few_minutes_and_not_at_every_page(kampung: Place, siti: str) -> None:
    visitor = kampung.visitor()
    visitor.sign_in(siti)
    began = kampung.now

    kampung.now += timedelta(minutes=4)
    visitor.get("/")
    soon = last_seen(kampung)
    kampung.now += timedelta(minutes=2)
    visitor.get("/")

    assert (soon, last_seen(kampung)) == (began, kampung.now)


def test_signing_in_again_works_from_a_form_that_lay_open_for_long(kampung_everywhere: Place) -> None:
    with kampung_everywhere.region() as region:
        jakarta = region.joins("ID-CERT")
    name, visitor = kampung_everywhere.person(jakarta), kampung_everywhere.visitor()
    visitor.sign_in(name)
    token = csrf_token(visitor.sees("/sign-in?again=1"))
    kampung_everywhere.now += timedelta(minutes=30)

    answer = visitor.client.post("/sign-in", data={"csrf_token": token, "name": name, "password": PASSWORD})

    assert answer.status_code == 302
    assert visitor.get("/").status_code == 200


def last_seen(kampung: Place) -> object:
    with kampung.region() as region:
        return region.session.query(PersonSession).one().last_seen_at


def cookie(visitor: Visitor) -> str:
    """The session cookie of a browser."""
    found = visitor.client.get_cookie("kentongan")
    assert found is not None
    return found.value


def test_nobody_is_stored_whose_name_was_only_tried(kampung: Place) -> None:
    kampung.visitor().sign_in("nobody@cert.example")

    with kampung.region() as region:
        assert region.session.query(Person).count() == 0
