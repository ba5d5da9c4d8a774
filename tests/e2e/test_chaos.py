"""Nothing accepted is lost and nothing happens twice, while every part of a real installation is killed again and again."""

from __future__ import annotations

from pathlib import Path

import pytest

from kentongan.bench.chaos import TARGETS, survive

SECONDS = 12.0


@pytest.mark.timeout(280)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_was_accepted_survives_everything(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = "" if kind == "sqlite" else str(request.getfixturevalue("empty_postgres_url"))

    outcome = survive(tmp_path / "a folder", SECONDS, seed=20261124, database_url=url)

    assert outcome.faults == []
    assert set(outcome.killed) == set(TARGETS)
    assert len(outcome.accepted) >= len(TARGETS)
    assert len({arrival.message_id for arrival in outcome.arrivals}) >= len(outcome.accepted)
