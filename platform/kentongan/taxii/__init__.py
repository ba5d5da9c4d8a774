"""The door for TAXII 2.1 clients (OASIS Standard, 10 June 2021): discovery at /taxii2/, one API root below it.

`register(app)` is all that the application calls; the modules below hang their endpoints on one blueprint.
"""

from __future__ import annotations

from flask import Flask

from kentongan.taxii import collections, objects, root
from kentongan.taxii.endpoint import refuse_unknown_addresses, taxii

MODULES_WITH_ENDPOINTS = (root, collections, objects)


def register(app: Flask) -> None:
    """Open this door: needs `app.extensions["kentongan"]`."""
    app.register_blueprint(taxii)
    app.before_request(refuse_unknown_addresses)
