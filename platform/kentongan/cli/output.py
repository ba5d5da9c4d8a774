"""How commands speak: words for people, JSON for programs, errors on stderr with an exit code."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import click
import orjson


def show(value: Any, as_json: bool, words: str) -> None:
    """Print the value as JSON, or the words."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() if as_json else words)


def fail(message: str, code: int = 1) -> NoReturn:
    """Say what went wrong and end the command: 1 the wish was refused, 2 it was put wrongly, 3 nobody answered."""
    click.echo(f"kentongan: {message}", err=True)
    sys.exit(code)
