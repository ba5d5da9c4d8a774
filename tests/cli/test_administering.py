"""Every administrative act as a command: read by people and programs, with the same refusals and entries as elsewhere."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from kentongan.cli import main
from kentongan.domain.audit import read_details
from kentongan.storage.audit import AuditEntry
from kentongan.storage.database import Database
from pgp_keys import ED25519, ED25519_FINGERPRINT

Run = Callable[..., Result]


@pytest.fixture
def run(empty_database_url: str, tmp_path: Path) -> Run:
    """Commands on an installation with two members and a bank."""

    def command(*words: str) -> Result:
        environment = {"KENTONGAN_DATABASE_URL": empty_database_url}
        return CliRunner().invoke(main, ["--data-dir", str(tmp_path), *words], env=environment)

    assert command("migrate").exit_code == 0
    for name, kind, more in (
        ("CERT-ID", "member", ("--country", "ID")),
        ("CERT-PH", "member", ("--country", "PH")),
        ("Bank Nusantara", "subscriber", ("--vouched-by", "CERT-ID")),
    ):
        assert command("org", "add", name, "--kind", kind, *more).exit_code == 0
    return command


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_an_organization_tells_of_itself_and_leaves(run: Run, tmp_path: Path) -> None:
    key = tmp_path / "key.asc"
    key.write_text(f"{ED25519}\n")
    told(run("org", "set", "CERT-ID", "time-zone", "Asia/Jakarta", "--json"))
    told(run("org", "set", "CERT-ID", "time-zone", "Asia/Makassar", "--json"))
    told(run("org", "set", "CERT-ID", "pgp-key", "--file", str(key), "--expires", "2099-01-01", "--json"))
    shown = told(run("org", "show", "CERT-ID", "--json"))
    refused = run("org", "set", "CERT-ID", "time-zone", "Mars/Olympus")
    both = run("org", "set", "CERT-ID", "pgp-key", "x", "--file", str(key))
    left = told(run("org", "end", "Bank Nusantara", "--json"))

    assert [each["value"] for each in shown["attributes"]] == ["Asia/Makassar", ED25519]
    assert [each["value"] for each in shown["history"]] == [ED25519, "Asia/Makassar", "Asia/Jakarta"]
    assert shown["history"][2]["until"] == shown["history"][1]["valid_from"]
    assert shown["history"][0]["set_by"].endswith(" of operator")
    assert (refused.exit_code, "there is no such time zone" in refused.stderr) == (1, True)
    assert both.exit_code == 2
    assert (left["ended"], left["vouched_by"]) == (True, "CERT-ID")
    assert f"pgp-key: {ED25519_FINGERPRINT} (since" in run("org", "show", "CERT-ID").stdout
    assert "until 2099-01-01)" in run("org", "show", "CERT-ID").stdout
    assert "(ended)" in run("org", "list").stdout


def test_a_token_is_made_listed_without_its_secret_and_revoked(run: Run) -> None:
    limits = ("--network", "192.0.2.7/24", "--expires", "2099-06-30", "--read-only", "--label", "SIEM")
    made = told(run("token", "create", "--org", "CERT-ID", "--scope", "read", "--scope", "taxii", *limits, "--json"))
    (listed,) = told(run("token", "list", "--org", "CERT-ID", "--json"))
    revoked = told(run("token", "revoke", made["id"], "--org", "CERT-ID", "--json"))
    elsewhere = run("token", "revoke", made["id"], "--org", "CERT-PH")

    assert made["token"].startswith(listed["prefix"])
    assert made["token"] not in json.dumps(listed)
    assert (listed["networks"], listed["read_only"], listed["label"]) == (["192.0.2.0/24"], True, "SIEM")
    assert listed["expires_at"].startswith("2099-06-30T00:00:00")
    assert revoked == {"organization": "CERT-ID", "id": made["id"], "revoked": True}
    assert elsewhere.exit_code == 1
    assert "revoked  SIEM" in run("token", "list", "--org", "CERT-ID").stdout


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (("--scope", "operate"), 2, "operate"),
        (("--scope", "read", "--network", "elsewhere"), 1, "192.0.2.0/24"),
        (("--scope", "read", "--expires", "2001-01-01"), 1, "expired already"),
        (("--scope", "read", "--expires", "soon"), 2, "2027-06-30"),
    ],
)
def test_a_token_that_cannot_be_is_refused_in_one_line(run: Run, more: tuple[str, ...], code: int, words: str) -> None:
    refused = run("token", "create", "--org", "CERT-ID", *more)

    assert refused.exit_code == code
    assert words in refused.stderr


def test_a_group_is_founded_filled_renamed_and_ended(run: Run) -> None:
    made = told(run("group", "create", "Banks", "--owner", "CERT-ID", "--json"))
    told(run("group", "add", "Banks", "Bank Nusantara", "--strictest", "AMBER", "--json"))
    told(run("group", "add", "Banks", "CERT-PH", "--json"))
    without = told(run("group", "remove", "Banks", "CERT-PH", "--json"))
    words = run("group", "show", "Banks").stdout
    renamed = told(run("group", "rename", "Banks", "All banks", "--json"))
    told(run("group", "end", made["id"], "--json"))
    (listed,) = told(run("group", "list", "--json"))

    assert [each["name"] for each in without["organizations"]] == ["Bank Nusantara", "CERT-ID"]
    assert "  Bank Nusantara, up to TLP:AMBER, constituent\n" in words
    assert (renamed["id"], renamed["name"]) == (made["id"], "All banks")
    assert (listed["name"], listed["ended"]) == ("All banks", True)
    assert run("group", "add", "All banks", "CERT-PH").exit_code == 1
    assert run("group", "create", "Ours", "--owner", "Bank Nusantara").exit_code == 1


def test_of_two_groups_of_one_name_the_owner_says_which(run: Run) -> None:
    for owner in ("CERT-ID", "CERT-PH"):
        assert run("group", "create", "Banks", "--owner", owner).exit_code == 0

    unclear = run("group", "show", "Banks")
    clear = told(run("group", "show", "Banks", "--owner", "CERT-PH", "--json"))

    assert (unclear.exit_code, "CERT-ID, CERT-PH" in unclear.stderr) == (1, True)
    assert clear["owner"] == "CERT-PH"


def test_the_coordinators_role_is_handed_over_from_a_day_on(run: Run) -> None:
    before = run("role", "show")
    given = told(run("role", "hand-over", "CERT-PH", "--from", "2099-01-01", "--json"))
    past = run("role", "hand-over", "CERT-ID", "--from", "2001-01-01")
    listener = run("role", "hand-over", "Bank Nusantara", "--from", "2099-01-01")

    assert before.stdout == "Nobody coordinates.\n"
    assert (given["organization"], given["next"]) == (None, "CERT-PH")
    assert run("role", "show").stdout == "Nobody coordinates. From 2099-01-01 00:00 UTC it is CERT-PH.\n"
    assert [past.exit_code, listener.exit_code] == [1, 1]


def test_every_act_at_the_machine_is_entered_with_who_typed_it(run: Run, empty_database_url: str) -> None:
    run("token", "create", "--org", "CERT-ID", "--scope", "read")
    run("group", "create", "Banks", "--owner", "CERT-ID")
    run("group", "add", "Banks", "CERT-PH")
    run("group", "create", "Banks", "--owner", "CERT-ID")  # refused, and so nothing was done
    run("org", "set", "CERT-ID", "phone", "+62 21 555 0100")
    run("role", "hand-over", "CERT-ID", "--from", "2099-01-01")

    database = Database(empty_database_url)
    with database.reading() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.number > 3).order_by(AuditEntry.number)).all()
    database.close()
    assert [(each.act, each.subject.split()[0]) for each in entries] == [
        ("added", "token"),
        ("added", "sharing"),
        ("changed", "sharing"),
        ("changed", "organization"),
        ("changed", "coordinator's"),
    ]
    assert {each.about_id for each in entries} == {1}
    who = {(told.name, told.address) for told in (read_details(each.details or "") for each in entries)}
    assert who == {(getpass.getuser(), "command line")}
