"""Made-up submissions in the shape of real ones: as many objects, kinds and shared values as the demonstration's stream has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

Stix = dict[str, Any]

_TLP_GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
_SYLLABLES = (
    "ba ca da fi go hu ja ki lo mu na pe ra si to vu wa yo zen tar mel sin kor dan lut rim pas gor han vel".split()
)
_VOCABULARY = 4_000
_COUNTRIES = ("BN", "KH", "ID", "LA", "MY", "MM", "PH", "SG", "TH", "VN", "TL")
_RSIT = (
    'malicious-code="infected-system"',
    'intrusions="system-compromise"',
    'fraud="phishing"',
    'availability="ddos"',
)
_START = datetime(2026, 1, 1, tzinfo=UTC)


class Maker:
    """Makes submissions from one seed; the same seed makes the same ones."""

    def __init__(self, seed: int = 1) -> None:
        self._random = Random(seed)  # noqa: S311  # reproducible material, no secret
        self._made = 0
        self._words = ["".join(self._random.choices(_SYLLABLES, k=3)) for _ in range(_VOCABULARY)]
        self._commonness = [1 / rank for rank in range(1, _VOCABULARY + 1)]  # as words are in any language (Zipf)

    def bulk(self, size: int) -> Stix:
        """A bundle of `size` objects without an incident: a third indicators, the rest addresses, files and relationships."""
        indicators = [self._indicator() for _ in range(size // 3)]
        seen = [self._sco() for _ in range(size // 3)]
        ties = [
            self._relationship(self._random.choice(indicators)["id"], "related-to", self._random.choice(seen)["id"])
            for _ in range(size - len(indicators) - len(seen))
        ]
        return self._bundle([*indicators, *seen, *ties])

    def incident(self, *, shared: str | None = None, indicators: int = 6) -> Stix:
        """A bundle of one incident with a victim and some indicators; `shared` is a domain it has in common with others."""
        moment = self._moment()
        victim = self._sdo(
            "identity", moment, name=f"{self._phrase(2)} {self._number()}", identity_class="organization"
        )
        victim["sectors"] = ["government-national"]
        report = self._sdo(
            "incident", moment, name=f"{self._phrase(4)} at {victim['name']}", description=self._phrase(30)
        )
        report["labels"] = [f"rsit:{self._random.choice(_RSIT)}", f"country:{self._random.choice(_COUNTRIES)}"]
        values = [self._indicator(moment) for _ in range(indicators)]
        if shared:
            values.append(self._indicator(moment, f"[domain-name:value = '{shared}']"))
        ties = [self._relationship(value["id"], "related-to", report["id"]) for value in values]
        return self._bundle([report, victim, self._relationship(report["id"], "targets", victim["id"]), *values, *ties])

    def domain(self) -> str:
        """A domain nobody has yet."""
        return f"{self._random.getrandbits(50):x}.{self._random.choice(self._words)}.example"

    def _indicator(self, moment: str | None = None, pattern: str | None = None) -> Stix:
        chosen = pattern or self._random.choice(
            (
                f"[domain-name:value = '{self.domain()}']",
                f"[file:hashes.'SHA-256' = '{self._random.getrandbits(256):064x}']",
                f"[url:value = 'https://{self.domain()}/{self._random.getrandbits(30):x}']",
                f"[ipv4-addr:value='{self._address()}']",
            )
        )
        at = moment or self._moment()
        made = self._sdo("indicator", at, name=self._phrase(3), pattern=chosen, pattern_type="stix", valid_from=at)
        made["indicator_types"] = ["malicious-activity"]
        return made

    def _sco(self) -> Stix:
        kind, properties = self._random.choice(
            (
                ("domain-name", {"value": self.domain()}),
                ("ipv4-addr", {"value": self._address()}),
                ("file", {"hashes": {"SHA-256": f"{self._random.getrandbits(256):064x}"}}),
            )
        )
        return {"type": kind, "spec_version": "2.1", "id": f"{kind}--{self._uuid()}", **properties}

    def _relationship(self, source: str, verb: str, target: str) -> Stix:
        return self._sdo("relationship", self._moment(), relationship_type=verb, source_ref=source, target_ref=target)

    def _sdo(self, kind: str, moment: str, **properties: Any) -> Stix:
        common = {
            "type": kind,
            "spec_version": "2.1",
            "id": f"{kind}--{self._uuid()}",
            "created": moment,
            "modified": moment,
        }
        return {**common, "object_marking_refs": [_TLP_GREEN], **properties}

    def _bundle(self, objects: list[Stix]) -> Stix:
        return {"type": "bundle", "id": f"bundle--{self._uuid()}", "objects": objects}

    def _uuid(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def _moment(self) -> str:
        at = _START + timedelta(milliseconds=self._random.randrange(300 * 86_400_000))
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _address(self) -> str:
        # Public-looking, so that nothing takes it for a private one; nobody ever connects to it.
        return f"{self._random.randrange(11, 99)}.{self._random.randrange(256)}.{self._random.randrange(256)}.7"

    def _phrase(self, words: int) -> str:
        return " ".join(self._random.choices(self._words, self._commonness, k=words))

    def _number(self) -> int:
        self._made += 1
        return self._made
