"""Values everybody has are told from values that are telling."""

from __future__ import annotations

import pytest

from kentongan.domain.incident import Observable
from kentongan.domain.observables import broader, recognise
from kentongan.domain.warninglists import WarningLists
from kentongan.domain.warninglists.meanings import EVERYBODYS, HOSTING, INFORMATIVE, OWNERS, WHOLE_SITES

LISTS = WarningLists.load()
EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"


def seen(raw: str) -> Observable:
    found = recognise(raw)
    assert found is not None
    return found


EVERYBODYS_VALUES = """
8.8.8[.]8 GOOGLE.com. www.google.com http://google.com/ ctldl.windowsupdate.com github.com bit.ly github.io co.id
D41D8CD98F00B204E9800998ECF8427E http://ctldl.windowsupdate.com/msdownload/authrootstl.cab http://8.8.8.8/
10.1.2.3 10.0.0.0/24 127.0.0.1 fe80::1 ::1 fd00::7 255.255.255.255 224.0.0.251 104.16.1.1 abuse@isp.example
"""
TELLING_VALUES = """
evil.example 1.2.3.4 https://github.com/evil/tool evil.github.io evil.duckdns.org http://bit.ly/2AkyUvs
https://drive.google.com/uc?id=1 evil.000webhostapp.com evil.sharepoint.com boss@mailinator.com notgoogle.com
google.com.evil.example 8.8.0.0/16 hijacked.notion.so 0123456789abcdef0123456789abcdef
"""


@pytest.mark.parametrize("raw", EVERYBODYS_VALUES.split())
def test_what_everybody_has_is_no_evidence(raw: str) -> None:
    assert LISTS.never_evidence(seen(raw))


@pytest.mark.parametrize("raw", TELLING_VALUES.split())
def test_what_only_some_have_is_evidence(raw: str) -> None:
    assert not LISTS.never_evidence(seen(raw))


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("8.8.8.8", "public-dns-v4"),
        ("10.1.2.3", "rfc1918"),
        ("evil.duckdns.org", "dynamic-dns"),
        ("http://evil.duckdns.org/x", "dynamic-dns"),
        ("boss@mailinator.com", "disposable-email"),
        ("https://github.com/evil/tool", "lots-project"),
        (EMPTY_MD5, "empty-hashes"),
        ("2606:4700::1", "cloudflare"),
    ],
)
def test_a_value_is_found_on_the_lists_it_stands_on(raw: str, name: str) -> None:
    hits = LISTS.hits(seen(raw))

    assert name in hits
    assert len(set(hits)) == len(hits)


def test_a_value_on_no_list_hits_nothing() -> None:
    assert LISTS.hits(seen("evil.example")) == ()


def test_names_every_machine_has_are_no_evidence() -> None:
    assert LISTS.never_evidence(Observable("user-account", "administrator"))
    assert LISTS.never_evidence(Observable("file-name", "svchost.exe"))
    assert not LISTS.never_evidence(Observable("file-name", "invoice_4711.exe"))


def test_every_shipped_list_has_a_title_and_a_meaning() -> None:
    slugs = set(LISTS.titles)

    assert slugs - EVERYBODYS - INFORMATIVE - HOSTING == set()
    assert slugs == HOSTING | OWNERS | WHOLE_SITES | EVERYBODYS | INFORMATIVE
    assert LISTS.title("public-dns-v4") == "List of known IPv4 public DNS resolvers"


@pytest.mark.parametrize(
    ("raw", "containers"),
    [
        ("http://a.evil.co.id/x", ["a.evil.co.id", "evil.co.id"]),
        ("a.evil.co.id", ["evil.co.id"]),
        ("evil.co.id", []),
        ("a.b.github.io", ["b.github.io"]),
        ("http://sub.foo.duckdns.org/", ["sub.foo.duckdns.org", "foo.duckdns.org"]),
        ("https://github.com/evil", []),
        ("http://1.2.3.4/x", ["1.2.3.4", "1.2.3.0/24"]),
        ("http://[2a02::1]/x", ["2a02::1", "2a02::/48"]),
        ("1.2.3.4", ["1.2.3.0/24"]),
        ("104.16.1.1", []),
        ("1.2.3.0/24", []),
        ("x@mail.evil.net", ["mail.evil.net", "evil.net"]),
        ("x@gmail.com", []),
        ("8.8.8.8", []),
    ],
)
def test_what_contains_a_value_unless_it_serves_everybody(raw: str, containers: list[str]) -> None:
    found = broader(seen(raw))

    assert [one.value for one in found] == containers
