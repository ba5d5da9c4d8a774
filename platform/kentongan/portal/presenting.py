"""How values are written on a page: moments, countries, shares, and text that strangers sent."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from flask import url_for
from markupsafe import Markup

from kentongan.domain.identity import Identity, Scope
from kentongan.domain.incident import Moment
from kentongan.domain.versions import Outcome
from kentongan.portal.blueprint import portal

COUNTRIES: Final = {
    "BN": "Brunei Darussalam",
    "KH": "Cambodia",
    "ID": "Indonesia",
    "LA": "Laos",
    "MY": "Malaysia",
    "MM": "Myanmar",
    "PH": "Philippines",
    "SG": "Singapore",
    "TH": "Thailand",
    "TL": "Timor-Leste",
    "VN": "Viet Nam",
}
"""The region's states by ISO 3166-1 code; every other country is shown as it was sent."""

_TURNS: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")  # Unicode's embeddings, overrides and isolates (UAX 9)
_BY_PRECISION: Final = {
    "second": "%-d %b %Y, %H:%M:%S UTC",
    "minute": "%-d %b %Y, %H:%M UTC",
    "hour": "%-d %b %Y, about %H:00 UTC",
    "day": "%-d %b %Y",
    "week": "week of %-d %b %Y",
    "month": "%B %Y",
    "year": "%Y",
}


@portal.app_template_filter()
def moment(at: datetime | None) -> Markup | str:
    """A moment to the minute. Example: `24 Nov 2026, 04:51 UTC`."""
    if at is None:
        return "—"
    at = at.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), _written(at, _BY_PRECISION["minute"]))


@portal.app_template_filter()
def as_known(happened: Moment | None) -> Markup | str:
    """A time of the event as an element of a page; see `known_words`."""
    if happened is None or happened.precision == "unknown":
        return known_words(happened)
    return Markup('<time datetime="{}">{}</time>').format(happened.at.isoformat(), known_words(happened))


def known_words(happened: Moment | None) -> str:
    """A time of the event, no more exact than its reporter knew it. Examples: `2 Mar 2026, about 14:00 UTC`, `March 2026`."""
    if happened is None or happened.precision == "unknown":
        return "not known"
    pattern = _BY_PRECISION.get(happened.precision, _BY_PRECISION["minute"])
    return _written(happened.at.astimezone(UTC), pattern)


def _written(at: datetime, pattern: str) -> str:
    # A day without a leading zero is no matter of the C library's strftime everywhere.
    return at.strftime(pattern.replace("%-d", str(at.day)))


@portal.app_template_filter()
def country(code: str) -> str:
    """The name of one of the region's states, anything else as sent."""
    return COUNTRIES.get(code.upper(), code)


@portal.app_template_filter()
def percent(share: float) -> str:
    """A share of 0 to 1. Example: 0.374 is `37 %`."""
    return f"{share * 100:.0f} %"


@portal.app_template_filter()
def shortened(text: str, longest: int = 160) -> str:
    """The beginning of a text that may be ten thousand characters long."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


@portal.app_template_filter()
def sentence(words: str) -> str:
    """With a capital at its beginning, as a line of a list."""
    return words[:1].upper() + words[1:]


@portal.app_template_filter()
def spelled_out(text: str) -> str:
    """A value with nothing invisible in it: controls and marks of direction are written as their code points.

    A value that is to be compared must not look like another one. Example: `exe⟨U+202E⟩fdp.txt`.
    """
    return "".join(
        f"⟨U+{ord(char):04X}⟩" if unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"} else char for char in text
    )


@portal.app_template_filter()
def in_order(text: str) -> str:
    """Prose whose letters stand in the order they were written in: what turns the direction of others is spelled out.

    Marks that letters of Khmer, Burmese or Arabic need, and blanks of no width between words, stay as they are.
    """
    return _TURNS.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


@portal.app_template_filter()
def tlp_class(label: str) -> str:
    """The style of a level's badge. Example: `TLP:AMBER+STRICT` is `tlp-amber-strict`."""
    return label.lower().replace(":", "-").replace("+", "-")


@portal.app_template_global()
def asset(name: str) -> str:
    """The address of a static file; it changes with the file, so that a browser may keep it for good."""
    return url_for("portal.static", filename=name, v=fingerprint(name))


@cache
def fingerprint(name: str) -> str:
    """Ten hexadecimal digits that stand for the content of a static file."""
    assert portal.static_folder is not None
    return hashlib.sha256((Path(portal.static_folder) / name).read_bytes()).hexdigest()[:10]


ROOMS: Final = (
    ("portal.overview", "Overview", None),
    ("portal.submissions", "Submissions", Scope.SUBMIT),
    ("portal.drafts", "Drafts", Scope.SUBMIT),
    ("portal.incidents", "Incidents", Scope.READ),
    ("portal.cases", "Cases", Scope.READ),
    ("portal.campaigns", "Campaigns", Scope.READ),
    ("portal.deliveries", "Alerts", Scope.SUBSCRIPTIONS),
    ("portal.feeds", "Feeds", Scope.READ),
)
"""The pages that the bar at the top leads to, each with a scope that opens it."""

OFFICE: Final = (
    ("portal.organization", "Organization", Scope.READ),
    ("portal.people", "People", Scope.ADMIN),
    ("portal.people", "People", Scope.OPERATE),
    ("portal.retention", "Retention", Scope.ADMIN),
    ("portal.masking", "Masking", Scope.ADMIN),
    ("portal.audit", "Audit trail", Scope.ADMIN),
    ("portal.audit", "Audit trail", Scope.OPERATE),
)
"""The pages about the organization itself: one place in the bar, and a row of their own beneath it where one of them is open."""


@portal.app_template_global()
def rooms(identity: Identity) -> list[tuple[str, str]]:
    """Endpoint and name of every page in the bar that this reader may open; the last stands for the whole office."""
    return [*_open_to(identity, ROOMS), *((endpoint, "Organization") for endpoint, _ in office(identity)[:1])]


@portal.app_template_global()
def office(identity: Identity) -> list[tuple[str, str]]:
    """Endpoint and name of every page of the office that this reader may open."""
    return _open_to(identity, OFFICE)


def _open_to(identity: Identity, pages: Sequence[tuple[str, str, Scope | None]]) -> list[tuple[str, str]]:
    open_to = [(endpoint, name) for endpoint, name, scope in pages if scope is None or identity.may(scope)]
    return list(dict.fromkeys(open_to))


@portal.app_template_global()
def outcomes_in_order() -> list[str]:
    """Everything that can become of an object, the happiest first."""
    return [outcome.value for outcome in Outcome]
