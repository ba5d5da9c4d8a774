"""Opening gzip without trusting what it says about its size."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final

from kentongan.domain.gate.problem import Problem, Unreadable

GZIP_ONLY: Final = 31
PIECE: Final = 64 * 1024


def gunzip(chunks: bytes | Iterable[bytes], limit: int) -> bytes:
    """The bytes behind one or several gzip members (RFC 1952), at most `limit` of them.

    Raises Unreadable: `too_large` as soon as one byte more than `limit` would come out, so that a bomb is never
    unpacked; without it when the stream is corrupt, cut off or followed by something else.
    """
    opened = bytearray()
    stream = _Members(limit)
    for chunk in (chunks,) if isinstance(chunks, bytes) else chunks:
        for start in range(0, len(chunk), PIECE):
            opened += stream.feed(chunk[start : start + PIECE])
    stream.close()
    return bytes(opened)


class _Members:
    """Gzip members one behind the other; counts what came out of all of them."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._member = zlib.decompressobj(GZIP_ONLY)
        self._started = False

    def feed(self, compressed: bytes) -> bytes:
        out = bytearray()
        while compressed:
            if self._member.eof:
                self._member = zlib.decompressobj(GZIP_ONLY)
            out += self._open(compressed)
            compressed = self._member.unused_data if self._member.eof else b""
        return bytes(out)

    def _open(self, compressed: bytes) -> bytes:
        self._started = True
        try:
            piece = self._member.decompress(compressed, self._left + 1)
        except zlib.error as error:
            raise Unreadable([_broken("is not valid gzip")]) from error
        if len(piece) > self._left or self._member.unconsumed_tail:
            raise Unreadable([_too_large()], too_large=True)
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        if not self._started or not self._member.eof:
            raise Unreadable([_broken("ends before its end")])


def _broken(what: str) -> Problem:
    return Problem("$", "gzip", f"the compressed document {what}", "Compress the document again, or send it plain.")


def _too_large() -> Problem:
    return Problem(
        "$", "too-large", "the document is larger than allowed once it is decompressed", "Send it in smaller bundles."
    )
