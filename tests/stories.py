"""What tests tell their stories with: organizations, and valid STIX 2.1 objects as plain dictionaries.

Every builder takes further properties by name, which win over what it chose; a property given as None is left out:
`incident("Web shell", marking=Level.RED, labels=["x"])`, `incident(marking=None)` (no marking at all).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

from sqlalchemy.orm import Session

from kentongan.domain.identity import OrganizationKind, Role, at_the_console
from kentongan.domain.marking import MASKING_EXTENSION, SHARING_EXTENSION, TLP_1_IDS, TLP_2_EXTENSION, TLP_2_IDS, Level
from kentongan.storage.groups import GroupMember, SharingGroup
from kentongan.storage.organizations import Organization
from kentongan.storage.persons import Person

Stix = dict[str, Any]
Marking = Level | Stix | None
"""A TLP level, a marking definition of one's own (to be sent along), or none."""

CONSOLE = at_the_console("root")
"""Who sets the stage: the operator at the machine."""

NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
"""The moment at which stories begin."""

_SCO_NAMESPACE = UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")  # STIX 2.1 section 2.9
_TLP_2_MARKING_CREATED = "2022-10-01T00:00:00.000Z"


def organization(
    session: Session, name: str, country: str | None = None, kind: OrganizationKind = OrganizationKind.MEMBER
) -> Organization:
    """An organization of the region, stored (flushed, not committed)."""
    added = Organization(name=name, country=country, kind=kind.value, created_at=NOON)
    session.add(added)
    session.flush()
    return added


def stamp(moment: datetime) -> str:
    """A STIX timestamp with milliseconds: `2026-03-02T12:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def later(**elapsed: float) -> str:
    """The STIX timestamp so long after NOON: `later(hours=2)`."""
    return stamp(NOON + timedelta(**elapsed))


def tlp(level: Level) -> str:
    """The id of the TLP 2.0 marking definition of this level."""
    return next(marking for marking, its_level in TLP_2_IDS.items() if its_level is level)


def marked_by(marking: Marking) -> list[str] | None:
    """What stands in `object_marking_refs`."""
    if marking is None:
        return None
    return [tlp(marking)] if isinstance(marking, Level) else [str(marking["id"])]


def tlp_1(level: Level) -> str:
    """The id of the TLP 1 marking definition of this level. Raises StopIteration for AMBER+STRICT, which TLP 1 has not."""
    return next(marking for marking, its_level in TLP_1_IDS.items() if its_level is level)


def tlp_definition(level: Level) -> Stix:
    """The TLP 2.0 marking definition itself, as FIRST and OASIS publish it."""
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": tlp(level),
        "created": _TLP_2_MARKING_CREATED,
        "name": level.label,
        "extensions": {
            TLP_2_EXTENSION: {
                "extension_type": "property-extension",
                "tlp_2_0": level.label.removeprefix("TLP:").lower(),
            }
        },
    }


def sharing_marking(
    *, level: Level | None = None, groups: Sequence[str] = (), recipients: Sequence[str] = (), **more: Any
) -> Stix:
    """A marking definition with the project's sharing extension, for these groups or recipients (STIX ids)."""
    named: Stix = {"extension_type": "property-extension"}
    named |= {"sharing_groups": list(groups)} if groups else {}
    named |= {"recipients": list(recipients)} if recipients else {}
    extensions: Stix = {SHARING_EXTENSION: named}
    if level is not None:
        extensions |= tlp_definition(level)["extensions"]
    own = {"spec_version": "2.1", "id": f"marking-definition--{uuid4()}", "created": stamp(NOON), "name": "For some"}
    return {"type": "marking-definition", **own, "extensions": extensions, **more}


def masking(*, tell_others: bool | None = None) -> Stix:
    """A marking definition that masks what it marks; that something related exists is told where `tell_others`."""
    content: Stix = {"extension_type": "property-extension", "masked": True}
    content |= {} if tell_others is None else {"tell_others": tell_others}
    own = {"spec_version": "2.1", "id": f"marking-definition--{uuid4()}", "created": stamp(NOON), "name": "Masked"}
    extensions = {MASKING_EXTENSION: content}
    return {"type": "marking-definition", **own, "extensions": extensions, "object_marking_refs": [tlp(Level.CLEAR)]}


def group_of(
    session: Session, name: str, owner: Organization, *others: Organization, strictest: Level = Level.RED
) -> SharingGroup:
    """A sharing group of these organizations, stored (flushed, not committed)."""
    made = SharingGroup(name=name, owner_id=owner.id, created_at=NOON)
    session.add(made)
    session.flush()
    session.add_all(
        GroupMember(group_id=made.id, organization_id=one.id, strictest=int(strictest)) for one in (owner, *others)
    )
    session.flush()
    return made


def person(session: Session, name: str, organization: Organization, *roles: Role) -> Person:
    """Somebody of this organization, stored (flushed, not committed)."""
    made = Person(
        organization_id=organization.id,
        email=f"{name.lower()}@{organization.name.lower().replace(' ', '-')}.example",
        name=name,
        roles=sorted(roles or (Role.ANALYST,)),
        created_at=NOON,
        taken_up_at=NOON,
    )
    session.add(made)
    session.flush()
    return made


def bundle(*objects: Stix) -> Stix:
    """A bundle of these objects."""
    return {"type": "bundle", "id": f"bundle--{uuid4()}", "objects": list(objects)}


def as_bytes(document: Any) -> bytes:
    """As a client sends it."""
    return json.dumps(document).encode()


def sdo(kind: str, *, marking: Marking = Level.GREEN, **properties: Any) -> Stix:
    """Any object with created, modified and a marking: SDOs, and relationships too."""
    common: Stix = {
        "type": kind,
        "spec_version": "2.1",
        "id": f"{kind}--{uuid4()}",
        "created": stamp(NOON),
        "modified": stamp(NOON),
        "object_marking_refs": marked_by(marking),
    }
    return _without_none({**common, **properties})


def newer(obj: Stix, *, modified: str | None = None, **changes: Any) -> Stix:
    """A newer version of an object: an hour later unless `modified` says when."""
    before = datetime.fromisoformat(obj["modified"])
    return _without_none({**obj, "modified": modified or stamp(before + timedelta(hours=1)), **changes})


def incident(name: str = "Web shell on a ministry's server", *, marking: Marking = Level.GREEN, **more: Any) -> Stix:
    """An incident."""
    return sdo("incident", marking=marking, **{"name": name, **more})


def identity(name: str = "ID-CERT", *, marking: Marking = Level.GREEN, **more: Any) -> Stix:
    """An organization as STIX names it: a reporter or a victim."""
    return sdo("identity", marking=marking, **{"name": name, "identity_class": "organization", **more})


def location(country: str = "ID", *, marking: Marking = Level.GREEN, **more: Any) -> Stix:
    """A country."""
    return sdo("location", marking=marking, **{"country": country, **more})


def indicator(
    pattern: str = "[domain-name:value = 'evil.example']", *, marking: Marking = Level.GREEN, **more: Any
) -> Stix:
    """An indicator with this STIX pattern."""
    own = {"name": "Seen in an attack", "pattern": pattern, "pattern_type": "stix", "valid_from": stamp(NOON)}
    return sdo("indicator", marking=marking, **{**own, **more})


def relationship(
    source: Stix | str, verb: str, target: Stix | str, *, marking: Marking = Level.GREEN, **more: Any
) -> Stix:
    """`relationship(malware, "targets", victim)`, between objects or their ids."""
    own = {"relationship_type": verb, "source_ref": _id_of(source), "target_ref": _id_of(target)}
    return sdo("relationship", marking=marking, **{**own, **more})


def report(*objects: Stix, marking: Marking = Level.GREEN, **more: Any) -> Stix:
    """A report about these objects."""
    own = {"name": "What happened", "published": stamp(NOON), "object_refs": [_id_of(obj) for obj in objects]}
    return sdo("report", marking=marking, **{**own, **more})


def grouping(*objects: Stix, marking: Marking = Level.GREEN, **more: Any) -> Stix:
    """A grouping of these objects."""
    own = {"context": "suspicious-activity", "object_refs": [_id_of(obj) for obj in objects]}
    return sdo("grouping", marking=marking, **{**own, **more})


def observed(*objects: Stix, marking: Marking = Level.GREEN, **more: Any) -> Stix:
    """Observed data that refers to these SCOs."""
    own = {
        "first_observed": stamp(NOON),
        "last_observed": stamp(NOON),
        "number_observed": 1,
        "object_refs": [_id_of(obj) for obj in objects],
    }
    return sdo("observed-data", marking=marking, **{**own, **more})


def malware(name: str = "ExampleRAT", *, marking: Marking = Level.GREEN, **more: Any) -> Stix:
    """A malware family."""
    return sdo("malware", marking=marking, **{"name": name, "is_family": True, **more})


def vulnerability(name: str = "CVE-2026-0001", *, marking: Marking = Level.GREEN, **more: Any) -> Stix:
    """A vulnerability by its CVE id."""
    references = [{"source_name": "cve", "external_id": name}]
    return sdo("vulnerability", marking=marking, **{"name": name, "external_references": references, **more})


def sco(kind: str, *, marking: Marking = None, **properties: Any) -> Stix:
    """Any SCO with a random id; the builders below give theirs the deterministic one."""
    common: Stix = {
        "type": kind,
        "spec_version": "2.1",
        "id": f"{kind}--{uuid4()}",
        "object_marking_refs": marked_by(marking),
    }
    return _without_none({**common, **properties})


def domain_name(value: str = "evil.example", **more: Any) -> Stix:
    """A domain name."""
    return sco("domain-name", **{"id": _deterministic("domain-name", value=value), "value": value, **more})


def ipv4(value: str = "198.51.100.7", **more: Any) -> Stix:
    """An IPv4 address (from the ranges for documentation, RFC 5737)."""
    return sco("ipv4-addr", **{"id": _deterministic("ipv4-addr", value=value), "value": value, **more})


def mail_address(value: str = "victim@mail.example", **more: Any) -> Stix:
    """A mailbox."""
    return sco("email-addr", **{"id": _deterministic("email-addr", value=value), "value": value, **more})


def url(value: str = "https://evil.example/login", **more: Any) -> Stix:
    """A URL."""
    return sco("url", **{"id": _deterministic("url", value=value), "value": value, **more})


def file_hash(sha256: str = "a" * 64, **more: Any) -> Stix:
    """A file by its SHA-256."""
    hashes = {"SHA-256": sha256}
    return sco("file", **{"id": _deterministic("file", hashes=hashes), "hashes": hashes, **more})


def _deterministic(kind: str, **contributing: Any) -> str:
    """UUIDv5 of the contributing properties as canonical JSON (STIX 2.1 section 2.9, RFC 8785 for these plain values)."""
    canonical = json.dumps(contributing, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"{kind}--{uuid5(_SCO_NAMESPACE, canonical)}"


def _id_of(thing: Stix | str) -> str:
    return thing if isinstance(thing, str) else str(thing["id"])


def _without_none(obj: Stix) -> Stix:
    return {name: value for name, value in obj.items() if value is not None}
