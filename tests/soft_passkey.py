"""A passkey in software: makes what a browser would send, honestly or with one thing changed."""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

ORIGIN = "http://localhost"
_PRESENT, _ATTESTED = 0x01, 0x40


def b64(raw: bytes) -> str:
    """As browsers write bytes."""
    return urlsafe_b64encode(raw).decode().rstrip("=")


@dataclass
class SoftPasskey:
    """One key on the curve P-256, with a counter."""

    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    count: int = 0
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def made(self, question: dict[str, Any], origin: str = ORIGIN) -> str:
        """The answer to an enrolment."""
        numbers = self.key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor2.dumps(public)
        data = self._data(question["rp"]["id"], _PRESENT | _ATTESTED) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", question["challenge"], origin)
        return self._answer({"clientDataJSON": b64(client), "attestationObject": b64(attestation)})

    def shown(self, question: dict[str, Any], origin: str = ORIGIN, party: str | None = None) -> str:
        """The answer at a sign-in."""
        self.count += 1
        client = self._client("webauthn.get", question["challenge"], origin)
        data = self._data(party or question["rpId"], _PRESENT)
        signature = self.key.sign(data + sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._answer(
            {"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature)}
        )

    def _data(self, party: str, flags: int) -> bytes:
        return sha256(party.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    @staticmethod
    def _client(kind: str, challenge: str, origin: str) -> bytes:
        assert urlsafe_b64decode(challenge + "==")
        return json.dumps({"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": False}).encode()

    def _answer(self, response: dict[str, str]) -> str:
        return json.dumps({"id": b64(self.id), "rawId": b64(self.id), "type": "public-key", "response": response})
