"""Sameness of observables is a normal form: two spellings are the same value exactly when their normal forms are equal.

`EVIL[.]example.` and `evil.example` are both Observable("domain", "evil.example"). A normal form of a normal form is
itself, and no text makes these functions raise.
"""

from __future__ import annotations

from kentongan.domain.observables.breadth import broader
from kentongan.domain.observables.kinds import normal_form, recognise
from kentongan.domain.observables.text import Mention, found_in_text, mentions

__all__ = ["Mention", "broader", "found_in_text", "mentions", "normal_form", "recognise"]
