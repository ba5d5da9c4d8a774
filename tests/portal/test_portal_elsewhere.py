"""Signing in at an identity provider: what counts is who signed the answer and its `sub`, never a mail address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from kentongan.domain.identity import Role
from kentongan.settings import WrongSetting, load_settings
from kentongan.storage.database import Database
from portal_stories import PASSWORD, Place, Visitor, place
from provider import CLIENT, SECRET, IdentityProvider, another_key, running_provider, shared_secret


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    """A provider that listens."""
    with running_provider() as running:
        yield running


@pytest.fixture
def kampung(sqlite_database: Database, tmp_path: Path, provider: IdentityProvider) -> Place:
    """An installation that knows it."""
    return place(
        sqlite_database,
        str(tmp_path),
        oidc_issuer=provider.url,
        oidc_client_id=CLIENT,
        oidc_client_secret=SECRET,
        oidc_label="the ministry's account",
    )


@pytest.fixture
def siti(kampung: Place) -> str:
    """An analyst."""
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    return kampung.person(jakarta, email="siti@cert.example")


def goes(visitor: Visitor, provider: IdentityProvider, email: str = "", **asked: str) -> TestResponse:
    """Through the provider and back."""
    sent = visitor.client.get("/sign-in/elsewhere", query_string=asked)
    assert sent.status_code == 302, sent.text
    return back(visitor, provider.consents(sent.location, email))


def back(visitor: Visitor, address: str) -> TestResponse:
    return visitor.client.get(address.removeprefix("http://localhost"))


def binds(visitor: Visitor, provider: IdentityProvider) -> TestResponse:
    visitor.send("/account/elsewhere", form_page="/account")
    return goes(visitor, provider)


def test_an_account_that_was_bound_opens_ones_own(kampung: Place, siti: str, provider: IdentityProvider) -> None:
    visitor = kampung.visitor()
    visitor.sign_in(siti)
    bound = binds(visitor, provider)

    newcomer = kampung.visitor()
    page = newcomer.sees("/sign-in?next=/cases")
    came = goes(newcomer, provider, next="/cases")

    assert (bound.status_code, bound.location) == (303, "/account")
    assert "Sign in with the ministry&#39;s account" in page
    assert (came.status_code, came.location) == (302, "/cases")
    assert "ID-CERT" in newcomer.sees("/cases")


def test_a_mail_address_opens_nothing_whatever_the_provider_says(
    kampung: Place, siti: str, provider: IdentityProvider
) -> None:
    visitor = kampung.visitor()

    came = goes(visitor, provider, email=siti)

    assert came.status_code == 403
    assert "opens nothing here yet" in came.text
    assert visitor.get("/").status_code == 302


def test_another_sub_with_the_same_address_is_somebody_else(
    kampung: Place, siti: str, provider: IdentityProvider
) -> None:
    visitor = kampung.visitor()
    visitor.sign_in(siti)
    binds(visitor, provider)
    provider.sub = "43"

    assert goes(kampung.visitor(), provider, email=siti).status_code == 403


def test_an_account_that_opens_one_cannot_be_bound_to_another(
    kampung: Place, siti: str, provider: IdentityProvider
) -> None:
    with kampung.region() as region:
        hanoi = region.joins("VNCERT")
    first, second = kampung.visitor(), kampung.visitor()
    first.sign_in(siti)
    binds(first, provider)
    second.sign_in(kampung.person(hanoi))

    answer = binds(second, provider)

    assert answer.status_code == 400
    assert "already opens another account" in answer.text
    assert "ID-CERT" in goes_and_sees(kampung.visitor(), provider)


def goes_and_sees(visitor: Visitor, provider: IdentityProvider) -> str:
    goes(visitor, provider)
    return visitor.sees("/")


def test_it_is_no_second_factor(kampung: Place, siti: str, provider: IdentityProvider) -> None:
    visitor = kampung.visitor()
    visitor.sign_in(siti)
    visitor.enrols_app(kampung.now)
    binds(visitor, provider)

    newcomer = kampung.visitor()

    assert goes(newcomer, provider).location.startswith("/sign-in/second-factor")
    assert newcomer.get("/incidents").status_code == 302


def test_an_invitation_is_taken_up_without_a_password(kampung: Place, provider: IdentityProvider) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    chief = kampung.signed_in(jakarta, Role.ADMINISTRATOR)
    shown = chief.send("/people", form_page="/people", name="Adi", email="adi@cert.example", role="analyst")
    address = re.findall(r"/link/[\w-]+", shown.text)[0]
    new = kampung.visitor()

    new.send(f"{address}/elsewhere", form_page=address)
    came = goes(new, provider)

    assert (came.status_code, came.location) == (302, "/")
    assert new.get("/submit").status_code == 200
    assert kampung.visitor().get(address).status_code == 404
    assert kampung.visitor().sign_in("adi@cert.example", PASSWORD).status_code == 401
    assert goes(kampung.visitor(), provider).location == "/"


def test_an_answer_works_once_and_only_in_the_browser_that_asked(
    kampung: Place, siti: str, provider: IdentityProvider
) -> None:
    visitor = kampung.visitor()
    visitor.sign_in(siti)
    binds(visitor, provider)
    victim, thief = kampung.visitor(), kampung.visitor()
    answered = provider.consents(victim.client.get("/sign-in/elsewhere").location)
    thief.client.get("/sign-in/elsewhere")

    stolen = back(thief, answered)
    honest = back(victim, answered)
    again = back(victim, answered)

    assert [answer.status_code for answer in (stolen, honest, again)] == [400, 302, 400]


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"aud": "another client"},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 42},
        {"sub": "x" * 256},
        {"iat": None},
    ],
)
def test_a_token_that_does_not_hold_opens_nothing(
    kampung: Place, siti: str, provider: IdentityProvider, claims: dict[str, Any]
) -> None:
    visitor = kampung.visitor()
    visitor.sign_in(siti)
    binds(visitor, provider)
    provider.claims = claims

    came = goes(kampung.visitor(), provider)

    assert came.status_code == 502
    assert "did not confirm who you are" in came.text


def test_a_token_of_another_key_or_a_shared_secret_opens_nothing(
    kampung: Place, siti: str, provider: IdentityProvider
) -> None:
    provider.signing = another_key()
    forged = goes(kampung.visitor(), provider).status_code
    provider.algorithm, provider.signing = "HS256", shared_secret()

    assert (forged, goes(kampung.visitor(), provider).status_code) == (502, 502)


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"id_token": 1}', b'{"id_token": "a.b.c"}', b"x" * 200_000])
def test_nonsense_of_the_provider_is_told_in_plain_words(
    kampung: Place, provider: IdentityProvider, answer: bytes
) -> None:
    provider.answer = answer

    came = goes(kampung.visitor(), provider)

    assert came.status_code == 502
    assert "did not confirm who you are" in came.text


def test_a_refusal_of_the_person_at_the_provider_is_told_in_plain_words(
    kampung: Place, provider: IdentityProvider
) -> None:
    visitor = kampung.visitor()
    asked = visitor.client.get("/sign-in/elsewhere").location
    state = re.findall(r"state=([\w-]+)", asked)[0]

    assert back(visitor, f"/sign-in/elsewhere/return?error=access_denied&state={state}").status_code == 502


def test_the_client_shows_its_secret_in_the_header_and_the_code_with_its_verifier(
    kampung: Place, siti: str, provider: IdentityProvider
) -> None:
    goes(kampung.visitor(), provider)

    (call,) = [headers for method, _, headers in provider.calls if method == "POST"]
    assert call["Authorization"].startswith("Basic ")
    assert SECRET not in str(provider.calls)


def test_what_the_provider_says_of_itself_is_remembered(kampung: Place, provider: IdentityProvider) -> None:
    for _ in range(3):
        kampung.visitor().client.get("/sign-in/elsewhere")

    assert len([path for _, path, _ in provider.calls if "openid-configuration" in path]) == 1


def test_binding_takes_a_fresh_sign_in_and_a_form_of_ours(
    kampung: Place, siti: str, provider: IdentityProvider
) -> None:
    visitor = kampung.visitor()
    visitor.sign_in(siti)
    forged = visitor.client.post("/account/elsewhere")
    kampung.now += timedelta(minutes=16)

    assert forged.status_code == 400
    assert visitor.send("/account/elsewhere", form_page="/account").location.startswith("/sign-in?again=1")


def test_it_is_taken_away_again(kampung: Place, siti: str, provider: IdentityProvider) -> None:
    visitor = kampung.visitor()
    visitor.sign_in(siti)
    binds(visitor, provider)

    visitor.send("/account/elsewhere/remove", form_page="/account")

    assert goes(kampung.visitor(), provider).status_code == 403


def test_a_provider_that_is_away_is_told_in_plain_words(sqlite_database: Database, tmp_path: Path) -> None:
    with running_provider() as gone:
        url = gone.url
    kampung = place(sqlite_database, str(tmp_path), oidc_issuer=url, oidc_client_id=CLIENT)

    answer = kampung.visitor().get("/sign-in/elsewhere")

    assert (answer.status_code, "did not confirm" in answer.text) == (502, True)


def test_without_a_provider_there_is_no_such_page(sqlite_database: Database, tmp_path: Path) -> None:
    kampung = place(sqlite_database, str(tmp_path))

    assert kampung.visitor().get("/sign-in/elsewhere").status_code == 404
    assert "/sign-in/elsewhere" not in kampung.visitor().sees("/sign-in")


@pytest.mark.parametrize("issuer", ["http://id.example", "id.example", "ftp://id.example", "https://"])
def test_an_issuer_that_is_not_encrypted_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, issuer: str) -> None:
    monkeypatch.setenv("KENTONGAN_OIDC_ISSUER", issuer)

    with pytest.raises(WrongSetting, match="KENTONGAN_OIDC_ISSUER"):
        load_settings()
