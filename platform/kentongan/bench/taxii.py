"""How fast TAXII is read and written, inside one process and without a network.

The floor of reading is a bare Flask view that returns stored text from one indexed query over the same rows; of adding, the gate's
own checks and then one batched insert of the objects' rows.
"""

from __future__ import annotations

import logging
import resource
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median

import orjson
import structlog
from flask import Flask, Response, request
from flask.testing import FlaskClient
from sqlalchemy import text

from kentongan.app import create_app
from kentongan.bench.material import Maker
from kentongan.bench.measure import Report, stopwatch
from kentongan.bench.stage import BenchFailed, admit
from kentongan.bench.taxii_peer import beside
from kentongan.bootstrap import Kentongan, assemble
from kentongan.domain.date_added import from_timestamp
from kentongan.domain.gate import read_envelope
from kentongan.domain.identity import Scope
from kentongan.domain.marking import TLP_2_IDS, Level
from kentongan.services.examine import examine
from kentongan.settings import load_settings
from kentongan.storage.migrate import migrate
from kentongan.storage.organizations import token_with_secret

_MEDIA_TYPE = "application/taxii+json;version=2.1"
_OBJECTS = "/taxii2/kentongan/collections/everything/objects/"
_GREEN = next(marking for marking, level in TLP_2_IDS.items() if level is Level.GREEN)
_PAGE = 100
_ENVELOPE = 1_000
_BARE = text(
    "SELECT e.number, o.body FROM collection_entry e JOIN stix_object o ON o.id = e.object_id "
    "WHERE e.number > :after ORDER BY e.number LIMIT :most"
)


def taxii(
    database_url: str = "",
    *,
    objects: int = 100_000,
    rounds: int = 30,
    medallion: str = "",
    medallion_objects: int = 400,
) -> Report:
    """Rates and milliseconds with so many objects stored, all marked GREEN; medians over `rounds`.

    `medallion` is a Python that has that server, or taxii_peer.INSTALL; empty: it is not measured.
    """
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING)
    )  # a line for each page is no help
    report = Report(f"taxii ({'PostgreSQL' if database_url else 'SQLite'}, {objects} objects)")
    with tempfile.TemporaryDirectory(prefix="kentongan-bench-") as folder:
        kentongan = assemble(load_settings(data_dir=Path(folder), database_url=database_url or None))
        migrate(kentongan.database)
        sender = _Asker(kentongan, admit(kentongan.settings, "CERT-SENDER", Scope.TAXII, Scope.SUBMIT))
        reader = _Asker(kentongan, admit(kentongan.settings, "CERT-READER", Scope.TAXII))
        _add(report, sender, kentongan, objects, rounds)
        marks = _walk(report, reader, kentongan, objects)
        _pages(report, reader, marks, rounds)
        _token(report, kentongan, reader.secret)
        kentongan.database.close()
        if medallion:
            _peer(report, medallion, Path(folder), medallion_objects)
    return report


def _peer(report: Report, python: str, folder: Path, objects: int) -> None:
    maker = Maker()
    held = [one for _ in range(-(-objects // _ENVELOPE)) for one in orjson.loads(_marked(maker))["objects"]]
    beside(report, python, folder, held[:objects], _marked(maker))


class _Asker:
    """A client inside this process."""

    def __init__(self, kentongan: Kentongan, secret: str) -> None:
        self.secret = secret
        self._client: FlaskClient = create_app(kentongan).test_client()
        self._headers = {"Authorization": f"Bearer {secret}", "Accept": _MEDIA_TYPE}

    def page(self, **query: object) -> tuple[bytes, str]:
        """A page of objects, and the date of its last one."""
        named = {f"match[{name[6:]}]" if name.startswith("match_") else name: value for name, value in query.items()}
        answer = self._client.get(_OBJECTS, query_string={"limit": _PAGE, **named}, headers=self._headers)
        if answer.status_code != 200:
            raise BenchFailed(f"a page was answered {answer.status_code}: {answer.text[:300]}")
        return answer.data, answer.headers.get("X-TAXII-Date-Added-Last", "")

    def add(self, envelope: bytes) -> None:
        """POST."""
        headers = {**self._headers, "Content-Type": _MEDIA_TYPE}
        answer = self._client.post(_OBJECTS, data=envelope, headers=headers)
        if answer.status_code != 202:
            raise BenchFailed(f"an envelope was answered {answer.status_code}: {answer.text[:300]}")


def _add(report: Report, sender: _Asker, kentongan: Kentongan, objects: int, rounds: int) -> None:
    maker, took, floors = Maker(), [], []
    for number in range(-(-objects // _ENVELOPE)):
        envelope = _marked(maker)
        with stopwatch() as seconds:
            sender.add(envelope)
        took.append(seconds())
        if number < rounds:
            floors.append(_floor(kentongan, envelope))
    ours, floor = median(took), median(floors)
    note = f"{floor / ours:.2f} x the gate's checks and a batched insert of the objects ({_ENVELOPE / floor:,.0f}/s)"
    report.add("adding in envelopes of 1,000", _ENVELOPE / ours, "objects/s", note)


def _marked(maker: Maker) -> bytes:
    return orjson.dumps(
        {"objects": [{**one, "object_marking_refs": [_GREEN]} for one in maker.bulk(_ENVELOPE)["objects"]]}
    )


def _floor(kentongan: Kentongan, envelope: bytes) -> float:
    """Seconds to check these objects and insert their rows again, into a table of the same shape that is thrown away."""
    with kentongan.database.engine.connect() as connection:
        connection.execute(
            text("CREATE TEMPORARY TABLE IF NOT EXISTS bare (id text, type text, sha256 text, body text)")
        )
        with stopwatch() as seconds:
            examined = examine(envelope, kentongan.limits, read=read_envelope)
            rows = [
                {
                    "id": one.stix_id,
                    "type": one.checked.obj["type"],
                    "sha256": one.checked.sha256.hex(),
                    "body": one.checked.text,
                }
                for one in examined.objects
            ]
            connection.execute(
                text("INSERT INTO bare (id, type, sha256, body) VALUES (:id, :type, :sha256, :body)"), rows
            )
            connection.commit()
        return seconds()


def _walk(report: Report, reader: _Asker, kentongan: Kentongan, objects: int) -> list[str]:
    """Read everything, here and with the bare view; gives the dates at the end of each page.

    The CPU time of this process is told too: a busy machine stretches the rest, and PostgreSQL works elsewhere.
    """
    marks: list[str] = []
    seen, held = _PAGE, []
    spent = time.process_time()
    with stopwatch() as seconds:
        while seen == _PAGE:
            body, last = reader.page(**({"added_after": marks[-1]} if marks else {}))
            seen = body.count(b'"spec_version"')
            marks.append(last or marks[-1])
            held.append(_resident())
    ours, our_cpu = seconds(), time.process_time() - spent
    bare, after = _bare_view(kentongan), 0
    spent = time.process_time()
    with stopwatch() as seconds:
        while place := bare(after):
            after = place
    floor, floor_cpu = seconds(), time.process_time() - spent
    note = f"{floor / ours:.2f} x a bare view ({objects / floor:,.0f}/s); by CPU of this process {floor_cpu / our_cpu:.2f} x"
    report.add("reading all in pages of 100", objects / ours, "objects/s", note)
    grown = (held[-1] - held[len(held) // 10]) / 1024 / 1024
    report.add("memory gained after the first tenth of them", grown, "MiB", f"{held[-1] / 1024 / 1024:,.0f} MiB in all")
    return marks


def _resident() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def _bare_view(kentongan: Kentongan) -> Callable[[int], int]:
    app = Flask("bare", static_folder=None)

    @app.get("/")
    def page() -> Response:
        with kentongan.database.reading() as session:
            rows = session.execute(_BARE, {"after": int(request.args["after"]), "most": _PAGE}).all()
        headers = {"X-Last": str(rows[-1].number if rows else 0)}
        return Response('{"objects":[' + ",".join(row.body for row in rows) + "]}", headers=headers)

    client = app.test_client()
    return lambda after: int(client.get("/", query_string={"after": after}).headers["X-Last"])


def _pages(report: Report, reader: _Asker, marks: list[str], rounds: int) -> None:
    """One page each, in turn, so that what else happens on the machine meets all alike."""
    deep = marks[len(marks) * 9 // 10]
    asked: dict[str, dict[str, object]] = {
        "the first page": {},
        "a page deep in the collection": {"added_after": deep},
        "match[type]": {"match_type": "indicator"},
        "match[version]=all": {"match_version": "all"},
        "match[version]=first": {"match_version": "first"},
        "added_after, in the middle": {"added_after": marks[len(marks) // 2]},
    }
    took: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(rounds):
        for name, query in asked.items():
            with stopwatch() as seconds:
                reader.page(**query)
            took[name].append(seconds())
    first = median(took["the first page"])
    for name, all_of_them in took.items():
        report.add(name, median(all_of_them) * 1000, "ms", f"{median(all_of_them) / first:.2f} x the first page")
    if not all(later > earlier for earlier, later in pairwise(from_timestamp(mark) or 0 for mark in marks[:-1])):
        raise BenchFailed("the dates of the pages do not grow")


def _token(report: Report, kentongan: Kentongan, secret: str) -> None:
    times = []
    with kentongan.database.reading() as session:
        for _ in range(200):
            began = time.perf_counter()
            token_with_secret(session.connection(), secret)
            times.append(time.perf_counter() - began)
    report.add("looking up a token", median(times) * 1_000_000, "microseconds", "SHA-256 and one indexed query")
