"""`kentongan up`, and each of its parts alone: `web`, `worker`, `scheduler`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import click

from kentongan.cli import settings_of
from kentongan.cli.output import fail
from kentongan.settings import Settings
from kentongan.supervisor import parts
from kentongan.supervisor.installation import AlreadyRunning, InstallationLock, log_dir, make_folders
from kentongan.supervisor.logs import PartLog
from kentongan.supervisor.processes import Child, Part
from kentongan.supervisor.supervisor import Failed, Supervisor
from kentongan.supervisor.valkey import UnsafeFolder, make_socket_folder

NOT_STARTED = 1
NO_PORT = 4
ALREADY_RUNNING = 5
_PATIENCE_SECONDS = 30.0


@click.command()
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Folder of the installation; made if it is not there."
)
@click.option("--host", help="Address to listen on (127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (8450); 0 takes a free one.")
@click.pass_context
def up(ctx: click.Context, data_dir: Path | None, host: str | None, port: int | None) -> None:
    """Run everything: web, workers, scheduler and, unless KENTONGAN_REDIS_URL names one, a broker.

    Stops on Ctrl-C or SIGTERM. Exit codes: 1 a part does not start, 2 wrong setting, 4 no such port, 5 already running.

    Example: kentongan up --data-dir ./data --port 8450
    """
    settings = settings_of(ctx, data_dir=data_dir, host=host, port=port)
    make_folders(settings)
    lock = InstallationLock(settings)
    try:
        lock.take()
        settings = settings.model_copy(update={"port": parts.listenable_port(settings.host, settings.port)})
        if settings.embedded_broker:
            make_socket_folder(settings)
    except AlreadyRunning as error:
        fail(str(error), ALREADY_RUNNING)
    except parts.NoPort as error:
        fail(str(error), NO_PORT)
    except UnsafeFolder as error:
        fail(str(error), NOT_STARTED)
    _migrate(settings)
    _supervise(settings, lock)


@click.command()
@click.option("--host", help="Address to listen on (127.0.0.1).")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on (8450).")
@click.pass_context
def web(ctx: click.Context, host: str | None, port: int | None) -> None:
    """Run the web server alone, in the foreground.

    Example: kentongan web --host 0.0.0.0 --port 8450
    """
    settings = settings_of(ctx, host=host, port=port)
    make_folders(settings)
    _become(parts.web_command(settings), settings)


@click.command()
@click.option("--queue", type=click.Choice(["stages", "deliver", "all"]), default="all", show_default=True)
@click.option("--processes", type=click.IntRange(1, 64), help="Processes for the stages (KENTONGAN_STAGE_PROCESSES).")
@click.pass_context
def worker(ctx: click.Context, queue: str, processes: int | None) -> None:
    """Run workers alone, in the foreground: for the stages, for deliveries, or both.

    Example: kentongan worker --queue stages --processes 4
    """
    settings = settings_of(ctx, stage_processes=processes)
    make_folders(settings)
    _become(parts.worker_command(queue), settings)


@click.command()
@click.pass_context
def scheduler(ctx: click.Context) -> None:
    """Run the scheduler alone, in the foreground: it has waiting jobs looked for every few seconds. One is enough.

    Example: kentongan scheduler
    """
    settings = settings_of(ctx)
    make_folders(settings)
    _become(parts.worker_command("scheduler"), settings)


def _migrate(settings: Settings) -> None:
    """In a process of its own, which gives back its memory; the supervisor stays small."""
    command = [sys.executable, "-m", "kentongan", "migrate"]
    if subprocess.run(command, env=parts.environment(settings), stdout=subprocess.DEVNULL, check=False).returncode:
        fail("the database could not be migrated", NOT_STARTED)


def _supervise(settings: Settings, lock: InstallationLock) -> None:
    url = parts.url_of(settings)
    environment = parts.environment(settings)
    children = [_child(part, environment, settings, lock) for part in parts.all_parts(settings)]

    def when_ready() -> None:
        lock.note(url)
        click.echo(f"Kentongan listens on {url}")

    try:
        Supervisor(children, _say).run(_readiness(url), when_ready)
    except Failed as error:
        fail(str(error), NOT_STARTED)
    finally:
        lock.release()


def _child(part: Part, environment: dict[str, str], settings: Settings, lock: InstallationLock) -> Child:
    name = part.name
    return Child(part, environment, PartLog(log_dir(settings) / f"{name}.log"), [lock.descriptor])


def _readiness(url: str) -> Callable[[], bool]:
    """Asks /readyz; says once what is missing when it takes long."""
    complain_at = time.monotonic() + _PATIENCE_SECONDS

    def is_ready() -> bool:
        nonlocal complain_at
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=1):  # noqa: S310  # our own address, over http
                return True
        except (urllib.error.URLError, OSError) as error:
            if time.monotonic() > complain_at:
                complain_at = float("inf")
                _say(f"not ready yet: {_what_is_missing(error)}; kentongan doctor says more")
            return False

    return is_ready


def _what_is_missing(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return error.read(2000).decode(errors="replace")
    return str(getattr(error, "reason", error))


def _become(command: list[str], settings: Settings) -> None:
    """Turn this process into the part, so that signals and exit code are the part's own."""
    os.execve(command[0], command, parts.environment(settings))  # noqa: S606  # no shell is wanted


def _say(line: str) -> None:
    click.echo(line, err=True)
