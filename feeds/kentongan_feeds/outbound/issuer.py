"""Asking an identity provider who somebody is: OpenID Connect Core 1.0, authorization code with PKCE (RFC 7636), state and nonce.

The operator named the provider, so its address may be any; every request is bounded in time and size all the same, follows no
redirect, and nothing of an answer is believed before its signature was checked with a key of that provider.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any, Final
from urllib.parse import quote

import orjson
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from kentongan.domain.oidc import Asked, NotProven, Subject
from kentongan_feeds.egress import Answer, Egress, EgressRefused, NotReached

_EVERYWHERE: Final = (ip_network("0.0.0.0/0"), ip_network("::/0"))
_REMEMBERED_SECONDS: Final = 600.0
_LEEWAY_SECONDS: Final = 60
_SIGNED_BY_THEM: Final = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
"""Signatures with a key that only the provider has; `none` and those with a shared secret are not among them."""

_LONGEST_ISSUER: Final = 300
_LONGEST_SUB: Final = 255  # OpenID Connect Core 1.0 section 2


def _anywhere() -> Egress:
    return Egress(_EVERYWHERE)


@dataclass
class Issuer:
    """One provider, as it says of itself at `/.well-known/openid-configuration`; what it said is remembered for ten minutes."""

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    egress: Egress = field(default_factory=_anywhere)
    clock: Callable[[], float] = time.time
    _said: tuple[float, dict[str, Any]] | None = field(default=None, repr=False)

    def ask(self, redirect_uri: str) -> Asked:
        """Where to send the person, and what to remember until the answer comes. Raises NotProven."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        url = prepare_grant_uri(
            self._endpoint("authorization_endpoint"),
            self.client_id,
            "code",
            redirect_uri=redirect_uri,
            scope="openid",
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return Asked(url, state, nonce, verifier)

    def answered(self, asked: Asked, code: str, redirect_uri: str) -> Subject:
        """Exchange the code for an ID token and read who it is about. Raises NotProven."""
        body = prepare_token_request(
            "authorization_code", code=code, redirect_uri=redirect_uri, code_verifier=asked.verifier
        )
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            **self._known_by(),
        }
        if not self.client_secret:
            body += f"&client_id={quote(self.client_id, safe='')}"
        given = self._read(lambda: self.egress.post(self._endpoint("token_endpoint"), body.encode(), headers))
        token = given.get("id_token")
        if not isinstance(token, str):
            raise NotProven("the provider gave no ID token")
        return self._subject(token, asked.nonce, given.get("access_token"))

    def _subject(self, token: str, nonce: str, access_token: object) -> Subject:
        try:
            keys = KeySet.import_key_set(self._read(lambda: self.egress.get(self._endpoint("jwks_uri"), _JSON)))  # type: ignore[arg-type]  # judged by the library
            decoded = jwt.decode(token, keys, algorithms=_SIGNED_BY_THEM)
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                {"iss": {"essential": True, "value": self.issuer}, "aud": {"essential": True, "value": self.client_id}},
                {"nonce": nonce, "client_id": self.client_id, "access_token": access_token},
            )
            claims.validate(now=self.clock(), leeway=_LEEWAY_SECONDS)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise NotProven(f"the ID token does not hold: {type(error).__name__}") from None
        return _subject_of(claims)

    def _known_by(self) -> dict[str, str]:
        """RFC 6749 section 2.3.1: both parts are form-encoded before they are joined."""
        if not self.client_secret:
            return {}
        pair = f"{quote(self.client_id, safe='')}:{quote(self.client_secret, safe='')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    def _endpoint(self, name: str) -> str:
        found = self._configuration().get(name)
        if not isinstance(found, str) or not found.startswith(_schemes(self.issuer)):
            raise NotProven(f"the provider names no {name} that could be asked")
        return found

    def _configuration(self) -> dict[str, Any]:
        now = self.clock()
        if self._said is not None and now - self._said[0] < _REMEMBERED_SECONDS:
            return self._said[1]
        url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        said = self._read(lambda: self.egress.get(url, _JSON))
        if said.get("issuer") != self.issuer:
            raise NotProven("the provider calls itself by another name than KENTONGAN_OIDC_ISSUER does")
        self._said = (now, said)
        return said

    @staticmethod
    def _read(ask: Callable[[], Answer]) -> dict[str, Any]:
        try:
            answer = ask()
        except (EgressRefused, NotReached) as error:
            raise NotProven(f"the provider was not reached: {error}") from None
        if answer.status != 200:
            raise NotProven(f"the provider answered HTTP {answer.status}")
        try:
            read = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            read = None
        if not isinstance(read, dict):
            raise NotProven("the provider's answer is no JSON object")
        return read


_JSON: Final = {"Accept": "application/json", "Accept-Encoding": "identity"}


def _schemes(issuer: str) -> tuple[str, ...]:
    """An encrypted provider is not asked anything unencrypted, whatever it says of itself."""
    return ("https://",) if issuer.startswith("https://") else ("https://", "http://")


def _subject_of(claims: Any) -> Subject:  # Any: authlib's claims are an untyped dictionary
    issuer, sub = claims["iss"], claims["sub"]
    if not isinstance(sub, str) or not 1 <= len(sub) <= _LONGEST_SUB or "\0" in sub or len(issuer) > _LONGEST_ISSUER:
        raise NotProven("the provider's `sub` is none")
    return Subject(issuer, sub)
