"""Where one's organization finds its feeds, and what each is for."""

from __future__ import annotations

from flask import render_template

from kentongan.domain.identity import Scope
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.session import require


@portal.get("/feeds")
def feeds() -> str:
    """The list of addresses. What is in a feed is shown by the feed alone."""
    require(Scope.READ)
    settings = kentongan().settings
    return render_template(
        "portal/feeds.html",
        room="portal.feeds",
        feeds=kentongan().feed_formats.lists.values(),
        site=f"{settings.address.rstrip('/')}/feeds/",
        are_public=settings.public_feeds,
    )
