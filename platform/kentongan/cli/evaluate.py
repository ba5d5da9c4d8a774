"""`kentongan evaluate`: what the rules of matching make of a stream of incidents whose truth is known."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.progress import track
from sqlalchemy import event
from sqlalchemy.orm import Session

from kentongan.cli.output import fail, show
from kentongan.domain.gate import Limits, Unreadable
from kentongan.domain.identity import Identity, OrganizationKind
from kentongan.domain.scoring import Prediction, Scores, scores
from kentongan.services.correlate import Correlate
from kentongan.services.deduplicate import Deduplicate
from kentongan.services.examine import examine
from kentongan.services.index import Index
from kentongan.services.stage import Clock, StageService
from kentongan.services.submit import Rejected, Submit
from kentongan.storage import Base, jobs
from kentongan.storage.cases import whereabouts
from kentongan.storage.database import Database
from kentongan.storage.jobs import Stage
from kentongan.storage.organizations import Organization, organization_named

_LEASE = timedelta(hours=1)
LIMITS = Limits(max_bytes=64 * 1024 * 1024, max_objects=50_000)


class BrokenLine(Exception):
    """A line of the stream that cannot be fed; the message names its number and what is wrong with it."""

    def __init__(self, number: int, wrong: str, code: int) -> None:
        super().__init__(f"line {number}: {wrong}; nothing was written")
        self.code = code


@dataclass(frozen=True, slots=True)
class Line:
    """One submission of the stream: `incident_id` is the STIX id that the truth speaks of."""

    number: int
    received: datetime
    reporter: str
    incident_id: str
    bundle: bytes


@click.command()
@click.argument("stream", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Where the predictions go (JSON)."
)
@click.option(
    "--truth", "truth_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Score against this."
)
@click.option("--database", help="An empty database to work in; default: a throw-away SQLite file.")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON.")
def evaluate(stream: Path, output: Path, truth_file: Path | None, database: str | None, as_json: bool) -> None:
    """Feed a stream of submissions through the very stages of the platform, and write what was found.

    STREAM has one JSON object per line: {"received", "reporter", "incident_id", "bundle"}; `received` is the clock. The
    output is {incident_id: {"duplicate_of": the case's first incident or null, "cluster_id": campaign or case}}.

    Ends with 0, or 1 when a line was refused by the gate, 2 when the stream cannot be read; then nothing is written.

    Example: kentongan evaluate submissions.jsonl --output predictions.json --truth truth.json
    """
    truth = _truth(truth_file) if truth_file else None
    try:
        found = _predictions(list(read_stream(stream)), database)
    except BrokenLine as error:
        fail(str(error), error.code)
    _write(output, found)
    _report(found, truth, as_json)


def read_stream(stream: Path) -> Iterator[Line]:
    """The lines of a stream. Raises BrokenLine."""
    with stream.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if raw.strip():
                yield _line(number, raw)


def _line(number: int, raw: bytes) -> Line:
    try:
        told: Any = orjson.loads(raw)
        received = datetime.fromisoformat(told["received"])
        received = received if received.tzinfo else received.replace(tzinfo=UTC)
        reporter, incident_id, bundle = told["reporter"], told["incident_id"], told["bundle"]
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenLine(number, f"not a submission of a stream ({type(error).__name__}: {error})", 2) from None
    if not (isinstance(reporter, str) and isinstance(incident_id, str) and isinstance(bundle, dict)):
        raise BrokenLine(number, "reporter and incident_id are texts, bundle is an object", 2)
    return Line(number, received, reporter, incident_id, orjson.dumps(bundle))


def feed(store: Database, line: Line) -> None:
    """One submission through all stages, as the workers run them. Raises BrokenLine if the gate takes nothing of it."""
    submit_line(store, line)
    work_off(store, lambda: line.received)


def submit_line(store: Database, line: Line) -> None:
    """Submit one line, at its moment, as its reporter. Raises BrokenLine if the gate takes nothing of it."""
    try:
        examined = examine(line.bundle, LIMITS)
        with store.writing() as session:
            Submit(session, lambda: line.received).submit(_reporter(session, line), examined)
    except (Unreadable, Rejected) as error:
        raise BrokenLine(line.number, f"refused by the gate ({_reason(error)})", 1) from None


def work_off(store: Database, clock: Clock) -> None:
    """Run the stages until nothing is due, an earlier one always before a later one."""
    while any(_step(store, stage, service, clock) for stage, service in _STAGES):
        pass


_AT_ONCE = 50
_STAGES: tuple[tuple[Stage, type[StageService[Any]]], ...] = (
    (Stage.INDEX, Index),
    (Stage.DEDUPLICATE, Deduplicate),
    (Stage.CORRELATE, Correlate),
)


def _step(store: Database, stage: Stage, service: type[StageService[Any]], clock: Clock) -> bool:
    """Run what is due of one stage; whether there was anything."""
    with store.writing() as session:
        due = jobs.claim(session, stage, clock(), lease=_LEASE, limit=_AT_ONCE)
    if due:
        with store.writing() as session:
            service(session, clock).run([job.subject_id for job in due])
            jobs.finish(session, due)
    return bool(due)


def _reason(error: Unreadable | Rejected) -> str:
    problems = error.receipt.objects if isinstance(error, Rejected) else ()
    told = [f"{one.type}: {problem.reason}" for one in problems for problem in one.problems]
    return "; ".join(told[:3]) or str(error)


def _reporter(session: Session, line: Line) -> Identity:
    known = organization_named(session, line.reporter)
    if known is None:
        kind = OrganizationKind.MEMBER.value
        known = Organization(name=line.reporter, country=None, kind=kind, created_at=line.received)
        session.add(known)
        session.flush()
    return known.identity()


def _predictions(lines: Sequence[Line], database: str | None) -> dict[str, Prediction]:
    """Feed all lines, and see where the incidents are then. Raises BrokenLine."""
    console = Console(stderr=True)
    with _store(database) as store:
        for line in track(lines, "Feeding the stream", console=console, disable=not console.is_terminal):
            feed(store, line)
        with store.reading() as session:
            found = {one.stix_id: Prediction(one.first_of_case, one.cluster) for one in whereabouts(session)}
    for line in lines:
        if line.incident_id not in found:
            raise BrokenLine(line.number, f"its bundle has no acceptable {line.incident_id}", 1)
    return {line.incident_id: found[line.incident_id] for line in lines}


@contextmanager
def _store(database: str | None) -> Iterator[Database]:
    with tempfile.TemporaryDirectory(prefix="kentongan-evaluate-") as folder:
        store = Database(database or f"sqlite:///{Path(folder) / 'evaluate.sqlite'}")
        if not database:
            # Nothing here must outlive a loss of power, and nobody else reads it.
            event.listen(store.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        Base.metadata.create_all(store.engine)
        try:
            yield store
        finally:
            store.close()


def _truth(file: Path) -> dict[str, Prediction]:
    try:
        told: Any = orjson.loads(file.read_bytes())
        return {one: Prediction(of.get("duplicate_of"), str(of["cluster_id"])) for one, of in told.items()}
    except (ValueError, AttributeError, KeyError) as error:
        fail(f"{file} is no truth file ({type(error).__name__}: {error})", 2)


def _write(output: Path, found: Mapping[str, Prediction]) -> None:
    """Whole or not at all: a reader never meets half a file."""
    told = {one: {"duplicate_of": at.duplicate_of, "cluster_id": at.cluster_id} for one, at in found.items()}
    partial = output.with_name(f".{output.name}.partial")
    try:
        partial.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2))
        partial.replace(output)
    except OSError as error:
        fail(f"cannot write {output}: {error.strerror}", 2)


def _report(found: Mapping[str, Prediction], truth: Mapping[str, Prediction] | None, as_json: bool) -> None:
    told: dict[str, Any] = {
        "incidents": len(found),
        "duplicates": sum(one.duplicate_of is not None for one in found.values()),
        "clusters": len({one.cluster_id for one in found.values()}),
    }
    words = "{incidents} incidents: {duplicates} report again what was known, {clusters} campaigns and cases".format(
        **told
    )
    if truth is not None:
        against = scores(truth, found)
        told["scores"] = _numbers(against)
        words += f"\n{_words(against)}"
    show(told, as_json, words)


def _numbers(against: Scores) -> dict[str, Any]:
    parts = {"duplicates": against.duplicates, "cluster_pairs": against.cluster_pairs, "clusters": against.clusters}
    told = {name: {"precision": one.precision, "recall": one.recall, "f1": one.f1} for name, one in parts.items()}
    return {"incidents": against.incidents, **told, "largest_cluster": against.largest_cluster}


def _words(against: Scores) -> str:
    parts = (
        ("duplicates, pairs", against.duplicates),
        ("clusters, pairs", against.cluster_pairs),
        ("clusters, B-cubed", against.clusters),
    )
    lines = [f"{name:18s} P {one.precision:.3f}  R {one.recall:.3f}  F1 {one.f1:.3f}" for name, one in parts]
    return "\n".join([*lines, f"largest cluster    {against.largest_cluster}"])
