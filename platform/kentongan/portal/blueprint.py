"""The one blueprint that all pages hang on, and how they reach the running installation."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flask import Blueprint, current_app

if TYPE_CHECKING:
    from kentongan.bootstrap import Kentongan

portal = Blueprint("portal", __name__, template_folder="templates", static_folder="static", static_url_path="/static")


def kentongan() -> Kentongan:
    """The installation that this application serves."""
    return cast("Kentongan", current_app.extensions["kentongan"])
