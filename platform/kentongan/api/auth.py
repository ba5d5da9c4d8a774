"""Who is asking: a bearer token (RFC 6750) in the header, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from flask import request

from kentongan.api.installation import installation
from kentongan.api.problems import Refusal
from kentongan.domain.identity import Identity, Scope
from kentongan.services.organizations import SignIn

_LONGEST_SECRET: Final = 200
_CHALLENGE: Final = 'Bearer realm="kentongan"'


def signed_in(scope: Scope) -> Identity:
    """Who shows a valid token of this scope. Raises Refusal: 401 without a valid token, 403 where its scope is missing."""
    identity = _identity(request.headers.get("Authorization", ""))
    if not identity.may(scope):
        challenge = f'{_CHALLENGE}, error="insufficient_scope", scope="{scope.value}"'
        detail = f"This token lacks the scope '{scope.value}'. Ask the operator for one that has it."
        raise Refusal("missing-scope", detail, headers={"WWW-Authenticate": challenge})
    return identity


def _identity(header: str) -> Identity:
    kind, _, secret = header.partition(" ")
    secret = secret.strip()
    if kind.lower() != "bearer" or not secret:
        detail = "Send the header 'Authorization: Bearer kt_...' with a token that the operator gave you."
        raise Refusal("not-signed-in", detail, headers={"WWW-Authenticate": _CHALLENGE})
    if len(secret) <= _LONGEST_SECRET and secret.isascii():
        with installation().database.reading() as session:
            if identity := SignIn(session, installation().clock).identity(secret):
                return replace(identity, address=request.remote_addr or "")
    detail = "This token is unknown, has expired or was revoked."
    raise Refusal("not-signed-in", detail, headers={"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'})
