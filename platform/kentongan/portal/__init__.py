"""The door for people: pages rendered on the server, behind a sign-in of people.

`register(app)` is all that the application calls; the modules below hang their views on one blueprint.
"""

from __future__ import annotations

from flask import Flask

from kentongan.portal import (
    account,
    audit,
    campaigns,
    cases,
    decisions,
    deliveries,
    drafts,
    elsewhere,
    erasing,
    factors,
    feeds,
    groups,
    incidents,
    incoming,
    links,
    masking,
    matching_report,
    organization,
    organizations,
    overview,
    people,
    presenting,
    retention,
    second_factor,
    sign_in,
    static_files,
    submissions,
    submit,
    subscriptions,
    tokens,
)
from kentongan.portal.blueprint import portal
from kentongan.portal.errors import plain_errors
from kentongan.portal.guard import guard
from kentongan.portal.session import sign_in_with_sessions

_MODULES_WITH_VIEWS = (
    account,
    audit,
    campaigns,
    cases,
    decisions,
    deliveries,
    drafts,
    elsewhere,
    erasing,
    factors,
    feeds,
    groups,
    incidents,
    incoming,
    links,
    masking,
    matching_report,
    organization,
    organizations,
    overview,
    people,
    presenting,
    retention,
    second_factor,
    sign_in,
    static_files,
    submissions,
    submit,
    subscriptions,
    tokens,
)


def register(app: Flask) -> None:
    """Open this door: needs `app.secret_key` and `app.extensions["kentongan"]`."""
    sign_in_with_sessions(app)
    guard(app)
    app.register_blueprint(portal)
    plain_errors(app)
