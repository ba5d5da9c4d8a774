"""An alert in words, for a mail: plain text in which nothing becomes a link but our own pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kentongan.domain.alert import AlertContent, AlertKind, RecallContent
from kentongan.domain.incident import Moment

WORDS: Final = {
    AlertKind.NEW_CASE: "New case",
    AlertKind.NEW_REPORT: "Another report of a known case",
    AlertKind.CAMPAIGN_GREW: "A campaign grew",
    AlertKind.UPDATE: "Update",
    AlertKind.RECALL: "Recall",
}
LONGEST_SUBJECT: Final = 160
MOST_LISTED: Final = 40

_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
"""Control characters, and those that turn the direction of what follows: a title must not rewrite the line it stands in."""
_SCHEME: Final = re.compile(r"\b(h)tt(p)(?=s?:)|\b(f)t(p)(?=s?:)", re.IGNORECASE)
_DOTTED: Final = re.compile(r"[^\s]*\w[.@]\w[^\s]*|[^\s]*://[^\s]*")
_NUMBER: Final = re.compile(r"\D{0,3}\d+\.\d+\D{0,3}")
_DAY: Final = {"day", "week", "month", "year"}


def subject(content: AlertContent) -> str:
    """One line, the level first. Example: `[TLP:AMBER] New case: Web shell on a ministry's server`."""
    line = f"[{content.level.label}] {WORDS[content.kind]}: {harmless(content.facts.title)}"
    return line if len(line) <= LONGEST_SUBJECT else line[: LONGEST_SUBJECT - 1] + "…"


def text(content: AlertContent) -> str:
    """The whole mail. Titles and observables are defanged; the addresses of our pages are not."""
    return "\n".join([*_head(content), *_related(content), *_observables(content), *_pages(content)]) + "\n"


def recall_subject(content: RecallContent) -> str:
    """Example: `Recall: ID-CERT has erased an incident that you were told of`."""
    line = f"{WORDS[AlertKind.RECALL]}: {harmless(content.organization)} has erased an incident that you were told of"
    return line if len(line) <= LONGEST_SUBJECT else line[: LONGEST_SUBJECT - 1] + "…"


def recall_text(content: RecallContent) -> str:
    """The whole mail."""
    told = "\n".join(f"  {number}" for number in content.message_ids)
    return (
        f"{harmless(content.organization)} has erased an incident and asks you to do the same: delete what these messages told "
        f"you, wherever you keep it.\n\nIncident: {content.incident_id}\nMessages:\n{told}\n"
    )


def defanged(value: str) -> str:
    """A value that no mail program makes a link of. Example: `hxxp[://]evil[.]example/a[@]b` for what it says."""
    scheme = _SCHEME.sub(lambda found: f"{found[1]}xx{found[2]}" if found[1] else f"{found[3]}x{found[4]}", value)
    return scheme.replace("://", "[://]").replace(".", "[.]").replace("@", "[@]")


def harmless(words: str) -> str:
    """Running text on one line, with defanged whatever in it looks like an address; plain numbers such as 2.1 stay."""
    line = " ".join(_UNSEEN.sub(" ", words).split())
    return _DOTTED.sub(lambda found: found[0] if _NUMBER.fullmatch(found[0]) else defanged(found[0]), line)


def _head(content: AlertContent) -> Iterator[str]:
    facts = content.facts
    yield f"{content.level.label}: share this alert no further than that allows."
    yield ""
    yield f"{WORDS[content.kind]}: {harmless(facts.title)}"
    if content.revoked:
        yield "The reporter has withdrawn this incident."
    yield ""
    rows = (
        ("Submitted by", content.organization),
        ("Reporter", facts.reporter),
        ("Countries", ", ".join(facts.countries)),
        ("Sectors", ", ".join(facts.sectors)),
        ("Class", " / ".join(one for one in (facts.rsit_class, facts.rsit_type) if one)),
        ("Severity", facts.severity),
        ("Happened", _moment(facts.happened)),
    )
    yield from (f"{name}: {harmless(value)}" for name, value in rows if value)


def _moment(moment: Moment | None) -> str | None:
    if moment is None or moment.precision == "unknown":
        return None
    if moment.precision in _DAY:
        return f"{moment.at:%Y-%m-%d} (to the {moment.precision})"
    return f"{moment.at:%Y-%m-%d %H:%M} UTC"


def _related(content: AlertContent) -> Iterator[str]:
    for other in content.related:
        yield ""
        yield f"{'The same event' if other.kind == 'duplicate-of' else 'Related'}: {harmless(other.title)}"
        yield from (f"  because {harmless(reason)}" for reason in other.why)
        yield f"  {other.page}"


def _observables(content: AlertContent) -> Iterator[str]:
    if not content.observables:
        return
    yield ""
    yield "Observables (defanged):"
    for seen in content.observables[:MOST_LISTED]:
        yield f"  {seen.kind}: {defanged(' '.join(_UNSEEN.sub(' ', seen.value).split()))}"
    if len(content.observables) > MOST_LISTED or not content.complete:
        yield "  more on the incident's page"


def _pages(content: AlertContent) -> Iterator[str]:
    yield ""
    yield from (f"{name.capitalize()}: {address}" for name, address in content.pages.items())
