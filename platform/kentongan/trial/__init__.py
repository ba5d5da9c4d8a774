"""A whole installation, really running, that this process started: for the demonstration and the benchmarks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import TracebackType

from kentongan.settings import Settings, load_settings
from kentongan.supervisor.installation import running
from kentongan.supervisor.lifeline import die_with

START_SECONDS = 60.0
STOP_SECONDS = 30.0


class DidNotStart(Exception):
    """The installation ended, or said nothing, before it was ready. The message carries what it printed last."""


class Trial:
    """`kentongan up` on a folder, with further settings; started on entry and stopped on exit."""

    def __init__(self, data_dir: Path, *, port: int = 0, host: str = "127.0.0.1", **settings: object) -> None:
        self.data_dir = data_dir.absolute()
        self._command = [sys.executable, "-m", "kentongan", "--data-dir", str(self.data_dir), "up"]
        self._command += ["--host", host, "--port", str(port)]
        self._set = {f"KENTONGAN_{name.upper()}": str(value) for name, value in settings.items()}
        self._output = self.data_dir / "up.out"
        self._started: subprocess.Popen[bytes] | None = None
        self.url = ""

    @property
    def pid(self) -> int:
        """The supervisor's process number."""
        assert self._started is not None
        return self._started.pid

    def settings(self) -> Settings:
        """The settings under which the installation runs, for looking into its database."""
        named = {name.removeprefix("KENTONGAN_").lower(): value for name, value in self._set.items()}
        return load_settings(data_dir=self.data_dir, **named)

    def __enter__(self) -> Trial:
        """Start, and wait until it is ready. Raises DidNotStart."""
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._output.open("wb") as output:
            self._started = subprocess.Popen(
                self._command,
                env={**os.environ, **self._set},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C in the terminal reaches us alone, and we stop it in order
                preexec_fn=partial(die_with, os.getpid()),  # noqa: PLW1509  # it ends with us, also when we are killed
            )
        try:
            self.url = self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def stop(self) -> int:
        """Ask it to end, wait, insist; the exit code it ended with."""
        assert self._started is not None
        if self._started.poll() is None:
            self._started.send_signal(signal.SIGTERM)
        try:
            return self._started.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._started.kill()
            return self._started.wait(STOP_SECONDS)

    def _wait_until_ready(self) -> str:
        assert self._started is not None
        until = time.monotonic() + START_SECONDS
        settings = self.settings()
        while time.monotonic() < until:
            if self._started.poll() is not None:
                raise DidNotStart(self._last_words())
            note = running(settings)
            if note is not None and note.pid == self._started.pid:
                return note.url
            time.sleep(0.05)
        raise DidNotStart(f"not ready after {START_SECONDS:.0f} s: {self._last_words()}")

    def _last_words(self) -> str:
        return self._output.read_text(errors="replace").strip()[-2000:] or "it said nothing"
