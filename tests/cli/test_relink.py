"""`kentongan relink`: what would change, the walk itself, and that the trail knows of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from deciding_stories import picture, seven_reports
from kentongan.cli import main
from kentongan.domain import campaigns, duplicates
from kentongan.storage.audit import AuditEntry
from kentongan.storage.database import Database
from kentongan.storage.migrate import migrate
from matching_stories import Region


def run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(folder), "relink", *words])


def test_a_dry_run_and_the_walk_say_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(f"sqlite:///{tmp_path / 'kentongan.sqlite'}")
    migrate(database)
    seven_reports(Region(database))
    before = picture(database)
    monkeypatch.setattr(duplicates, "SAME_EVENT", 0.999999)
    monkeypatch.setattr(campaigns, "RELATED", 0.97)

    dry = run(tmp_path, "--dry-run", "--json")
    words = run(tmp_path, "--dry-run")
    untouched = picture(database)
    walked = run(tmp_path, "--portion", "3", "--json")
    again = run(tmp_path)

    assert dry.exit_code == walked.exit_code == again.exit_code == 0, walked.output
    assert json.loads(dry.stdout) == json.loads(walked.stdout)
    assert "7 incidents compared anew, nothing stored" in words.stdout
    assert untouched == before != picture(database)
    assert "7 incidents compared anew\n  cases: 0 merged of several, 0 split" in again.stdout
    with database.reading() as session:
        acts = session.scalars(select(AuditEntry).where(AuditEntry.subject == "platform")).all()
    assert len(acts) == 2
    database.close()


@pytest.mark.parametrize("portion", ["0", "5001", "many"])
def test_a_portion_that_cannot_be_is_refused(tmp_path: Path, portion: str) -> None:
    assert run(tmp_path, "--portion", portion).exit_code == 2
