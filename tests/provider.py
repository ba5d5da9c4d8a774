"""A small identity provider on loopback that signs real tokens: what people answer there is decided by the test."""

from __future__ import annotations

import json
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

CLIENT = "kentongan"
SECRET = "s/cret & more"


@dataclass
class IdentityProvider:
    """`sub` is who answers next; `claims` are put over the honest ones, None takes one away."""

    url: str = ""
    sub: str = "42"
    claims: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    signing: Any = None
    """Another key to sign with than the one that is published."""
    answer: bytes | None = None
    """Sent instead of the token endpoint's answer."""
    calls: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)
    _key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}, private=True))

    def consents(self, address: str, email: str = "") -> str:
        """What the person's browser does at the provider: it is sent back with a code. The address it is sent to."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert (asked["response_type"], asked["client_id"], asked["scope"]) == ("code", CLIENT, "openid")
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self._codes[code] = {**asked, "sub": self.sub, "email": email}
        return f"{asked['redirect_uri']}?code={code}&state={asked['state']}"

    def configuration(self) -> dict[str, Any]:
        """What it says of itself."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        }

    def keys(self) -> dict[str, Any]:
        """Its public keys."""
        return dict(KeySet([self._key]).as_dict(private=False))

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Exchange a code, once, for who showed its verifier."""
        asked = self._codes.pop(form.get("code", ""), None)
        if asked is None or form.get("redirect_uri") != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        challenge = urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest()).decode().rstrip("=")
        if challenge != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        honest = {
            "iss": self.url,
            "sub": asked["sub"],
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "email": asked["email"],
            "email_verified": True,
        }
        claims = {name: value for name, value in {**honest, **self.claims}.items() if value is not None}
        header = {"alg": self.algorithm, "kid": "one"}
        signed = jwt.encode(header, claims, self.signing or self._key, algorithms=[self.algorithm])
        return 200, {"access_token": "unused", "token_type": "Bearer", "id_token": signed}


@contextmanager
def running_provider() -> Iterator[IdentityProvider]:
    """One that listens, until the block ends."""
    provider = IdentityProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.calls.append(("GET", self.path, dict(self.headers)))
            said = provider.configuration() if "openid-configuration" in self.path else provider.keys()
            self._say(200, json.dumps(said).encode())

        def do_POST(self) -> None:
            provider.calls.append(("POST", self.path, dict(self.headers)))
            sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            status, said = provider.token({name: values[0] for name, values in sent.items()})
            self._say(status, provider.answer if provider.answer is not None else json.dumps(said).encode())

        def _say(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quietly."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def another_key() -> RSAKey:
    """A key that nobody published."""
    return RSAKey.generate_key(2048, {"kid": "one"}, private=True)


def shared_secret() -> OctKey:
    """The client's secret as a key: what a token signed with it proves, the client could have made up itself."""
    return OctKey.import_key(SECRET * 4)
