"""`kentongan evaluate`: a stream goes through the stages, and what was found is written, whole or not at all."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kentongan.cli import main
from kentongan.domain.scoring import Prediction, scores
from matching_stories import about
from stories import NOON, Stix, bundle, stamp

FILES = ["dropper", "implant", "stealer"]


def line(number: int, reporter: str, objects: list[Stix]) -> dict[str, Any]:
    return {
        "received": stamp(NOON + timedelta(days=number)),
        "reporter": reporter,
        "incident_id": objects[0]["id"],
        "bundle": bundle(*objects),
    }


def stream() -> list[dict[str, Any]]:
    """An event, its second report, another event of the campaign, and one that has nothing to do with them."""
    return [
        line(0, "CERT-ID", about("Intrusion", victim="PT Tirta Energi", files=FILES)),
        line(1, "CERT-PH", about("Infeksi", victim="TIRTA ENERGI", files=FILES[:2])),
        line(2, "CERT-MY", about("Infection", victim="Bank Kirana", files=[*FILES, "more"], country="MY")),
        line(3, "CERT-ID", about("Phishing", victim="Universitas Melati", files=["page"], country="TH")),
    ]


def evaluate(tmp_path: Path, lines: list[str], *options: str) -> Result:
    (tmp_path / "stream.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    asked = ["evaluate", str(tmp_path / "stream.jsonl"), "--output", str(tmp_path / "found.json"), *options]
    return CliRunner().invoke(main, asked)


def test_duplicates_and_campaigns_are_written_by_the_ids_of_the_stream(tmp_path: Path) -> None:
    sent = stream()

    result = evaluate(tmp_path, [json.dumps(one) for one in sent])

    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    first, second, related, other = (found[one["incident_id"]] for one in sent)
    assert [one["duplicate_of"] for one in (first, second, related, other)] == [
        None,
        sent[0]["incident_id"],
        None,
        None,
    ]
    assert first["cluster_id"] == second["cluster_id"] == related["cluster_id"] != other["cluster_id"]


def test_scores_are_given_against_a_truth(tmp_path: Path) -> None:
    sent = stream()
    ids = [one["incident_id"] for one in sent]
    truth = {
        one: {"duplicate_of": ids[0] if one == ids[1] else None, "cluster_id": "c2" if one == ids[3] else "c1"}
        for one in ids
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth), encoding="utf-8")

    result = evaluate(tmp_path, [json.dumps(one) for one in sent], "--truth", str(tmp_path / "truth.json"), "--json")

    told = json.loads(result.stdout)
    assert told["scores"]["duplicates"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0}
    assert told["scores"]["cluster_pairs"]["f1"] == 1.0
    assert told["scores"]["largest_cluster"] == 3


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        ("{", 2),
        ("[]", 2),
        ('{"received": "yesterday", "reporter": "x", "incident_id": "y", "bundle": {}}', 2),
        ('{"received": "2026-03-02T12:00:00Z", "reporter": "x", "incident_id": "y", "bundle": 3}', 2),
        ('{"received": "2026-03-02T12:00:00Z", "reporter": "x", "incident_id": "y", "bundle": {}}', 1),
    ],
)
def test_a_broken_line_is_named_and_nothing_is_written(tmp_path: Path, broken: str, code: int) -> None:
    result = evaluate(tmp_path, [json.dumps(stream()[0]), broken])

    assert result.exit_code == code
    assert "line 2" in result.output
    assert not (tmp_path / "found.json").exists()


def test_a_line_whose_incident_is_refused_is_named(tmp_path: Path) -> None:
    sent = stream()
    sent[2]["incident_id"] = "incident--00000000-0000-4000-8000-000000000000"

    result = evaluate(tmp_path, [json.dumps(one) for one in sent])

    assert result.exit_code == 1
    assert "line 3" in result.output


def test_scores_count_pairs_and_what_was_not_predicted_as_alone() -> None:
    truth = {
        "a": Prediction(None, "1"),
        "b": Prediction("a", "1"),
        "c": Prediction("b", "1"),
        "d": Prediction(None, "2"),
    }
    found = {"a": Prediction(None, "x"), "b": Prediction("a", "x"), "d": Prediction("a", "x")}

    score = scores(truth, found)

    assert (score.duplicates.precision, score.duplicates.recall) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert (score.cluster_pairs.precision, score.cluster_pairs.recall) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert score.clusters.precision == pytest.approx((2 / 3 + 2 / 3 + 1 + 1 / 3) / 4)
    assert score.largest_cluster == 3
