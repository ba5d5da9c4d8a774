"""The people page of administrators, invitations, and letters for a forgotten password."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kentongan.domain.identity import Role
from kentongan.storage.database import Database
from kentongan.trial.receivers import LOOPBACK, Arrivals, MailReceiver
from portal_stories import Place, place

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


def test_an_administrator_invites_and_shows_the_link_once_where_there_is_no_mail(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    chief = kampung.signed_in(jakarta, Role.ADMINISTRATOR)

    shown = chief.send("/people", form_page="/people", name="Adi", email="Adi@cert.example", role="analyst")
    before = chief.sees("/people")
    link = re.search(r"<code>(http\S+/link/\S+)</code>", shown.text)
    assert link
    address = "/link/" + link[1].rpartition("/")[2]
    new = kampung.visitor()
    page = new.sees(address)
    unfit = new.send(address, form_page=address, password="adi@cert.example", again="adi@cert.example")
    went_on = new.send(address, form_page=address, password=CHOSEN, again=CHOSEN)

    assert ">invited<" in before
    assert ">invited<" not in chief.sees("/people")
    assert "adi@cert.example" in page
    assert unfit.status_code == 422
    assert (went_on.status_code, went_on.location) == (302, "/")
    assert new.get("/submit").status_code == 200
    assert kampung.visitor().get(address).status_code == 404
    assert link[1] not in chief.sees("/people")


@pytest.mark.parametrize("address", ["/link/x", "/link/" + "x" * 43, "/link/%00", "/link/é"])
def test_a_link_of_nobodys_is_no_page(kampung: Place, address: str) -> None:
    answer = kampung.visitor().get(address)

    assert answer.status_code == 404
    assert "Nothing here" in answer.text


def test_an_invited_administrator_sets_up_a_second_factor_first(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    chief = kampung.signed_in(jakarta, Role.ADMINISTRATOR)
    shown = chief.send("/people", form_page="/people", name="Adi", email="adi@cert.example", role="administrator")
    address = re.findall(r"/link/[\w-]+", shown.text)[0]
    new = kampung.visitor()

    went_on = new.send(address, form_page=address, password=CHOSEN, again=CHOSEN)

    assert went_on.location == "/account/second-factor"
    assert new.get("/people").location == "/account/second-factor"


def test_bad_invitations_are_refused_beside_the_form(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    chief = kampung.signed_in(jakarta, Role.ADMINISTRATOR)
    kampung.person(jakarta, email="siti@cert.example")

    answers = [
        chief.send("/people", form_page="/people", name="X", email=email, role=role)
        for email, role in (
            ("siti@cert.example", "analyst"),
            ("nothing", "analyst"),
            ("x@y.example", "operator"),
            ("x@y.example", "king"),
        )
    ]

    assert [answer.status_code for answer in answers] == [422] * 4
    for answer, words in zip(
        answers, ("already signs in", "mail address", "operators alone", "at least one role"), strict=True
    ):
        assert words in answer.text


def test_people_of_another_organization_are_not_there(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta, hanoi = region.joins("ID-CERT"), region.joins("VNCERT")
    chief = kampung.signed_in(jakarta, Role.ADMINISTRATOR)
    other = kampung.signed_in(hanoi, Role.ADMINISTRATOR)
    linh = kampung.person(hanoi, email="linh@vn.example")
    theirs = re.findall(r"/people/(identity--[\w-]+)/end", other.sees("/people"))
    organization = re.findall(r'name="organization" value="([^"]+)"', other.sees("/people"))[0]

    answers = [
        chief.send(f"/people/{one}/{what}", form_page="/people", role="analyst").status_code
        for one in theirs
        for what in ("end", "reset", "roles")
    ]

    assert answers
    assert set(answers) == {404}
    assert chief.get(f"/people?organization={organization}").status_code == 404
    assert linh not in chief.sees("/people")
    assert kampung.signed_in(jakarta).get("/people").status_code == 403


def test_roles_are_changed_people_ended_and_begun_anew_from_the_list(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    chief = kampung.signed_in(jakarta, Role.ADMINISTRATOR)
    name, siti = kampung.person(jakarta, name="Rahayu"), kampung.visitor()
    siti.sign_in(name)
    listed = chief.sees("/people")
    one = re.findall(r"/people/(identity--[\w-]+)/end", listed[listed.index("Rahayu") :])[0]

    chief.send(f"/people/{one}/roles", form_page="/people", role="subscriber")
    without_submit = siti.get("/submit").status_code
    reset = chief.send(f"/people/{one}/reset", form_page="/people")
    after_reset = siti.get("/").status_code
    chief.send(f"/people/{one}/end", form_page="/people")

    assert (without_submit, after_reset) == (403, 302)
    assert "/link/" in reset.text
    assert kampung.visitor().get(re.findall(r"/link/[\w-]+", reset.text)[0]).status_code == 404
    assert "ended" in chief.sees("/people")


@pytest.fixture
def letters() -> Iterator[Arrivals]:
    """What a mail server took."""
    arrivals = Arrivals()
    yield arrivals


def test_letters_go_out_and_an_unknown_name_gets_the_same_answer(
    sqlite_database: Database, tmp_path: Path, letters: Arrivals
) -> None:
    with MailReceiver(letters) as mail:
        kampung = place(
            sqlite_database, str(tmp_path), smtp_host=LOOPBACK, smtp_port=mail.port, public_url="http://k.example"
        )
        with kampung.region() as region:
            jakarta = region.joins("ID-CERT")
        chief = kampung.signed_in(jakarta, Role.ADMINISTRATOR)
        sent = chief.send("/people", form_page="/people", name="Adi", email="adi@localhost.example", role="analyst")
        kampung.person(jakarta, email="siti@localhost.example")
        answers = [
            kampung.visitor().send("/forgotten", form_page="/forgotten", name=name)
            for name in ("siti@localhost.example", "nobody@localhost.example")
        ]
        told = arrived(letters, 2)

    assert sent.status_code == 303
    assert answers[0].text == answers[1].text
    assert "If somebody signs in with this address" in answers[0].text
    assert sorted(each["subject"] for each in told) == ["A new password for Kentongan", "You are invited to Kentongan"]
    for each in told:
        address = re.findall(r"http://k\.example(/link/[\w-]+)", each["text"])[0]
        assert kampung.visitor().get(address).status_code == 200


def test_without_a_mail_server_the_page_says_whom_to_ask(kampung: Place) -> None:
    assert "Ask the administrator" in kampung.visitor().sees("/forgotten")


def arrived(letters: Arrivals, most: int) -> list[dict[str, str]]:
    """What came, after at most a few seconds: letters to who forgot a password go out beside the request."""
    import time  # noqa: PLC0415

    until = time.monotonic() + 20
    while len(letters.all()) < most and time.monotonic() < until:
        time.sleep(0.02)
    return [each.content for each in letters.all()]
