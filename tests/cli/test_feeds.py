"""A feed from setting it up to removing it, by commands alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from feeding_samples import stix_20, stix_21
from kentongan.cli import main


def run(folder: Path, *words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(folder), *words], input=stdin)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert run(tmp_path, "migrate").exit_code == 0
    assert run(tmp_path, "org", "add", "CERT-ID", "--country", "ID", "--kind", "member").exit_code == 0
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "new.json").write_bytes(stix_21(1, "Web shell"))
    (drop / "old.json").write_bytes(stix_20(2, "Old"))
    (drop / "not.json").write_text("nonsense")
    return tmp_path


def add(folder: Path, *words: str, name: str = "partner", stdin: str | None = None) -> Result:
    source = ("--source", str(folder / "drop")) if "--source" not in words else ()
    return run(folder, "feed", "add", name, "--org", "CERT-ID", "--kind", "stix", *source, *words, stdin=stdin)


def test_from_setting_up_to_removing(folder: Path) -> None:
    added = add(folder, "--every", "15m")
    tried = run(folder, "feed", "run", "partner", "--dry-run")
    first = run(folder, "feed", "run", "partner", "--json")
    second = run(folder, "feed", "run", "partner")
    listed = run(folder, "feed", "list")
    report = run(folder, "feed", "report", "partner")
    one = run(folder, "feed", "report", "partner", "--item", "old.json", "--json")
    removed = run(folder, "feed", "remove", "partner")
    gone = run(folder, "feed", "run", "partner")

    assert added.exit_code == 0, added.output
    assert "every 15m" in added.stdout
    assert "not.json: nothing of it would be kept" in tried.stdout
    counted = json.loads(first.stdout)
    assert (counted["new"], counted["refused"], counted["state"]) == (2, 1, "done")
    assert "0 new, 0 changed, 3 unchanged, 0 refused (done)" in second.stdout
    assert "next " in listed.stdout
    assert "not JSON" in report.stdout
    (item,) = json.loads(one.stdout)["items"]
    assert item["name"] == "old.json"
    assert {change["rule"] for change in item["changes"]} >= {"labels-to-malware-types"}
    assert (removed.exit_code, gone.exit_code) == (0, 1)
    assert "feed list" in gone.stderr


def test_a_dry_run_puts_the_stix_that_it_would_keep_into_a_folder(folder: Path, tmp_path: Path) -> None:
    add(folder)

    done = run(folder, "feed", "run", "partner", "--dry-run", "--out", str(tmp_path / "out"))

    assert done.exit_code == 0, done.output
    kinds = [json.loads(path.read_bytes())["type"] for path in (tmp_path / "out").iterdir()]
    assert kinds == ["bundle", "bundle"]


def test_a_source_that_is_not_there_ends_with_one(folder: Path) -> None:
    add(folder, "--source", "/there/is/no/such/folder")

    done = run(folder, "feed", "run", "partner")

    assert done.exit_code == 1
    assert "No such file" in done.stdout


def test_a_secret_is_read_from_stdin_and_shown_nowhere(folder: Path) -> None:
    add(folder, "--secret-file", "-", stdin="s3cret\n")

    shown = run(folder, "feed", "report", "partner", "--json").stdout

    assert '"has_secret": true' in shown
    assert "s3cret" not in shown


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--every", "1 week"), 2),
        (("--option", "colour=red"), 2),
        (("--option", "colour"), 2),
        (("--source", "http://10.0.0.1/x"), 2),
        (("--kind", "tea"), 2),
        (("--org", "XX-CERT"), 1),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(folder: Path, words: tuple[str, ...], code: int) -> None:
    refused = add(folder, *words)

    assert refused.exit_code == code
    assert len(refused.stderr.splitlines()) == 1
    assert run(folder, "feed", "list").stdout.startswith("Nothing yet")


def test_kinds_are_listed_with_their_options(folder: Path) -> None:
    listed = json.loads(run(folder, "feed", "kinds", "--json").stdout)

    assert "STIX 2.0" in listed["stix"]["about"]
