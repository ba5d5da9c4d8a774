"""Of a victim the page says its name, that the name is withheld, or that none was stated; these three are not the same."""

from __future__ import annotations

import pytest

from kentongan.domain.incident import Victim
from portal_stories import Place


@pytest.mark.parametrize(
    ("victims", "said", "unsaid"),
    [
        ((), "not stated", "withheld"),
        ((Victim(None),), "name withheld", "not stated"),
        ((Victim("Bank Nusantara"),), "Bank Nusantara", "withheld"),
    ],
)
def test_a_victim_is_named_withheld_or_not_stated(
    kampung: Place, victims: tuple[Victim, ...], said: str, unsaid: str
) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
        reported = region.reports(jakarta, victims=victims)

    page = kampung.signed_in(jakarta).sees(f"/incidents/{reported.public_id}")

    assert said in page
    assert unsaid not in page
