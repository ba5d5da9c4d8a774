"""What an indicator's pattern looks for."""

from __future__ import annotations

import pytest

from kentongan.domain.observables.carriers import in_cyber_observable
from kentongan.domain.observables.patterns import in_pattern

SHA256 = "ab" * 32
MD5 = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("pattern", "values"),
    [
        ("[ipv4-addr:value='1.2.3.4']", ["1.2.3.4"]),
        ("[ipv4-addr:value = '1.2.3.4/32']", ["1.2.3.4"]),
        ("[ipv4-addr:value ISSUBSET '198.51.100.0/24']", ["198.51.100.0/24"]),
        (f"[file:hashes.'SHA-256' = '{SHA256.upper()}']", [SHA256]),
        (f"[file:hashes.SHA256 = '{SHA256}' AND file:name = 'Evil.EXE' AND file:size = 1234]", [SHA256, "evil.exe"]),
        (f"[file:hashes.\"MD5\" = '{MD5}']", [MD5]),
        ("[domain-name:value IN ('a.example','B.example')] REPEATS 5 TIMES", ["a.example", "b.example"]),
        ("[domain-name:value != 'good.example' AND domain-name:value = 'evil.example']", ["evil.example"]),
        ("[domain-name:value NOT IN ('good.example')]", []),
        ("[domain-name:value NOT = 'good.example']", []),
        ("[url:value LIKE 'http://%']", []),
        ("[url:value = 'http://evil.example/a\\'b']", ["http://evil.example/a%27b"]),
        ("[process:command_line = 'x domain-name:value = \\'no.example\\'']", ["x domain-name:value = 'no.example"]),
        ("[windows-registry-key:key = 'HKLM\\\\Software\\\\Evil']", ["hkey_local_machine\\software\\evil"]),
        ("[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '1.2.3.4']", ["1.2.3.4"]),
        ("[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'Evil/1.0']", ["Evil/1.0"]),
        ("[email-message:from_ref.value = 'Boss@EVIL.example']", ["boss@evil.example"]),
        (
            f"[email-message:body_multipart[*].body_raw_ref.hashes.MD5 = '{MD5}']",
            [MD5],
        ),
        ("[autonomous-system:number = 64500]", ["AS64500"]),
        ("[mutex:name = 'Global\\\\Evil'] FOLLOWEDBY [file:name = 'b.dll']", ["Global\\Evil", "b.dll"]),
        ("not a pattern", []),
        ("", []),
    ],
)
def test_a_pattern_names_the_values_it_looks_for(pattern: str, values: list[str]) -> None:
    found = in_pattern(pattern)

    assert [one.value for one in found] == values


@pytest.mark.parametrize(
    ("stix", "values"),
    [
        ({"type": "domain-name", "value": "EVIL.example."}, ["evil.example"]),
        (
            {"type": "file", "name": "A.exe", "hashes": {"SHA256": SHA256, "SSDEEP": "3:AbC:dE"}},
            [SHA256, "3:AbC:dE", "a.exe"],
        ),
        ({"type": "file", "extensions": {"windows-pebinary-ext": {"imphash": "A" * 32}}}, ["a" * 32]),
        ({"type": "autonomous-system", "number": 64500}, ["AS64500"]),
        (
            {"type": "windows-registry-key", "key": "HKCU\\Run", "values": [{"name": "Evil"}]},
            ["hkey_current_user\\run", "hkey_current_user\\run\\evil"],
        ),
        ({"type": "x509-certificate", "serial_number": "00:AB", "hashes": {"SHA-1": "a" * 40}}, ["a" * 40, "ab"]),
        ({"type": "network-traffic", "protocols": ["tcp"], "src_ref": "ipv4-addr--1"}, []),
        ({"type": "user-account", "user_id": "1001", "account_login": "Evil"}, ["evil"]),
        ({"type": "email-message", "is_multipart": False, "subject": "Your  INVOICE"}, ["email-subject:your invoice"]),
        ({"type": "domain-name", "value": 7}, []),
        ({"type": "file", "hashes": ["no"], "name": None}, []),
        ({"type": "x-unknown", "value": "evil.example"}, []),
    ],
)
def test_a_cyber_observable_carries_its_values(stix: dict[str, object], values: list[str]) -> None:
    found = in_cyber_observable(stix)

    assert [one.value for one in found] == values
