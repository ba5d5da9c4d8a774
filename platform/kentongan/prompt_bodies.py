"""Bodies that come in time, or not at all: reading one takes a thread of the web server, and there are few of them.

The web server sets no deadline on a body, and a read from it cannot be broken off: so only some of the server's threads may wait
for bodies at once, and the others go on answering. A body that trickles is given up between two pieces; one that stops altogether
keeps its place until its connection ends, which a deadline in the proxy brings about (docs/operations.md). Reading in further
threads, to be left behind, is no way out: answering while such a read goes on has been seen to stop the whole web server.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from threading import Semaphore
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.exceptions import RequestTimeout, ServiceUnavailable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_PIECE: Final = 64 * 1024
_PATIENCE_SECONDS: Final = 10.0
_SLOWEST_BYTES_PER_SECOND: Final = 16 * 1024 / _PATIENCE_SECONDS
_WAIT_FOR_A_PLACE_SECONDS: Final = 0.25
_RETRY_SECONDS: Final = 5


class Readable(Protocol):
    """What a web server gives as `wsgi.input`."""

    def read(self, size: int = -1, /) -> bytes:
        """The next `size` bytes, fewer only at the end; all that is left for a negative size."""
        ...


class PromptBodies:
    """WSGI middleware for a server with so many threads, of which at least a quarter never waits for a body.

    With a single thread there is none to keep free. A body has `patience_seconds` to begin, and must come at 16 kB in 10 s or
    faster.
    """

    def __init__(self, app: WSGIApplication, threads: int, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        self._app = app
        self._places = Semaphore(max(1, threads - max(1, threads // 4)))
        self._patience = patience_seconds

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer, as the application does."""
        told = environ.get("CONTENT_LENGTH") or "0"
        if told == "0" and "HTTP_TRANSFER_ENCODING" not in environ:
            return self._app(environ, start_response)
        length = int(told) if told.isdecimal() and told != "0" else None
        patience = self._patience + min(length or _PIECE, _PIECE) / _SLOWEST_BYTES_PER_SECOND
        body = environ["wsgi.input"] = PromptBody(environ["wsgi.input"], self._places, patience, length)
        return self._app(environ, _saying_what_is_left(start_response, body))


def _saying_what_is_left(start_response: StartResponse, body: PromptBody) -> StartResponse:
    """The web server closes a connection on which something was left unread, and does not say so: the client's next request on it
    would be lost."""

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:  # as wsgiref types it
        left = [] if body.at_end else [("Connection", "close")]
        return start_response(status, [*headers, *left], exc_info)

    return start


class PromptBody(io.RawIOBase):
    """A body of `length` bytes (None: nobody knows) of which each piece, of at most 64 KiB, comes within `patience` seconds.

    Reading raises RequestTimeout (408) when it did not, and ServiceUnavailable (503) when too many bodies are being read.
    """

    def __init__(self, body: Readable, places: Semaphore, patience: float, length: int | None = None) -> None:
        self._body = body
        self._places = places
        self._patience = patience
        self._left = length
        self._stalled = False
        self.at_end = False
        """Whether all of it was read."""

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes, at most `size` and none only at the end; all that is left for a negative size."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self._next(_PIECE), b""))
        return self._next(min(size, _PIECE))

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill `buffer` with what comes next; how many bytes those are."""
        room = memoryview(buffer).cast("B")
        piece = self.read(len(room))
        room[: len(piece)] = piece
        return len(piece)

    def _next(self, size: int) -> bytes:
        if self._stalled:
            raise RequestTimeout
        if not self._places.acquire(timeout=_WAIT_FOR_A_PLACE_SECONDS):
            raise ServiceUnavailable(retry_after=_RETRY_SECONDS)
        try:
            return self._in_time(size)
        finally:
            self._places.release()

    def _in_time(self, size: int) -> bytes:
        began = monotonic()
        piece = self._body.read(size)
        if monotonic() - began > self._patience:
            self._stalled = True
            raise RequestTimeout
        if self._left is not None:
            self._left -= len(piece)
        self.at_end = self.at_end or self._left == 0 or (size > 0 and not piece)
        return piece
