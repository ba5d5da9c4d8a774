"""Passkeys (WebAuthn) as a second factor: enrolled, shown, removed. The library webauthn judges what browsers send."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import webauthn
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session
from webauthn.helpers import generate_challenge, parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from kentongan.domain.attempts import Where
from kentongan.domain.audit import Act
from kentongan.services.errors import NotFound, Refused
from kentongan.services.person_sessions import Opened, PersonSessions, Present
from kentongan.services.sealing import Seal
from kentongan.services.second_factor import Enrolled, SecondFactors
from kentongan.storage import audit
from kentongan.storage.credentials import Passkey, changed
from kentongan.storage.person_sessions import PersonSession
from kentongan.storage.persons import Person

Clock = Callable[[], datetime]

PASSKEY: Final = "passkey"
MOST_PASSKEYS: Final = 20
LONGEST_ANSWER: Final = 32 * 1024
_VERIFIED: Final = UserVerificationRequirement.PREFERRED
"""The password was the first factor: the key itself is the second, with or without a finger on it."""


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Who we are to a browser: the domain that passkeys are bound to, and the origin they are shown at."""

    id: str
    origin: str


class Passkeys:
    """What a person may wish about their passkeys."""

    def __init__(self, session: Session, clock: Clock, seal: Seal, party: RelyingParty) -> None:
        self._session = session
        self._clock = clock
        self._factors = SecondFactors(session, clock, seal)
        self._party = party

    def enrolment_options(self, present: Present) -> dict[str, Any]:
        """What the browser needs to make a new passkey, as JSON."""
        person = self._session.get_one(Person, present.person_id)
        options = webauthn.generate_registration_options(
            rp_id=self._party.id,
            rp_name="Kentongan",
            user_id=person.stix_id.encode(),
            user_name=person.email,
            user_display_name=person.name,
            challenge=self._new_challenge(present),
            exclude_credentials=self._descriptors(present),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.DISCOURAGED, user_verification=_VERIFIED
            ),
        )
        return _as_json(options)

    def enrol(self, present: Present, answer: str, name: str, where: Where) -> Enrolled:
        """Keep a new passkey. Raises Refused."""
        if len(self._mine(present)) >= MOST_PASSKEYS:
            raise Refused(f"{MOST_PASSKEYS} passkeys are the most: remove one first")
        try:
            made = webauthn.verify_registration_response(
                credential=answer,
                expected_challenge=self._used_challenge(present),
                expected_rp_id=self._party.id,
                expected_origin=self._party.origin,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError):
            raise Refused("this passkey could not be taken: begin again") from None
        if self._with_credential(made.credential_id) is not None:
            raise Refused("this passkey is already in use")
        key = Passkey(
            person_id=present.person_id,
            credential_id=made.credential_id,
            public_key=made.credential_public_key,
            sign_count=made.sign_count,
            name=_fit(name),
            created_at=self._clock(),
        )
        self._session.add(key)
        self._session.flush()
        self._note(present, Act.ADDED)
        return self._factors.enrolled(present, PASSKEY, where)

    def sign_in_options(self, present: Present) -> dict[str, Any]:
        """What the browser needs to show one of the person's passkeys, as JSON."""
        options = webauthn.generate_authentication_options(
            rp_id=self._party.id,
            challenge=self._new_challenge(present),
            allow_credentials=self._descriptors(present),
            user_verification=_VERIFIED,
        )
        return _as_json(options)

    def show(self, present: Present, answer: str, where: Where) -> Opened | None:
        """A passkey was shown: the session is whole. None if it does not hold; the refusal is noted, the challenge is gone."""
        key = self._shown(present, answer)
        if key is None:
            self._note(present, Act.SIGN_IN_REFUSED, why="the passkey does not hold")
            return None
        key.last_used_at = self._clock()
        return PersonSessions(self._session, self._clock).prove(present.session_id, PASSKEY, where)

    def remove(self, present: Present, public_id: str) -> None:
        """Forget one of the person's passkeys. Raises NotFound, and Refused where it is the last factor of who needs one."""
        keys = self._mine(present)
        found = next((key for key in keys if key.public_id == public_id), None)
        if found is None:
            raise NotFound("there is no such passkey")
        SecondFactors.refuse_the_last(present, int(self._factors.of(present.person_id).app) + len(keys))
        self._session.execute(delete(Passkey).where(Passkey.id == found.id))
        self._note(present, Act.ENDED)

    def _shown(self, present: Present, answer: str) -> Passkey | None:
        challenge = self._used_challenge(present)
        try:
            credential = parse_authentication_credential_json(answer)
            key = self._with_credential(credential.raw_id)
            if key is None or key.person_id != present.person_id:
                return None
            verified = webauthn.verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self._party.id,
                expected_origin=self._party.origin,
                credential_public_key=key.public_key,
                credential_current_sign_count=key.sign_count,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError):
            return None
        key.sign_count = verified.new_sign_count
        return key

    def _new_challenge(self, present: Present) -> bytes:
        challenge = generate_challenge()
        self._session.get_one(PersonSession, present.session_id).challenge = challenge
        return challenge

    def _used_challenge(self, present: Present) -> bytes:
        """The challenge of this session, which from now on is none: of two answers to it only one can hold."""
        challenge = self._session.get_one(PersonSession, present.session_id).challenge
        taken = self._session.execute(
            update(PersonSession)
            .where(PersonSession.id == present.session_id, PersonSession.challenge == challenge)
            .values(challenge=None)
        )
        return challenge if challenge is not None and changed(taken) == 1 else generate_challenge()

    def _mine(self, present: Present) -> list[Passkey]:
        return list(self._session.scalars(select(Passkey).where(Passkey.person_id == present.person_id)))

    def _descriptors(self, present: Present) -> list[PublicKeyCredentialDescriptor]:
        return [PublicKeyCredentialDescriptor(id=key.credential_id) for key in self._mine(present)]

    def _with_credential(self, credential_id: bytes) -> Passkey | None:
        return self._session.scalars(select(Passkey).where(Passkey.credential_id == credential_id)).one_or_none()

    def _note(self, present: Present, act: Act, **details: str) -> None:
        audit.note(
            self._session, present.identity, act, "passkey", about_id=present.identity.organization_id, **details
        )


def _as_json(options: Any) -> dict[str, Any]:  # Any: webauthn's two kinds of options
    parsed: dict[str, Any] = json.loads(webauthn.options_to_json(options))
    return parsed


def _fit(name: str) -> str:
    """A name to tell passkeys apart by, on one line."""
    return " ".join("".join(filter(str.isprintable, name)).split())[:100] or "Passkey"
