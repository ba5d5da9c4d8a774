"""The web application: a list of steps."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Flask
from flask.json.provider import JSONProvider

from kentongan import api, health, portal, requests_seen, web_security
from kentongan.bootstrap import Kentongan
from kentongan.keys import secret_key


def create_app(kentongan: Kentongan) -> Flask:
    """The three doors of one installation, ready to be served."""
    app = Flask("kentongan", static_folder=None)
    app.extensions["kentongan"] = kentongan
    app.secret_key = secret_key(kentongan.settings)
    app.json = OrjsonProvider(app)
    requests_seen.watch(app)
    web_security.secure(app)
    api.register(app)
    portal.register(app)
    health.register(app)
    return app


class OrjsonProvider(JSONProvider):
    """JSON by orjson, many times faster than the standard library's."""

    def dumps(self, obj: Any, **_options: Any) -> str:
        """As text; raises TypeError on what JSON has no form for."""
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_options: Any) -> Any:
        """From text or UTF-8 bytes; raises orjson.JSONDecodeError, a ValueError."""
        return orjson.loads(s)
