"""Structured logs: one JSON object per line on stderr, without anything that is secret or that a member marked.

What may stand in a log: names of events, stages and routes, counts, durations, ids. What may not: tokens, keys, headers, bodies,
observables, and the texts of errors, which quote what was being worked on; an error is logged by its type and its places.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from types import TracebackType
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

_PLACES = 8
_LONGEST_TEXT = 1000

_TALKATIVE = (
    "mail.log",
    "celery.app.trace",
    "celery.worker.strategy",
    "celery.beat",
    "alembic.runtime.migration",
    "httpx2",
)
"""These tell every step of a sound day, and the first of them every line of a mail."""

_SECRET_NAMES = re.compile(
    r"token|authorization|secret|password|cookie|api.?key|body|payload|content|observable|value|params|headers",
    re.IGNORECASE,
)
_SECRET_TEXTS = (
    (re.compile(r"://[^/\s:@]*:[^/\s@]+@"), "://...@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"), r"\1 ..."),
    (re.compile(r"whsec_[\w+/=-]+"), "whsec_..."),
    (re.compile(r"\bkt_[\w-]{8,}"), "kt_..."),
)


def configure(level: str = "INFO") -> None:
    """Send everything this process logs, by whichever library, through the same steps to stderr."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_steps(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(json_formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def json_formatter() -> logging.Formatter:
    """Makes one JSON line of a record, ours or a library's."""
    return structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        foreign_pre_chain=_steps(),
    )


def without_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Keep out what a field's name or a text's shape says is secret."""
    return {name: "..." if _SECRET_NAMES.search(name) else _clean(value) for name, value in event.items()}


def places_of_error(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace an exception by its type and the places it came through; its text may quote an observable."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, BaseException):
        error = (type(error), error, error.__traceback__)
    if isinstance(error, tuple) and error[0] is not None:
        event["exception"] = {"type": error[0].__qualname__, "at": _places(error[2])}
    return event


def _steps() -> list[Any]:  # structlog's processors have no common narrower type
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_part,
        places_of_error,
        without_secrets,
    ]


def _add_part(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if part := os.environ.get("KENTONGAN_PART"):
        event["part"] = part
    return event


def _clean(value: Any) -> Any:
    """Texts inside lists and objects too."""
    if isinstance(value, str):
        for shape, instead in _SECRET_TEXTS:
            value = shape.sub(instead, value)
        return value[:_LONGEST_TEXT]
    if isinstance(value, dict):
        return {name: "..." if _SECRET_NAMES.search(str(name)) else _clean(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(inner) for inner in value]
    return value


def _places(tb: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(tb)[-_PLACES:]
    return [f"{os.path.basename(frame.filename)}:{frame.lineno} in {frame.name}" for frame in frames]  # noqa: PTH119


def _dumps(value: Any, **_options: Any) -> str:
    return orjson.dumps(value, default=str).decode()
