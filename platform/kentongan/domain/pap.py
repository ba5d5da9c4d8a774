"""What may be done with a value: the Permissible Actions Protocol, given as a label (`PAP:RED`) of an incident or indicator.

Source: the PAP taxonomy of the MISP project, version 3. It speaks of what an attacker may notice, TLP of who may read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum, IntEnum
from typing import Any, Final


class Pap(IntEnum):
    """The four steps in rising strictness: of two, the greater wins."""

    CLEAR = 0
    """No restrictions."""
    GREEN = 1
    """Active actions allowed: to ping the target, and to block what comes from it or goes to it."""
    AMBER = 2
    """Passive cross-check: to ask third parties or to watch, but nothing that stands in the target's way."""
    RED = 3
    """Not to be used on the network at all: only to look through one's own logs."""

    @property
    def label(self) -> str:
        """As the taxonomy writes it: `PAP:RED`."""
        return f"PAP:{self.name}"


class Use(Enum):
    """What a feed's values are taken for, with the strictest step that still allows it."""

    READ = Pap.RED
    """A person or a platform reads them, and is told the step."""
    DETECT = Pap.AMBER
    """A passive sensor compares traffic that it only listens to."""
    BLOCK = Pap.GREEN
    """Something stands in the attacker's way, or may be switched to do so."""


_LABEL: Final = re.compile(r"\s*pap\s*:\s*(red|amber|green|clear|white)\s*", re.IGNORECASE)


def pap_of(labels: Iterable[Any]) -> Pap | None:
    """The strictest step among these labels; None where none states one. WHITE is CLEAR.

    Example: pap_of(["country:ID", "pap:amber"]) is Pap.AMBER. What is no text among them says nothing.
    """
    found = (_LABEL.fullmatch(label) for label in labels if isinstance(label, str))
    steps = [match[1].upper().replace("WHITE", "CLEAR") for match in found if match]
    return max((Pap[step] for step in steps), default=None)


def stricter(one: Pap | None, other: Pap | None) -> Pap | None:
    """The greater of two, where one is given at all."""
    return max((step for step in (one, other) if step is not None), default=None)


def allows(pap: Pap | None, use: Use) -> bool:
    """Whether a value that is given with this step may be used so; without one everything is allowed that TLP allows."""
    return pap is None or pap <= use.value
