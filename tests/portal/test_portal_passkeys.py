"""Passkeys as a second factor: each challenge is good once, for our origin, for the person whose passkey it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from kentongan.domain.identity import Role
from portal_stories import Place, Visitor, csrf_token
from soft_passkey import SoftPasskey

HOME = "/sign-in/second-factor"


def question(visitor: Visitor, address: str, page: str) -> dict[str, Any]:
    """What the script on the page asks for."""
    token = csrf_token(visitor.get(page).text)
    answer = visitor.client.post(address, headers={"X-CSRFToken": token})
    assert answer.status_code == 200, answer.text
    asked: dict[str, Any] = answer.get_json()
    return asked


def enrols(visitor: Visitor, key: SoftPasskey, **changed: str) -> TestResponse:
    asked = question(visitor, "/account/passkeys/question", "/account/second-factor")
    made = key.made(asked, **changed)
    return visitor.send("/account/passkeys", form_page="/account/second-factor", answer=made, name="Key in the safe")


def asks(visitor: Visitor) -> dict[str, Any]:
    return question(visitor, "/sign-in/passkey/question", HOME)


def sends(visitor: Visitor, answer: str, **more: str) -> TestResponse:
    return visitor.send("/sign-in/passkey", form_page=HOME, answer=answer, **more)


@pytest.fixture
def key() -> SoftPasskey:
    """A passkey of nobody's yet."""
    return SoftPasskey()


@pytest.fixture
def siti(kampung_everywhere: Place, key: SoftPasskey) -> str:
    """An analyst who enrolled it."""
    with kampung_everywhere.region() as region:
        jakarta = region.joins("ID-CERT")
    name, visitor = kampung_everywhere.person(jakarta), kampung_everywhere.visitor()
    visitor.sign_in(name)
    shown = enrols(visitor, key)
    assert "Recovery codes" in shown.text
    assert "Key in the safe" in visitor.sees("/account/second-factor")
    return name


def half_in(place: Place, name: str) -> Visitor:
    visitor = place.visitor()
    assert visitor.sign_in(name).location == HOME
    return visitor


def test_a_passkey_is_shown_and_leads_on(kampung_everywhere: Place, siti: str, key: SoftPasskey) -> None:
    visitor = half_in(kampung_everywhere, siti)
    assert "Use a passkey" in visitor.sees(HOME)

    answer = sends(visitor, key.shown(asks(visitor)), next="/incidents")

    assert (answer.status_code, answer.location) == (302, "/incidents")
    assert visitor.get("/incidents").status_code == 200


def test_a_challenge_is_good_once(kampung_everywhere: Place, siti: str, key: SoftPasskey) -> None:
    visitor, other = half_in(kampung_everywhere, siti), half_in(kampung_everywhere, siti)
    wrong = SoftPasskey(id=key.id)
    asked = asks(visitor)

    refused = sends(visitor, wrong.shown(asked))
    late = sends(visitor, key.shown(asked))
    elsewhere = sends(other, key.shown(asks(visitor)))

    assert [answer.status_code for answer in (refused, late, elsewhere)] == [401, 401, 401]


def test_a_recorded_answer_opens_nothing_later(kampung_everywhere: Place, siti: str, key: SoftPasskey) -> None:
    visitor = half_in(kampung_everywhere, siti)
    recorded = key.shown(asks(visitor))
    assert sends(visitor, recorded).status_code == 302

    thief = half_in(kampung_everywhere, siti)
    asks(thief)

    assert sends(thief, recorded).status_code == 401


@pytest.mark.parametrize(
    "changed", [{"origin": "https://evil.example"}, {"party": "evil.example"}, {"origin": "http://localhost:1"}]
)
def test_an_answer_for_another_site_opens_nothing(
    kampung_everywhere: Place, siti: str, key: SoftPasskey, changed: dict[str, str]
) -> None:
    visitor = half_in(kampung_everywhere, siti)

    assert sends(visitor, key.shown(asks(visitor), **changed)).status_code == 401


def test_a_copied_passkey_is_found_out_by_its_counter(kampung_everywhere: Place, siti: str, key: SoftPasskey) -> None:
    copy = SoftPasskey(id=key.id, key=key.key)
    visitor = half_in(kampung_everywhere, siti)
    assert sends(visitor, key.shown(asks(visitor))).status_code == 302

    thief = half_in(kampung_everywhere, siti)

    assert sends(thief, copy.shown(asks(thief))).status_code == 401


def test_another_persons_passkey_opens_nothing(kampung_everywhere: Place, siti: str, key: SoftPasskey) -> None:
    with kampung_everywhere.region() as region:
        hanoi = region.joins("VNCERT")
    name, linh = kampung_everywhere.person(hanoi), kampung_everywhere.visitor()
    linh.sign_in(name)
    own = SoftPasskey()
    enrols(linh, own)

    visitor = half_in(kampung_everywhere, siti)

    assert sends(visitor, own.shown(asks(visitor))).status_code == 401
    assert enrols(linh, key).status_code == 400


@pytest.mark.parametrize(
    "answer", ["", "{}", "null", "[1]", '{"id": 1}', "x" * 40_000, '{"id":"a","rawId":"a","type":"x","response":{}}']
)
def test_nonsense_is_refused(kampung_everywhere: Place, siti: str, answer: str) -> None:
    visitor = half_in(kampung_everywhere, siti)
    asks(visitor)

    assert sends(visitor, answer).status_code in (401, 413)


def test_a_passkey_made_for_another_site_is_not_taken(kampung_everywhere: Place, key: SoftPasskey) -> None:
    with kampung_everywhere.region() as region:
        jakarta = region.joins("ID-CERT")
    visitor = kampung_everywhere.signed_in(jakarta)

    answer = enrols(visitor, key, origin="https://evil.example")

    assert answer.status_code == 400
    assert "could not be taken" in answer.text


def test_who_owes_the_enrolment_is_in_with_a_passkey_and_keeps_it(kampung_everywhere: Place, key: SoftPasskey) -> None:
    with kampung_everywhere.region() as region:
        jakarta = region.joins("ID-CERT")
    visitor = kampung_everywhere.visitor()
    visitor.sign_in(kampung_everywhere.person(jakarta, Role.OPERATOR))

    enrols(visitor, key)
    page = visitor.sees("/account/second-factor")
    address = page.split('action="/account/passkeys/')[1].split('"')[0]
    removed = visitor.send(f"/account/passkeys/{address}", form_page="/account/second-factor")

    assert visitor.get("/").status_code == 200
    assert removed.status_code == 400
    assert "your only one" in removed.text


def test_a_question_needs_a_form_of_ours(kampung_everywhere: Place, siti: str) -> None:
    visitor = half_in(kampung_everywhere, siti)

    assert visitor.client.post("/sign-in/passkey/question").status_code == 400
    assert kampung_everywhere.visitor().client.post("/sign-in/passkey/question").status_code in (302, 400)


def test_where_the_installation_has_no_name_there_are_no_passkeys(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    visitor = kampung.signed_in(jakarta)
    kampung.now += timedelta(minutes=1)
    numbered = {"base_url": "http://127.0.0.1/"}
    visitor.client.set_cookie("kentongan", visitor.client.get_cookie("kentongan").value, domain="127.0.0.1")  # type: ignore[union-attr]

    page = visitor.client.get("/account/second-factor", **numbered)

    assert page.status_code == 200
    assert "reached by a name" in page.text
