"""`kentongan audit` proves, signs and lists, with exit codes that mean something."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner
from sqlalchemy import text

from audit_writing import WHO
from kentongan.cli import main
from kentongan.domain.audit import Act
from kentongan.storage.audit import note
from kentongan.storage.database import Database


def kentongan(folder: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["--data-dir", str(folder), "audit", *arguments])
    return result.exit_code, result.output


def test_a_kept_head_and_the_chain_are_proven_and_a_broken_entry_is_named(
    sqlite_database: Database, tmp_path: Path
) -> None:
    assert kentongan(tmp_path, "head")[0] == 1
    with sqlite_database.writing() as session:
        note(session, WHO, Act.CHANGED, "something", about_id=1)
    kept = tmp_path / "head.json"
    kept.write_text(kentongan(tmp_path, "head")[1], encoding="utf-8")

    assert kentongan(tmp_path, "verify", "--head", str(kept))[0] == 0
    assert json.loads(kentongan(tmp_path, "heads", "--json")[1])[0]["head"]["number"] == 1

    with sqlite_database.writing() as session:
        session.execute(text("DROP TRIGGER audit_entry_is_kept"))
        session.execute(text("UPDATE audit_entry SET subject = 'nothing'"))
    code, told = kentongan(tmp_path, "verify", "--json")
    assert code == 1
    assert json.loads(told)["broken"][0]["number"] == 1


def test_a_file_that_is_no_head_is_refused(sqlite_database: Database, tmp_path: Path) -> None:
    del sqlite_database  # it is there, in the folder
    kept = tmp_path / "head.json"
    kept.write_text("{}", encoding="utf-8")

    assert kentongan(tmp_path, "verify", "--head", str(kept))[0] == 2
