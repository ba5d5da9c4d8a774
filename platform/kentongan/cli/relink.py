"""`kentongan relink`: all links, cases and campaigns are worked out anew, after rules or weights changed."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from kentongan.bootstrap import Kentongan, assemble
from kentongan.cli import settings_of
from kentongan.cli.acting import AS_JSON, user
from kentongan.cli.output import show
from kentongan.domain.audit import Act
from kentongan.domain.identity import at_the_console
from kentongan.services.foresee_relink import ForeseeRelink
from kentongan.services.relink import PORTION, Relink
from kentongan.storage.audit import note
from kentongan.storage.jobs import Stage
from kentongan.storage.relinks import last_incident


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would change; stores nothing.")
@click.option(
    "--portion", type=click.IntRange(1, 5000), default=PORTION, show_default=True, help="Incidents per transaction."
)
@AS_JSON
@click.pass_context
def relink(ctx: click.Context, dry_run: bool, portion: int, as_json: bool) -> None:
    """Work out all links, cases and campaigns anew, after rules or weights changed. Nobody is alerted of what changes.

    Runs beside the platform, in portions. Broken off, it goes on where it was when it is called again; with other rules it begins
    anew.

    Example: kentongan relink --dry-run
    """
    kentongan = assemble(settings_of(ctx))
    try:
        told = _foreseen(kentongan, portion) if dry_run else _walked(kentongan, portion)
    finally:
        kentongan.database.close()
    show(told, as_json, _in_words(told, dry_run))


def _walked(kentongan: Kentongan, portion: int) -> dict[str, Any]:
    database, clock = kentongan.database, kentongan.clock
    with database.writing() as session:
        run = Relink(session, clock).begin()
        note(session, at_the_console(user()), Act.CHANGED, "platform", relinking_from=run.position, rules=run.rules)
    with _progress() as progress:
        bar = progress.add_task("Linking", total=run.last)
        while True:
            with database.reading() as session:
                found = Relink(session, clock, portion).look()
            if found is None:
                break
            with database.writing() as session:
                Relink(session, clock, portion).keep(found)
            progress.update(bar, completed=found.incident_ids[-1])
    with database.writing() as session:
        told = Relink(session, clock).finish()
    for stage in (Stage.PUBLISH, Stage.MEET):
        kentongan.nudge(stage)
    return told or {}


def _foreseen(kentongan: Kentongan, portion: int) -> dict[str, Any]:
    foreseeing, after = ForeseeRelink(kentongan.clock, portion), 0
    with kentongan.database.reading() as session:
        last = last_incident(session)
    with _progress() as progress:
        bar = progress.add_task("Comparing", total=last)
        while True:
            with kentongan.database.reading() as session:
                done = foreseeing.look(session, after, last)
            if done is None:
                break
            after = done
            progress.update(bar, completed=after)
    with kentongan.database.reading() as session:
        return foreseeing.report(session)


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(console=console, disable=not console.is_terminal)


def _in_words(told: dict[str, Any], dry_run: bool) -> str:
    if not told:
        return "another relink is at work"
    lines = [f"{told['incidents']} incidents compared anew{', nothing stored' if dry_run else ''}"]
    for kind, counted in sorted(told["links"].items()):
        lines.append(f"  {kind}: {counted['gained']} gained, {counted['lost']} lost, {counted['reweighed']} reweighed")
    for name in ("cases", "campaigns"):
        lines.append(f"  {name}: {told[name]['merged']} merged of several, {told[name]['split']} split")
    for rule, counted in sorted(told["rules"].items()):
        lines.append(f"    by {rule}: {counted['gained']} gained, {counted['lost']} lost")
    return "\n".join(lines)
