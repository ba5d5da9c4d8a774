"""The first page after the sign-in: what came last, and what waits."""

from __future__ import annotations

from typing import Final

from flask import render_template
from sqlalchemy.orm import Session

from kentongan.domain.identity import Identity, Scope
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.deliveries import KINDS
from kentongan.portal.session import reader
from kentongan.services.deliveries import Deliveries, DeliveryView
from kentongan.services.read_campaigns import CampaignSummary, ReadCampaigns
from kentongan.services.read_cases import ReadCases
from kentongan.services.read_incidents import IncidentFilter, ReadIncidents
from kentongan.services.read_overview import OwnSubmissions
from kentongan.services.recall import WAITING
from kentongan.services.summaries import CaseSummary

_SHOWN: Final = 6
_LOOKED_THROUGH: Final = 100


@portal.get("/")
def overview() -> str:
    """What a reader wants to see first, as far as the token may see it."""
    identity = reader()
    with kentongan().database.reading_for(identity) as db:
        incidents = ReadIncidents(db).page(identity, IncidentFilter(), limit=_SHOWN).items if _reads(identity) else ()
        return render_template(
            "portal/overview.html",
            room="portal.overview",
            incidents=incidents,
            cases=_with_several_reports(db, identity),
            campaigns=_campaigns(db, identity),
            waiting=_waiting(db, identity),
            kinds=KINDS,
            submissions=OwnSubmissions(db).page(identity, limit=_SHOWN).items if identity.may(Scope.SUBMIT) else (),
        )


def _reads(identity: Identity) -> bool:
    return identity.may(Scope.READ)


def _with_several_reports(db: Session, identity: Identity) -> list[CaseSummary]:
    if not _reads(identity):
        return []
    latest = ReadCases(db).page(identity, limit=_LOOKED_THROUGH).items
    return [case for case in latest if case.reports > 1][:_SHOWN]


def _campaigns(db: Session, identity: Identity) -> tuple[CampaignSummary, ...]:
    return ReadCampaigns(db).page(identity, limit=_SHOWN).items if _reads(identity) else ()


def _waiting(db: Session, identity: Identity) -> tuple[DeliveryView, ...]:
    if not identity.may(Scope.SUBSCRIPTIONS):
        return ()
    return Deliveries(db, kentongan().clock).page(identity, limit=_SHOWN, state=WAITING).items
