"""How the times of hidden and unknown are compared, and what they are compared on."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kentongan.bench.growth import Store
from kentongan.bench.region import fill
from kentongan.bench.secrecy import _above, _longer
from kentongan.domain.identity import Identity
from kentongan.services.read_campaigns import ReadCampaigns
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from kentongan.storage.visibility import AudienceRow, visible


def test_of_equal_times_each_is_longer_half_of_the_time() -> None:
    assert _above([1.0, 2.0, 3.0], [3.0, 1.0, 2.0]) == 0.5
    assert _above([2.0, 2.0], [2.0, 2.0, 2.0]) == 0.5


def test_times_that_differ_are_told_apart() -> None:
    share, low, high = _longer([2.0, 3.0, 4.0] * 20, [1.0, 2.0, 3.0] * 20)

    assert share == (1 + 1 + 1 + 1 + 1 + 1 + 0.5 + 0.5) / 9
    assert 0.5 < low <= share <= high <= 1.0


def test_the_region_to_measure_on_is_marked_in_every_way(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'region.sqlite'}")
    store = Store(database)

    filled = fill(store, 400)

    with database.reading() as session:
        stored = session.scalar(select(func.count()).select_from(Incident))
        classes = session.scalar(select(func.count(Incident.audience_id.distinct())))
        seen = {who: _seen(session, who) for who in (filled.member, filled.subscriber)}
        levels = set(session.scalars(select(AudienceRow.level).where(AudienceRow.owner_id != 1)))
        campaigns = ReadCampaigns(session).page(filled.member).items
    store.close()

    assert (stored, classes, levels) == (400, 88, {0, 1, 2, 3, 4})
    assert 0 < seen[filled.subscriber] < seen[filled.member] < 400
    assert campaigns


def _seen(session: Session, who: Identity) -> int:
    found = session.scalar(select(func.count()).where(visible(session, Incident.audience_id, who)))
    return int(found or 0)
