"""Who was hit: the targeted parties of an incident, their sectors and countries, and names that were withheld."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from kentongan.domain.belonging import StixObject, listed
from kentongan.domain.incident import Victim
from kentongan.domain.vocabulary import SECTORS, country, is_country, sector

_TARGETING = frozenset({"targets", "impacts", "affects", "compromises", "targeted", "victim", "has-victim"})
_VICTIM_OF = frozenset({"victim-of", "affected-by", "targeted-by", "impacted-by"})
_VICTIM_ROLES = frozenset({"victim", "target", "affected", "targeted"})
_WITHHELD = re.compile(
    r"undisclosed|un-?named|anonymi[sz]ed|anonymous|anonim|withheld|redacted|confidential|not\s+(?:disclosed|named|public)|"
    r"non[\s-]?disclosed|sanitized|identity\s+protected|"
    r"dirahasiakan|rahasia|disamarkan|tidak\s+(?:di)?(?:ungkap|sebut|publik|nyata|dedah|kenal)\w*|tak\s+disebut\w*|dirahsiakan|rahsia|sulit\b|"
    r"(?:không|chưa)\s+(?:tiết lộ|công bố|nêu tên)|ẩn danh|giấu tên|bí mật|ไม่เปิดเผย|ไม่ระบุ|ปกปิด|"
    r"não\s+(?:divulgad|revelad|identificad)\w*|confidencial|an[oô]nim[oa]\b|non\s+divulgu\w*|la\s+divulga|di\s+isiniwalat|hindi\s+pinangalanan|"
    r"ບໍ່ເປີດເຜີຍ|មិនបង្ហាញ|មិនបញ្ចេញឈ្មោះ|အမည်မဖော်|未公开|匿名|保密",
    re.IGNORECASE,
)
_NOBODY = re.compile(
    r"[\W_]*|n/?a|none|null|nil|tbd|unknown(?:\s+\w+)?|tidak diketahui|không rõ|desconhecid[oa]|x{2,}|\*+|"
    r"(?:the\s+)?(?:victim|target|organi[sz]ation|company|entity|customer|client|korban|mangsa|nạn nhân|vítima)s?"
    r"(?:\s+(?:organi[sz]ation|company|entity|[a-z]|#?\d+))?",
    re.IGNORECASE,
)
_DESCRIBED = re.compile(
    r"(?:an?|one|some|several|sebuah|suatu|salah satu|seorang|sebuah|một|uma?|isang)\s+[\w\s-]+", re.IGNORECASE
)
_ASIDE = re.compile(r"[(\[]([^()\[\]]{2,60})[)\]]")


def shown_name(sent: object) -> str | None:
    """A victim's name; None where the reporter only says that there is one.

    `Undisclosed organisation (energy)`, `Victim A`, `a bank`, `Dirahasiakan` name nobody.
    """
    name = " ".join(sent.split()) if isinstance(sent, str) else ""
    bare = _ASIDE.sub(" ", name).strip()
    if not bare or _NOBODY.fullmatch(bare) or _WITHHELD.search(name):
        return None
    return None if _DESCRIBED.fullmatch(bare) and bare == bare.lower() else name


def victim(identity: StixObject, places: Iterable[str]) -> Victim:
    """One targeted identity as a Victim. What stands in brackets after a withheld name is read where it is a sector
    or a country of our vocabularies: `Undisclosed organisation (energy)`."""
    name = shown_name(identity.get("name")) if identity.get("identity_class") != "class" else None
    asides = [] if name else _ASIDE.findall(str(identity.get("name", "")))
    sectors = [sector(one) for one in listed(identity, "sectors") if isinstance(one, str)]
    sectors += [sector(one) for one in asides if sector(one) in SECTORS]
    countries = [*places, *(country(one) for one in asides if is_country(one))]
    return Victim(name, tuple(dict.fromkeys(sectors)), tuple(dict.fromkeys(countries)))


def victims_of(incident: StixObject, own: Sequence[StixObject]) -> list[StixObject]:
    """The identities an incident hit: targeted by it, by what it used, or said to be victims; never its reporter,
    unless targeted by name."""
    here = {stix["id"]: stix for stix in own if stix["type"] == "identity"}
    relations = [stix for stix in own if stix["type"] == "relationship"]
    hit: dict[str, None] = {}
    for relation in relations:
        kind, source, target = (relation.get(name) for name in ("relationship_type", "source_ref", "target_ref"))
        if kind in _TARGETING and target in here:
            hit[str(target)] = None
        if kind in _VICTIM_OF and source in here:
            hit[str(source)] = None
    for stix in own:
        if stix["type"] == "impact":
            hit |= dict.fromkeys(one for one in listed(stix, "impacted_refs") if isinstance(one, str) and one in here)
    if not hit:
        hit = dict.fromkeys(stix["id"] for stix in here.values() if _said_to_be_victim(stix))
    hit.pop("" if _targets_itself(incident, relations) else str(incident.get("created_by_ref")), None)
    return [here[one] for one in hit]


def _said_to_be_victim(identity: StixObject) -> bool:
    return any(isinstance(role, str) and role.lower() in _VICTIM_ROLES for role in listed(identity, "roles"))


def _targets_itself(incident: StixObject, relations: Sequence[StixObject]) -> bool:
    """Some reporters are the victim themselves and say so."""
    own = (incident["id"], incident.get("created_by_ref"))
    return any((relation.get("source_ref"), relation.get("target_ref")) == own for relation in relations)
