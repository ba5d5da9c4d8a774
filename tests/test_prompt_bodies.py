"""Bodies that are slow to come never take all threads of the web."""

from __future__ import annotations

import socket
import urllib.request
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from threading import Semaphore
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from werkzeug.exceptions import RequestTimeout, ServiceUnavailable
from werkzeug.test import run_wsgi_app

from kentongan.bench.stage import web_alone
from kentongan.prompt_bodies import PromptBodies, PromptBody

STALLED = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nt"


@pytest.mark.parametrize("size", [-1, 7, 1_000_000])
def test_a_body_that_comes_is_read_whole(size: int) -> None:
    sent = bytes(range(256)) * 1000
    body = PromptBody(BytesIO(sent), Semaphore(1), 30.0)

    read = b"".join(iter(lambda: body.read(size), b""))

    assert read == sent


@pytest.mark.parametrize(("read", "said"), [(0, True), (3, True), (10, False), (-1, False)])
@pytest.mark.parametrize("told", [True, False])
def test_a_connection_on_which_something_was_left_unread_is_said_to_close(read: int, said: bool, told: bool) -> None:
    """The web server closes it, and a client that is not told would send its next request into nothing."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        environ["wsgi.input"].read(read)
        if read < 0 or (read == 10 and not told):
            environ["wsgi.input"].read(1)
        start_response("404 Not Found", [("Content-Length", "0")])
        return []

    length = {"CONTENT_LENGTH": "10"} if told else {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    answered = run_wsgi_app(PromptBodies(answer, 4), {"wsgi.input": BytesIO(b"0123456789"), **length})

    assert (answered[2].get("Connection") == "close") is said


def test_a_body_that_came_too_slowly_is_a_408_and_gives_its_place_back() -> None:
    places = Semaphore(1)
    body = PromptBody(BytesIO(b"x" * 100_000), places, patience=-1.0)

    for _ in range(2):
        with pytest.raises(RequestTimeout):
            body.read()

    assert places.acquire(blocking=False)


def test_with_every_place_taken_a_body_is_not_read_and_the_sender_told_to_come_back() -> None:
    waiting = BytesIO(b"x")

    with pytest.raises(ServiceUnavailable) as refused:
        PromptBody(waiting, Semaphore(0), 30.0).read()

    assert ("Retry-After", "5") in refused.value.get_headers()
    assert waiting.tell() == 0


def test_what_breaks_while_reading_breaks_for_the_reader() -> None:
    closed = BytesIO()
    closed.close()

    with pytest.raises(ValueError, match="closed"):
        PromptBody(closed, Semaphore(1), 30.0).read()


@pytest.mark.timeout(120)
def test_forty_stalled_bodies_of_strangers_leave_the_web_answering(tmp_path: Path) -> None:
    with web_alone(tmp_path, "", 1) as (_, url), ExitStack() as open_sockets:
        address = urlsplit(url)
        for _ in range(40):
            connection = open_sockets.enter_context(socket.create_connection((address.hostname, address.port or 0)))
            connection.sendall(b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\n" + STALLED)

        with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:
            status = answer.status

        assert status == 200
