"""`kentongan explain`: an analyst asks at the console why two incidents are tied."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from kentongan.cli import main
from kentongan.domain.marking import Level
from kentongan.storage.database import Database
from kentongan.storage.migrate import migrate
from matching_stories import Region


def run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(folder), "explain", *words])


def test_two_reports_of_one_event_and_one_that_is_hidden(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'kentongan.sqlite'}")
    migrate(database)
    region = Region(database)
    region.member("VNCERT")
    one, other = (region.report(name, "Ransomware", victim="Bank Kirana", files=["dropper"]) for name in ("A", "B"))
    hidden = region.report("C", "Quiet", victim="Bank Kirana", files=["dropper"], marking=Level.RED)
    database.close()

    told = run(tmp_path, one, other, "--org", "VNCERT")
    read = run(tmp_path, one, other, "--org", "VNCERT", "--json")
    secret = run(tmp_path, one, hidden, "--org", "VNCERT")
    nobody = run(tmp_path, one, other, "--org", "XX")

    assert told.exit_code == 0, told.output
    assert "One event? They are linked" in told.stdout
    assert "both reports name the same victim" in told.stdout
    assert [answer["linked"] for answer in json.loads(read.stdout)["answers"]] == [True, False]
    assert (secret.exit_code, nobody.exit_code) == (1, 1)
    assert "there is no such incident" in secret.stderr
