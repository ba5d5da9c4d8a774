"""Where items come from: files of a folder, and addresses behind the egress guard. Nothing here is larger or later than wanted."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kentongan.domain.feeding import Fetched, FetchFailed, Found, Known, PassedOver, Untouched
from kentongan.domain.gate import Limits, Problem, Unreadable, gunzip
from kentongan_feeds.egress import Document, Egress, EgressRefused, NotReached, TooMuch

MOST_FILES: Final = 100_000
GZIP_MAGIC: Final = b"\x1f\x8b"  # RFC 1952 section 2.3.1; no text begins so
_FRESH_SECONDS: Final = 2.0
"""A file that was changed so recently may change again without its times telling."""
_READ_AGAIN: Final = "It is looked at again at the next fetch."


def in_files(source: Path, suffixes: frozenset[str], most_bytes: int, known: Known) -> Iterator[Found]:
    """A file, or the files below a folder whose names end so, in order of their names; hidden ones are left out.

    A link is not followed, and what is no file is not opened: who may write into the folder may not read other things by us.
    Raises FetchFailed where there is no such folder, or more than MOST_FILES files.
    """
    for path, name in _listed(source, suffixes):
        yield _file(path, name, most_bytes, known)


def at_address(url: str, headers: Mapping[str, str], egress: Egress, limits: Limits, known: Known) -> Iterator[Found]:
    """What the address answers, unless it says that this is what it answered the last time. Raises FetchFailed."""
    asked = {"Accept-Encoding": "gzip", **headers}
    if isinstance(tag := known.cursor.get("etag"), str):
        asked["If-None-Match"] = tag
    elif isinstance(since := known.cursor.get("last-modified"), str):
        asked["If-Modified-Since"] = since
    answer = ask(egress, url, asked, limits.max_bytes, also=(304,))
    if answer.status == 304:
        yield Untouched(url)
        return
    cursor = {name: answer.headers[name] for name in ("etag", "last-modified") if name in answer.headers}
    try:
        yield Fetched(url, opened(answer.body, limits.max_bytes), cursor)
    except Unreadable as error:
        yield PassedOver(url, error.problems[0])


def ask(egress: Egress, url: str, headers: Mapping[str, str], most_bytes: int, also: tuple[int, ...] = ()) -> Document:
    """An answer of 200 (or of `also`). Raises FetchFailed, in words that say what to do; no redirect is followed."""
    try:
        answer = egress.fetch(url, dict(headers), most_bytes)
    except (EgressRefused, NotReached) as error:
        raise FetchFailed(f"{_short(url)}: {error}") from None
    except TooMuch as error:
        raise FetchFailed(f"{_short(url)}: the answer is too large: {error}") from None
    if answer.status == 200 or answer.status in also:
        return answer
    if 300 <= answer.status < 400:
        raise FetchFailed(
            f"{_short(url)} leads elsewhere (HTTP {answer.status}), and that is not followed: name the address itself"
        )
    if answer.status in (401, 403):
        raise FetchFailed(f"{_short(url)} does not let us in (HTTP {answer.status}): give the feed the right secret")
    raise FetchFailed(f"{_short(url)} answered HTTP {answer.status}")


def opened(body: bytes, most_bytes: int) -> bytes:
    """The bytes behind gzip, if they are. Raises Unreadable before more than `most_bytes` are unpacked."""
    return gunzip(body, most_bytes) if body.startswith(GZIP_MAGIC) else body


def _short(url: str) -> str:
    """Without the query, which may hold a secret."""
    return url.partition("?")[0][:200]


def _listed(source: Path, suffixes: frozenset[str]) -> list[tuple[Path, str]]:
    with _in_words(source):
        if not stat.S_ISDIR(os.lstat(source).st_mode):
            return [(source, source.name)]
        found = []
        for folder, folders, files in os.walk(source, onerror=_raise):
            folders[:] = sorted(each for each in folders if not each.startswith("."))
            for each in files:
                if not each.startswith(".") and _ends_so(each, suffixes):
                    path = Path(folder, each)
                    found.append((path, _readable(path.relative_to(source))))
            if len(found) > MOST_FILES:
                raise FetchFailed(f"there are more than {MOST_FILES} files in the folder: move away what was taken")
    return sorted(found, key=lambda each: each[1])


def _ends_so(name: str, suffixes: frozenset[str]) -> bool:
    path = Path(name.lower())
    return (Path(path.stem) if path.suffix == ".gz" else path).suffix in suffixes


def _readable(path: Path) -> str:
    """A name that can be stored: bytes that are no UTF-8 are written as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _raise(error: OSError) -> None:
    raise error


@contextmanager
def _in_words(source: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FetchFailed(f"{source} cannot be read: {error.strerror}") from None


def _file(path: Path, name: str, most_bytes: int, known: Known) -> Found:
    try:
        # Not blocking: a pipe in the folder would hold us for ever before it could be told that it is one.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return _passed(name, "unreadable-file", f"the file cannot be opened: {error.strerror}", _READ_AGAIN)
    with os.fdopen(descriptor, "rb") as file:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            return _passed(name, "no-file", "this is no regular file", "Links, pipes and devices are not read.")
        if known.stamps.get(name) == _stamp(before):
            return Untouched(name)
        if before.st_size > most_bytes:
            reason = f"the file has {before.st_size} bytes; at most {most_bytes} are taken"
            return _passed(name, "too-large", reason, "Divide it into smaller ones.")
        raw = file.read(most_bytes + 1)
        after = os.fstat(descriptor)
    if (_stamp(after), len(raw)) != (_stamp(before), before.st_size):
        return _passed(name, "changed-while-read", "the file changed while it was read", _READ_AGAIN)
    return _whole(name, raw, most_bytes, None if time.time() - before.st_mtime < _FRESH_SECONDS else _stamp(before))


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"


def _whole(name: str, raw: bytes, most_bytes: int, stamp: str | None) -> Found:
    try:
        return Fetched(name, opened(raw, most_bytes), stamp=stamp)
    except Unreadable as error:
        return PassedOver(name, error.problems[0])


def _passed(name: str, rule: str, reason: str, hint: str) -> PassedOver:
    return PassedOver(name, Problem("$", rule, reason, hint))
