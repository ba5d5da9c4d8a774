"""An item of a feed before any transaction: converted to STIX 2.1, and looked at by the gate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from kentongan.domain.feeding import Converted, Fetched, Inbound
from kentongan.domain.gate import Limits, Problem, Unreadable
from kentongan.domain.sharing import Names, SharingBook
from kentongan.services.examine import Examined, examine

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What an item comes to; `examined` are its documents."""

    converted: Converted
    examined: list[Examined]


def prepare(feed: Inbound, item: Fetched, limits: Limits, look_up: Callable[[Names], SharingBook]) -> Prepared:
    """The item converted and looked at. Raises Unreadable, also where converting fails over something unforeseen.

    `look_up` finds what markings name, as in `examine`.
    """
    try:
        converted = feed.convert(item)
    except Unreadable:
        raise
    except Exception as error:  # one item that nobody foresaw must not keep the feed from all that follow
        _log.exception("an item could not be converted", kind=feed.kind)
        reason = f"it could not be converted ({type(error).__name__})"
        raise Unreadable([Problem("$", "not-convertible", reason, "Tell who runs this platform.")]) from error
    return Prepared(converted, [examine(document, limits, look_up) for document in converted.documents])
