"""Who is asking: a bearer token (RFC 6750) in the header, and nowhere else; for TAXII also as a password (RFC 7617)."""

from __future__ import annotations

import base64
from typing import Final

from flask import request

from kentongan.api.installation import installation
from kentongan.api.problems import Fault, Refusal
from kentongan.domain.identity import Identity, Scope
from kentongan.services.tokens import TOKEN_PREFIX, SignIn

_LONGEST_SECRET: Final = 200
_CHALLENGE: Final = 'Bearer realm="kentongan"'
_CHANGES_NOTHING: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def signed_in(scope: Scope) -> Identity:
    """Who shows a valid token of this scope. Raises Refusal: 401 without a valid token, 403 where its scope is missing or it
    may only read, 400 for a token in an address."""
    _refuse_token_in_address()
    identity = _identity(_shown(scope))
    if not identity.may(scope):
        challenge = f'{_CHALLENGE}, error="insufficient_scope", scope="{scope.value}"'
        detail = f"This token lacks the scope '{scope.value}'. Ask your administrator for one that has it."
        raise Refusal("missing-scope", detail, headers={"WWW-Authenticate": challenge})
    if identity.read_only and request.method not in _CHANGES_NOTHING:
        raise Refusal("missing-scope", "This token may only read, whatever its scopes.")
    return identity


def _refuse_token_in_address() -> None:
    for name, value in request.args.items():
        if value.startswith(TOKEN_PREFIX):
            hint = "Send it in the header 'Authorization: Bearer ...', and revoke this one: addresses are logged on the way."
            fault = Fault("query", name[:80], "token-in-address", "a token stands in the address", hint)
            raise Refusal("wrong-request", "A token belongs into the header.", [fault])


def _shown(scope: Scope) -> str:
    kind, _, shown = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer" and (secret := shown.strip()):
        return secret
    if kind.lower() == "basic" and scope is Scope.TAXII:
        return _password(shown.strip())
    detail = "Send the header 'Authorization: Bearer kt_...' with a token of your organization."
    raise Refusal("not-signed-in", detail, headers={"WWW-Authenticate": _CHALLENGE})


def _password(shown: str) -> str:
    """The password of HTTP Basic, whatever the user name: TAXII clients know no bearer tokens."""
    try:
        return base64.b64decode(shown, validate=True).decode("ascii").partition(":")[2]
    except ValueError:
        return ""


def _identity(secret: str) -> Identity:
    if len(secret) <= _LONGEST_SECRET and secret.isascii():
        place = installation()
        with place.database.reading() as session:
            found = SignIn(session, place.clock).identity(secret, request.remote_addr or "")
        if found is not None:
            identity, to_be_noted = found
            if to_be_noted:
                with place.database.writing() as session:
                    SignIn(session, place.clock).used(identity)
            return identity
    detail = "This token is unknown, has expired, was revoked, or may not be used from where you are."
    raise Refusal("not-signed-in", detail, headers={"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'})
