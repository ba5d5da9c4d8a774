"""Erase: what an organization sent leaves the platform when it demands it, in one transaction; a tombstone stays.

Nobody is looking on: who submits, indexes, joins cases or plans alerts waits until it is done, and what a stage had read
before is read again (storage/tombstones.py: last_erasure).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from kentongan.domain.audit import Act
from kentongan.domain.identity import Identity
from kentongan.domain.permissions import may_erase
from kentongan.services.errors import Erased, NotFound, Refused, Stone
from kentongan.services.index import Index
from kentongan.services.leaving import Leaving, leaving
from kentongan.services.publish import revoke_findings
from kentongan.services.recall import take_back
from kentongan.services.settling import settle_campaigns, settle_cases
from kentongan.services.stones import stone_of, told_of
from kentongan.services.weighing import let_go
from kentongan.storage import cases, erasing, jobs
from kentongan.storage.alerts import Alert, tell_in_order
from kentongan.storage.audit import note
from kentongan.storage.base import in_parts, new_public_id
from kentongan.storage.collection_entries import renew_entries
from kentongan.storage.crowds import entries_of
from kentongan.storage.database import accept_in_order, join_cases_in_order
from kentongan.storage.decisions import drop_decisions
from kentongan.storage.incidents import Incident
from kentongan.storage.jobs import Stage
from kentongan.storage.submissions import Submission
from kentongan.storage.tombstones import (
    INCIDENT,
    OBJECT,
    SUBMISSION,
    Tombstone,
    erase_alone,
    highest_number,
)

Clock = Callable[[], datetime]

LONGEST_REASON: Final = 1000
_LONGEST_WHO: Final = 500
_STIX_ID: Final = re.compile(r"incident--")


class Erase:
    """Takes back what an organization sent. With `recalls`, who was sent an alert about it is told that it is gone."""

    def __init__(self, session: Session, clock: Clock, *, recalls: bool = True) -> None:
        self._session = session
        self._clock = clock
        self._recalls = recalls

    def submission(self, who: Identity, organization_id: int, public_id: str, reason: str = "") -> Stone:
        """Erase one submission with everything that nobody else sent too.

        Of the reason only what can be seen is kept. Raises NotFound for what is not there or not this organization's, Erased for
        what was erased before, and Refused for a reason that is too long.
        """
        reason = self._begin(who, organization_id, reason)
        found = self._submissions(organization_id, Submission.public_id == public_id)
        if not found:
            raise self._not_there(SUBMISSION, public_id, organization_id)
        (submission,) = found
        stone = self._stone(who, reason, submission)
        self._erase(who, [stone], leaving(self._session, organization_id, [submission], {}))
        return told_of(stone)

    def submissions(self, who: Identity, organization_id: int, ids: Collection[int], reason: str) -> None:
        """Erase those of these submissions (row numbers) that are still there, at once. Raises as `submission` does."""
        reason = self._begin(who, organization_id, reason)
        found = self._submissions(organization_id, Submission.id.in_(sorted(ids)))
        if found:
            stones = [self._stone(who, reason, one) for one in found]
            self._erase(who, stones, leaving(self._session, organization_id, found, {}))

    def incident(self, who: Identity, organization_id: int, any_id: str, reason: str = "") -> Stone:
        """Erase one incident with all its versions, and what was sent for it alone; by the platform's id or its STIX id.

        A document that held other incidents too keeps them; its bytes go. Raises as `submission` does.
        """
        reason = self._begin(who, organization_id, reason)
        by_id = Incident.stix_id == any_id if _STIX_ID.match(any_id) else Incident.public_id == any_id
        mine = Incident.organization_id == organization_id
        incident = self._session.scalars(select(Incident).where(by_id, mine)).one_or_none()
        if incident is None:
            raise self._not_there(INCIDENT, any_id, organization_id)
        whole, parts = self._documents_of(incident)
        stone = self._stone(who, reason, incident)
        stones = [stone, *(self._stone(who, reason, one) for one in whole)]
        self._erase(who, stones, leaving(self._session, organization_id, whole, parts))
        return told_of(stone)

    def objects(self, who: Identity, stix_id: str, numbers: Collection[int]) -> None:
        """Erase these contents of one object (row numbers), as far as who asks sent them: with the documents that hold nothing
        else, and out of the others. Raises NotFound for who may not erase."""
        owner, wanted = who.organization_id, set(numbers)
        reason = self._begin(who, owner, "")
        holders = {
            number: {pair[0] for pair in pairs}
            for number, pairs in erasing.carriers_among(self._session, owner, wanted).items()
        }
        parts = {number: held & wanted for number, held in holders.items() if not held <= wanted}
        whole = self._submissions(owner, Submission.id.in_(sorted(holders.keys() - parts.keys())))
        stone = self._stone_of_object(who)
        stones = [stone, *(self._stone(who, reason, one) for one in whole)]
        self._erase(who, stones, leaving(self._session, owner, whole, parts))
        note(self._session, who, Act.ERASED, f"object {stix_id}", about_id=owner)

    def _begin(self, who: Identity, organization_id: int, reason: str) -> str:
        if not may_erase(who, organization_id):
            raise NotFound("nothing of another organization's can be erased")
        reason = " ".join("".join(one if one.isprintable() else " " for one in reason).split())
        if len(reason) > LONGEST_REASON:
            raise Refused(f"a reason has at most {LONGEST_REASON} characters")
        accept_in_order(self._session)
        join_cases_in_order(self._session)
        erase_alone(self._session)
        erasing.overwrite_what_is_deleted(self._session)
        return reason

    def _submissions(self, organization_id: int, which: Any) -> list[Submission]:  # Any: a clause
        query = select(Submission).where(Submission.organization_id == organization_id, which)
        columns = (undefer(Submission.carried), undefer(Submission.outcomes))
        fresh = query.options(*columns).order_by(Submission.id).execution_options(populate_existing=True)
        return list(self._session.scalars(fresh))

    def _not_there(self, kind: str, public_id: str, organization_id: int) -> Exception:
        stone = stone_of(self._session, kind, public_id, organization_id)
        return Erased(f"this {kind} was erased", stone) if stone else NotFound(f"there is no such {kind}")

    def _documents_of(self, incident: Incident) -> tuple[list[Submission], dict[int, set[int]]]:
        """The submissions that hold no other incident, and of the others the objects that came for this one alone."""
        session, owner = self._session, incident.organization_id
        versions = erasing.versions_of(session, owner, [incident.stix_id])
        holders = erasing.carriers_among(session, owner, versions)
        told = erasing.stix_ids_of(session, {pair[0] for pairs in holders.values() for pair in pairs})
        others = {name for name, kind in told.values() if kind == "incident"} - {incident.stix_id}
        theirs = {ref for facts in self._facts(owner, others) for ref in facts.get("object_ids", ())}
        own = {incident.stix_id, *incident.facts.get("object_ids", ())} - theirs - others
        parts: dict[int, set[int]] = {}
        for number, pairs in holders.items():
            if any(told[pair[0]][0] in others for pair in pairs):
                parts[number] = {pair[0] for pair in pairs if told[pair[0]][0] in own}
        return self._submissions(owner, Submission.id.in_(sorted(holders.keys() - parts.keys()))), parts

    def _facts(self, organization_id: int, stix_ids: Collection[str]) -> list[dict[str, Any]]:
        query = select(Incident.facts).where(Incident.organization_id == organization_id)
        return [
            facts
            for some in in_parts(sorted(stix_ids))
            for facts in self._session.scalars(query.where(Incident.stix_id.in_(some)))
        ]

    def _stone(self, who: Identity, reason: str, erased: Submission | Incident) -> Tombstone:
        stone = Tombstone(
            kind=SUBMISSION if isinstance(erased, Submission) else INCIDENT,
            public_id=erased.public_id,
            organization_id=erased.organization_id,
            received_at=erased.received_at,
            sha256=erased.sha256 if isinstance(erased, Submission) else None,
            erased_at=self._clock(),
            who=_named(who),
            reason=reason,
            recalls=self._recalls,
            highest_object=highest_number(self._session),
        )
        self._session.add(stone)
        self._session.flush()
        return stone

    def _stone_of_object(self, who: Identity) -> Tombstone:
        now = self._clock()
        stone = Tombstone(
            kind=OBJECT,
            public_id=new_public_id(),  # the object itself may be sent again, and erased again
            organization_id=who.organization_id,
            received_at=now,
            sha256=None,
            erased_at=now,
            who=_named(who),
            reason="",
            recalls=self._recalls,
            highest_object=highest_number(self._session),
        )
        self._session.add(stone)
        self._session.flush()
        return stone

    def _erase(self, who: Identity, stones: Sequence[Tombstone], going: Leaving) -> None:
        """Alerts are taken back in the name of the first of the stones."""
        incident_ids = [one.id for one in going.incidents]
        tell_in_order(self._session, incident_ids)
        neighbours = erasing.linked_with(self._session, incident_ids)
        case_ids = {one.case_id for one in going.incidents if one.case_id is not None}
        deliveries, told = self._take_back_alerts(stones[0], going)
        entries = entries_of(self._session, incident_ids)
        values = erasing.drop_entries(self._session, incident_ids)
        neighbours |= drop_decisions(self._session, [one.id for one in going.gone])
        campaigners = revoke_findings(self._session, incident_ids, self._clock())
        self._let_survivors_follow(going)
        values |= self._drop(going)
        self._index_again(going)
        weighed_otherwise = let_go(self._session, entries - entries_of(self._session, incident_ids))
        erasing.drop_unseen_observables(self._session, values)
        self._fall_apart(neighbours, case_ids)
        self._drop_jobs(going, deliveries)
        jobs.add(self._session, Stage.DEDUPLICATE, sorted(neighbours | weighed_otherwise), self._clock())
        jobs.add(self._session, Stage.PUBLISH, sorted(campaigners), self._clock())
        self._note(who, stones, {"incidents": len(going.gone), "recalled": len(told)})

    def _note(self, who: Identity, stones: Sequence[Tombstone], counted: dict[str, int]) -> None:
        for stone in stones:
            what = f"{stone.kind} {stone.public_id}"
            told = {**(counted if stone is stones[0] else {}), "reason": stone.reason}
            note(self._session, who, Act.ERASED, what, about_id=stone.organization_id, **told)

    def _take_back_alerts(self, stone: Tombstone, going: Leaving) -> tuple[set[int], set[int]]:
        """Alerts about a version that another document of the organization still carries are about that one from now on."""
        stays = {one.incident.id for one in going.survivors}
        name_of = {one.id: one.public_id for one in going.incidents}
        gone: dict[int, str] = {}
        for alert in self._alerts(going):
            if alert.incident_id in stays and alert.object_id in going.home:
                alert.submission_id = going.home[alert.object_id]
            else:
                gone[alert.id] = name_of[alert.incident_id]
        self._session.flush()
        return take_back(self._session, stone, gone, self._clock())

    def _alerts(self, going: Leaving) -> list[Alert]:
        """All about an incident that goes, and of one that stays those about what goes."""
        whole, found = {one.id for one in going.whole}, []
        gone = {one.id for one in going.gone}
        for some in in_parts([one.id for one in going.incidents]):
            for alert in self._session.scalars(select(Alert).where(Alert.incident_id.in_(some)).order_by(Alert.id)):
                of_whole = alert.submission_id in whole or alert.object_id in going.objects - going.home.keys()
                if alert.incident_id in gone or of_whole:
                    found.append(alert)
        return found

    def _let_survivors_follow(self, going: Leaving) -> None:
        for survivor in going.survivors:
            survivor.incident.object_id = survivor.object_id
            survivor.incident.submission_id = survivor.submission_id
        self._session.flush()

    def _drop(self, going: Leaving) -> set[int]:
        """The rows themselves; gives the values that their objects carried."""
        leave = {number: erasing.stix_ids_of(self._session, numbers) for number, numbers in going.parts.items()}
        for submission in self._submissions(going.organization_id, Submission.id.in_(sorted(going.parts))):
            _shorten(submission, going.parts[submission.id], {name for name, _ in leave[submission.id].values()})
        self._session.flush()
        less = erasing.stix_ids_of(self._session, {object_id for object_id, _ in going.carriers})
        erasing.drop_incidents(self._session, [one.id for one in going.gone])
        erasing.drop_carriers(self._session, going.carriers)
        values = erasing.drop_unheld_objects(self._session, going.objects)
        erasing.drop_submissions(self._session, [one.id for one in going.whole])
        renew_entries(self._session, {name for name, _ in less.values()}, self._clock())
        for row in (*going.gone, *going.whole):
            self._session.expunge(row)
        return values

    def _index_again(self, going: Leaving) -> None:
        """What stays of an incident is told by what stays alone, from this moment on."""
        if going.survivors:
            again = sorted({one.submission_id for one in going.survivors})
            Index(self._session, self._clock).run(again)

    def _fall_apart(self, neighbours: Collection[int], case_ids: Collection[int]) -> None:
        """What hung together only by what is gone parts: cases first, then campaigns; a case without reports leaves its own."""
        now = self._clock()
        members = cases.incidents_in(self._session, case_ids)
        settle_cases(self._session, members.keys() | set(neighbours), now)
        settle_campaigns(self._session, case_ids, now)

    def _drop_jobs(self, going: Leaving, deliveries: Collection[int]) -> None:
        gone = [one.id for one in going.gone]
        subjects: dict[Stage, Collection[int]] = {Stage.INDEX: [one.id for one in going.whole]}
        stages = (Stage.DEDUPLICATE, Stage.CORRELATE, Stage.MATCH, Stage.PUBLISH, Stage.MEET)
        subjects |= dict.fromkeys(stages, gone)
        erasing.drop_jobs(self._session, subjects | {Stage.DELIVER: deliveries})


def _named(who: Identity) -> str:
    """Example: `Sari of ID-CERT`."""
    name = f"{who.name} of {who.organization_name}" if who.name else who.organization_name
    return name[:_LONGEST_WHO]


def _shorten(submission: Submission, numbers: Collection[int], stix_ids: Collection[str]) -> None:
    """A document that held something that is erased is kept without it, and so no longer as it was received."""
    submission.carried = erasing.carried_without([(p[0], p[1]) for p in submission.carried], numbers)
    submission.outcomes = erasing.outcomes_without(submission.outcomes, stix_ids)
    submission.content = None
    submission.accepted = len(submission.carried)
