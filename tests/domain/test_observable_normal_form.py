"""The law of sameness: two spellings are one value exactly when their normal forms are equal."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kentongan.domain.incident import Observable
from kentongan.domain.observables import mentions, normal_form, recognise
from kentongan.domain.observables.kinds import KINDS
from kentongan.domain.observables.patterns import in_pattern

STIX_TYPES = [
    "ipv4-addr",
    "domain-name",
    "email-addr",
    "windows-registry-key",
    "file",
    "SHA-256",
    "MD5",
    "ssdeep",
    "nonsense",
]
LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
HOST = st.builds(lambda labels: ".".join([*labels, "example"]), st.lists(LABEL, min_size=1, max_size=4))
TAIL = st.text(st.sampled_from("aZ0-._~%/?&=+ :@é#[](){}\\'\"25eE"), max_size=25)
PIECES = st.lists(
    st.sampled_from(
        "hxxp http s :// [:]// : [.] (.) [dot] . evil EVIL com 1.2.3.4 ::ffff: /32 @ [at] < > \" ' [ ] ( ) { } \\ %41 % bücher 。 "
        "AS64500 HKLM\\ 0x \u212a İ ß xn-- mailto: data: \u200b aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ,".split(" ")
    ),
    max_size=9,
).map("".join)
ANY_TEXT = st.one_of(
    st.text(max_size=60),
    PIECES,
    st.builds("http://{}/{}".format, HOST, TAIL),
    st.binary(max_size=20).map(lambda raw: raw.decode("latin-1")),
)


@given(kind=st.sampled_from([*sorted(KINDS), *STIX_TYPES]), raw=ANY_TEXT)
@settings(max_examples=1500)
def test_a_normal_form_of_a_normal_form_is_itself(kind: str, raw: str) -> None:
    once = normal_form(kind, raw)

    if once is not None:
        assert normal_form(once.kind, once.value) == once


@given(raw=ANY_TEXT)
@settings(max_examples=1500)
def test_what_is_recognised_once_is_recognised_as_the_same_again(raw: str) -> None:
    once = recognise(raw)

    if once is not None:
        assert recognise(once.value) == once
        assert normal_form(once.kind, once.value) == once


DEFANGED_DOTS = ["[.]", "(.)", "{.}", "[dot]", "(DOT)", " [.] ", "[.", ".]", "\\."]


@given(
    host=HOST,
    dot=st.sampled_from(DEFANGED_DOTS),
    upper=st.booleans(),
    around=st.sampled_from(["{}", " {} ", "'{}'", "<{}>", '"{}".', "{}.", "`{}`"]),
)
def test_every_defanged_spelling_of_a_host_is_the_host(host: str, dot: str, upper: bool, around: str) -> None:
    spelled = around.format(host.replace(".", dot))

    found = normal_form("domain-name", spelled.upper() if upper else spelled)

    assert found == Observable("domain", host)


@given(
    host=HOST,
    scheme=st.sampled_from(["http", "hxxp", "HXXP", "hXXp", "htxp", "h**p"]),
    colon=st.sampled_from(["://", "[:]//", "[://]", ":\\\\", "[:]\\\\", "(:)//"]),
    dot=st.sampled_from([".", "[.]", "(dot)"]),
    port=st.sampled_from(["", ":80", ":0080", ":"]),
    fragment=st.sampled_from(["", "#top"]),
)
def test_every_spelling_of_a_url_is_the_url(
    host: str, scheme: str, colon: str, dot: str, port: str, fragment: str
) -> None:
    spelled = f"{scheme}{colon}{host.replace('.', dot).upper()}{port}/%7Ea/./b/../C?q=%c3%a9{fragment}"

    found = normal_form("url", spelled)

    assert found == Observable("url", f"http://{host}/~a/C?q=%C3%A9")


@given(
    address=st.ip_addresses(v=4).map(str),
    dot=st.sampled_from([".", "[.]", "(.)", "[dot]"]),
    after=st.sampled_from(["", "/32", ":8080", ".", " "]),
)
def test_every_spelling_of_an_ipv4_address_is_the_address(address: str, dot: str, after: str) -> None:
    found = normal_form("ipv4-addr", address.replace(".", dot) + after)

    assert found == Observable("ipv4", address)


@given(address=st.ip_addresses(v=6))
def test_every_spelling_of_an_ipv6_address_is_one_value(address) -> None:  # type: ignore[no-untyped-def]
    spellings = [address.compressed, address.exploded.upper(), f"[{address.compressed}]", f"{address.compressed}/128"]

    found = {normal_form("ipv6-addr", spelled) for spelled in spellings}

    assert len(found) == 1 and None not in found


@given(digits=st.binary(min_size=32, max_size=32))
def test_every_spelling_of_a_hash_is_one_value(digits: bytes) -> None:
    spellings = [digits.hex(), digits.hex().upper(), digits.hex(":"), digits.hex(" ", 4), f"SHA256: {digits.hex()}"]

    found = {normal_form(name, spelled) for spelled in spellings for name in ("SHA-256", "SHA256", "sha256")}

    assert found == {Observable("sha256", digits.hex())}


@pytest.mark.parametrize(
    ("kind", "raw", "expected"),
    [
        ("domain-name", "bücher.example", ("domain", "xn--bcher-kva.example")),
        ("domain-name", "XN--BCHER-KVA.example", ("domain", "xn--bcher-kva.example")),
        ("domain-name", "evil。example", ("domain", "evil.example")),
        ("domain-name", "*.evil.example", ("domain", "evil.example")),
        ("domain-name", "evil.example:8443", ("domain", "evil.example")),
        ("domain-name", "polka-dot-shop.example", ("domain", "polka-dot-shop.example")),
        ("domain-name", "_dmarc.evil.example", ("domain", "_dmarc.evil.example")),
        ("domain-name", "1.2.3[.]4", ("ipv4", "1.2.3.4")),
        ("domain-name", "http://evil.example/x", ("url", "http://evil.example/x")),
        ("domain-name", "1.2.3.4.5", None),
        ("domain-name", "two words", None),
        ("ipv4-addr", "::ffff:1.2.3.4", ("ipv4", "1.2.3.4")),
        ("ipv4-addr", "10.1.2.3/8", ("cidr", "10.0.0.0/8")),
        ("ipv4-addr", "01.2.3.4", None),
        ("ipv4-addr", "1.2.3.256", None),
        ("ipv6-addr", "2001:DB8::/32", ("cidr", "2001:db8::/32")),
        ("url", "HTTPS://EVIL.example:443", ("url", "https://evil.example/")),
        ("url", "http://evil.example:8080/A", ("url", "http://evil.example:8080/A")),
        ("url", "http://polka-dot-shop.example/", ("url", "http://polka-dot-shop.example/")),
        ("url", "http://user:Pa%73s@evil.example/", ("url", "http://user:Pass@evil.example/")),
        ("url", "evil[.]example/gate.php", ("url", "http://evil.example/gate.php")),
        ("url", "http://3232235777/", ("url", "http://192.168.1.1/")),
        ("url", "http://[2001:DB8::1]:80/", ("url", "http://[2001:db8::1]/")),
        ("url", "http://evil.example/a b", ("url", "http://evil.example/a%20b")),
        ("url", "http://evil.example/?", ("url", "http://evil.example/")),
        ("url", "http://evil.example:99999/", None),
        ("url", "plain", None),
        ("email-addr", "Ops <Ops(at)EVIL[.]example>", ("email", "ops@evil.example")),
        ("email-addr", "mailto:ops@bücher.example?subject=x", ("email", "ops@xn--bcher-kva.example")),
        ("mac-addr", "00-1B-44-11-3A-B7", ("mac", "00:1b:44:11:3a:b7")),
        ("mac-addr", "001b.4411.3ab7", ("mac", "00:1b:44:11:3a:b7")),
        ("autonomous-system", "64500", ("asn", "AS64500")),
        ("asn", "ASN 64500", ("asn", "AS64500")),
        ("asn", "AS4294967296", None),
        ("MD5", "a" * 40, ("sha1", "a" * 40)),
        ("sha-256", "not a hash", None),
        ("imphash", "A" * 32, ("imphash", "a" * 32)),
        ("TLSH", "a" * 70, ("tlsh", "T1" + "A" * 70)),
        ("ssdeep", "3:AbC:dE", ("ssdeep", "3:AbC:dE")),
        ("windows-registry-key", "HKLM\\Software\\\\Evil\\", ("registry-key", "hkey_local_machine\\software\\evil")),
        ("mutex", " Global\\Evil ", ("mutex", "Global\\Evil")),
        ("file", "C:\\Users\\Public\\Invoice.EXE", ("file-name", "invoice.exe")),
        ("user-agent", "User-Agent: Evil/1.0", ("user-agent", "Evil/1.0")),
        ("wallet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", ("wallet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa")),
        ("wallet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", None),
        ("x509-certificate", "00:AB:cd", ("certificate", "abcd")),
    ],
)
def test_spellings_that_publishers_use(kind: str, raw: str, expected: tuple[str, str] | None) -> None:
    found = normal_form(kind, raw)

    assert found == (Observable(*expected) if expected else None)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("EVIL[.]example.", ("domain", "evil.example")),
        ("hxxps://evil[.]example", ("url", "https://evil.example/")),
        ("evil.com/gate.php", ("url", "http://evil.com/gate.php")),
        ("1.2.3.0/24", ("cidr", "1.2.3.0/24")),
        ("2001:DB8::1", ("ipv6", "2001:db8::1")),
        ("A" * 64, ("sha256", "a" * 64)),
        ("ops[@]evil.example", ("email", "ops@evil.example")),
        ("AS64500", ("asn", "AS64500")),
        ("HKCU\\Software\\Evil", ("registry-key", "hkey_current_user\\software\\evil")),
        ("00:1B:44:11:3A:B7", ("mac", "00:1b:44:11:3a:b7")),
        ("invoice.exe", ("file-name", "invoice.exe")),
        ("word", None),
        ("two words", None),
        ("", None),
    ],
)
def test_a_value_whose_kind_nobody_said(raw: str, expected: tuple[str, str] | None) -> None:
    found = recognise(raw)

    assert found == (Observable(*expected) if expected else None)


TANGLES = [
    "[" * 8000,
    " " * 8000 + "x",
    "a" + " " * 8000 + "b",
    "(" * 4000 + "dot" + ")" * 4000,
    "[.]" * 2700,
    "<" * 8000,
]
TANGLES += [
    "%2" * 4000,
    "http://" + "/.." * 2700,
    "a." * 4000,
    "\\" * 8000,
    "1:" * 4000,
    "@" * 8000,
    "a:" + "a" * 8000 + "!",
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("raw", TANGLES)
def test_no_tangle_keeps_the_reader_busy(raw: str) -> None:
    """Every repetition is bounded: with a quadratic rule this would run for minutes, not for a blink."""
    for _ in range(10):
        recognise(raw)
        for kind in [*KINDS, *STIX_TYPES]:
            found = normal_form(kind, raw)
            assert found is None or len(found.value) <= 3 * len(raw) + 20
        in_pattern(raw)
        mentions(raw + " ")
