"""What the markings of one document may refer to beyond the document itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kentongan.domain.marking import TLP_1_IDS, TLP_2_IDS, Terms, terms_of_definition
from kentongan.domain.policy import NOBODY, Audience

StixObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Names:
    """The ids that a document's markings name and that have to be looked up; false where there are none."""

    definitions: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    recipients: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.definitions or self.groups or self.recipients)


@dataclass(frozen=True, slots=True)
class SharingBook:
    """What was found of such names, as far as the organization that sends may refer to it.

    `definitions` are the terms of marking-definitions of earlier submissions, by id (without terms: a statement); the others
    are row ids by STIX id: of living sharing groups the sender is in or owns, of organizations, and of persons who have not left.
    """

    definitions: Mapping[str, Terms] = field(default_factory=dict)
    groups: Mapping[str, int] = field(default_factory=dict)
    organizations: Mapping[str, int] = field(default_factory=dict)
    persons: Mapping[str, int] = field(default_factory=dict)

    def audience(self, owner_id: int, terms: Terms) -> Audience:
        """Who settled terms are for. What they name and this book does not hold admits nobody."""
        assert terms.level is not None, "terms are settled before they become an audience"
        recipients = terms.recipients or frozenset()
        return Audience(
            owner_id,
            terms.level,
            frozenset(self.groups.get(name, NOBODY) for name in terms.groups),
            frozenset(self.organizations[name] for name in recipients if name in self.organizations),
            frozenset(self.persons[name] for name in recipients if name in self.persons),
            mask=terms.mask,
        )

    def strangers(self, terms: Terms) -> frozenset[str]:
        """The groups and recipients that these terms name and nobody knows here."""
        recipients = (terms.recipients or frozenset()) - self.organizations.keys() - self.persons.keys()
        return (terms.groups - self.groups.keys()) | recipients


NO_BOOK: Final = SharingBook()
"""Nothing to refer to but TLP and what the document defines."""


def names_in(objects: Iterable[StixObject]) -> Names:
    """What these objects' markings name: definitions that are not among them, groups, and recipients."""
    here: set[str] = set()
    refs: set[str] = set()
    groups: frozenset[str] = frozenset()
    recipients: frozenset[str] = frozenset()
    for obj in objects:
        refs.update(marking_refs(obj))
        if is_definition(obj):
            here.add(obj["id"])
            terms = terms_of_definition(obj)
            groups |= terms.groups
            recipients |= terms.recipients or frozenset()
    return Names(frozenset(refs - here - TLP_2_IDS.keys() - TLP_1_IDS.keys()), groups, recipients)


def marking_refs(obj: StixObject) -> Iterable[str]:
    """The ids of an object's own and granular markings, as far as they are text."""
    refs = obj.get("object_marking_refs")
    if isinstance(refs, list):
        yield from (ref for ref in refs if isinstance(ref, str))
    granular = obj.get("granular_markings")
    for one in granular if isinstance(granular, list) else ():
        if isinstance(one, Mapping) and isinstance(ref := one.get("marking_ref"), str):
            yield ref


def is_definition(obj: StixObject) -> bool:
    """Whether this is a marking-definition whose shape lets its terms be read."""
    return (
        obj.get("type") == "marking-definition"
        and isinstance(obj.get("id"), str)
        and isinstance(obj.get("extensions", {}), dict)
    )
