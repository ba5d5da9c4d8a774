"""Counts, times and logs every request by its route: `/api/v1/incidents/<id>`, never the path, which may name hidden things."""

from __future__ import annotations

import time

import structlog
from flask import Flask, Response, g, request
from prometheus_client import Counter, Histogram

_REQUESTS = Counter("kentongan_requests", "Requests answered", ["method", "route", "status"])
_SECONDS = Histogram("kentongan_request_seconds", "Seconds until the answer was ready", ["method", "route"])
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_UNWATCHED = {"/healthz", "/readyz", "/metrics"}

_log = structlog.get_logger(__name__)


def watch(app: Flask) -> None:
    """Look at each request as it comes and as its answer leaves."""
    app.before_request(_started)
    app.after_request(_answered)


def _started() -> None:
    g.started = time.perf_counter()


def _answered(response: Response) -> Response:
    route = request.url_rule.rule if request.url_rule else "(none)"
    method = request.method if request.method in _METHODS else "(other)"
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    _REQUESTS.labels(method, route, response.status_code).inc()
    _SECONDS.labels(method, route).observe(seconds)
    if route not in _UNWATCHED:
        _log.info("request", method=method, route=route, status=response.status_code, ms=round(seconds * 1000, 1))
    return response
