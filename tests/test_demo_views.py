"""The demonstration's campaign: three CERTs and a subscriber see four different views of it, each the right one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from asking import Asker, Door
from kentongan.demo.views import CHAPTERS, GROUP, IN_THE_GROUP, READERS, faults, submissions, views
from kentongan.domain.identity import OrganizationKind
from kentongan.storage.database import Database
from kentongan.storage.organizations import Organization
from matching_stories import Region
from stories import group_of


def test_four_readers_see_four_views_of_one_campaign(database: Database, tmp_path: Path) -> None:
    door = Door(database, tmp_path)
    askers = {name: door.joins(name, _kind(name)) for name in {*READERS, *(each.reporter for each in CHAPTERS)}}
    with database.writing() as session:
        owner, *others = (session.get_one(Organization, _row(askers[name])) for name in IN_THE_GROUP)
        sent = submissions(group_of(session, GROUP, owner, *others).stix_id, owner.stix_id)

    for each in sent:
        answer = askers[each.reporter].ask("POST", "/submissions", json=each.bundle)
        assert answer.status_code == 202, answer.json
        Region(database).settle()

    found = views(lambda reader, path: _asked(askers[reader], path))
    assert faults(found) == []
    assert len({view.titles for view in found}) == len(READERS) == 4


def _kind(name: str) -> OrganizationKind:
    return OrganizationKind.MEMBER if name.startswith("CERT") else OrganizationKind.SUBSCRIBER


def _row(asker: Asker) -> int:
    return asker.identity.organization_id


def _asked(asker: Asker, path: str) -> dict[str, Any]:
    answer = asker.get(path)
    assert answer.status_code == 200, answer.json
    assert isinstance(answer.json, dict)
    return answer.json
