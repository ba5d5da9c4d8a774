"""What of the objects of a submission takes part in linking openly, and what by keyed hash only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from kentongan.domain import wording
from kentongan.domain.extract import Extract
from kentongan.domain.incident import IncidentFacts, Observable
from kentongan.domain.marking import Level, Mask
from kentongan.domain.masking import NO_WISH, MaskingWish
from kentongan.domain.policy import Audience
from kentongan.domain.redaction import moved, without

VICTIM: Final = "victim"
"""What takes the place of an observable's kind for a key of a victim's name."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One accepted object: its row's number, content, when this version was made, and to whom it was carried."""

    number: int
    stix: dict[str, Any]
    modified: datetime | None
    audience_id: int
    parts: Mapping[int, Sequence[str]]
    """The selectors of what is for narrower audiences, by those."""

    @property
    def plain(self) -> dict[str, Any]:
        """What whoever sees it at all may see of it."""
        return (
            without(self.stix, [name for names in self.parts.values() for name in names]) if self.parts else self.stix
        )


Here = Mapping[str, Sent]
"""The objects that an incident is read from, by their ids."""


class Veiling:
    """Tells what is masked in the objects of some submissions, given what their organizations wish."""

    def __init__(self, wishes: Mapping[int, MaskingWish]) -> None:
        self._wishes = wishes
        self._blind: dict[int, Audience] = {}
        """What is masked, by the numbers of the audiences. Nearly always there is none."""

    def know(self, audiences: Mapping[int, Audience]) -> None:
        """Take in the audiences that objects were carried to."""
        self._blind |= {number: audience for number, audience in audiences.items() if self._is_blind(audience)}

    def in_the_open(self, here: Here) -> Here:
        """The same without what takes part by keyed hash only: what is found openly is found as if that had never come.

        Where nothing is masked it is `here` itself.
        """
        if not self._blind:
            return here
        opened = {name: self._opened(held) for name, held in here.items() if held.audience_id not in self._blind}
        is_all = len(opened) == len(here) and all(held is here[name] for name, held in opened.items())
        return here if is_all else opened

    def in_parts(self, here: Here) -> set[int]:
        """The numbers of the objects of which a part is masked."""
        return {held.number for held in here.values() if not self._blind.keys().isdisjoint(held.parts)}

    def veiled(self, here: Here, whole: Extract, openly: Iterable[Observable | str]) -> dict[Observable, bool]:
        """What an incident holds beyond the values and the victims' keys that are found openly: each with whether others may be
        told of something related."""
        known = set(openly)
        veiled = {
            one.observable: self._tells(here[one.object_id]) for one in whole.observables if one.observable not in known
        }
        tells = all(self._tells(held) for held in here.values() if self._masking(held))
        return veiled | {Observable(VICTIM, key): tells for key in victim_keys(whole.facts) if key not in known}

    def _is_blind(self, audience: Audience) -> bool:
        return bool(audience.mask) or (audience.level is Level.RED and self._wish(audience).red)

    def _wish(self, audience: Audience) -> MaskingWish:
        return self._wishes.get(audience.owner_id, NO_WISH)

    def _opened(self, held: Sent) -> Sent:
        gone = [name for part, names in held.parts.items() if part in self._blind for name in names]
        if not gone:
            return held
        parts = {
            part: sorted(moved(held.stix, gone, names)) for part, names in held.parts.items() if part not in self._blind
        }
        return replace(held, stix=without(held.stix, gone), parts=parts)

    def _masking(self, held: Sent) -> list[Audience]:
        return [self._blind[number] for number in (held.audience_id, *held.parts) if number in self._blind]

    def _tells(self, held: Sent) -> bool:
        """Whether all that masks something of this object lets others be told of something related."""
        masking = self._masking(held)
        return bool(masking) and all(
            audience.mask is Mask.TELLING or (not audience.mask and self._wish(audience).tell_others)
            for audience in masking
        )


def victim_keys(facts: IncidentFacts) -> list[str]:
    """Under what the victims' names are found again, as `sign` keeps it."""
    names = [victim.name for victim in facts.victims if victim.name]
    return [key.casefold()[:255] for name in names for key in wording.victim_keys(name)]
