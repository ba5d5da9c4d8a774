"""Stories of people who decide: a region with cases and campaigns, what each of them is, and who says what of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import select

from kentongan.domain.decisions import Verdict
from kentongan.domain.identity import Identity, Scope
from kentongan.services.decide import Decide
from kentongan.services.read_decisions import DecisionView
from kentongan.storage.cases import DUPLICATE_OF, Campaign, Case, Link
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from matching_stories import Region

MEMBERS = ("CERT-ID", "CERT-TH", "CERT-VN")


def analyst(region: Region, name: str, *more: Scope) -> Identity:
    """Somebody of a member who may decide."""
    return replace(region.member(name), scopes=frozenset({Scope.READ, Scope.DECIDE, *more}), name="Sari")


def coordinator(region: Region, name: str = "Coordinator") -> Identity:
    """Somebody of the office that coordinates the region."""
    return analyst(region, name, Scope.COORDINATE)


def decide(
    region: Region, who: Identity, one: str, other: str, verdict: Verdict, kind: str = DUPLICATE_OF, why: str = "I know"
) -> DecisionView:
    """Say of two incidents (by STIX id) what they are to each other."""
    with region.database.writing() as session:
        return Decide(session, lambda: region.now, who).decide(one, other, kind, verdict, why)


def undo(region: Region, who: Identity, decision: str) -> DecisionView:
    """Take a decision back."""
    with region.database.writing() as session:
        return Decide(session, lambda: region.now, who).undo(decision, "I was wrong")


def seven_reports(region: Region) -> list[str]:
    """Two cases of two reports each that share a campaign, a third case in it, and two incidents that nothing ties."""
    about = [
        ("CERT-ID", "Ransomware at a bank", "Bank Kirana", ["dropper", "implant"]),
        ("CERT-TH", "Ransomware at Bank Kirana", "Bank Kirana", ["dropper", "implant"]),
        ("CERT-VN", "Ransomware at a port", "Port of Belawan", ["dropper", "loader"]),
        ("CERT-ID", "Port hit by ransomware", "Port of Belawan", ["dropper", "loader"]),
        ("CERT-TH", "Ransomware at a clinic", "Klinik Melati", ["loader", "third"]),
        ("CERT-VN", "Defaced pages of a school", "Sekolah Anggrek", ["page"]),
        ("CERT-ID", "Phishing of a ministry", "Kementerian Laut", ["letter"]),
    ]
    return [region.report(name, title, victim=victim, files=files) for name, title, victim, files in about]


def picture(database: Database) -> dict[str, Any]:
    """Everything that decisions may change and taking them back must restore: who is in which case and campaign, where what was
    merged leads, and every link with its evidence and date."""
    with database.reading() as session:
        links = session.execute(
            select(Link.kind, Link.left_id, Link.right_id, Link.score, Link.bits, Link.evidence, Link.found_at)
        )
        rows = session.execute(
            select(Incident.stix_id, Case.public_id, Campaign.public_id)
            .join(Case, Case.id == Incident.case_id)
            .outerjoin(Campaign, Campaign.id == Case.campaign_id)
        )
        leads = session.execute(select(Case.public_id, Case.merged_into_id, Case.home_id))
        return {
            "places": {row[0]: (row[1], row[2]) for row in rows},
            "leads": {row[0]: (row[1], row[2]) for row in leads},
            "links": sorted(map(repr, links)),
        }


def groups_of(database: Database, column: int = 0) -> set[frozenset[str]]:
    """The incidents that are in one case (0), or in one campaign or case alone (1)."""
    found: dict[str, set[str]] = {}
    for stix_id, (case, campaign) in picture(database)["places"].items():
        found.setdefault(case if column == 0 else campaign or case, set()).add(stix_id)
    return {frozenset(group) for group in found.values()}
