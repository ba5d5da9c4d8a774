"""The rules of people's accounts: names, passwords, standings, codes, attempts."""

from __future__ import annotations

from datetime import timedelta

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.domain.accounts import Standing, WrongName, canonical_name, password_fault, sought_name, standing
from kentongan.domain.attempts import Count, Try, counts_for, network_of
from kentongan.domain.identity import Identity, OrganizationKind, Role, Scope
from kentongan.domain.one_time_codes import (
    MOST_RECOVERY_CODES,
    new_recovery_codes,
    new_secret,
    provisioning_uri,
    recovery_digest,
    step_of,
)
from kentongan.domain.permissions import may_grant, may_hold
from stories import NOON

ABOUT = ("Siti Rahayu", "siti@cert.example", "Garuda CERT")
STEP = timedelta(seconds=30)

names = st.one_of(
    st.text(max_size=80),
    st.emails(),
    st.builds("{}@{}".format, st.text(max_size=20), st.text(max_size=20)),
    st.builds(
        "{}@{}.example".format, st.text("aBcＡＢäß.+'", min_size=1, max_size=9), st.text("äßıſK-aB.", max_size=9)
    ),
)


@given(names)
def test_the_normal_form_of_a_name_in_normal_form_is_itself(typed: str) -> None:
    try:
        canonical = canonical_name(typed)
    except WrongName:
        return

    assert canonical_name(canonical) == canonical
    assert canonical.isascii()
    assert canonical == canonical.lower().strip()


@given(names)
def test_a_name_is_looked_up_as_it_was_stored(typed: str) -> None:
    sought = sought_name(typed)

    assert len(sought) <= 254
    try:
        assert sought == canonical_name(typed)
    except WrongName:
        assert sought == typed.strip().casefold()[:254]


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        (" Siti@CERT.Example ", "siti@cert.example"),
        ("ｓｉｔｉ@cert.example", "siti@cert.example"),
        ("siti@Bücher.example", "siti@xn--bcher-kva.example"),
        ("siti+alerts@cert.example", "siti+alerts@cert.example"),
    ],
)
def test_a_name_has_one_spelling(typed: str, canonical: str) -> None:
    assert canonical_name(typed) == canonical


@pytest.mark.parametrize(
    "typed", ["", "siti", "@cert.example", "siti@", "a b@cert.example", "siti@cert.example\r\nBcc: x@y"]
)
def test_what_is_no_mail_address_is_no_name(typed: str) -> None:
    with pytest.raises(WrongName):
        canonical_name(typed)


@pytest.mark.parametrize(
    "password",
    [
        "short enough",  # exactly twelve
        "the drum under the old banyan",
        "correct horse battery staple",
        "12 drums!?",
        "8#4!92@7x$31",
        "កណ្តឹងភូមិមួយឮឆ្ងាយ",
        "x7" * 3 + "q9" * 4,
        "dragonfly on a lotus",
        "a" + "é" * 3 + "correct horse",
    ],
)
def test_length_is_enough_and_no_signs_are_asked_for(password: str) -> None:
    expected = None if len(password) >= 12 else "12 characters"

    fault = password_fault(password, ABOUT)

    assert (fault is None) if expected is None else (fault is not None and expected in fault)


@pytest.mark.parametrize(
    "password",
    [
        "passwordpassword",
        "Sunshine2026!!",
        "!!!123qwertyuiop",
        "123456789012",
        "12345678901234567890",
        "210987654321",
        "abcdefghijklmnop",
        "aaaaaaaaaaaaaaa",
        "abcabcabcabc",
        "ＰＡＳＳＷＯＲＤ1234",
        "letmein99999",
    ],
)
def test_what_is_tried_first_is_refused(password: str) -> None:
    fault = password_fault(password, ABOUT)

    assert fault is not None
    assert "first that are tried" in fault


@pytest.mark.parametrize("password", ["siti-rahayu-2026", "GarudaCERT!2026", "siti@cert.example", "Rahayu.Garuda.1"])
def test_what_is_made_of_the_person_is_refused(password: str) -> None:
    fault = password_fault(password, ABOUT)

    assert fault is not None
    assert "made of your name" in fault


def test_a_password_is_no_novel() -> None:
    assert password_fault("the drum " * 28, ABOUT) is None
    assert password_fault("the drum " * 29, ABOUT) is not None


@pytest.mark.parametrize(
    ("roles", "proven", "enrolled", "worth"),
    [
        ({Role.ANALYST}, False, False, Standing.WHOLE),
        ({Role.ANALYST}, False, True, Standing.OWES_FACTOR),
        ({Role.ANALYST}, True, True, Standing.WHOLE),
        ({Role.SUBSCRIBER}, False, False, Standing.WHOLE),
        ({Role.ADMINISTRATOR}, False, False, Standing.OWES_ENROLMENT),
        ({Role.COORDINATOR}, False, False, Standing.OWES_ENROLMENT),
        ({Role.OPERATOR, Role.ANALYST}, False, False, Standing.OWES_ENROLMENT),
        ({Role.OPERATOR}, False, True, Standing.OWES_FACTOR),
        ({Role.OPERATOR}, True, True, Standing.WHOLE),
    ],
)
def test_what_a_session_is_worth(roles: set[Role], proven: bool, enrolled: bool, worth: Standing) -> None:
    assert standing(roles, proven=proven, enrolled=enrolled) is worth


@given(st.integers(min_value=0, max_value=2**31))
def test_a_code_is_good_for_its_step_and_its_neighbours_alone(seconds: int) -> None:
    secret, at = new_secret(), NOON + timedelta(seconds=seconds)
    code = pyotp.TOTP(secret).at(at)

    step = step_of(secret, code, at, None)

    assert step == int(at.timestamp()) // 30
    assert step_of(secret, code, at + STEP, None) == step
    assert step_of(secret, code, at - STEP, None) == step


@given(st.integers(min_value=-3, max_value=3), st.integers(min_value=-3, max_value=3))
def test_no_step_is_taken_twice_nor_one_before_it(first: int, second: int) -> None:
    secret = new_secret()
    used = step_of(secret, pyotp.TOTP(secret).at(NOON + first * STEP), NOON + first * STEP, None)

    later = step_of(secret, pyotp.TOTP(secret).at(NOON + second * STEP), NOON + second * STEP, used)

    assert used is not None
    assert (later is not None) == (second > first)


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "123 45", "-12345", "12345\n6x"])
def test_what_is_no_code_is_none(code: str) -> None:
    assert step_of(new_secret(), code, NOON, None) is None


def test_the_address_of_an_enrolment_names_us_and_the_person() -> None:
    uri = provisioning_uri("A" * 32, "siti@cert.example")

    assert uri == f"otpauth://totp/Kentongan:siti%40cert.example?secret={'A' * 32}&issuer=Kentongan"


def test_recovery_codes_differ_and_are_known_however_they_are_typed() -> None:
    codes = new_recovery_codes()

    assert len(set(codes)) == MOST_RECOVERY_CODES
    assert recovery_digest(codes[0]) == recovery_digest(codes[0].lower().replace("-", " ")) != recovery_digest(codes[1])


def test_strangers_do_not_count_where_the_person_is_known() -> None:
    assert set(counts_for(Try.PASSWORD, known=False)) == set(Count)
    assert set(counts_for(Try.PASSWORD, known=True)) == {Count.HERE}
    assert set(counts_for(Try.LETTER, known=True)) == set(Count)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2::1", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ("", ""),
        ("x" * 100, "x" * 45),
    ],
)
def test_a_whole_ipv6_network_counts_as_one(address: str, network: str) -> None:
    assert network_of(address) == network


def test_an_administrator_makes_nobody_an_operator() -> None:
    administrator = Identity(1, "ID-CERT", OrganizationKind.MEMBER, frozenset({Scope.ADMIN}))
    operator = Identity(1, "ID-CERT", OrganizationKind.MEMBER, frozenset({Scope.OPERATE}))

    assert not may_grant(administrator, Role.OPERATOR)
    assert may_grant(operator, Role.OPERATOR)
    assert all(may_grant(administrator, role) for role in Role if role is not Role.OPERATOR)


def test_nobody_of_a_subscriber_submits() -> None:
    held = {role for role in Role if may_hold(role, OrganizationKind.SUBSCRIBER)}

    assert held == {Role.SUBSCRIBER, Role.ADMINISTRATOR, Role.OPERATOR}
    assert all(may_hold(role, OrganizationKind.MEMBER) for role in Role)
