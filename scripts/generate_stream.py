"""Make a stream of incidents with its truth, for `kentongan evaluate`: real campaigns' indicators, made-up events and reports.

The input is a gzip of lines {"reports": [{"title", "malware", "actors", ...}], "iocs": [[kind, value], ...]}, one campaign each.
Events hit made-up victims; each is reported once or more, a later report changed by some of TRICKS. Between them come decoys: the
victim hit again months later by somebody else, and a neighbour hit on the same day.

Example: python scripts/generate_stream.py campaigns.jsonl.gz --incidents 20000 --seed 1 --output stream
writes stream/submissions.jsonl, stream/truth.json and stream/truth_meta.json.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

REPORTERS = {
    "CERT-ID": "ID",
    "CERT-MY": "MY",
    "CERT-SG": "SG",
    "CERT-TH": "TH",
    "CERT-PH": "PH",
    "CERT-VN": "VN",
    "CERT-KH": "KH",
    "CERT-LA": "LA",
    "CERT-MM": "MM",
    "CERT-BN": "BN",
    "CERT-TL": "TL",
}
SECTORS = ("financial-services", "healthcare", "government", "education", "energy", "telecommunications", "retail")
BODIES = {
    "financial-services": ("Bank {}", "{} Insurance", "{} Capital"),
    "healthcare": ("{} Hospital", "Klinik {}", "{} Medical Centre"),
    "government": ("Ministry of {}", "{} Provincial Office", "Municipality of {}"),
    "education": ("{} University", "{} Institute of Technology"),
    "energy": ("{} Energy", "{} Power Company"),
    "telecommunications": ("{} Telecom", "{} Networks"),
    "retail": ("{} Stores", "{} Trading"),
}
SYLLABLES = (
    "ka ra min to su wa lan ti pra sen mo vi dor bel na ja ku len sar ri go ta phu nam sok da vo che ban lu".split()
)
EVENTS = (
    "Backdoor found at {victim}",
    "{victim} compromised by {culprit}",
    "Machines of {victim} contact a command server of {culprit}",
    "Intrusion at {victim}",
    "{culprit} in the network of {victim}",
)
TOLD = {
    "vi": ("Sự cố an ninh mạng tại {victim}", "Mã độc {culprit} được phát hiện, dữ liệu bị rò rỉ."),
    "th": ("เหตุการณ์ทางไซเบอร์ที่ {victim}", "พบมัลแวร์ {culprit} ในระบบ ข้อมูลรั่วไหล"),
    "tl": ("Insidenteng cyber sa {victim}", "Natagpuan ang malware na {culprit} sa mga sistema."),
    "pt": (
        "Incidente cibernético em {victim}",
        "Foi encontrado o malware {culprit} nos sistemas, com vazamento de dados.",
    ),
    "km": ("ឧប្បត្តិហេតុសន្តិសុខនៅ {victim}", "រកឃើញមេរោគ {culprit}"),
}
HUBS = [("domain", f"cdn{number}.shared-hosting-of-the-region.example") for number in range(12)]
Value = tuple[str, str]


@dataclass
class Event:
    """What happened: one victim of one campaign at one time."""

    name: str
    campaign: str
    culprit: str
    victim: str
    sector: str
    country: str
    at: datetime
    values: list[Value]
    pages: list[str]


@dataclass
class Report:
    """What one CERT sends of it."""

    event: Event
    reporter: str
    received: datetime
    title: str
    text: str
    victim: str | None
    values: list[Value]
    pages: list[str]
    culprit: str
    told: str | None
    as_patterns: bool = False
    tricks: list[str] = field(default_factory=list)


Trick = Callable[[Report, random.Random], Report]


def other_language(one: Report, rng: random.Random) -> Report:
    title, text = TOLD[rng.choice(sorted(TOLD))]
    named = {"victim": one.victim or "-", "culprit": one.culprit}
    return replace(one, title=title.format(**named), text=text.format(**named))


def misspelt(one: Report, rng: random.Random) -> Report:
    """Two letters change places inside the longest word."""
    words = (one.victim or "").split()
    longest = max(words, key=len, default="")
    if len(longest) < 6:
        return one
    place = rng.randrange(1, len(longest) - 2)
    turned = longest[:place] + longest[place + 1] + longest[place] + longest[place + 2 :]
    return replace(one, victim=" ".join(turned if word == longest else word for word in words))


def initials(one: Report, _rng: random.Random) -> Report:
    words = (one.victim or "").split()
    return replace(one, victim="".join(word[0] for word in words).upper()) if len(words) > 2 else one


def withheld(one: Report, _rng: random.Random) -> Report:
    return replace(
        one, victim=None, title=f"Intrusion at an organisation in {one.event.country}", text=f"{one.culprit} was found."
    )


def local_time(one: Report, _rng: random.Random) -> Report:
    """The clock on the wall, sent as if it were UTC."""
    return replace(one, told=(one.event.at + timedelta(hours=7)).strftime("%Y-%m-%d %H:%M UTC"))


def no_time(one: Report, _rng: random.Random) -> Report:
    return replace(one, told=None)


def other_hash(one: Report, _rng: random.Random) -> Report:
    """The same files by another algorithm: nothing of theirs is in common any more."""
    return replace(
        one,
        values=[("sha256", hashlib.sha256(v.encode()).hexdigest()) if k in _HASHES else (k, v) for k, v in one.values],
    )


def few(one: Report, rng: random.Random) -> Report:
    return replace(one, values=rng.sample(one.values, max(1, len(one.values) // 4)) if one.values else [])


def mapped_addresses(one: Report, _rng: random.Random) -> Report:
    return replace(one, values=[("ipv6", f"::ffff:{v}") if k == "ipv4" else (k, v) for k, v in one.values])


def longer_urls(one: Report, _rng: random.Random) -> Report:
    return replace(one, values=[(k, f"{v}#section" if k == "url" and "#" not in v else v) for k, v in one.values])


def patterns(one: Report, _rng: random.Random) -> Report:
    return replace(one, as_patterns=True)


def with_hubs(one: Report, rng: random.Random) -> Report:
    return replace(one, values=[*one.values, *rng.sample(HUBS, 2)])


def strangers_values(one: Report, rng: random.Random) -> Report:
    noise = [("domain", f"{rng.getrandbits(48):x}.example") for _ in range(6)]
    return replace(one, values=[*one.values, *noise])


def in_the_text(one: Report, _rng: random.Random) -> Report:
    listed = " ".join(v.replace(".", "[dot]") for _, v in one.values)
    return replace(one, values=[], text=f"{one.text} Seen: {listed}")


TRICKS: tuple[Trick, ...] = (
    other_language,
    misspelt,
    initials,
    withheld,
    local_time,
    no_time,
    other_hash,
    few,
    mapped_addresses,
    longer_urls,
    patterns,
    with_hubs,
    strangers_values,
    in_the_text,
)
_HASHES = ("md5", "sha1", "sha256")


class Stream:
    """Events and their reports, drawn at random from a seed."""

    def __init__(self, campaigns: list[dict[str, Any]], seed: int, tricks: int) -> None:
        self._campaigns = campaigns
        self._rng = random.Random(seed)  # noqa: S311  # no secret is made of it
        self._tricks = tricks
        self._names: set[str] = set()

    def reports(self, count: int) -> list[Report]:
        """About so many, in the order in which they are received."""
        made: list[Report] = []
        number = 0
        while len(made) < count:
            campaign = self._campaigns[number % len(self._campaigns)]
            again = number // len(self._campaigns)
            number += 1
            for event in self._events(campaign, f"c{number:05d}", again):
                made += self._told(event)
        return sorted(made[:count], key=lambda one: one.received)

    def _events(self, campaign: dict[str, Any], name: str, again: int) -> Iterable[Event]:
        rng, first = self._rng, campaign["reports"][0]
        began = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(days=rng.randrange(1000), minutes=rng.randrange(1440))
        values = [
            (_KINDS[kind], self._renamed(kind, value, again)) for kind, value in campaign["iocs"] if kind in _KINDS
        ]
        rng.shuffle(values)
        rest = values[:60]
        for number in range(rng.choice((1, 1, 1, 2, 2, 3, 5))):
            mine, rest = rest[: rng.randrange(2, 9)], rest[rng.randrange(0, 4) :]
            if not mine:
                return
            event = self._event(name, f"{name}-{number}", first, mine, began + timedelta(days=rng.randrange(40)))
            yield event
            if rng.random() < 0.1:
                yield self._decoy(event, number)

    def _renamed(self, kind: str, value: str, again: int) -> str:
        """Once all campaigns were used, their values begin again under other names."""
        if not again:
            return value
        if kind in _HASHES:
            return hashlib.new(kind, f"{again} {value}".encode(), usedforsecurity=False).hexdigest()
        if kind == "ipv4":
            parts = [int(part) for part in value.split(".")]
            return ".".join(
                str(part) for part in (11 + (parts[0] + again * 7) % 80, (parts[1] + again) % 256, parts[2], parts[3])
            )
        scheme, _, rest = value.rpartition("://")
        return f"{scheme}{'://' if scheme else ''}r{again}-{rest}"

    def _event(self, campaign: str, name: str, told: dict[str, Any], values: list[Value], at: datetime) -> Event:
        sector = self._rng.choice(SECTORS)
        culprit = (told["malware"] or told["actors"] or ["an unknown intruder"])[0]
        country = self._rng.choice(sorted(REPORTERS.values()))
        pages = told.get("refs", [])[:1] if self._rng.random() < 0.3 else []
        return Event(name, campaign, culprit, self._victim(sector), sector, country, at, values, pages)

    def _decoy(self, event: Event, number: int) -> Event:
        """Somebody else's: at the same victim months later, or at a neighbour on the same day."""
        own = [("domain", f"{self._rng.getrandbits(64):x}.example"), ("sha256", f"{self._rng.getrandbits(256):064x}")]
        alone = replace(
            event, name=f"{event.name}-decoy", campaign=f"{event.campaign}-decoy-{number}", values=own, pages=[]
        )
        if self._rng.random() < 0.5:
            return replace(alone, at=event.at + timedelta(days=self._rng.randrange(100, 300)), culprit="another tool")
        return replace(alone, victim=self._victim(event.sector))

    def _victim(self, sector: str) -> str:
        while True:
            word = "".join(self._rng.choice(SYLLABLES) for _ in range(self._rng.choice((2, 3, 3, 4)))).capitalize()
            second = "".join(self._rng.choice(SYLLABLES) for _ in range(2)).capitalize()
            name = self._rng.choice(BODIES[sector]).format(f"{word} {second}")
            if name not in self._names:
                self._names.add(name)
                return name

    def _told(self, event: Event) -> Iterable[Report]:
        rng = self._rng
        own = next(name for name, country in REPORTERS.items() if country == event.country)
        for number in range(rng.choice((1, 1, 1, 1, 2, 2, 3, 4))):
            received = event.at + timedelta(hours=rng.randrange(2, 72) + 60 * number)
            named = {"victim": event.victim, "culprit": event.culprit}
            one = Report(
                event,
                own if not number or rng.random() < 0.3 else rng.choice(sorted(REPORTERS)),
                received,
                rng.choice(EVENTS).format(**named),
                f"{event.culprit} was found on machines of {event.victim}, who disconnected them.",
                event.victim,
                list(event.values),
                list(event.pages),
                event.culprit,
                event.at.strftime("%Y-%m-%d %H:%M UTC"),
            )
            for trick in rng.sample(TRICKS, self._tricks) if number else ():
                one = replace(trick(one, rng), tricks=[*one.tricks, trick.__name__.replace("_", "-")])
            yield one


_KINDS = {
    "md5": "md5",
    "sha1": "sha1",
    "sha256": "sha256",
    "ipv4": "ipv4",
    "ip": "ipv4",
    "domain": "domain",
    "url": "url",
}
_TYPES = {"ipv4": "ipv4-addr", "ipv6": "ipv6-addr", "domain": "domain-name", "url": "url"}
_ALGORITHMS = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256"}
_GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"


def bundle(one: Report, rng: random.Random) -> tuple[str, dict[str, Any]]:
    """The incident's id, and the STIX bundle that tells of it."""

    def new(kind: str) -> dict[str, Any]:
        when = f"{one.received:%Y-%m-%dT%H:%M:%S}.000Z"
        number = uuid.UUID(int=rng.getrandbits(128), version=4)
        common = {"type": kind, "spec_version": "2.1", "id": f"{kind}--{number}", "object_marking_refs": [_GREEN]}
        return {**common, "created": when, "modified": when}

    told = f"{one.told}. " if one.told else ""
    event = {
        **new("incident"),
        "name": one.title,
        "description": told + one.text,
        "labels": [f"country:{one.event.country}"],
    }
    if one.pages:
        event["external_references"] = [{"source_name": "reference", "url": page} for page in one.pages]
    victim = {
        **new("identity"),
        "name": one.victim or "Undisclosed",
        "identity_class": "organization",
        "sectors": [one.event.sector],
    }
    tool = {**new("malware"), "name": one.culprit, "is_family": True}
    hits = {
        **new("relationship"),
        "relationship_type": "targets",
        "source_ref": event["id"],
        "target_ref": victim["id"],
    }
    uses = {**new("relationship"), "relationship_type": "uses", "source_ref": event["id"], "target_ref": tool["id"]}
    values = (
        [_indicator(new("indicator"), value) for value in one.values]
        if one.as_patterns
        else [*map(_observable, one.values)]
    )
    return event["id"], {
        "type": "bundle",
        "id": f"bundle--{uuid.UUID(int=rng.getrandbits(128), version=4)}",
        "objects": [event, victim, tool, hits, uses, *values],
    }


def _observable(value: Value) -> dict[str, Any]:
    kind, text = value
    if kind in _ALGORITHMS:
        own: dict[str, Any] = {"type": "file", "hashes": {_ALGORITHMS[kind]: text}}
    else:
        own = {"type": _TYPES[kind], "value": text}
    number = uuid.uuid5(uuid.NAMESPACE_URL, f"{kind} {text}")
    return {**own, "spec_version": "2.1", "id": f"{own['type']}--{number}", "object_marking_refs": [_GREEN]}


def _indicator(own: dict[str, Any], value: Value) -> dict[str, Any]:
    kind, text = value
    path = f"file:hashes.'{_ALGORITHMS[kind]}'" if kind in _ALGORITHMS else f"{_TYPES[kind]}:value"
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    return {**own, "pattern": f"[{path} = '{quoted}']", "pattern_type": "stix", "valid_from": own["created"]}


def write(stream: list[Report], folder: Path, rng: random.Random) -> None:
    """The three files."""
    folder.mkdir(parents=True, exist_ok=True)
    first: dict[str, str] = {}
    truth, meta = {}, {}
    with (folder / "submissions.jsonl").open("w", encoding="utf-8") as out:
        for number, one in enumerate(stream, 1):
            incident, sent = bundle(one, rng)
            received = f"{one.received:%Y-%m-%dT%H:%M:%S}.000Z"
            line = {
                "n": number,
                "received": received,
                "reporter": one.reporter,
                "incident_id": incident,
                "bundle": sent,
            }
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
            known = first.setdefault(one.event.name, incident)
            truth[incident] = {"duplicate_of": None if known == incident else known, "cluster_id": one.event.campaign}
            meta[incident] = {"kinds": one.tricks, "source": "generated", "kind": "generated"}
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "truth_meta.json").write_text(json.dumps(meta))


def main() -> None:
    """Read the arguments and write the stream."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("campaigns", type=Path)
    asked.add_argument("--incidents", type=int, default=2000)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--tricks", type=int, default=2, help="How many of them change each further report.")
    asked.add_argument("--output", type=Path, required=True)
    given = asked.parse_args()
    with gzip.open(given.campaigns, "rt", encoding="utf-8") as lines:
        campaigns = [json.loads(line) for line in lines]
    stream = Stream(campaigns, given.seed, given.tricks)
    rng = random.Random(given.seed)  # noqa: S311  # no secret is made of it
    write(stream.reports(given.incidents), given.output, rng)


if __name__ == "__main__":
    main()
