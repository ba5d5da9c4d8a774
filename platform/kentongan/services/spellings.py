"""What a person may mean by a value typed into a search box."""

from __future__ import annotations

from kentongan.domain.incident import Observable
from kentongan.domain.observables import normal_form, recognise
from kentongan.domain.observables.kinds import KINDS


def spellings(value: str, kind: str | None = None) -> tuple[Observable, ...]:
    """The normal forms that `value` may stand for; several where it does not say itself what it is (a mutex, a file name).

    Example: spellings("EVIL[.]example.") == (Observable("domain", "evil.example"),)
    """
    if kind is not None:
        found = normal_form(kind, value)
        return (found,) if found else ()
    if recognised := recognise(value):
        return (recognised,)
    forms = (normal_form(each, value) for each in sorted(KINDS))
    return tuple(dict.fromkeys(form for form in forms if form))
