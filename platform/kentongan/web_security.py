"""The headers that every answer carries, whichever door it came from.

A page may load its own scripts, styles and images and nothing else; it may be framed by nobody; what it shows is kept by no
cache. Source: CSP Level 3; OWASP Secure Headers Project.
"""

from __future__ import annotations

from typing import Final

from flask import Flask, Response, request

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

PERMISSIONS_POLICY: Final = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "screen-wake-lock",
        "serial",
        "usb",
    )
)

HEADERS: Final[dict[str, str]] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": PERMISSIONS_POLICY,
    "X-Frame-Options": "DENY",
}
"""The same on every answer; X-Frame-Options says to old browsers what `frame-ancestors` says to the others."""

_TWO_YEARS: Final = "max-age=63072000"


def secure(app: Flask) -> None:
    """Let every answer of this application carry the headers above."""
    app.after_request(add_headers)


def add_headers(response: Response) -> Response:
    """Add what is missing; a view that said something about caching itself (static files do) is left alone."""
    response.headers.update(HEADERS)
    if "Cache-Control" not in response.headers or response.headers["Cache-Control"] == "no-cache":
        response.headers["Cache-Control"] = "no-store"
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = _TWO_YEARS
    return response
