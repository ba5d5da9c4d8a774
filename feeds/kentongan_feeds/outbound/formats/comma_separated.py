"""CSV (RFC 4180) in which no field is a formula: spreadsheets run what begins with one of a few signs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from kentongan_feeds.outbound.formats.text import one_line

_BEGINS_A_FORMULA: Final = ("=", "+", "-", "@", "|", "%")


def row_of(fields: Iterable[object]) -> str:
    """One line, every field in quotation marks. A text that a spreadsheet would run has an apostrophe before it."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow([field(one) for one in fields])
    return out.getvalue()


def field(value: object) -> str:
    """As text: moments as RFC 3339 in UTC, several things with `; ` between them, nothing as an empty field."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        value = "; ".join(one_line(str(one)) for one in value)
    text = one_line(str(value), 10_000)
    return f"'{text}" if text.startswith(_BEGINS_A_FORMULA) else text
