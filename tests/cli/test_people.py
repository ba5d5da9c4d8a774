"""`kentongan person`: people from the machine's own console."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from kentongan.app import create_app
from kentongan.bootstrap import assemble
from kentongan.cli import main
from kentongan.settings import Settings
from kentongan.storage.credentials import Password
from kentongan.storage.database import Database
from kentongan.trial.receivers import LOOPBACK, Arrivals, MailReceiver
from portal_stories import Visitor

GOOD = "a boat on the slow river"


def run(folder: Path, *words: str, stdin: str | None = None, **environment: str) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(folder), *words], input=stdin, env=environment)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An installation with one member, by commands."""
    assert run(tmp_path, "migrate").exit_code == 0
    assert run(tmp_path, "org", "add", "CERT-ID", "--country", "ID", "--kind", "member").exit_code == 0
    return tmp_path


def added(folder: Path, email: str = "siti@cert.example", role: str = "analyst", password: str = GOOD) -> Result:
    return run(
        folder, "person", "add", email, "--org", "CERT-ID", "--name", "Siti", "--role", role, stdin=password + "\n"
    )


def listed(folder: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run(folder, "person", "list", "--json").stdout)
    return found


def test_without_a_mail_server_the_link_is_printed_and_opens(folder: Path) -> None:
    words = ("person", "invite", "Siti@cert.example", "--org", "CERT-ID", "--name", "Siti", "--role", "administrator")
    invited = run(folder, *words, "--json")
    shown = json.loads(invited.stdout)

    visitor = Visitor(create_app(assemble(Settings(data_dir=folder))).test_client())
    address = "/link/" + shown["link"].rpartition("/")[2]
    went_on = visitor.send(address, form_page=address, password=GOOD, again=GOOD)

    assert shown["email"] == "siti@cert.example"
    assert went_on.location == "/account/second-factor"
    assert [(one["email"], one["state"], one["roles"]) for one in listed(folder)] == [
        ("siti@cert.example", "active", ["administrator"])
    ]


def test_with_a_mail_server_the_letter_goes_out_and_no_link_is_printed(folder: Path) -> None:
    arrivals = Arrivals()
    words = ("person", "invite", "siti@cert.example", "--org", "CERT-ID", "--name", "Siti", "--role", "analyst")
    with MailReceiver(arrivals) as mail:
        set_up = {"KENTONGAN_SMTP_HOST": LOOPBACK, "KENTONGAN_SMTP_PORT": str(mail.port)}
        invited = run(folder, *words, **set_up)
    away = run(folder, "person", "reset", "siti@cert.example", **set_up)

    (letter,) = arrivals.all()
    assert invited.exit_code == 0, invited.output
    assert re.search(r"/link/[\w-]{43}\s", letter.content["text"])
    assert "/link/" not in invited.output
    assert away.exit_code == 1
    assert "the letter was not sent" in away.stderr


def test_a_person_is_added_with_a_password_from_the_standard_input(folder: Path) -> None:
    made = added(folder)

    visitor = Visitor(create_app(assemble(Settings(data_dir=folder))).test_client())
    answer = visitor.sign_in("siti@cert.example", GOOD)

    assert made.exit_code == 0, made.output
    assert GOOD not in made.output
    assert answer.location == "/"


@pytest.mark.parametrize(
    ("email", "role", "password", "why"),
    [
        ("siti@cert.example", "analyst", "short", "at least 12"),
        ("siti@cert.example", "analyst", "", "at least 12"),
        ("siti@cert.example", "analyst", "siti@cert.example", "made of your name"),
        ("nothing", "analyst", GOOD, "mail address"),
    ],
)
def test_what_is_refused_on_the_pages_is_refused_here(
    folder: Path, email: str, role: str, password: str, why: str
) -> None:
    refused = added(folder, email, role, password)

    assert refused.exit_code == 1
    assert why in refused.stderr
    assert listed(folder) == []


def test_nobody_is_added_to_an_organization_that_is_not_there(folder: Path) -> None:
    words = ("person", "add", "a@b.example", "--org", "Nobody", "--name", "A", "--role", "analyst")

    refused = run(folder, *words, stdin=GOOD)

    assert (refused.exit_code, "no organization named" in refused.stderr) == (1, True)


def test_roles_change_and_people_end_and_begin_anew(folder: Path) -> None:
    added(folder)

    changed = run(folder, "person", "roles", "SITI@cert.example", "--role", "operator", "--role", "analyst", "--json")
    reset = run(folder, "person", "reset", "siti@cert.example")
    without = passwords(folder)
    ended = run(folder, "person", "end", "siti@cert.example")
    again = run(folder, "person", "reset", "siti@cert.example")
    unknown = run(folder, "person", "end", "nobody@cert.example")

    assert json.loads(changed.stdout)["roles"] == ["analyst", "operator"]
    assert "/link/" in reset.stdout
    assert without == 0
    assert (ended.exit_code, again.exit_code, unknown.exit_code) == (0, 1, 1)
    assert "has left" in again.stderr
    assert [one["state"] for one in listed(folder)] == ["ended"]


def passwords(folder: Path) -> int:
    database = Database(f"sqlite:///{folder / 'kentongan.sqlite'}")
    with database.reading() as session:
        found = len(session.scalars(select(Password)).all())
    database.close()
    return found
