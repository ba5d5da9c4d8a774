"""`python -m kentongan_workers.floor N`: the least a road through this broker takes, N times, in seconds, one per line.

An empty Celery task that makes one HTTP POST to a server on loopback: what `kentongan bench latency` sets its figure against.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from functools import partial
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from subprocess import DEVNULL, Popen

from celery import Celery

from kentongan.settings import load_settings
from kentongan.supervisor.lifeline import die_with
from kentongan_workers.app import work
from kentongan_workers.broker import celery_app

_QUEUE = "floor"
_PATIENCE = 20.0


def floor_app() -> Celery:
    """The installation's broker, with the one empty task."""
    app = celery_app(load_settings(), socket_timeout=5.0)

    @app.task(name="kentongan.floor")  # type: ignore[untyped-decorator]  # Celery has no types
    def post(port: int) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("POST", "/", b"{}")
        connection.getresponse().read()
        connection.close()

    return app


def measure(count: int) -> list[float]:
    """Seconds from sending the task to the arrival of its POST, `count` times, after a few to warm up."""
    arrived = threading.Semaphore(0)

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            arrived.release()
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # the base class names it so
            """Only figures are printed."""

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    app = floor_app()
    command = [sys.executable, "-m", __spec__.name, "work"]
    # Celery says goodbye on stdout, which carries our figures.
    with Popen(command, stdout=DEVNULL, preexec_fn=partial(die_with, os.getpid())) as worker:  # noqa: PLW1509
        try:
            return [_once(app, server.server_address[1], arrived) for _ in range(count + 5)][5:]
        finally:
            worker.terminate()


def _once(app: Celery, port: int, arrived: threading.Semaphore) -> float:
    started = time.monotonic()
    app.send_task("kentongan.floor", [port], queue=_QUEUE, retry=False)
    if not arrived.acquire(timeout=_PATIENCE):
        raise TimeoutError("the empty task did not arrive")
    return time.monotonic() - started


if __name__ == "__main__":
    if sys.argv[1:] == ["work"]:
        work(floor_app(), _QUEUE)
    else:
        print("\n".join(f"{seconds:.6f}" for seconds in measure(int(sys.argv[1]))))  # noqa: T201  # figures for the caller
