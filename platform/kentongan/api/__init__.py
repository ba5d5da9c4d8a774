"""The door for programs: JSON under /api/v1, described at /api/v1/openapi.json and, for people, at /api/v1/docs; and feeds.

`register(app)` is all that the application calls; the modules below hang their endpoints on one blueprint.
"""

from __future__ import annotations

from flask import Flask

from kentongan.api import (
    audit,
    campaigns,
    cases,
    decisions,
    deliveries,
    erasing,
    feeds,
    groups,
    inbound,
    incidents,
    matching_report,
    objects,
    observables,
    openapi,
    organizations,
    pushing,
    retention,
    submissions,
    subscriptions,
    tokens,
)
from kentongan.api.operation import api, refuse_unknown_addresses

MODULES_WITH_ENDPOINTS = (
    submissions,
    incidents,
    decisions,
    erasing,
    cases,
    campaigns,
    matching_report,
    objects,
    observables,
    subscriptions,
    deliveries,
    inbound,
    pushing,
    organizations,
    groups,
    tokens,
    audit,
    retention,
    openapi,
)
"""In the order in which the description names them."""


def register(app: Flask) -> None:
    """Open this door: needs `app.extensions["kentongan"]`."""
    app.register_blueprint(api)
    app.register_blueprint(feeds.feeds)
    app.before_request(refuse_unknown_addresses)
