"""`kentongan decide`: at the console an organization says that two incidents are one event, and takes it back."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from deciding_stories import picture
from kentongan.cli import main
from kentongan.storage.database import Database
from kentongan.storage.migrate import migrate
from matching_stories import Region


def run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(folder), "decide", *words])


def test_together_and_back(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'kentongan.sqlite'}")
    migrate(database)
    region = Region(database)
    one, other = (region.report(name, f"Event {name}", victim=name, files=[name]) for name in ("CERT-A", "CERT-B"))
    before = picture(database)["places"]
    how = ("--org", "CERT-A", "--reason", "one note")

    made = run(tmp_path, "together", one, other, *how, "--json")
    again = run(tmp_path, "together", one, other, *how)
    merged = picture(database)["places"]
    back = run(tmp_path, "undo", json.loads(made.stdout)["id"], "--org", "CERT-A", "--reason", "two notes")

    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["capacity"] == "owner"
    assert merged[one] == merged[other] == before[one]
    assert (again.exit_code, "said this already" in again.stderr) == (1, True)
    assert back.exit_code == 0, back.output
    assert picture(database)["places"] == before


def test_what_is_not_there_and_what_is_left_out(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'kentongan.sqlite'}")
    migrate(database)
    Region(database).member("CERT-A")
    database.close()

    unknown = run(tmp_path, "apart", "incident--x", "incident--y", "--org", "CERT-A", "--reason", "why")
    without = run(tmp_path, "apart", "incident--x", "incident--y", "--org", "CERT-A")

    assert (unknown.exit_code, without.exit_code) == (1, 2)
    assert "there is no such incident" in unknown.stderr
