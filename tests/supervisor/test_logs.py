"""Logs that stay small, speak up about errors, and keep secrets to themselves."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from kentongan import log
from kentongan.supervisor.logs import PartLog


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What this process logs, as it would stand on stderr."""
    root, level = logging.getLogger(), logging.getLogger().level
    handlers = root.handlers[:]
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    log.configure()
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def entries(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def part_log(folder: Path) -> PartLog:
    return PartLog(folder / "web.log")


def write(part: PartLog, *lines: str) -> None:
    descriptor = part.open()
    os.write(descriptor, "".join(f"{line}\n" for line in lines).encode())
    os.close(descriptor)


def test_one_event_is_one_json_line(written: io.StringIO) -> None:
    structlog.get_logger("kentongan.test").info("drained", stage="index", jobs=3)

    (entry,) = entries(written)
    assert (entry["event"], entry["level"], entry["stage"], entry["jobs"]) == ("drained", "info", "index", 3)


def test_what_a_library_logs_has_the_same_form(written: io.StringIO) -> None:
    logging.getLogger("some.library").warning("lost %s", "redis://user:hunter2@broker:6379/0")

    (entry,) = entries(written)
    assert (entry["event"], entry["logger"]) == ("lost redis://...@broker:6379/0", "some.library")


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("token", "kt_abcdefghijklmnop"),
        ("authorization", "Bearer abc"),
        ("headers", {"Authorization": "Bearer abc"}),
        ("webhook_secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("body", '{"type": "bundle"}'),
        ("observable", "198.51.100.7"),
    ],
)
def test_fields_with_secret_names_are_kept_out(written: io.StringIO, name: str, secret: object) -> None:
    structlog.get_logger().info("asked", **{name: secret})

    assert entries(written)[0][name] == "..."


@pytest.mark.parametrize(
    "secret",
    [
        "Authorization: Bearer kt_abcdefghijklmnop",
        "signed with whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "postgresql://kentongan:hunter2@db/kentongan",
        "kt_abcdefghijklmnop",
    ],
)
def test_texts_that_look_secret_are_kept_out_wherever_they_stand(written: io.StringIO, secret: str) -> None:
    structlog.get_logger().info(f"seen {secret}", words=secret, several=[{"words": [secret]}])

    said = written.getvalue()
    assert not any(part in said for part in ("abcdefgh", "MfKQ9r8", "hunter2"))


def test_an_error_is_logged_by_its_type_and_place_not_its_text(written: io.StringIO) -> None:
    try:
        raise ValueError("evil.example is malformed")
    except ValueError:
        structlog.get_logger().exception("a job failed")
        logging.getLogger("library").exception("failed too")

    ours, theirs = entries(written)
    assert ours["exception"]["type"] == theirs["exception"]["type"] == "ValueError"
    assert "test_logs.py" in ours["exception"]["at"][-1]
    assert "evil.example" not in written.getvalue()


def test_only_errors_reach_the_terminal_and_each_once(tmp_path: Path) -> None:
    part = part_log(tmp_path)
    error = {"event": "a job failed", "level": "error", "stage": "index", "part": "stages-1"}
    write(part, json.dumps({"event": "drained", "level": "info"}), "no JSON", json.dumps(error))

    first, second = list(part.new_errors()), list(part.new_errors())

    assert (first, second) == (["a job failed stage=index"], [])


def test_an_error_shows_where_it_happened(tmp_path: Path) -> None:
    part = part_log(tmp_path)
    exception = {"type": "KeyError", "at": ["app.py:1 in run", "rule.py:7 in decide"]}
    write(part, json.dumps({"event": "a job failed", "level": "error", "exception": exception}))

    assert list(part.new_errors()) == ["a job failed (KeyError at rule.py:7 in decide)"]


def test_a_line_that_is_still_being_written_is_waited_for(tmp_path: Path) -> None:
    part = part_log(tmp_path)
    line = json.dumps({"event": "half", "level": "error"})
    part.path.write_text(line[:10])
    early = list(part.new_errors())

    part.path.write_text(line + "\n")

    assert (early, list(part.new_errors())) == ([], ["half"])


def test_errors_of_an_earlier_run_are_not_told_again(tmp_path: Path) -> None:
    write(part_log(tmp_path), json.dumps({"event": "old", "level": "error"}))

    assert list(part_log(tmp_path).new_errors()) == []


def test_a_log_that_grew_too_long_is_cut_and_one_piece_kept(tmp_path: Path) -> None:
    part = part_log(tmp_path)
    descriptor = part.open()
    os.write(descriptor, b"x" * 100)

    part.cut(most=50)
    os.write(descriptor, b"after\n")
    os.close(descriptor)

    assert part.path.read_bytes() == b"after\n"
    assert part.path.with_suffix(".log.1").read_bytes() == b"x" * 100


def test_last_words_are_the_last_line(tmp_path: Path) -> None:
    part = part_log(tmp_path)
    write(part, "Traceback ...", "ModuleNotFoundError: No module named 'x'", "")

    assert part.last_words() == "ModuleNotFoundError: No module named 'x'"
