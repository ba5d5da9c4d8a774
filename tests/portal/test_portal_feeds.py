"""The page that tells people where their feeds are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from markupsafe import escape

from kentongan.domain.identity import Role
from kentongan_feeds.outbound.formats import LISTS
from portal_stories import Place


@pytest.mark.parametrize("are_public", [False, True])
def test_the_page_names_every_feed_with_a_line_about_it(kampung: Place, are_public: bool) -> None:
    settings = kampung.kentongan.settings.model_copy(
        update={"public_feeds": are_public, "public_url": "https://kentongan.example"}
    )
    kampung.app.extensions["kentongan"] = replace(kampung.kentongan, settings=settings)
    with kampung.region() as region:
        reader = region.joins("SingCERT")

    page = kampung.signed_in(reader, Role.SUBSCRIBER).sees("/feeds")

    for name, feed in LISTS.items():
        assert f"<code>https://kentongan.example/feeds/{name}</code>" in page
        assert escape(feed.says) in page
    assert ("https://kentongan.example/feeds/public/" in page) is are_public
    assert "Make a token" not in page


def test_only_an_administrator_is_led_to_the_tokens(kampung: Place) -> None:
    with kampung.region() as region:
        reader = region.joins("SingCERT")

    assert "Make a token" in kampung.signed_in(reader, Role.ADMINISTRATOR).sees("/feeds")
