"""The pages of accounts: no step is skipped, nothing is shown twice, and changing how one signs in takes being fresh."""

from __future__ import annotations

import re
from datetime import timedelta

import pyotp
import pytest

from kentongan.domain.identity import OrganizationKind, Role
from kentongan.storage.person_sessions import PersonSession
from portal_stories import Place, Visitor

CHOSEN = "a boat on the slow river"
SOME_PAGES = ["/", "/incidents", "/submit", "/submissions", "/people", "/account", "/deliveries", "/subscriptions"]
SOME_FORMS = [
    "/submit",
    "/people",
    "/account/password",
    "/account/recovery-codes",
    "/account/app/remove",
    "/subscriptions",
]


def enrolled(kampung: Place, *roles: Role) -> tuple[str, str]:
    """Somebody with an authenticator app; the name and the app's secret. A minute later, so that the next code is another."""
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    name, visitor = kampung.person(jakarta, *roles), kampung.visitor()
    visitor.sign_in(name)
    secret = visitor.enrols_app(kampung.now)
    kampung.now += timedelta(minutes=1)
    return name, secret


def code_of(kampung: Place, secret: str) -> str:
    return pyotp.TOTP(secret).at(kampung.now)


@pytest.mark.parametrize("address", SOME_PAGES)
def test_with_the_password_alone_no_page_opens(kampung: Place, address: str) -> None:
    name, _ = enrolled(kampung)
    visitor = kampung.visitor()
    asked = visitor.sign_in(name)

    answer = visitor.get(address)

    assert asked.location == "/sign-in/second-factor"
    assert answer.status_code == 302
    assert answer.location.startswith("/sign-in/second-factor")
    assert visitor.get("/account/second-factor").status_code == 302
    assert visitor.get("/account/app").status_code == 302


@pytest.mark.parametrize("address", SOME_FORMS)
def test_with_the_password_alone_no_form_is_taken(kampung: Place, address: str) -> None:
    name, _ = enrolled(kampung)
    visitor = kampung.visitor()
    visitor.sign_in(name)

    answer = visitor.send(address, form_page="/sign-in/second-factor", password=CHOSEN, again=CHOSEN)

    assert answer.status_code == 302
    assert answer.location == "/sign-in/second-factor"
    assert kampung.visitor().sign_in(name, CHOSEN).status_code == 401


@pytest.mark.parametrize(
    "address", ["/account/app", "/account/passkeys", "/account/passkeys/question", "/account/app/code"]
)
def test_who_owes_a_factor_enrols_no_other_one_instead(kampung: Place, address: str) -> None:
    name, _ = enrolled(kampung)
    visitor = kampung.visitor()
    visitor.sign_in(name)

    answer = visitor.send(address, form_page="/sign-in/second-factor")

    assert (answer.status_code, answer.location) == (302, "/sign-in/second-factor")


def test_the_code_leads_to_the_page_that_was_asked_for(kampung: Place) -> None:
    name, secret = enrolled(kampung)
    visitor = kampung.visitor()
    location = visitor.sign_in(name, next="/incidents?country=ID").location
    half = cookie(visitor)

    wrong = visitor.send("/sign-in/second-factor", form_page=location, code="000000", next="/incidents?country=ID")
    right = visitor.send(
        "/sign-in/second-factor", form_page=location, code=code_of(kampung, secret), next="/incidents?country=ID"
    )

    assert (wrong.status_code, "This code does not hold" in wrong.text) == (401, True)
    assert (right.status_code, right.location) == (302, "/incidents?country=ID")
    assert visitor.get("/incidents").status_code == 200
    thief = kampung.visitor()
    thief.client.set_cookie("kentongan", half)
    assert thief.get("/incidents").location.startswith("/sign-in?")


def test_the_second_step_leads_nowhere_else(kampung: Place) -> None:
    name, secret = enrolled(kampung)
    visitor = kampung.visitor()
    visitor.sign_in(name)

    answer = visitor.send(
        "/sign-in/second-factor",
        form_page="/sign-in/second-factor",
        code=code_of(kampung, secret),
        next="//evil.example",
    )

    assert answer.location == "/"


def test_a_replayed_code_opens_nothing(kampung: Place) -> None:
    name, secret = enrolled(kampung)
    code = code_of(kampung, secret)
    answers = []

    for _ in range(2):
        visitor = kampung.visitor()
        visitor.sign_in(name)
        answers.append(
            visitor.send("/sign-in/second-factor", form_page="/sign-in/second-factor", code=code).status_code
        )

    assert answers == [302, 401]


def test_half_a_session_ends_after_a_quarter_of_an_hour(kampung: Place) -> None:
    name, _ = enrolled(kampung)
    visitor = kampung.visitor()
    visitor.sign_in(name)
    kampung.now += timedelta(minutes=15)

    assert visitor.get("/sign-in/second-factor").location.startswith("/sign-in")


def test_too_many_codes_have_to_wait(kampung: Place) -> None:
    name, _ = enrolled(kampung)
    visitor = kampung.visitor()
    visitor.sign_in(name)

    codes = [
        visitor.send("/sign-in/second-factor", form_page="/sign-in/second-factor", code="000000").status_code
        for _ in range(7)
    ]

    assert codes == [401] * 6 + [429]


def test_too_many_passwords_have_to_wait_and_nobody_elses_do(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    siti, adi = kampung.person(jakarta), kampung.person(jakarta)
    visitor = kampung.visitor()

    for _ in range(8):
        visitor.sign_in(siti, "wrong")
    answer = visitor.sign_in(siti)

    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "600"
    assert "Too many attempts" in answer.text
    assert visitor.sign_in(adi).status_code == 302


def test_the_browser_one_signed_in_with_before_is_not_locked_out(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    siti = kampung.person(jakarta)
    mine, stranger = kampung.visitor(), kampung.visitor()
    mine.sign_in(siti)
    mine.send("/sign-out", form_page="/")
    for _ in range(9):
        stranger.sign_in(siti, "wrong")

    assert stranger.sign_in(siti).status_code == 429
    assert mine.sign_in(siti).status_code == 302


@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.ADMINISTRATOR, Role.OPERATOR])
def test_who_needs_a_second_factor_sets_one_up_before_anything_else(kampung: Place, role: Role) -> None:
    with kampung.region() as region:
        office = region.joins("Office", OrganizationKind.COORDINATOR)
    visitor = kampung.visitor()
    asked = visitor.sign_in(kampung.person(office, role))

    before = [visitor.get(address).location for address in SOME_PAGES]
    forms = [visitor.send(address, form_page="/account/second-factor").location for address in SOME_FORMS]
    visitor.enrols_app(kampung.now)

    assert asked.location == "/account/second-factor"
    assert set(before) == {"/account/second-factor"}
    assert set(forms) == {"/account/second-factor"}
    assert visitor.get("/").status_code == 200


def test_the_app_is_set_up_with_a_picture_under_the_strict_policy_and_codes_shown_once(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    visitor = kampung.signed_in(jakarta)
    visitor.send("/account/app", form_page="/account/second-factor")

    page, picture = visitor.sees("/account/app"), visitor.get("/account/app.svg")
    secret = re.search(r"<code>([A-Z2-7 ]+)</code>", page)
    assert secret
    code = pyotp.TOTP(secret[1].replace(" ", "")).at(kampung.now)
    wrong = visitor.send("/account/app/code", form_page="/account/app", code="000000")
    shown = visitor.send("/account/app/code", form_page="/account/app", code=code)

    assert 'src="/account/app.svg"' in page
    assert (picture.mimetype, picture.headers["Cache-Control"]) == ("image/svg+xml", "no-store")
    assert b"<script" not in picture.data
    assert b"style=" not in picture.data
    assert wrong.status_code == 422
    assert len(re.findall(r"\b[A-Z2-9]{4}(?:-[A-Z2-9]{4}){3}\b", shown.text)) == 10
    assert visitor.get("/account/app.svg").status_code == 404
    assert visitor.get("/account/app").status_code == 302
    assert "10 of ten are left" in visitor.sees("/account/second-factor")


@pytest.mark.parametrize(
    "address", ["/account/app", "/account/password", "/account/recovery-codes", "/account/app/remove"]
)
def test_who_signed_in_long_ago_signs_in_again_before_changing_how(kampung: Place, address: str) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    name = kampung.person(jakarta)
    visitor = kampung.visitor()
    visitor.sign_in(name)
    kampung.now += timedelta(minutes=16)

    answer = visitor.send(address, form_page="/account", password=CHOSEN, again=CHOSEN)

    assert answer.location == "/sign-in?again=1&next=/account"
    assert "sign in again first" in visitor.sees(answer.location)
    assert visitor.sign_in(name, next="/account").location == "/account"
    assert visitor.send("/account/password", form_page="/account", password=CHOSEN, again=CHOSEN).status_code == 303


def test_a_new_password_ends_the_others_and_the_old_one(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    name = kampung.person(jakarta)
    here, there = kampung.visitor(), kampung.visitor()
    here.sign_in(name)
    there.sign_in(name)

    different = here.send("/account/password", form_page="/account", password=CHOSEN, again=CHOSEN + "!")
    unfit = here.send("/account/password", form_page="/account", password="password1234", again="password1234")
    changed = here.send("/account/password", form_page="/account", password=CHOSEN, again=CHOSEN)

    assert (different.status_code, unfit.status_code, changed.status_code) == (422, 422, 303)
    assert "not the same" in different.text
    assert "first that are tried" in unfit.text
    assert here.get("/").status_code == 200
    assert there.get("/").status_code == 302
    assert kampung.visitor().sign_in(name).status_code == 401
    assert kampung.visitor().sign_in(name, CHOSEN).status_code == 302


def test_sessions_are_shown_and_ended(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    name = kampung.person(jakarta)
    here, there, third = kampung.visitor(), kampung.visitor(), kampung.visitor()
    there.client.environ_base["HTTP_USER_AGENT"] = "<b>Opera</b>"
    for visitor in (there, here, third):
        visitor.sign_in(name)

    page = here.sees("/account")
    with kampung.region() as region:
        theirs = next(row.public_id for row in region.session.query(PersonSession) if "Opera" in row.agent)
    ended = here.send(f"/account/sessions/{theirs}/end", form_page="/account")
    again = here.send(f"/account/sessions/{theirs}/end", form_page="/account")
    after_one = [visitor.get("/").status_code for visitor in (here, there, third)]
    here.send("/account/sessions/end-others", form_page="/account")

    assert page.count("without a second factor") == 3
    assert "&lt;b&gt;Opera" in page
    assert (ended.status_code, again.status_code) == (303, 404)
    assert after_one == [200, 302, 200]
    assert [visitor.get("/").status_code for visitor in (here, there, third)] == [200, 302, 302]


def cookie(visitor: Visitor) -> str:
    found = visitor.client.get_cookie("kentongan")
    assert found is not None
    return found.value
