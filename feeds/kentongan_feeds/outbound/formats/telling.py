"""What formats for people say of an incident."""

from __future__ import annotations

from kentongan.domain.feeds import FeedHead, FeedIncident
from kentongan_feeds.outbound.formats.text import one_line, writable

_LONGEST = 20_000


def title(incident: FeedIncident) -> str:
    """In one line, with its marking before it: whoever reads it must know how it may be passed on."""
    withdrawn = "Withdrawn: " if incident.revoked else ""
    return f"[{incident.tlp.label}] {withdrawn}{one_line(incident.facts.title) or 'Without a title'}"


def description(incident: FeedIncident) -> str:
    """What the reporter wrote, under what is known in short."""
    facts = incident.facts
    known = {
        "Reported by": incident.reporter,
        "Class": " / ".join(filter(None, (facts.rsit_class, facts.rsit_type))),
        "Severity": facts.severity,
        "Countries": ", ".join(facts.countries),
        "Sectors": ", ".join(facts.sectors),
        "May be used as": incident.pap.label if incident.pap is not None else "",
    }
    lines = [f"{name}: {one_line(value)}" for name, value in known.items() if value]
    told = writable(facts.description.strip())[:_LONGEST]
    return "\n".join([*lines, *(["", told] if told else [])])


def categories(incident: FeedIncident) -> list[str]:
    """Words to sort it by."""
    facts = incident.facts
    steps = [incident.pap.label] if incident.pap is not None else []
    words = [
        incident.tlp.label,
        *steps,
        facts.rsit_class,
        facts.rsit_type,
        facts.severity,
        *facts.countries,
        *facts.sectors,
    ]
    return list(dict.fromkeys(one_line(word, 200) for word in words if word and one_line(word)))


def address_of(head: FeedHead, incident: FeedIncident) -> str:
    """Its page in the portal."""
    return writable(f"{head.site.rstrip('/')}/incidents/{incident.id}")
