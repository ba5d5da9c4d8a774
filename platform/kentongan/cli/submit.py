"""`kentongan submit`: send files, folders or stdin to an installation, and print a receipt line for each."""

from __future__ import annotations

import gzip
import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
import httpx2
import orjson
from rich.progress import track

from kentongan.cli import settings_of
from kentongan.cli.output import fail
from kentongan.settings import Settings

SUFFIXES = frozenset({".json", ".stix", ".stix2", ".jsonl"})
_GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952, section 2.3.1; no JSON text begins so
_PASSING = frozenset({429, 502, 503, 504})
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each further attempt; the idempotency key makes repeating safe."""
_COMPRESS_FROM = 16 * 1024
_OF_A_PROBLEM = ("path", "rule", "reason", "hint")


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one document: `status` is the HTTP status, 0 where nobody answered.

    `problems` are those of all refused objects: path, rule, reason, hint. `first_problems` is one line for each object.
    """

    source: str
    status: int
    receipt: str | None
    accepted: int
    refused: int
    words: str
    problems: list[dict[str, Any]] = field(default_factory=list)
    first_problems: list[str] = field(default_factory=list)
    readers: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    """Of a dry run, as the API answers them: who would see the objects, and who would be alerted."""


@click.command()
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--url", envvar="KENTONGAN_URL", help="The installation; default: the one that runs on this data folder.")
@click.option(
    "--token",
    envvar="KENTONGAN_TOKEN",
    show_envvar=True,
    required=True,
    callback=lambda _ctx, _parameter, value: _visible(value),
    help="A token of scope submit.",
)
@click.option("--atomic", is_flag=True, help="Take each document whole or not at all.")
@click.option(
    "--dry-run", is_flag=True, help="Say what would happen, who would see it and who be alerted; store nothing."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON line per document.")
@click.pass_context
def submit(
    ctx: click.Context,
    sources: tuple[Path, ...],
    url: str | None,
    token: str,
    atomic: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Send STIX 2.1 bundles, objects or lists: files, folders (.json, .stix, .stix2, .jsonl), or - for stdin.
    What is already compressed with gzip is sent as it is; in a folder those are the files with .gz behind such an ending.

    Ends with 0 when everything was accepted, 1 when something was refused, 3 when nobody answered.

    Example: kentongan submit incident.json reports/ --url https://kentongan.example

    Who will see this: kentongan submit --dry-run incident.json
    """
    address = (url or running_at(settings_of(ctx))).rstrip("/") + "/api/v1/submissions"
    flags = {name: "true" for name, on in (("atomic", atomic), ("dry_run", dry_run)) if on}
    documents = list(_documents(sources))
    results = []
    with httpx2.Client(timeout=120, headers={"Authorization": f"Bearer {token}"}) as client:
        for source, content in _with_progress(documents):
            results.append(send(client, address, source, content, flags))
            click.echo(_json(results[-1]) if as_json else _line(results[-1]))
    sys.exit(_exit_code(results))


def send(client: httpx2.Client, address: str, source: str, content: bytes, flags: dict[str, str]) -> Sent:
    """Post one document, again after a passing failure; the same content carries the same idempotency key."""
    headers = {
        "Content-Type": "application/stix+json;version=2.1",
        "Idempotency-Key": hashlib.sha256(content).hexdigest(),
    }
    body = content
    if content.startswith(_GZIP_MAGIC):
        headers["Content-Encoding"] = "gzip"
    elif len(content) >= _COMPRESS_FROM:
        body, headers["Content-Encoding"] = gzip.compress(content, 5, mtime=0), "gzip"
    answer = _persistently(lambda: client.post(address, content=body, headers=headers, params=flags))
    if isinstance(answer, str):
        return Sent(source, 0, None, 0, 0, answer)
    return _sent(source, answer)


def running_at(settings: Settings) -> str:
    """The address of the installation that runs on this data folder. Ends the command with 3 if none does."""
    try:
        return str(orjson.loads((settings.run_dir / "up.json").read_bytes())["url"])
    except (OSError, ValueError, KeyError):
        fail(f"nothing runs on {settings.data_dir}: start it with `kentongan up`, or name one with --url", 3)


def _persistently(post: Callable[[], httpx2.Response]) -> httpx2.Response | str:
    for pause in (*_PAUSES, None):
        try:
            answer = post()
        except httpx2.TransportError as error:
            why = f"no answer: {error}"
        else:
            if answer.status_code not in _PASSING:
                return answer
            why = f"the server answers {answer.status_code}"
        if pause is not None:
            time.sleep(pause)
    return why


def _sent(source: str, answer: httpx2.Response) -> Sent:
    try:
        told: dict[str, Any] = orjson.loads(answer.content)
    except ValueError:
        return Sent(source, answer.status_code, None, 0, 0, "the answer is not from Kentongan")
    accepted, refused = int(told.get("accepted") or 0), int(told.get("refused") or 0)
    if answer.is_success:
        words = ", ".join(f"{count} {outcome}" for outcome, count in (told.get("counts") or {}).items())
        words += " (sent before)" if told.get("repeated") else ""
        foreseen = {name: told.get(name) or [] for name in ("readers", "alerts")}
        return Sent(source, answer.status_code, told.get("id"), accepted, refused, words, *_problems(told), **foreseen)
    words = str(told.get("title", "refused"))
    return Sent(source, answer.status_code, None, accepted, max(refused, 1), words, *_problems(told))


def _problems(told: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """Every problem, and the first of each refused object in words; of the document itself where no object was read."""
    each = [found for outcome in told.get("objects") or () if (found := outcome.get("problems"))]
    each = each or [[problem] for problem in told.get("problems") or ()]
    every = [{name: problem.get(name) for name in _OF_A_PROBLEM} for problems in each for problem in problems]
    return every, [f"{problems[0]['path']} {problems[0]['reason']}" for problems in each]


def _json(sent: Sent) -> str:
    shown = asdict(sent)
    del shown["first_problems"]  # they are among the problems
    return orjson.dumps(shown).decode()


def _line(sent: Sent) -> str:
    line = f"{sent.source}\t{sent.receipt or '-'}\t{sent.accepted} accepted\t{sent.refused} refused\t{sent.words}"
    foreseen = (*map(_reading, sent.readers), *map(_alerting, sent.alerts))
    return "\n".join((line, *(f"  {told}" for told in (*sent.first_problems, *foreseen))))


def _reading(readers: dict[str, Any]) -> str:
    """Example: `TLP:AMBER for Banks, 3 objects: seen by ID-CERT, PH-CERT`."""
    groups = f" for {' and '.join(readers['sharing_groups'])}" if readers["sharing_groups"] else ""
    count = len(readers["objects"])
    names = ["everyone"] if readers["everyone"] else [*readers["organizations"], *readers["persons"]]
    return f"{readers['tlp']}{groups}, {count} object{'s' if count > 1 else ''}: seen by {', '.join(names)}"


def _alerting(alert: dict[str, Any]) -> str:
    what = "an update of" if alert["update"] else "a new report,"
    return f"alert to {alert['organization']} by {alert['channel']}: {what} {alert['incident']}"


def _visible(token: str) -> str:
    """The token, if a header can carry it. Raises BadParameter, which does not repeat the secret."""
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise click.BadParameter("it holds a line feed, a blank or another character that no token has")
    return token


def _exit_code(results: list[Sent]) -> int:
    if any(sent.status == 0 for sent in results):
        return 3
    return 1 if any(sent.refused or not 200 <= sent.status < 300 for sent in results) else 0


def _documents(sources: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    for source in sources:
        if str(source) == "-":
            yield "-", sys.stdin.buffer.read()
        elif source.is_dir():
            found = sorted(path for path in source.rglob("*") if _is_document(path))
            if not found:
                fail(f"{source} holds no file with one of the endings {', '.join(sorted(SUFFIXES))}", 2)
            for path in found:
                yield from _of_file(path)
        else:
            yield from _of_file(source)


def _is_document(path: Path) -> bool:
    ending = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    return ending in SUFFIXES and path.is_file()


def _of_file(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        fail(f"{path}: {error.strerror}", 2)
    if path.name.endswith(".jsonl.gz"):
        fail(f"{path}: lines are sent one by one; decompress it first", 2)
    if path.suffix != ".jsonl":
        yield str(path), content
        return
    for number, line in enumerate(content.splitlines(), 1):
        if line.strip():
            yield f"{path}:{number}", line


def _with_progress(documents: list[tuple[str, bytes]]) -> Iterable[tuple[str, bytes]]:
    wanted = sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and len(documents) > 1
    return track(documents, "Submitting", console=_stderr()) if wanted else documents


def _stderr() -> Any:
    from rich.console import Console  # noqa: PLC0415  # only where a person watches

    return Console(stderr=True)
