"""The audit trail by commands: what an operator lists and verifies, and the head that a member kept."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kentongan.cli import main


def run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(folder), *words])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An installation with two members and a token, by commands."""
    data = tmp_path / "data"
    data.mkdir()
    run(data, "migrate")
    run(data, "org", "add", "CERT-ID", "--country", "id", "--kind", "member")
    run(data, "org", "add", "CERT-VN", "--country", "vn", "--kind", "member")
    run(data, "token", "create", "--org", "CERT-ID", "--scope", "submit")
    return data


def as_owner_of_the_file(folder: Path, *statements: str) -> None:
    driver = sqlite3.connect(folder / "kentongan.sqlite")
    with driver:
        for trigger in ("audit_entry_is_kept", "audit_entry_stays"):
            driver.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        for statement in statements:
            driver.execute(statement)
    driver.close()


def test_what_was_done_at_the_console_is_listed_with_who_did_it(folder: Path) -> None:
    listed = json.loads(run(folder, "audit", "list", "--json").stdout)

    assert [entry["subject"].split()[0] for entry in listed] == ["token", "organization", "organization"]
    assert {(entry["organization"], entry["address"]) for entry in listed} == {("operator", "command line")}
    assert all(entry["name"] for entry in listed)
    assert "added: organization CERT-VN" in run(folder, "audit", "list", "--act", "added").stdout
    assert run(folder, "audit", "list", "--act", "erased").stdout == "Nothing fits.\n"


def test_a_whole_trail_is_said_to_hold(folder: Path) -> None:
    told = run(folder, "audit", "verify")

    assert (told.exit_code, told.stdout[:30]) == (0, "The trail holds: 3 entries, 0 ")
    assert json.loads(run(folder, "audit", "verify", "--json").stdout)["holds"] is True


def test_the_first_broken_entry_is_named_with_code_1(folder: Path) -> None:
    as_owner_of_the_file(folder, "UPDATE audit_entry SET subject = 'organization CERT-XX' WHERE number = 2")

    told = run(folder, "audit", "verify")
    as_json = json.loads(run(folder, "audit", "verify", "--json").stdout)

    assert told.exit_code == 1
    assert "First broken entry: 2: it was changed" in told.stdout
    assert (as_json["holds"], as_json["breaks"][0]["number"]) == (False, 2)


@pytest.mark.parametrize("kept", ["one", "listed", "page"])
def test_a_kept_head_finds_an_end_that_was_cut_off(folder: Path, tmp_path: Path, kept: str) -> None:
    head = json.loads(run(folder, "audit", "head").stdout)
    listed = json.loads(run(folder, "audit", "heads", "--json").stdout)
    file = tmp_path / "head.json"
    file.write_text(json.dumps({"one": head, "listed": listed, "page": {"items": listed, "next": None}}[kept]))
    before = run(folder, "audit", "verify", "--head", str(file))
    as_owner_of_the_file(folder, "DELETE FROM audit_entry WHERE number = 3", "DELETE FROM audit_head")

    without, told = run(folder, "audit", "verify"), run(folder, "audit", "verify", "--head", str(file))

    assert listed == [head]
    assert (before.exit_code, without.exit_code, told.exit_code) == (0, 0, 1)
    assert "First broken entry: 3" in told.stdout


def test_the_key_is_made_once_for_its_owner_alone(folder: Path) -> None:
    first = json.loads(run(folder, "audit", "head").stdout)
    run(folder, "org", "add", "CERT-TH", "--kind", "member")
    second = json.loads(run(folder, "audit", "head").stdout)

    assert (folder / "audit.key").stat().st_mode & 0o777 == 0o600
    assert first["key"] == second["key"]
    assert (first["number"], second["number"]) == (3, 4)


@pytest.mark.parametrize("text", ["no JSON", '{"number": 1}', "[1]"])
def test_a_file_that_is_no_head_is_refused_with_code_2(folder: Path, tmp_path: Path, text: str) -> None:
    file = tmp_path / "head.json"
    file.write_text(text)

    told = run(folder, "audit", "verify", "--head", str(file))

    assert told.exit_code == 2
    assert "head.json" in told.stderr


def test_an_empty_trail_has_no_head(tmp_path: Path) -> None:
    run(tmp_path, "migrate")

    told = run(tmp_path, "audit", "head")

    assert (told.exit_code, "empty" in told.stderr) == (1, True)


def test_a_key_that_is_none_is_refused_at_the_start(folder: Path) -> None:
    told = CliRunner().invoke(main, ["--data-dir", str(folder), "audit", "head"], env={"KENTONGAN_AUDIT_KEY": "abc"})

    assert told.exit_code == 2
    assert "KENTONGAN_AUDIT_KEY" in told.stderr


def test_the_doctor_looks_at_the_end_of_the_trail(folder: Path) -> None:
    sound = run(folder, "doctor").stdout
    as_owner_of_the_file(folder, "UPDATE audit_entry SET act = 'read' WHERE number = 1")

    ill = run(folder, "doctor").stdout

    assert "audit trail: its last 3 entries follow from one another" in sound
    assert "audit trail: is broken at entry 1" in ill
