"""A PGP key is known by its fingerprint, and what is no public key has none."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.domain.pgp import NoPublicKey, fingerprint
from kentongan.domain.profile import WrongAttribute, checked
from pgp_keys import ED25519, ED25519_FINGERPRINT, RSA, RSA_FINGERPRINT, VERSION_6, VERSION_6_FINGERPRINT


def armoured(octets: bytes) -> str:
    body = b64encode(octets).decode()
    return f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{body}\n-----END PGP PUBLIC KEY BLOCK-----"


@pytest.mark.parametrize(
    ("key", "expected"),
    [(ED25519, ED25519_FINGERPRINT), (RSA, RSA_FINGERPRINT), (VERSION_6, VERSION_6_FINGERPRINT)],
    ids=["ed25519", "rsa", "version 6"],
)
def test_a_fingerprint_is_the_one_that_others_compute(key: str, expected: str) -> None:
    assert fingerprint(key) == expected


def test_headers_in_the_block_and_line_breaks_of_a_browser_change_nothing() -> None:
    with_headers = RSA.replace("BLOCK-----\n", "BLOCK-----\nComment: our SOC\nVersion: 1\n", 1)

    assert fingerprint(with_headers) == RSA_FINGERPRINT
    assert checked("pgp-key", with_headers.replace("\n", "\r\n")) == with_headers


@pytest.mark.parametrize(
    "block",
    [
        ED25519.replace("PUBLIC", "PRIVATE"),
        armoured(b""),
        armoured(b"\x98"),
        armoured(b"\x98\x33\x04"),  # it ends before its length
        armoured(b"\xc5\x03\x04\x00\x00"),  # a secret key in a block that calls itself public
        armoured(b"\xc6\x03\x03\x00\x00"),  # version 3
        armoured(b"\xc6\xe1\x04\x00\x00"),  # a length in parts
        armoured(b"\x9b\x04\x00\x00"),  # a length that is not told
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nA\n-----END PGP PUBLIC KEY BLOCK-----",
        "our key",
    ],
)
def test_what_is_no_public_key_is_refused(block: str) -> None:
    with pytest.raises(NoPublicKey):
        fingerprint(block)
    with pytest.raises(WrongAttribute):
        checked("pgp-key", block)


@given(st.binary(max_size=40))
def test_whatever_a_block_holds_it_has_a_fingerprint_or_is_refused(octets: bytes) -> None:
    with suppress(NoPublicKey):
        assert len(fingerprint(armoured(octets))) in (40, 64)
