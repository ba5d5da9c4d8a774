"""Stories about feeds: an installation with one member, sources on this machine, and what a fetch left behind."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan import fetching
from kentongan.bootstrap import Kentongan, feed_reach, no_nudge
from kentongan.domain.feeding import Fetched
from kentongan.domain.identity import Identity
from kentongan.services.feeds import Feeds, FeedWish
from kentongan.services.read_feeds import ItemView, ReadFeeds, RunView
from kentongan.settings import Settings
from kentongan.storage.database import Database
from kentongan.storage.drafts import Draft
from kentongan.storage.objects import StixObject
from kentongan.storage.organizations import Organization
from kentongan.storage.submissions import Submission
from kentongan_feeds.inbound import build
from kentongan_feeds.inbound.feed import Feed
from stories import CONSOLE, NOON, organization


@dataclass
class Station:
    """One installation, in which CERT-ID takes feeds in."""

    database: Database
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    now: datetime = NOON

    def __post_init__(self) -> None:
        with self.database.writing() as session:
            self.member = organization(session, "CERT-ID", "ID").id

    @property
    def kentongan(self) -> Kentongan:
        """With loopback opened, as an operator may open a network."""
        settings = Settings(data_dir=self.folder, egress_allow="127.0.0.0/8", **self.settings)
        return Kentongan(settings, self.database, lambda: self.now, no_nudge)

    def add(
        self,
        source: Path | str,
        kind: str = "stix",
        name: str = "partner",
        *,
        options: Mapping[str, str] | None = None,
        every: timedelta | None = None,
        secret: str = "",
    ) -> int:
        """A feed; its row number."""
        with self.database.writing() as session:
            feeds = self.feeds(session)
            wish = FeedWish(name, kind, str(source), options or {}, every, secret)
            feeds.add(session.get_one(Organization, self.member), wish)
            return feeds.named(name).id

    def feeds(self, session: Session, who: Identity = CONSOLE) -> Feeds:
        """What `who` may do with feeds."""
        return Feeds(session, lambda: self.now, who, self.kentongan.inbound, self.kentongan.seal)

    def run(self, feed_id: int, **how: Any) -> RunView:
        """Fetch it."""
        return fetching.run_one(self.kentongan, feed_id, **how)

    def items(self, name: str = "partner") -> dict[str, ItemView]:
        """What the report says of each item."""
        with self.database.writing() as session:
            reading = ReadFeeds(session, CONSOLE)
            (feed,) = [each.id for each in reading.all() if each.name == name]
            return {item.name: item for item in reading.items(feed, 10_000)}

    def objects(self) -> list[dict[str, Any]]:
        """Everything that is stored or drafted, oldest first."""
        with self.database.reading() as session:
            stored = [json.loads(body) for body in session.scalars(select(StixObject.body).order_by(StixObject.id))]
            drafted = session.scalars(select(Draft.document).order_by(Draft.id))
            return stored + [obj for each in drafted if each for obj in json.loads(each)["objects"]]

    def kept(self) -> int:
        """How many submissions and drafts there are."""
        with self.database.reading() as session:
            return self.submissions() + len(session.scalars(select(Draft.id)).all())

    def submissions(self) -> int:
        """How many there are."""
        with self.database.reading() as session:
            return len(session.scalars(select(Submission.id)).all())


def counts(run: RunView) -> tuple[int, int, int, int]:
    """new, changed, unchanged, refused."""
    return run.new, run.changed, run.unchanged, run.refused


def alone(kind: str, kentongan: Kentongan, options: Mapping[str, str] | None = None, source: str = "/nowhere") -> Feed:
    """A feed of this kind, to convert with."""
    return build(kind, source, options or {}, "", feed_reach(kentongan))


def fetched(raw: bytes, name: str = "one.json") -> Fetched:
    """An item as a source gives it."""
    return Fetched(name, raw)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Any = self.server
        server.asked.append((self.path, dict(self.headers)))
        server.answer(self)

    def log_message(self, format: str, *args: object) -> None:
        pass


Answering = Callable[[Any], None]


@contextmanager
def serving(answer: Answering) -> Iterator[Any]:
    """A server on this machine, whose address is `server.url`; `server.asked` are the requests, `server.answer` can be changed."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.answer, server.asked = answer, []
    server.url = f"http://127.0.0.1:{server.server_address[1]}/feed"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def saying(body: bytes, status: int = 200, *, length: int | None = None, **headers: str) -> Answering:
    """An answer; `length` is what it says of its length, whatever it sends. Underscores in header names are hyphens."""

    def answer(handler: Any) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)
        if length is not None:
            handler.close_connection = True

    return answer


def hanging(handler: Any) -> None:
    """Begins, and never goes on."""
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b"{")
    handler.wfile.flush()
    handler.connection.settimeout(30)
    with suppress(OSError, TimeoutError):
        handler.connection.recv(1)
    handler.close_connection = True


def bomb(size: int = 50 * 1024 * 1024) -> bytes:
    """A small gzip of many zeros."""
    return gzip.compress(bytes(size), mtime=0)
