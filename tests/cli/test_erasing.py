"""Erasing and retention at the console: what an organization demands by letter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kentongan.cli import main
from kentongan.storage.database import Database
from kentongan.storage.migrate import migrate
from kentongan.storage.submissions import Submission
from reading_stories import Region
from stories import incident


def run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(folder), *words])


@pytest.fixture
def receipt(tmp_path: Path) -> str:
    """An installation in which ID-CERT sent one incident; its receipt."""
    database = Database(f"sqlite:///{tmp_path / 'kentongan.sqlite'}")
    migrate(database)
    with database.writing() as session:
        region = Region(session)
        public_id = region.sends(region.joins("ID-CERT"), incident("Mine")).public_id
        region.joins("PH-CERT")
    database.close()
    return public_id


def left(folder: Path) -> int:
    database = Database(f"sqlite:///{folder / 'kentongan.sqlite'}")
    with database.reading() as session:
        count = session.query(Submission).count()
    database.close()
    return count


def test_a_submission_is_erased_once_and_only_for_its_organization(tmp_path: Path, receipt: str) -> None:
    wrong = run(tmp_path, "erase", receipt, "--org", "PH-CERT")
    nobody = run(tmp_path, "erase", receipt, "--org", "XX-CERT")
    still = left(tmp_path)
    erased = run(tmp_path, "erase", receipt, "--org", "ID-CERT", "--reason", "letter of 3 May", "--json")
    again = run(tmp_path, "erase", receipt, "--org", "ID-CERT")

    assert (wrong.exit_code, nobody.exit_code, still) == (1, 1, 1)
    assert erased.exit_code == 0, erased.output
    stone = json.loads(erased.stdout)
    assert (stone["id"], stone["reason"]) == (receipt, "letter of 3 May")
    assert stone["who"].endswith("of operator")
    assert left(tmp_path) == 0
    assert again.exit_code == 1
    assert "was erased at " in again.stderr


def test_retention_is_shown_set_and_ended(tmp_path: Path, receipt: str) -> None:
    before = run(tmp_path, "retention", "show", "--org", "ID-CERT")
    first = run(tmp_path, "retention", "set", "--org", "ID-CERT", "--incidents", "365", "--logs", "40", "--json")
    second = run(tmp_path, "retention", "set", "--org", "ID-CERT", "--logs", "keep", "--json")
    shown = run(tmp_path, "retention", "show", "--org", "ID-CERT", "--json")

    assert before.stdout.count("kept until it is erased") == 3
    assert json.loads(first.stdout) == {"incident_days": 365, "content_days": None, "log_days": 40}
    assert json.loads(second.stdout) == json.loads(shown.stdout) == json.loads(first.stdout) | {"log_days": None}


@pytest.mark.parametrize(
    ("words", "code"), [(["--incidents", "1"], 1), (["--incidents", "ten"], 2), (["--content", "-3"], 2)]
)
def test_a_wish_that_cannot_be_is_refused(tmp_path: Path, receipt: str, words: list[str], code: int) -> None:
    assert run(tmp_path, "retention", "set", "--org", "ID-CERT", *words).exit_code == code
