"""Next and previous links of lists whose cursors only know the way forward.

The address of a page carries the cursors of the pages before it (`trail`), so that the way back needs no memory of ours and
shows exactly what was shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from flask import request, url_for

from kentongan.services.paging import CURSOR_LENGTH, Page

PER_PAGE: Final = 25
_LONGEST_TRAIL: Final = 40
_FIRST: Final = "-"  # stands in a trail for the first page, which has no cursor


@dataclass(frozen=True, slots=True)
class PageLinks:
    """Where a reader goes from one page of a list; None where there is nothing."""

    previous: str | None
    next: str | None


def asked_cursor() -> str | None:
    """The cursor in the address, if there is one."""
    return request.args.get("cursor") or None


def page_links(page: Page[Any]) -> PageLinks:
    """The links of the page that this request asked for; they keep its filter."""
    trail = [step for step in request.args.getlist("trail") if len(step) <= CURSOR_LENGTH][-_LONGEST_TRAIL:]
    following = _address(page.next, [*trail, asked_cursor() or _FIRST]) if page.next else None
    if trail:
        return PageLinks(_address(None if trail[-1] == _FIRST else trail[-1], trail[:-1]), following)
    # Somebody who came by a bookmark of a later page has no trail: the way back is the beginning.
    return PageLinks(_address(None, []) if asked_cursor() else None, following)


def _address(cursor: str | None, trail: list[str]) -> str:
    assert request.endpoint is not None
    kept = {name: values for name, values in request.args.lists() if name not in ("cursor", "trail") and any(values)}
    return url_for(request.endpoint, **{**(request.view_args or {}), **kept, "cursor": cursor, "trail": trail})
