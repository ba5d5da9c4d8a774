"""The body of a request, never further than the limit, whether its length was told, is a lie, or was not told at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson
from flask import request

from kentongan.domain.gate import Unreadable, gunzip
from kentongan.threshold.refusals import Fault, Refusal, faults_of

_PIECE: Final = 64 * 1024
_SMALL: Final = 2 * 1024 * 1024


def document(limit: int, content_types: tuple[str, ...]) -> bytes:
    """The document sent, after gzip was undone; at most `limit` bytes of it are read, before and after.

    Raises Refusal: 415 for another content type or encoding, 413 past the limit, 400 for broken gzip.
    """
    check_content_type(content_types)
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip"):
        hint = "Send it plain or with gzip."
        fault = Fault("header", "Content-Encoding", "content-encoding", "is not taken", hint)
        raise Refusal(
            "wrong-type", "This content encoding is not taken.", [fault], {"Accept-Encoding": "gzip, identity"}
        )
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    try:
        return gunzip(_pieces(limit), limit) if encoding != "identity" else b"".join(_pieces(limit))
    except Unreadable as error:
        raise refusal_of(error) from None


def small_json() -> Any:  # Any: parsed JSON
    """A small JSON body. Raises Refusal: 415 for another content type, 413 past 2 MiB, 400 for what is not JSON."""
    raw = document(_SMALL, ("application/json",))
    try:
        return orjson.loads(raw)
    except ValueError:
        fault = Fault("body", "$", "not-json", "the body is not JSON in UTF-8", "Check it with a JSON reader.")
        raise Refusal("unreadable", "Nothing was done.", [fault]) from None


def optional_json() -> Any:  # Any: parsed JSON
    """As `small_json`, and an empty object where nothing was sent."""
    told_length = request.headers.get("Content-Length", "0").strip()
    if told_length == "0" and "Transfer-Encoding" not in request.headers:
        return {}
    return small_json()


def check_content_type(content_types: tuple[str, ...]) -> None:
    """Raises Refusal (415) unless the request names one of these, with whatever parameters."""
    if request.mimetype not in content_types:
        taken = ", ".join(content_types)
        fault = Fault("header", "Content-Type", "content-type", "is not taken here", f"Send one of: {taken}.")
        raise Refusal("wrong-type", "This content type is not taken.", [fault], {"Accept": taken})


def refusal_of(error: Unreadable) -> Refusal:
    """A document that is refused as a whole: 413 where a limit was passed, else 400."""
    kind = "too-large" if error.too_large else "unreadable"
    return Refusal(kind, "Nothing of the document was stored.", faults_of(error.problems))


def _pieces(limit: int) -> Iterator[bytes]:
    # Asked for its own limit, the framework would answer in HTML; and a body of unknown length has none.
    request.max_content_length = None
    left = limit
    while piece := request.stream.read(min(_PIECE, left + 1)):
        left -= len(piece)
        if left < 0:
            raise _too_large(limit)
        yield piece


def _too_large(limit: int) -> Refusal:
    fault = Fault("body", "$", "too-large", f"the body has more than {limit} bytes", "Send it in smaller bundles.")
    return Refusal("too-large", "Nothing of the document was stored.", [fault])
