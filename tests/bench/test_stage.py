"""What a benchmark needs around it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kentongan.bench.stage import BenchFailed, admit, opened
from kentongan.domain.identity import Scope
from kentongan.settings import load_settings
from kentongan.storage.migrate import migrate


def test_a_database_that_was_measured_on_before_is_refused_in_words(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    with opened(settings) as database:
        migrate(database)
    admit(settings, "CERT-BENCH", Scope.SUBMIT)

    with pytest.raises(BenchFailed, match=r"measured on before .* give an empty one"):
        admit(settings, "CERT-BENCH", Scope.SUBMIT)
