"""The tokens of one's own organization."""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Response
from pydantic import Field

from kentongan.api.asked import PRINTABLE, Asked, Moment, body_as
from kentongan.api.operation import Answer, RequestBody, answer, operation, with_headers
from kentongan.api.organizations import own
from kentongan.domain.identity import Identity, Scope
from kentongan.services.tokens import MOST_NETWORKS, NewToken, Tokens, TokenView
from kentongan.threshold.body import small_json
from kentongan.threshold.installation import installation

ScopeName = Literal["submit", "read", "taxii", "subscriptions", "decide", "admin"]
Network = Annotated[str, Field(min_length=2, max_length=60)]


class TokenWished(Asked):
    """A token to make."""

    scopes: Annotated[tuple[ScopeName, ...], Field(min_length=1, max_length=6)]
    """What it may be used for; nothing that your own token may not."""
    label: Annotated[str, Field(max_length=200, pattern=PRINTABLE)] = ""
    """A name of your own."""
    expires_at: Moment | None = None
    """From when on it opens nothing; left out, it does not expire."""
    networks: Annotated[tuple[Network, ...], Field(min_length=1, max_length=MOST_NETWORKS)] | None = None
    """From where it may be used, such as 192.0.2.0/24; left out, from everywhere."""
    read_only: bool = False
    """Whether it may change nothing, whatever its scopes."""


@operation(
    "POST",
    "/tokens",
    "Make a token",
    scope=Scope.ADMIN,
    body=RequestBody("The token.", model=TokenWished),
    answers={201: Answer("Made. The secret is shown this once.", NewToken)},
    refuses=("unreadable", "too-large", "wrong-type", "refused"),
)
def create_token(asker: Identity) -> Response:
    """Only its hash is kept: whoever loses the secret makes another token and revokes this one."""
    wished = body_as(TokenWished, small_json())
    with installation().database.writing() as session:
        made = Tokens(session, installation().clock, asker).create(
            own(session, asker),
            frozenset(Scope(name) for name in wished.scopes),
            label=wished.label,
            expires_at=wished.expires_at,
            networks=wished.networks,
            read_only=wished.read_only,
        )
    return answer(made, 201)


@operation(
    "GET",
    "/tokens",
    "List your tokens",
    scope=Scope.ADMIN,
    answers={200: Answer("All of them, the newest first, without their secrets.", tuple[TokenView, ...])},
)
def list_tokens(asker: Identity) -> Response:
    """With how they begin, so that a leaked one is recognised, and when they were last used, to the minute."""
    with installation().database.reading() as session:
        found = Tokens(session, installation().clock, asker).all(own(session, asker))
    return answer(found)


@operation(
    "DELETE",
    "/tokens/<token_id>",
    "Revoke a token",
    scope=Scope.ADMIN,
    answers={204: Answer("Revoked: it opens nothing from now on.")},
    refuses=("not-found",),
)
def revoke_token(asker: Identity, token_id: str) -> Response:
    """Also the one that asks."""
    with installation().database.writing() as session:
        Tokens(session, installation().clock, asker).revoke(own(session, asker), token_id)
    return with_headers(Response(status=204))
