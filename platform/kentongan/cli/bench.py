"""`kentongan bench`: measure this installation's code on this machine."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import click
import orjson

from kentongan.bench.measure import Report, machine
from kentongan.bench.stage import BenchFailed
from kentongan.cli.output import fail

_DATABASE = click.option(
    "--database-url", default="", help="A PostgreSQL to measure on; default: a throw-away SQLite file."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def bench() -> None:
    """Measure: medians of several rounds, as ratios to a peer or a floor in the same run. Keep the machine quiet.

    Example: kentongan bench accept --rounds 5
    """


@bench.command("accept")
@click.option("--rounds", default=5, show_default=True)
@click.option("--bundles", default=12, show_default=True, help="Bundles of 1,000 objects in each round.")
@click.option("--web-workers", default=2, show_default=True)
@_DATABASE
@_JSON
def accept(as_json: bool, **how: Any) -> None:
    """Objects accepted per second, next to stix2.parse and a raw insert.

    Example: kentongan bench accept --web-workers 1
    """
    _measure("accept", as_json, **how)


@bench.command("road")
@click.option("--rounds", default=3, show_default=True)
@click.option("--incidents", default=600, show_default=True, help="Incidents in each round.")
@click.option("--indicators", default=10, show_default=True, help="Indicators of each incident.")
@_DATABASE
@_JSON
def road(as_json: bool, **how: Any) -> None:
    """Incidents and indicators per second from HTTP to matched, and the memory of it all.

    Example: kentongan bench road --json
    """
    _measure("road", as_json, **how)


@bench.command("latency")
@click.option("--incidents", default=200, show_default=True)
@_DATABASE
@_JSON
def latency(as_json: bool, **how: Any) -> None:
    """Milliseconds from submitting to the webhook's arrival, next to an empty task and a POST.

    Example: kentongan bench latency
    """
    _measure("latency", as_json, **how)


@bench.command("growth")
@click.option("--sizes", default="10000,100000,300000", show_default=True, help="Stored incidents at which to measure.")
@click.option("--rounds", default=5, show_default=True)
@_DATABASE
@_JSON
def growth(as_json: bool, sizes: str, **how: Any) -> None:
    """What one more incident costs, with more and more of them stored.

    Example: kentongan bench growth --sizes 1000,10000
    """
    _measure("growth", as_json, sizes=[int(size) for size in sizes.split(",")], **how)


@bench.command("reading")
@click.option("--size", default=10_000, show_default=True, help="Stored incidents among which to read.")
@click.option("--rounds", default=200, show_default=True)
@_DATABASE
@_JSON
def reading(as_json: bool, **how: Any) -> None:
    """What an entry in the audit trail adds to a read, with and without somebody submitting.

    Example: kentongan bench reading
    """
    _measure("reading", as_json, **how)


@bench.command("chaos")
@click.option("--minutes", default=5.0, show_default=True)
@_DATABASE
@_JSON
def chaos(as_json: bool, **how: Any) -> None:
    """Submit while parts are killed at random, and show that nothing accepted is lost and nothing happens twice.

    Example: kentongan bench chaos --minutes 30
    """
    _measure("chaos", as_json, **how)


@bench.command("filter")
@click.option("--incidents", default=100_000, show_default=True, help="Stored incidents.")
@click.option("--rounds", default=41, show_default=True, help="Turns of each way of asking.")
@_DATABASE
@_JSON
def filter_policy(as_json: bool, **how: Any) -> None:
    """What the sharing policy adds to lists and searches, next to the same without it.

    Example: kentongan bench filter --incidents 20000
    """
    _measure("filter", as_json, **how)


@bench.command("secrecy")
@click.option("--requests", default=500, show_default=True, help="Requests for each of the two ids compared.")
@_DATABASE
@_JSON
def secrecy(as_json: bool, **how: Any) -> None:
    """Whether the time of an answer tells what is hidden from what never was.

    Example: kentongan bench secrecy --requests 2000
    """
    _measure("secrecy", as_json, **how)


@bench.command("taxii")
@click.option("--objects", default=100_000, show_default=True, help="Stored objects.")
@click.option("--rounds", default=30, show_default=True, help="Turns of each question.")
@click.option(
    "--medallion",
    default="",
    help="Measure medallion beside us: a Python that has it, or 'install' for one made for the run from the package registry.",
)
@click.option(
    "--medallion-objects",
    default=400,
    show_default=True,
    help="Objects it holds: a first page takes it time in their square.",
)
@_DATABASE
@_JSON
def taxii(as_json: bool, **how: Any) -> None:
    """Reading and adding over TAXII, next to a bare view, a bare insert and medallion.

    Example: kentongan bench taxii --objects 20000 --medallion install
    """
    _measure("taxii", as_json, **how)


def _measure(name: str, as_json: bool, **how: Any) -> None:
    run: Callable[..., Report] = getattr(import_module(f"kentongan.bench.{name}"), name)
    try:
        report = run(**how)
    except BenchFailed as error:
        fail(str(error))
    if as_json:
        click.echo(orjson.dumps({"machine": machine(), **report.as_json()}, option=orjson.OPT_INDENT_2))
    else:
        click.echo(f"{report.as_markdown()}\n\n{machine()}")
