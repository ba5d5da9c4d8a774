"""What the documents list is what there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from kentongan.settings import Settings

ROOT = Path(__file__).parent.parent


def _cells(document: str, heading: str, column: int = 0) -> list[str]:
    """One column of the table under a heading."""
    section = (ROOT / document).read_text().split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [row.split("|")[column + 1].strip() for row in rows]


def _names(requirements: list[str]) -> list[str]:
    return sorted(re.split(r"[\[<>=]", requirement)[0].lower() for requirement in requirements)


def test_every_dependency_says_what_it_is_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert sorted(_cells("docs/dependencies.md", "What runs")) == _names(project["dependencies"])
    assert sorted(_cells("docs/dependencies.md", "What development needs")) == _names(
        project["optional-dependencies"]["dev"]
    )


def test_every_setting_is_in_the_operators_table() -> None:
    listed = _cells("docs/operations.md", "Settings")

    assert sorted(listed) == sorted(f"`KENTONGAN_{name.upper()}`" for name in Settings.model_fields)


def test_the_operators_table_states_the_defaults() -> None:
    listed = dict(
        zip(_cells("docs/operations.md", "Settings"), _cells("docs/operations.md", "Settings", 1), strict=True)
    )

    for name, field in Settings.model_fields.items():
        stated = listed[f"`KENTONGAN_{name.upper()}`"].strip("`")
        assert stated == str(field.default), name
