"""From an empty folder to a receipt, by commands alone: join, get a token, submit, and do it again without harm."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select
from werkzeug.serving import make_server

from asking import Door
from kentongan.cli import main
from kentongan.cli import submit as submit_module
from kentongan.storage.database import Database
from kentongan.storage.submissions import Submission
from stories import as_bytes, bundle, incident, indicator


def run(folder: Path, *words: str, stdin: bytes | None = None, **environment: str) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(folder), *words], input=stdin, env=environment)


def token_of(folder: Path, name: str) -> str:
    made = run(folder, "token", "create", "--org", name, "--scope", "submit", "--json")
    return str(json.loads(made.stdout)["token"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An installation with one member, by commands."""
    data = tmp_path / "data with a blank"
    data.mkdir()
    assert run(data, "migrate").exit_code == 0
    assert run(data, "org", "add", "CERT-ID", "--country", "id", "--kind", "member").exit_code == 0
    return data


@contextmanager
def listening(folder: Path) -> Iterator[str]:
    """The API over this installation's database, on loopback."""
    database = Database(f"sqlite:///{folder / 'kentongan.sqlite'}")
    server = make_server("127.0.0.1", 0, Door(database, folder).app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(10)
        database.close()


def kept(folder: Path) -> int:
    database = Database(f"sqlite:///{folder / 'kentongan.sqlite'}")
    with database.reading() as session:
        found = session.scalar(select(func.count()).select_from(Submission)) or 0
    database.close()
    return found


def lines(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_an_organization_is_let_in_once(folder: Path) -> None:
    again = run(folder, "org", "add", "CERT-ID", "--kind", "member")
    listed = json.loads(run(folder, "org", "list", "--json").stdout)

    assert again.exit_code == 1
    assert "already there" in again.stderr
    assert [(each["name"], each["country"], each["kind"]) for each in listed] == [("CERT-ID", "ID", "member")]


def test_what_is_masked_is_said_one_by_one_and_an_unknown_organization_masks_nothing(folder: Path) -> None:
    assert run(folder, "org", "mask", "CERT-ID", "--red").exit_code == 0
    both = json.loads(run(folder, "org", "mask", "CERT-ID", "--tell-others", "--personal", "--json").stdout)
    one = json.loads(run(folder, "org", "mask", "CERT-ID", "--no-red", "--json").stdout)
    unknown = run(folder, "org", "mask", "Nobody", "--red")

    assert both == {"red": True, "tell_others": True, "personal": True}
    assert one == {"red": False, "tell_others": True, "personal": True}
    assert json.loads(run(folder, "org", "mask", "CERT-ID", "--json").stdout) == one
    assert (unknown.exit_code, "Nobody" in unknown.stderr) == (1, True)


@pytest.mark.parametrize("country", ["IDN", "1D", "ไทย", "ZZ", "UK"])
def test_a_country_is_two_letters(folder: Path, country: str) -> None:
    refused = run(folder, "org", "add", "Elsewhere", "--country", country, "--kind", "member")

    assert (refused.exit_code, country in refused.stderr) == (1, True)


@pytest.mark.parametrize("name", ["cert-id", "Bell\a", "\u202eDI-TREC", "Two\nlines", " "])
def test_a_name_is_visible_and_not_taken_in_another_case(folder: Path, name: str) -> None:
    refused = run(folder, "org", "add", name, "--kind", "member")

    assert refused.exit_code == 1
    assert len(json.loads(run(folder, "org", "list", "--json").stdout)) == 1


def test_nobody_gets_a_token_for_an_unknown_organization(folder: Path) -> None:
    refused = run(folder, "token", "create", "--org", "Nobody", "--scope", "read")

    assert refused.exit_code == 1
    assert "no organization named 'Nobody'" in refused.stderr


def test_files_folders_lines_and_stdin_are_submitted_and_again_get_the_same_receipts(
    folder: Path, tmp_path: Path
) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    (reports / "one.json").write_bytes(as_bytes(bundle(incident())))
    (reports / "two.jsonl").write_bytes(as_bytes(incident()) + b"\n\n" + as_bytes([incident(), indicator()]) + b"\n")
    (reports / "notes.txt").write_text("not STIX")
    piped = as_bytes(bundle(*(incident() for _ in range(60))))

    with listening(folder) as url:
        how = {"KENTONGAN_TOKEN": token_of(folder, "CERT-ID"), "KENTONGAN_URL": url}
        first = run(folder, "submit", str(reports), "-", "--json", stdin=piped, **how)
        second = run(folder, "submit", str(reports), "-", "--json", stdin=piped, **how)

    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    assert [line["accepted"] for line in lines(first)] == [1, 1, 2, 60]
    assert [line["receipt"] for line in lines(first)] == [line["receipt"] for line in lines(second)]
    assert kept(folder) == 4


def test_what_is_refused_ends_with_1_and_is_told_with_its_place(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_bytes(as_bytes(bundle(indicator(pattern="[broken"))))

    with listening(folder) as url:
        result = run(folder, "submit", str(broken), "--url", url, "--token", token_of(folder, "CERT-ID"))

    assert result.exit_code == 1
    assert "$.objects[0].pattern" in result.stdout
    assert kept(folder) == 0


def test_of_a_document_taken_in_part_every_refused_object_is_told(folder: Path, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed.json"
    mixed.write_bytes(as_bytes(bundle(incident(), indicator(pattern="[broken"), indicator(pattern="[still broken"))))

    with listening(folder) as url:
        how = ("--token", token_of(folder, "CERT-ID"), "--url", url)
        first = run(folder, "submit", str(mixed), *how)
        again = run(folder, "submit", str(mixed), "--json", *how)

    told = first.stdout.splitlines()
    assert (first.exit_code, again.exit_code) == (1, 1)
    assert ["objects[1].pattern" in told[1], "objects[2]" in told[2], len(told)] == [True, True, 3]
    assert "(sent before)" in lines(again)[0]["words"]
    assert all(set(problem) == {"path", "rule", "reason", "hint"} for problem in lines(again)[0]["problems"])
    assert any("objects[1].pattern" in problem["path"] for problem in lines(again)[0]["problems"])


def test_what_is_compressed_already_is_sent_as_it_is(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "one.json.gz").write_bytes(gzip.compress(as_bytes(bundle(incident()))))

    with listening(folder) as url:
        how = ("--token", token_of(folder, "CERT-ID"), "--url", url)
        result = run(folder, "submit", str(tmp_path / "one.json.gz"), "--json", *how)

    assert (result.exit_code, lines(result)[0]["accepted"]) == (0, 1)


def test_a_token_that_no_header_can_carry_is_refused_without_repeating_it(folder: Path, tmp_path: Path) -> None:
    good = tmp_path / "good.json"
    good.write_bytes(as_bytes(incident()))

    broken = run(folder, "submit", str(good), "--token", "kt_secret\nX-Evil: 1")
    missing = run(folder, "submit", str(good))

    assert (broken.exit_code, missing.exit_code) == (2, 2)
    assert "kt_secret" not in broken.output
    assert "KENTONGAN_TOKEN" in missing.stderr


def test_a_dry_run_stores_nothing(folder: Path, tmp_path: Path) -> None:
    good = tmp_path / "good.json"
    good.write_bytes(as_bytes(incident()))

    with listening(folder) as url:
        result = run(folder, "submit", str(good), "--dry-run", "--url", url, "--token", token_of(folder, "CERT-ID"))

    assert (result.exit_code, kept(folder)) == (0, 0)


def test_nobody_there_ends_with_3(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submit_module, "_PAUSES", (0.01,))
    good = tmp_path / "good.json"
    good.write_bytes(as_bytes(incident()))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"

    unanswered = run(folder, "submit", str(good), "--url", url, "--token", "kt_x")
    not_running = run(folder, "submit", str(good), "--token", "kt_x")

    assert (unanswered.exit_code, not_running.exit_code) == (3, 3)
    assert "kentongan up" in not_running.stderr


def test_every_command_explains_itself_with_an_example() -> None:
    from kentongan.cli import COMMANDS  # noqa: PLC0415

    for command in COMMANDS:
        shown = CliRunner().invoke(main, [command, "--help"])
        assert shown.exit_code == 0, shown.output
        assert "Example: kentongan" in shown.output, command


def test_every_command_is_told_its_installation_behind_its_name_too(folder: Path) -> None:
    listed = CliRunner().invoke(main, ["org", "list", "--json", "--data-dir", str(folder)])

    assert (listed.exit_code, len(json.loads(listed.stdout))) == (0, 1)


def test_a_database_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    refused = run(tmp_path / "nowhere", "org", "list")
    garbage = tmp_path / "garbage.sqlite"
    garbage.write_text("this is no database, whatever its name may say")
    useless = run(tmp_path, "org", "list", KENTONGAN_DATABASE_URL=f"sqlite:///{garbage}")

    for result in (refused, useless):
        assert result.exit_code == 3
        assert len(result.stderr.splitlines()) == 1
        assert "kentongan doctor" in result.stderr


def test_a_database_url_that_cannot_be_read_is_refused_without_quoting_it(tmp_path: Path) -> None:
    refused = run(tmp_path, "migrate", KENTONGAN_DATABASE_URL="postgresql://u:secret@localhost:port/x")

    assert refused.exit_code == 2
    assert "KENTONGAN_DATABASE_URL" in refused.stderr
    assert "secret" not in refused.output
