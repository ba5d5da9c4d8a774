"""A real Chromium that visits pages and notes whatever should not happen there."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_SWITCHES = (
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NO_CHROMIUM = "no Chromium on this machine: install the package `chromium`, or name one in KENTONGAN_TEST_CHROMIUM"
PATIENCE_MS = 60_000


def chromium() -> str | None:
    """The path of a Chromium: the one of KENTONGAN_TEST_CHROMIUM, else one on PATH."""
    return os.environ.get("KENTONGAN_TEST_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


def axe_script() -> str:
    """The source of axe-core, which finds what hinders people who cannot see, point or tell colours apart. It is locked like all
    that tests need: without it they fail."""
    spec = importlib.util.find_spec("axe_playwright_python")
    assert spec is not None, "axe-core is not installed: make setup"
    return (Path(str(spec.origin)).parent / "axe.min.js").read_text(encoding="utf-8")


@dataclass
class Visit:
    """One person's visit. `faults` are console errors and warnings, broken policies, exceptions, requests that leave."""

    page: Page
    origin: str
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Listen from the beginning."""
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"exception: {error}"))
        self.page.on("request", self._request)
        self.page.on("requestfailed", self._failed)

    def open(self, address: str) -> None:
        """Go to an address of the installation."""
        self.page.goto(self.origin + address)

    def sign_in(self, name: str, password: str) -> None:
        """Through the form."""
        self.open("/sign-in")
        self.page.get_by_label("Mail address").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        self.page.get_by_role("heading", level=1, name="What is going on").wait_for()

    def paste(self, document: str) -> None:
        """Through the form, up to the receipt."""
        self.open("/submit")
        self.page.get_by_label("Or paste the text").fill(document)
        self.page.get_by_role("button", name="Submit", exact=True).click()
        self.page.get_by_role("heading", level=1, name="Receipt of").wait_for()

    def hindrances(self, axe: str) -> list[str]:
        """What axe-core finds on this page by the rules of WCAG 2.2 A and AA, one line each."""
        self.page.evaluate(axe)
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
        found: Any = self.page.evaluate("tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", tags)
        return [f"{one['id']}: {node['html'][:120]}" for one in found["violations"] for node in one["nodes"]]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.type}: {message.text}")

    def _failed(self, request: Request) -> None:
        # A reader who goes on to the next page does not wait for the pictures of this one.
        if request.failure != "net::ERR_ABORTED":
            self.faults.append(f"failed: {request.url} {request.failure}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith(self.origin + "/"):
            self.faults.append(f"left for {request.url}")


@contextmanager
def browser() -> Iterator[Browser]:
    """A Chromium without a screen."""
    switches = [*_SWITCHES, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium(), args=switches)
        try:
            yield started
        finally:
            started.close()


@contextmanager
def visit(started: Browser, origin: str, **options: Any) -> Iterator[Visit]:
    """A visit with cookies of its own; further options as Playwright's `new_context` takes them."""
    context = started.new_context(**options)
    try:
        yield Visit(context.new_page(), origin)
    finally:
        context.close()
