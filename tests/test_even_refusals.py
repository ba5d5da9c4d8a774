"""What is refused as not there is answered at full steps of time, however long the looking took."""

from __future__ import annotations

import time
from collections.abc import Callable

from flask import Flask

from kentongan.even_refusals import STEP, even_out


def test_quick_and_slow_looking_end_at_the_same_step() -> None:
    app = Flask("looking", static_folder=None)
    even_out(app)
    app.add_url_rule("/quick", "quick", lambda: ("", 404))
    app.add_url_rule("/slow", "slow", _slowly)
    app.add_url_rule("/there", "there", lambda: "there")
    client = app.test_client()

    took = {each: min(_seconds(client.get, each) for _ in range(20)) for each in ("/quick", "/slow", "/there")}

    assert took["/quick"] >= STEP
    assert took["/slow"] >= STEP
    assert abs(took["/quick"] - took["/slow"]) < STEP / 8
    assert took["/there"] < STEP / 2


def _slowly() -> tuple[str, int]:
    time.sleep(STEP / 4)
    return "", 404


def _seconds(get: Callable[[str], object], address: str) -> float:
    started = time.perf_counter()
    get(address)
    return time.perf_counter() - started
