"""Who is asking: a bearer token (RFC 6750) in the header, and nowhere else; for TAXII and feeds also as a password (RFC 7617)."""

from __future__ import annotations

import base64
from typing import Final

import structlog
from flask import request
from sqlalchemy.exc import OperationalError

from kentongan.domain.identity import Identity, Scope
from kentongan.services.tokens import TOKEN_PREFIX, SignIn
from kentongan.threshold.installation import installation
from kentongan.threshold.refusals import Fault, Refusal

_log = structlog.get_logger(__name__)
_LONGEST_SECRET: Final = 200
_CHALLENGE: Final = 'Bearer realm="kentongan"'
_PASSWORDS_TOO: Final = 'Basic realm="kentongan", charset="UTF-8"'
_CHANGES_NOTHING: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def signed_in(scope: Scope, *, by_password: bool = False) -> Identity:
    """Who shows a valid token of this scope, `by_password` also as the password of HTTP Basic.

    Raises Refusal: 401 without a valid token, 403 where its scope is missing or it may only read, 400 for a token in an address.
    """
    refuse_token_in_address()
    identity = _identity(_shown(by_password), by_password)
    if not identity.may(scope):
        challenge = f'{_CHALLENGE}, error="insufficient_scope", scope="{scope.value}"'
        detail = f"This token lacks the scope '{scope.value}'. Ask your administrator for one that has it."
        raise Refusal("missing-scope", detail, headers={"WWW-Authenticate": challenge})
    if identity.read_only and request.method not in _CHANGES_NOTHING:
        raise Refusal("missing-scope", "This token may only read, whatever its scopes.")
    return identity


def refuse_token_in_address() -> None:
    """Raises Refusal for a token in an address, which is logged on the way."""
    for name, value in request.args.items(multi=True):
        if name.startswith(TOKEN_PREFIX) or value.startswith(TOKEN_PREFIX):
            hint = "Send it in the header 'Authorization: Bearer ...', and revoke this one: addresses are logged on the way."
            place = "" if name.startswith(TOKEN_PREFIX) else name[:80]
            fault = Fault("query", place, "token-in-address", "a token stands in the address", hint)
            raise Refusal("wrong-request", "A token belongs into the header.", [fault])


def _shown(by_password: bool) -> str:
    kind, _, shown = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer" and (secret := shown.strip()):
        return secret
    if kind.lower() == "basic" and by_password:
        return _password(shown.strip())
    detail = "Send the header 'Authorization: Bearer kt_...' with a token of your organization."
    raise Refusal("not-signed-in", detail, headers={"WWW-Authenticate": _challenge(by_password)})


def _challenge(by_password: bool, error: str = "") -> str:
    """What may be shown here. TAXII 2.1 section 1.6.9 has every client try HTTP Basic when it is asked for."""
    return f"{_CHALLENGE}{error}, {_PASSWORDS_TOO}" if by_password else f"{_CHALLENGE}{error}"


def _password(shown: str) -> str:
    """The password of HTTP Basic, whatever the user name and its letters: many clients know no bearer tokens."""
    try:
        return base64.b64decode(shown, validate=True).partition(b":")[2].decode("ascii")
    except ValueError:
        return ""


def _identity(secret: str, by_password: bool) -> Identity:
    if len(secret) <= _LONGEST_SECRET and secret.isascii():
        place = installation()
        with place.database.glancing() as connection:
            found = SignIn(connection, place.clock).identity(secret, request.remote_addr or "")
        if found is not None:
            identity, to_be_noted = found
            if to_be_noted:
                _note_use(identity)
            return identity
    detail = "This token is unknown, has expired, was revoked, or may not be used from where you are."
    headers = {"WWW-Authenticate": _challenge(by_password, ', error="invalid_token"')}
    raise Refusal("not-signed-in", detail, headers=headers)


def _note_use(identity: Identity) -> None:
    """At most once a minute. Who only reads is not refused because nothing can be written just now."""
    place = installation()
    try:
        with place.database.writing() as session:
            SignIn(session.connection(), place.clock).used(identity)
    except OperationalError as error:
        _log.warning("the use of a token was not noted", reason=str(error.__cause__ or error))
