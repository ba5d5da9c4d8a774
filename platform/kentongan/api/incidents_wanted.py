"""What incidents may be narrowed by, in lists and in feeds."""

from __future__ import annotations

from typing import Final

from kentongan.api.asked import Asked, Line, Moment, Tlp, level_of_label
from kentongan.services.read_incidents import IncidentFilter

_NO_FILTERS: Final = {"q", "tlp", "limit", "cursor", "kind"}
"""Fields, here or of who asks for more, that the service takes under another name or not at all."""


class IncidentsWanted(Asked):
    """Of which incidents. Feeds know no cases and campaigns: those have bundles."""

    country: Line | None = None
    """A country of the event, as ISO 3166-1 names it with two letters, in any case."""
    sector: Line | None = None
    """A sector of a victim, in any case."""
    rsit_class: Line | None = None
    """The class of the Reference Security Incident Taxonomy, as sent: intrusions, fraud, ..."""
    rsit_type: Line | None = None
    """The type within its class, as sent: phishing, system-compromise, ..."""
    severity: Line | None = None
    """The severity, as sent: C1 to C6."""
    tlp: Tlp | None = None
    """The level the incident is marked with. Write the plus of AMBER+STRICT as %2B."""
    reporter: Line | None = None
    """The name of the organization that submitted it."""
    q: Line | None = None
    """A text somewhere in its title."""
    received_after: Moment | None = None
    """Received then or later."""
    received_before: Moment | None = None
    """Received earlier."""
    happened_after: Moment | None = None
    """Happened then or later, as far as the reporter said when."""
    happened_before: Moment | None = None
    """Happened earlier, as far as the reporter said when."""

    def wanted(self) -> IncidentFilter:
        """As the service takes it."""
        told = self.model_dump(exclude=_NO_FILTERS)
        return IncidentFilter(text=self.q, tlp=level_of_label(self.tlp) if self.tlp else None, **told)
