"""The web application: a list of steps."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Flask
from flask.json.provider import JSONProvider
from werkzeug.middleware.proxy_fix import ProxyFix

from kentongan import api, even_refusals, health, portal, requests_seen, taxii, web_security
from kentongan.bootstrap import Kentongan
from kentongan.keys import secret_key
from kentongan.prompt_bodies import PromptBodies
from kentongan.settings import Settings


def create_app(kentongan: Kentongan) -> Flask:
    """The three doors of one installation, ready to be served."""
    app = Flask("kentongan", static_folder=None)
    app.extensions["kentongan"] = kentongan
    app.secret_key = secret_key(kentongan.settings)
    app.json = OrjsonProvider(app)
    requests_seen.watch(app)
    even_refusals.even_out(app)
    web_security.secure(app)
    api.register(app)
    taxii.register(app)
    portal.register(app)
    health.register(app)
    _between_server_and_application(app, kentongan.settings)
    return app


def _between_server_and_application(app: Flask, settings: Settings) -> None:
    app.wsgi_app = PromptBodies(app.wsgi_app, settings.web_threads)  # type: ignore[method-assign]  # Flask's own way
    if proxies := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies)  # type: ignore[method-assign]  # the same


class OrjsonProvider(JSONProvider):
    """JSON by orjson, many times faster than the standard library's."""

    def dumps(self, obj: Any, **_options: Any) -> str:
        """As text; raises TypeError on what JSON has no form for."""
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_options: Any) -> Any:
        """From text or UTF-8 bytes; raises orjson.JSONDecodeError, a ValueError."""
        return orjson.loads(s)
