"""How long a refusal took tells nothing: what is hidden and what never was are answered after the same time.

Both run the same statements, yet a database that finds a row and then keeps it back takes some hundredths of a millisecond longer
than one that finds none. So a 404, and the answer of the search for a value, goes out at the next full step since the request came.
"""

from __future__ import annotations

import time
from typing import Final

from flask import Flask, Response, g, request

STEP: Final = 0.02
"""Seconds: several times what finding nothing takes."""
_SEARCHES: Final = frozenset({"api.find_observable"})


def even_out(app: Flask) -> None:
    """Have this application answer so."""
    app.before_request(_started)
    app.after_request(_wait)


def _started() -> None:
    g.came = time.perf_counter()


def _wait(response: Response) -> Response:
    if response.status_code == 404 or request.endpoint in _SEARCHES:
        taken = time.perf_counter() - g.get("came", time.perf_counter())
        time.sleep(STEP - taken % STEP)
    return response
