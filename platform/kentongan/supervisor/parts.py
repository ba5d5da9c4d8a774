"""Which programs an installation is made of, and how each is started. The same commands serve `up` and each part alone."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

from kentongan.settings import Settings
from kentongan.supervisor.processes import Part
from kentongan.supervisor.valkey import valkey_command

_PACKAGE = Path(__file__).parent.parent


class NoPort(Exception):
    """The address cannot be listened on; the message says why and what to do."""


def all_parts(settings: Settings) -> list[Part]:
    """What `kentongan up` runs."""
    broker = [Part("broker", valkey_command(settings), last_to_stop=True)] if settings.embedded_broker else []
    workers = Part("workers", worker_command("all", "--scheduler"))
    mail = [Part("mail", mail_command())] if settings.mail_in else []
    return [*broker, Part("web", web_command(settings)), workers, *mail]


def worker_command(*words: str) -> list[str]:
    """The Celery processes. The workers know the core, not the other way round: so they are started, not imported."""
    return [sys.executable, "-m", "kentongan_workers", *words]


def mail_command() -> list[str]:
    """What receives mail for feeds."""
    return [sys.executable, "-m", "kentongan", "mail"]


def web_command(settings: Settings) -> list[str]:
    """The web server. Its workers are killed when they have not ended in time: an open stream would hold them for ever."""
    options = {
        "--interface": "wsgi",
        "--host": settings.host,
        "--port": str(settings.port),
        "--workers": str(settings.web_workers),
        "--blocking-threads": str(settings.web_threads),
        "--workers-kill-timeout": "5",
        "--respawn-interval": "0.2",
        "--log-config": str(_PACKAGE / "granian-log.json"),
    }
    words = [word for name, value in options.items() for word in (name, value)]
    return [sys.executable, "-m", "granian", *words, "--respawn-failed-workers", "--no-ws", "kentongan.wsgi:app"]


def environment(settings: Settings) -> dict[str, str]:
    """What a part is told: this process's environment, and what the command line decided."""
    decided = {
        "KENTONGAN_DATA_DIR": str(settings.data_dir.absolute()),
        "KENTONGAN_HOST": settings.host,
        "KENTONGAN_PORT": str(settings.port),
        "KENTONGAN_STAGE_PROCESSES": str(settings.stage_processes),
    }
    kept = {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in decided}
    # Many threads would otherwise each keep an arena of freed memory.
    return {**kept, **decided, **_shared_metrics(settings), "MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1"}


def _shared_metrics(settings: Settings) -> dict[str, str]:
    """Several web processes add up their counters in files, which the first of them finds empty."""
    if settings.web_workers == 1:
        return {}
    folder = settings.run_dir / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    return {"PROMETHEUS_MULTIPROC_DIR": str(folder)}


def listenable_port(host: str, port: int) -> int:
    """The port to listen on: `port`, or a free one for 0. Raises NoPort when it is taken, not allowed, or the host not ours."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
            return int(trial.getsockname()[1])
    except OSError as error:
        raise NoPort(f"cannot listen on {host} port {port}: {error.strerror}; choose another with --port") from None


def url_of(settings: Settings) -> str:
    """Where this machine reaches the portal: a wildcard address is reached over loopback."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  # compared, not bound
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
