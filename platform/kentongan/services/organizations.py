"""Organizations join, tell of themselves, and leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from kentongan.domain import vocabulary
from kentongan.domain.audit import Act
from kentongan.domain.identity import Identity, OrganizationKind, Scope
from kentongan.domain.permissions import may_administer
from kentongan.domain.pgp import fingerprint
from kentongan.domain.profile import ATTRIBUTES, WrongAttribute, checked
from kentongan.services.errors import NotFound, Refused
from kentongan.storage.audit import note
from kentongan.storage.organizations import Organization, OrganizationAttribute, folded, organization_named
from kentongan.storage.persons import is_administered

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Told:
    """One attribute of an organization: its value, since when it holds, and until when where it expires. A PGP key has its
    fingerprint beside it, by which it is compared."""

    name: str
    value: str
    valid_from: datetime
    expires_at: datetime | None
    fingerprint: str | None


@dataclass(frozen=True, slots=True)
class ToldOnce:
    """What an organization told at some time: `until` another value, or none, took its place (None: it is told still).
    `value` is None where it told no more."""

    name: str
    value: str | None
    valid_from: datetime
    until: datetime | None
    set_by: str
    fingerprint: str | None


@dataclass(frozen=True, slots=True)
class OrganizationView:
    """An organization as others see it. `id` is its STIX id, by which RED markings name it."""

    id: str
    name: str
    kind: str
    country: str | None
    vouched_by: str | None
    ended: bool


@dataclass(frozen=True, slots=True)
class ProfileView:
    """An organization with what it tells of itself now."""

    organization: OrganizationView
    attributes: tuple[Told, ...]


class WrongValue(Refused):
    """An attribute cannot have this value; `hint` says what to do."""

    def __init__(self, name: str, reason: str, hint: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason
        self.hint = hint


class Organizations:
    """Who takes part, and what each tells of itself. `who` asks."""

    def __init__(self, session: Session, clock: Clock, who: Identity) -> None:
        self._session = session
        self._clock = clock
        self._who = who

    def add(
        self, name: str, kind: OrganizationKind, country: str | None = None, vouched_by: Organization | None = None
    ) -> Organization:
        """A new organization. Raises Refused when the name is empty, too long, not printable or taken, whatever its case,
        the country is no two-letter code of ISO 3166-1, or one that is no member vouches; NotFound unless an operator asks."""
        if not self._who.may(Scope.OPERATE):
            raise NotFound("there is no such organization")
        name = name.strip()
        if not 1 <= len(name) <= 200 or not name.isprintable():
            raise Refused("an organization's name has 1 to 200 characters, none of them invisible")
        if country is not None and not vocabulary.is_country_code(country):
            raise Refused(f"'{country}' is no country code of ISO 3166-1: use two letters, such as ID")
        if vouched_by is not None and (kind is not OrganizationKind.SUBSCRIBER or not _vouches(vouched_by)):
            raise Refused("a member vouches for a subscriber, and nobody else for anybody else")
        if (taken := self._named_alike(name)) is not None:
            raise Refused(f"an organization named '{taken}' is already there")
        made = Organization(
            name=name,
            kind=kind.value,
            country=country.upper() if country else None,
            vouched_by_id=vouched_by.id if vouched_by else None,
            created_at=self._clock(),
        )
        try:
            with self._session.begin_nested():
                self._session.add(made)
        except IntegrityError as error:  # somebody was faster by a moment
            raise Refused(f"an organization named '{name}' is already there") from error
        self._note(Act.ADDED, made, kind=kind.value, country=made.country)
        return made

    def all(self) -> list[Organization]:
        """Every organization, by name."""
        return list(self._session.scalars(select(Organization).order_by(Organization.name)))

    def with_stix_id(self, stix_id: str) -> Organization:
        """The organization that markings name so. Raises NotFound."""
        found = self._session.scalars(select(Organization).where(Organization.stix_id == stix_id)).one_or_none()
        if found is None:
            raise NotFound("there is no such organization")
        return found

    def directory(self) -> tuple[OrganizationView, ...]:
        """Every organization that has not left, as all may see it."""
        return tuple(self._view(one) for one in self.all() if one.ended_at is None)

    def named(self, name: str) -> Organization:
        """The organization of this name. Raises NotFound."""
        if (found := organization_named(self._session, name)) is None:
            raise NotFound(f"there is no organization named '{name}'; `kentongan org list` shows them")
        return found

    def profile(self, organization: Organization) -> ProfileView:
        """What it tells of itself now."""
        return ProfileView(self._view(organization), tuple(self._told(organization)))

    def history(self, organization: Organization) -> tuple[ToldOnce, ...]:
        """Everything it ever told of itself, the newest first. Raises NotFound for who may not change it."""
        self.require_right(organization)
        following: dict[str, datetime] = {}
        told = []
        for row in reversed(self._rows(organization)):
            until = following.get(row.name)
            key = _fingerprint(row.name, row.value)
            told.append(ToldOnce(row.name, row.value, row.valid_from, until, row.set_by, key))
            following[row.name] = row.valid_from
        return tuple(told)

    def tell(
        self, organization: Organization, name: str, value: str | None, expires_at: datetime | None = None
    ) -> None:
        """From now on it tells this of itself; None: nothing more. What it told before stays in the history.

        Raises WrongValue, Refused on a name that is no attribute, NotFound for who may not.
        """
        self.require_right(organization)
        if name not in ATTRIBUTES:
            raise Refused(f"'{name}' is no attribute: they are {', '.join(ATTRIBUTES)}")
        if expires_at is not None and expires_at <= self._clock():
            raise WrongValue(name, "it has expired already", "Give a moment to come.")
        try:
            kept = None if value is None else checked(name, value)
        except WrongAttribute as error:
            raise WrongValue(name, error.reason, error.hint) from None
        row = OrganizationAttribute(
            organization_id=organization.id,
            name=name,
            value=kept,
            valid_from=self._clock(),
            expires_at=expires_at,
            set_by=self._who.in_words(),
        )
        self._session.add(row)
        self._session.flush()
        self._note(Act.CHANGED, organization, attribute=name)

    def end(self, organization: Organization) -> None:
        """It leaves: its tokens and people are not let in any more, and what it sent stays. Only an operator may."""
        if not self._who.may(Scope.OPERATE):
            raise NotFound("there is no such organization")
        if organization.ended_at is None:
            organization.ended_at = self._clock()
            self._session.flush()
            self._note(Act.ENDED, organization)

    def require_right(self, organization: Organization) -> None:
        """Raises NotFound unless who asks may change this organization's people, tokens and attributes."""
        administered = is_administered(self._session, organization.id)
        if not may_administer(self._who, organization.id, administered=administered):
            raise NotFound("there is no such organization")

    def _rows(self, organization: Organization) -> list[OrganizationAttribute]:
        return list(
            self._session.scalars(
                select(OrganizationAttribute)
                .where(OrganizationAttribute.organization_id == organization.id)
                .order_by(OrganizationAttribute.id)
            )
        )

    def _told(self, organization: Organization) -> list[Told]:
        newest = {row.name: row for row in self._rows(organization)}
        ordered = (newest[name] for name in ATTRIBUTES if name in newest)
        return [
            Told(row.name, row.value, row.valid_from, row.expires_at, _fingerprint(row.name, row.value))
            for row in ordered
            if row.value is not None
        ]

    def _view(self, one: Organization) -> OrganizationView:
        voucher = self._session.get(Organization, one.vouched_by_id) if one.vouched_by_id else None
        ended = one.ended_at is not None
        return OrganizationView(one.stix_id, one.name, one.kind, one.country, voucher.name if voucher else None, ended)

    def _named_alike(self, name: str) -> str | None:
        return self._session.scalar(select(Organization.name).where(Organization.folded_name == folded(name)))

    def _note(self, act: Act, organization: Organization, **details: str | None) -> None:
        subject = f"organization {organization.name}"
        note(self._session, self._who, act, subject, about_id=organization.id, **details)


def _vouches(organization: Organization) -> bool:
    return organization.kind == OrganizationKind.MEMBER and organization.ended_at is None


def _fingerprint(name: str, value: str | None) -> str | None:
    return fingerprint(value) if name == "pgp-key" and value is not None else None
