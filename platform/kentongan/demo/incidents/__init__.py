"""The incidents the demonstration submits; NOTICE.md beside this file names their sources and licences."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class DemoSubmission:
    """One bundle, and the CERT that sends it."""

    reporter: str
    bundle: dict[str, Any]

    @property
    def content(self) -> bytes:
        """As it goes over the wire."""
        return orjson.dumps(self.bundle)


ATTACK_FLOW_REPORTER = "ASEAN Regional CERT"


@cache
def stream() -> tuple[DemoSubmission, ...]:
    """240 submissions of 21 CERTs, in the order they arrived."""
    return tuple(DemoSubmission(line["reporter"], line["bundle"]) for line in _lines("stream.jsonl.gz"))


@cache
def attack_flow() -> tuple[DemoSubmission, ...]:
    """39 well-known intrusions with their ATT&CK steps, reported by the coordinator's own team."""
    return tuple(DemoSubmission(ATTACK_FLOW_REPORTER, bundle) for bundle in _lines("attackflow.jsonl.gz"))


def _lines(name: str) -> list[dict[str, Any]]:
    packed = (files(__name__) / name).read_bytes()
    return [orjson.loads(line) for line in gzip.decompress(packed).splitlines() if line.strip()]
