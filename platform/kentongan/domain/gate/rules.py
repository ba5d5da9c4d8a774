"""The semantic rules of the gate that no JSON schema can tell, each looking at one object of a valid shape."""

from __future__ import annotations

import re
from functools import cache
from ipaddress import IPv6Interface
from typing import Final

from kentongan.domain.gate.findings import Company, Findings, StixObject
from kentongan.domain.gate.moments import is_before, is_real_day, moment_key
from kentongan.domain.gate.pattern import judge
from kentongan.domain.gate.problem import quoted
from kentongan.domain.gate.schema import TypeSchema, type_schemas
from kentongan.domain.gate.words import hash_names, languages, open_vocabularies

LONG_NAME: Final = 1_000
INVISIBLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of text and make a name look like another."""
LANGUAGE_TAG: Final = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4,8})(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*(?:-[0-9a-wyz](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?",
    re.IGNORECASE,
)
WELL_FORMED: Final = {
    "domain-name": re.compile(r"(?=.{1,254}$)(?:[^\s./:@\[\]\\]{1,63}\.)+[^\s./:@\[\]\\]{2,63}\.?"),
    "url": re.compile(r"(?!hxxp)[A-Za-z][A-Za-z0-9+.-]*:[^\s]+"),
    "email-addr": re.compile(r"[^@\s]{1,255}@[^@\s\[\]]+\.[^@\s\[\]]+"),
}
SEEN: Final = (("first_seen", "last_seen", False),)
ORDERS: Final[dict[str, tuple[tuple[str, str, bool], ...]]] = {
    "campaign": SEEN,
    "infrastructure": SEEN,
    "intrusion-set": SEEN,
    "malware": SEEN,
    "threat-actor": SEEN,
    "sighting": SEEN,
    "indicator": (("valid_from", "valid_until", True),),
    "observed-data": (("first_observed", "last_observed", False),),
    "relationship": (("start_time", "stop_time", True),),
    "malware-analysis": (("analysis_started", "analysis_ended", False),),
    "network-traffic": (("start", "end", False),),
    "x509-certificate": (("validity_not_before", "validity_not_after", False),),
}
"""By type: the earlier property, the later one, and whether they must differ."""


def version(obj: StixObject, _schema: TypeSchema, _company: Company, found: Findings) -> None:
    """The schemas let spec_version 2.0 pass; its objects mean other things."""
    if obj.get("spec_version") == "2.0":
        found.refuse(
            ".spec_version",
            "stix-2.0",
            "the object is STIX 2.0, and only STIX 2.1 is taken",
            "Have the whole bundle brought in by a feed of kind stix, which converts it: kentongan feed add --help.",
        )


def days(obj: StixObject, schema: TypeSchema, _company: Company, found: Findings) -> None:
    """Times name a day that exists."""
    for name in schema.times:
        value = obj.get(name)
        if value is not None and value[8:10] > "28" and not is_real_day(value):
            found.refuse(f".{name}", "no-such-day", f"{quoted(value)} is no day of the calendar", "Correct it.")


def versions_in_order(obj: StixObject, _schema: TypeSchema, _company: Company, found: Findings) -> None:
    """Section 3.2: modified is not before created."""
    created, modified = obj["created"], obj["modified"]
    if created != modified and is_before(modified, created):
        reason = f"modified {quoted(modified)} is before created {quoted(created)}"
        found.refuse(".modified", "modified-before-created", reason, "Correct one of the two.")


def spans(obj: StixObject, _schema: TypeSchema, _company: Company, found: Findings) -> None:
    """What ends does not end before it begins; an indicator or a relationship lasts some time."""
    for early, late, must_differ in ORDERS[obj["type"]]:
        start, end = obj.get(early), obj.get(late)
        if start is None or end is None:
            continue
        start, end = moment_key(start), moment_key(end)
        if end < start or (must_differ and end == start):
            found.refuse(
                f".{late}",
                f"{late}-before-{early}".replace("_", "-"),
                f"{late} {quoted(obj[late])} is not after {early} {quoted(obj[early])}",
                f"Correct one of the two, or leave {late} out.",
            )


def names(obj: StixObject, _schema: TypeSchema, _company: Company, found: Findings) -> None:
    """A name that cannot be read aloud, or is too long to be one."""
    name = obj.get("name")
    if not isinstance(name, str):  # in an object of nobody's schema it may be anything
        return
    if not name.isprintable() and INVISIBLE.search(name):
        found.warn(
            ".name",
            "control-characters",
            "the name holds characters that cannot be seen",
            "Leave them out; they mislead.",
        )
    if not name.strip():
        found.warn(".name", "empty-name", "the name is empty", "Give it a name, or leave the property out.")
    if len(name) > LONG_NAME:
        found.warn(".name", "long-name", f"the name has {len(name)} characters", "Put the text into description.")


def custom_properties(obj: StixObject, schema: TypeSchema, _company: Company, found: Findings) -> None:
    """Properties of nobody's schema are kept and given back, but nothing here reads them."""
    if schema.properties.issuperset(obj):
        return
    unknown = [name for name in obj if name not in schema.properties]
    listed = ", ".join(quoted(name) for name in unknown[:5]) + (" …" if len(unknown) > 5 else "")
    found.warn(
        "", "custom-property", f"properties that STIX does not define here: {listed}", "An extension would define them."
    )


def custom_type(obj: StixObject, _schema: TypeSchema, _company: Company, found: Findings) -> None:
    """An object of a type that STIX does not define: only its common properties were checked."""
    reason = f"{quoted(obj['type'])} is no type of STIX 2.1; only its common properties were checked"
    found.warn(".type", "custom-type", reason, "Nothing to do: it is kept and given back as sent.")


def vocabulary(obj: StixObject, _schema: TypeSchema, _company: Company, found: Findings) -> None:
    """Words outside an open vocabulary."""
    for name, words in open_vocabularies()[obj["type"]]:
        value = obj.get(name)
        if value is None or (value in words if isinstance(value, str) else words.issuperset(value)):
            continue
        other = value if isinstance(value, str) else next(word for word in value if word not in words)
        found.warn(
            f".{name}",
            "open-vocabulary",
            f"{quoted(other)} is not among the words that STIX suggests for {name}",
            "Nothing to do if no suggested word fits.",
        )


def language(obj: StixObject, _schema: TypeSchema, _company: Company, found: Findings) -> None:
    """`lang` is a language tag (RFC 5646)."""
    tag = obj.get("lang")
    if tag is None:
        return
    hint = "Write it as RFC 5646 does: en, th, zh-Hans, pt-TL."
    if len(tag) > 100 or not LANGUAGE_TAG.fullmatch(tag):
        found.refuse(".lang", "lang", f"{quoted(tag)} is no language tag", hint)
    elif len(primary := tag.partition("-")[0].lower()) == 2 and primary not in languages():
        found.warn(".lang", "lang", f"no language is known as {quoted(primary)}", hint)


def country(obj: StixObject, _schema: TypeSchema, _company: Company, found: Findings) -> None:
    """A location's country is two letters (ISO 3166-1 alpha-2)."""
    code = obj.get("country")
    if code is not None and not (len(code) == 2 and code.isascii() and code.isalpha()):
        found.warn(".country", "country", f"{quoted(code)} is no two-letter country code", "Write TH, not Thailand.")


def indicator_pattern(obj: StixObject, _schema: TypeSchema, company: Company, found: Findings) -> None:
    """A STIX pattern parses; one in another language is kept unread."""
    if obj["pattern_type"] != "stix":
        reason = f"a pattern in {quoted(obj['pattern_type'])} is kept, but not checked"
        found.warn(".pattern", "pattern-not-checked", reason, "Add a STIX pattern if others should match by it.")
        return
    verdict = judge(obj["pattern"], company.pattern_budget)
    company.pattern_budget -= verdict.cost
    if verdict.rule:
        hint = "Check it against STIX 2.1 section 9, or split it into several indicators."
        found.refuse(".pattern", verdict.rule, verdict.reason, hint)
    for kind, name in verdict.spoken_of:
        if (doubt := _doubt(kind, name)) is not None:
            found.warn(".pattern", "pattern-object", doubt, "Nothing to do if you mean it; others may not match by it.")


@cache
def _observable_properties() -> dict[str, frozenset[str]]:
    return {kind: schema.properties for kind, schema in type_schemas().items() if schema.kind == "sco"}


def _doubt(kind: str, name: str) -> str | None:
    known = _observable_properties().get(kind)
    if known is None:
        return f"the pattern speaks of {quoted(kind)}, which is no observable of STIX 2.1"
    if name not in known:
        return f"the pattern speaks of {quoted(name)}, which {kind} does not have"
    return None


def observable_value(obj: StixObject, _schema: TypeSchema, _company: Company, found: Findings) -> None:
    """A domain, URL or mail address that is not well-formed, e.g. because it was made harmless."""
    value = obj["value"]
    if not WELL_FORMED[obj["type"]].fullmatch(value):
        found.warn(
            ".value",
            "malformed-value",
            f"{quoted(value)} is not a well-formed {obj['type']}",
            "Send observables as they were seen, not defanged; matching tries to undo that.",
        )


def ipv6_value(obj: StixObject, _schema: TypeSchema, _company: Company, found: Findings) -> None:
    """An IPv6 address or network; the schema's own pattern is broken (see schema.REPAIRS)."""
    try:
        IPv6Interface(obj["value"])
    except ValueError:
        reason = f"{quoted(obj['value'])} is no IPv6 address or network"
        found.refuse(".value", "ip-address", reason, "Write it as RFC 4291 does, or use ipv4-addr.")


def observable_hashes(obj: StixObject, _schema: TypeSchema, _company: Company, found: Findings) -> None:
    """Hash names outside the vocabulary, such as SHA256 without its hyphen."""
    unknown = [name for name in obj.get("hashes", ()) if name not in hash_names()]
    if unknown:
        reason = f"{quoted(unknown[0])} is not among the hash names of STIX"
        found.warn(".hashes", "hash-name", reason, f"STIX writes {', '.join(sorted(hash_names()))}.")
