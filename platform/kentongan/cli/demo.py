"""`kentongan demo`: the main job with real incidents, before your eyes."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console
from rich.progress import track

from kentongan.cli import settings_of
from kentongan.cli.output import fail
from kentongan.demo.incidents import DemoSubmission
from kentongan.demo.play import Play, WentWrong, demo_settings
from kentongan.demo.table import tell
from kentongan.settings import Settings
from kentongan.supervisor.parts import NoPort, listenable_port
from kentongan.trial import DidNotStart, Trial
from kentongan.trial.receivers import Arrivals, MailReceiver, WebhookReceiver

_MARK = "made-by-kentongan-demo"
NO_PORT = 4


@click.command()
@click.option("--once", is_flag=True, help="End after the table instead of serving on.")
@click.option("--host", help="Address to listen on (127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (8450); 0 takes a free one.")
@click.pass_context
def demo(ctx: click.Context, once: bool, host: str | None, port: int | None) -> None:
    """Submit real incidents as the region's CERTs, and show what was found and who was told.

    Works in a folder of its own (kentongan-demo, or --data-dir), which it empties first. Ends with 1 if anything went wrong.

    Example: kentongan demo --once --port 0
    """
    settings = settings_of(ctx, data_dir=ctx.find_root().obj or Path("kentongan-demo"), host=host, port=port)
    try:
        listenable_port(settings.host, settings.port)
    except NoPort as error:
        fail(str(error).replace("--port", "--port (PORT= with make)"), NO_PORT)
    _empty(settings.data_dir)
    sys.exit(_run(settings, once))


def _run(settings: Settings, once: bool) -> int:
    console, arrivals = Console(), Arrivals()
    with ExitStack() as stack:
        receiver = stack.enter_context(WebhookReceiver(arrivals))
        mail = stack.enter_context(MailReceiver(arrivals))
        signal.signal(signal.SIGTERM, _end)
        trial = Trial(settings.data_dir, port=settings.port, host=settings.host, **demo_settings(mail))
        try:
            with console.status("Starting portal, workers, scheduler and Valkey"):
                stack.enter_context(trial)
            play = Play(trial.settings(), trial.url, receiver, arrivals)
            outcome = play.run(lambda submissions: _with_bar(console, submissions))
        except (DidNotStart, WentWrong) as error:
            fail(str(error))
        tell(console, play, outcome, None if once or outcome.faults else trial.url)
        if not once and not outcome.faults:
            _serve(console)
        return 1 if outcome.faults else 0


def _with_bar(console: Console, submissions: Iterable[DemoSubmission]) -> Iterable[DemoSubmission]:
    return track(list(submissions), "Submitting as the region's CERTs", console=console)


def _serve(console: Console) -> None:
    console.print("It goes on serving; Ctrl-C ends it.")
    try:
        signal.pause()
    except KeyboardInterrupt:
        console.print("Stopping.")


def _end(_number: int, _frame: object) -> NoReturn:
    sys.exit(0)


def _empty(folder: Path) -> None:
    """Begin afresh, but only where an earlier demonstration was: never in a folder that somebody else filled."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).exists():
            fail(f"{folder} holds something that no demonstration made; name another folder with --data-dir", 2)
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / _MARK).write_text("This folder is emptied at each demonstration.\n", encoding="utf-8")
