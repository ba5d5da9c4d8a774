"""What real publishers and CERTs send passes the gate; what is STIX 2.0 is told so.

The files are not part of the project. They are looked for in the folder that KENTONGAN_SHARED names, else in `shared`
beside the checkout; without them the law is kept by the small documents of the other tests.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from gate_stories import refusal
from kentongan.domain.gate import Checked, check, read

SHARED = Path(os.environ.get("KENTONGAN_SHARED") or Path(__file__).parents[3] / "shared")
PUBLISHED = SHARED / "data" / "stix"
STREAMS = [
    SHARED / "data" / "eval" / "submissions.jsonl",
    SHARED / "data" / "incidents" / "attackflow_stix21.jsonl",
    SHARED / "data" / "incidents" / "vcdb_stix21.jsonl",
]
NO_DATA = f"no published STIX under {SHARED.name}/data; set KENTONGAN_SHARED to the folder that holds data/"
PUBLISHERS_OF_2_1 = ("oasis-examples", "oasis-schema-examples", "mvt-indicators", "amnesty")
PUBLISHERS_OF_2_0 = ("unit42-reports-stix20", "unit42-playbooks-stix20")


def published(publishers: tuple[str, ...]) -> list[Path]:
    found = sorted(path for name in publishers for path in (PUBLISHED / name).glob("*") if path.is_file())
    if not found:
        pytest.skip(NO_DATA)
    return found


def bundles(stream: Path) -> Iterator[bytes]:
    if not stream.exists():
        pytest.skip(NO_DATA)
    with stream.open("rb") as lines:
        for line in lines:
            submission = orjson.loads(line)
            yield orjson.dumps(submission.get("bundle", submission))


def assert_kept_as_sent(checked: Checked, sent: object) -> None:
    assert checked.problems == ()
    assert json.loads(checked.text) == sent


@pytest.mark.parametrize("publisher", PUBLISHERS_OF_2_1)
def test_every_published_2_1_object_is_accepted_as_it_stands(publisher: str):
    for path in published((publisher,)):
        raw = path.read_bytes()
        document = json.loads(raw)
        sent = document["objects"] if document["type"] == "bundle" else [document]

        checked = check(read(raw))

        assert len(checked) == len(sent)
        for one, obj in zip(checked, sent, strict=True):
            assert_kept_as_sent(one, obj)


@pytest.mark.parametrize("publisher", PUBLISHERS_OF_2_0)
def test_every_published_2_0_bundle_is_refused_with_a_reason_that_says_so(publisher: str):
    for path in published((publisher,)):
        problems = refusal(path.read_bytes())

        assert [problem.rule for problem in problems] == ["stix-2.0"]
        assert "2.0" in problems[0].reason


@pytest.mark.timeout(120)
@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.stem)
def test_every_bundle_that_certs_send_is_accepted_as_it_stands(stream: Path):
    count = 0

    for raw in bundles(stream):
        for one, obj in zip(check(read(raw)), orjson.loads(raw)["objects"], strict=True):
            assert_kept_as_sent(one, obj)
            count += 1

    assert count > 1_000
