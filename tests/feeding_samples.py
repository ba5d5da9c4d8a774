"""What an item of each kind of feed looks like: every kind is listed here, and must pass tests/feeds/test_every_feed.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import stories
from kentongan.domain.marking import Level


@dataclass(frozen=True)
class Sample:
    """How to make items of a kind."""

    kind: str
    suffix: str
    make: Callable[[int, str], bytes]
    """The item of this number, which says these words somewhere; another number is about something else."""
    options: Mapping[str, str] = field(default_factory=dict)
    reads_folders: bool = True
    path: str | None = ""
    """Behind the address of a server that answers one item; None: it is not asked so."""
    asks_whether_changed: bool = True


def _id(kind: str, number: int) -> str:
    return f"{kind}--{uuid5(NAMESPACE_URL, f'a sample {kind} {number}')}"


def stix_21(number: int, words: str) -> bytes:
    """A bundle of STIX 2.1."""
    event = stories.incident(words, id=_id("incident", number), marking=Level.GREEN)
    bundle = stories.bundle(event, stories.domain_name(f"number-{number}.example"))
    return json.dumps({**bundle, "id": _id("bundle", number)}, ensure_ascii=False).encode()


def stix_20(number: int, words: str) -> bytes:
    """A bundle of STIX 2.0 with all that 2.1 says otherwise."""
    when = "2024-05-01T12:00:00.000Z"
    common = {"created": when, "modified": when}
    objects: list[dict[str, Any]] = [
        {
            "type": "indicator",
            "id": _id("indicator", number),
            **common,
            "name": words,
            "labels": ["malicious-activity"],
            "pattern": f"[domain-name:value = 'n{number}.example'] START '2024-05-01T00:00:00Z' STOP '2024-05-02T00:00:00Z'",
            "valid_from": when,
        },
        {"type": "malware", "id": _id("malware", number), **common, "name": "ExampleRAT", "labels": ["ransomware"]},
        {
            "type": "observed-data",
            "id": _id("observed-data", number),
            **common,
            "first_observed": when,
            "last_observed": when,
            "number_observed": 1,
            "objects": {
                "0": {
                    "type": "file",
                    "hashes": {"MD5": f"{number:032x}"},
                    "parent_directory_ref": "1",
                    "created": when,
                },
                "1": {"type": "directory", "path": "C:\\temp"},
            },
        },
    ]
    bundle = {"type": "bundle", "id": _id("bundle", number), "spec_version": "2.0", "objects": objects}
    return json.dumps(bundle, ensure_ascii=False).encode()


def envelope(number: int, words: str) -> bytes:
    """A page of a TAXII collection."""
    return json.dumps({"objects": json.loads(stix_21(number, words))["objects"]}, ensure_ascii=False).encode()


def misp_event(number: int, words: str) -> bytes:
    """An export of one event of a MISP."""
    attributes: list[dict[str, Any]] = [
        {"type": "domain", "value": f"misp-{number}.example", "to_ids": True, "category": "Network activity"},
        {"type": "filename|md5", "value": f"a.exe|{number:032x}", "to_ids": False, "comment": words},
        {"type": "text", "value": words, "to_ids": False},
    ]
    for position, attribute in enumerate(attributes):
        attribute |= {"uuid": _id("a", number * 10 + position)[3:], "timestamp": "1700000000"}
    event: dict[str, Any] = {
        "uuid": _id("e", number)[3:],
        "info": words,
        "date": "2023-11-14",
        "timestamp": "1700000000",
    }
    event |= {"Orgc": {"name": "CERT-XX", "uuid": _id("o", 1)[3:]}, "threat_level_id": "1"}
    return json.dumps({"response": [{"Event": {**event, "Attribute": attributes}}]}, ensure_ascii=False).encode()


def table(number: int, words: str) -> bytes:
    """A table with two incidents."""
    rows = [f'"{words}",2026-03-0{day},"n{number}-{day}[.]example;198.51.100.{day}",{number}' for day in (1, 2)]
    return "\r\n".join(["Title,Date,IOC,Ticket", *rows, ""]).encode()


def intelmq(number: int, words: str) -> bytes:
    """Two events, one a line, one of them nested."""
    when = "2026-03-01T10:00:00+00:00"
    flat = {"time.source": when, "source.ip": f"198.51.100.{number}", "event_description.text": words}
    nested = {"time": {"source": when}, "source": {"fqdn": f"n{number}.example"}, "malware": {"name": words}}
    return b"\n".join(json.dumps(event, ensure_ascii=False).encode() for event in (flat, nested)) + b"\n"


def mail(number: int, words: str) -> bytes:
    """A mail with an attachment."""
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "Siti <siti@partner.example>", "cert@cert.example", words
    letter["Date"], letter["Message-ID"] = "Sun, 01 Mar 2026 10:00:00 +0700", f"<{number}@partner.example>"
    letter.set_content(f"{words}\n\nIOC: n{number}[.]example.net\n")
    letter.add_attachment(
        b"MZ" + bytes([number]), maintype="application", subtype="octet-stream", filename=f"{number}.exe"
    )
    letter.set_boundary("=== between ===")
    return letter.as_bytes()


COLUMNS = json.dumps({"name": "Title", "started": "Date", "observable": "IOC"})
SAMPLES = {
    "mail": Sample("mail", ".eml", mail),
    "intelmq": Sample("intelmq", ".jsonl", intelmq),
    "csv": Sample("csv", ".csv", table, options={"columns": COLUMNS, "split": ";"}),
    "misp": Sample("misp", ".json", misp_event),
    "stix-2.1": Sample("stix", ".json", stix_21),
    "stix-2.0": Sample("stix", ".json", stix_20),
    "taxii": Sample(
        "taxii", ".json", envelope, reads_folders=False, path="/collections/x/", asks_whether_changed=False
    ),
}
