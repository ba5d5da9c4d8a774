"""Signing in with a token, and out again."""

from __future__ import annotations

import pytest

from kentongan.domain.identity import Scope
from kentongan.storage.organizations import Token
from portal_stories import Place
from stories import NOON


def test_a_page_asks_to_sign_in_and_is_reached_afterwards(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    visitor = kampung.visitor()

    asked = visitor.get("/incidents?country=ID")
    signed_in = visitor.sign_in(kampung.token(jakarta), next="/incidents?country=ID")

    assert asked.status_code == 302
    assert asked.location == "/sign-in?next=%2Fincidents%3Fcountry%3DID"
    assert signed_in.location == "/incidents?country=ID"
    assert "ID-CERT" in visitor.sees("/incidents?country=ID")


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)", "evil"],
)
def test_the_sign_in_leads_nowhere_else(kampung: Place, elsewhere: str) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")

    answer = kampung.visitor().sign_in(kampung.token(jakarta), next=elsewhere)

    assert answer.location == "/"


@pytest.mark.parametrize("token", ["", "kt_wrong", "kt_" + "x" * 43, "kt_" + "x" * 5000, "kt_é\0", "' OR 1=1 --"])
def test_every_wrong_token_gets_the_same_answer(kampung: Place, token: str) -> None:
    answer = kampung.visitor().sign_in(token)

    assert answer.status_code == 401
    assert "This token does not open the portal" in answer.text


def test_a_revoked_token_ends_the_session_at_its_next_request(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    visitor = kampung.signed_in(jakarta)
    assert visitor.get("/").status_code == 200

    with kampung.region() as region:
        region.session.query(Token).update({"revoked_at": NOON})

    assert visitor.get("/").status_code == 302


def test_an_expired_token_ends_the_session_at_its_next_request(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    visitor = kampung.signed_in(jakarta)

    with kampung.region() as region:
        region.session.query(Token).update({"expires_at": NOON})

    assert visitor.get("/").status_code == 302


def test_signing_out_forgets_the_reader(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    visitor = kampung.signed_in(jakarta)

    answer = visitor.send("/sign-out", form_page="/")

    assert answer.location == "/sign-in"
    assert visitor.get("/").status_code == 302


def test_the_cookie_is_out_of_reach_of_scripts_and_holds_no_token(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    token = kampung.token(jakarta)

    cookie = kampung.visitor().sign_in(token).headers["Set-Cookie"]

    assert cookie.startswith("kentongan=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert token not in cookie


def test_the_cookie_is_secure_over_https(kampung: Place) -> None:
    answer = kampung.app.test_client().get("/sign-in", base_url="https://kentongan.example")

    assert "Secure" in answer.headers["Set-Cookie"]


def test_the_cookie_is_secure_where_the_installation_is_known_by_https(kampung: Place) -> None:
    settings = kampung.kentongan.settings.model_copy(update={"public_url": "https://kentongan.example"})
    object.__setattr__(kampung.kentongan, "settings", settings)

    answer = kampung.app.test_client().get("/sign-in")

    assert "Secure" in answer.headers["Set-Cookie"]


def test_a_forged_cookie_signs_nobody_in(kampung: Place) -> None:
    client = kampung.app.test_client()
    client.set_cookie("kentongan", "eyJfdXNlcl9pZCI6IjEifQ.aaaaaa.forged")

    assert client.get("/").status_code == 302


def test_too_many_attempts_have_to_wait(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    visitor = kampung.visitor()

    for _ in range(10):
        visitor.sign_in("kt_wrong")
    answer = visitor.sign_in(kampung.token(jakarta))

    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "300"


@pytest.mark.parametrize(
    ("address", "scope"),
    [("/submit", Scope.READ), ("/submissions", Scope.READ), ("/incidents", Scope.SUBMIT), ("/cases", Scope.SUBMIT)],
)
def test_a_token_opens_only_the_rooms_of_its_scopes(kampung: Place, address: str, scope: Scope) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    visitor = kampung.signed_in(jakarta, frozenset({scope}))

    answer = visitor.get(address)

    assert answer.status_code == 403
    assert "lacks the scope" in answer.text
    assert f'href="{address}"' not in visitor.sees("/")
