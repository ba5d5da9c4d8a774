"""`kentongan doctor`: what is wrong with this installation, and what to do."""

from __future__ import annotations

from dataclasses import asdict

import click
import orjson

from kentongan.bootstrap import Kentongan, assemble
from kentongan.checkup import Finding, examine
from kentongan.cli import settings_of
from kentongan.cli.output import fail
from kentongan.storage import jobs
from kentongan.storage.migrate import is_current


@click.command()
@click.option("--retry-failed", is_flag=True, help="First give the jobs that failed too often a fresh start.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(ctx: click.Context, retry_failed: bool, as_json: bool) -> None:
    """Look this installation over; changes nothing unless asked to. Ends with code 1 if something is to be done.

    Example: kentongan --data-dir ./data doctor
    """
    kentongan = assemble(settings_of(ctx))
    if retry_failed:
        _retry(kentongan)
    findings = list(examine(kentongan))
    kentongan.database.close()
    if as_json:
        listed = [asdict(finding) | {"fine": finding.is_fine} for finding in findings]
        click.echo(orjson.dumps(listed, option=orjson.OPT_INDENT_2).decode())
    else:
        for finding in findings:
            _show(finding)
    ctx.exit(0 if all(finding.is_fine for finding in findings) else 1)


def _retry(kentongan: Kentongan) -> None:
    if not is_current(kentongan.database):
        fail("the database does not have this version's tables; first: kentongan migrate")
    with kentongan.database.writing() as session:
        count = jobs.retry_failed(session, kentongan.clock())
    click.echo(f"{count} jobs were given a fresh start", err=True)


def _show(finding: Finding) -> None:
    mark = click.style("ok", fg="green") if finding.is_fine else click.style("!!", fg="red", bold=True)
    click.echo(f"{mark} {finding.subject}: {finding.words}")
    if not finding.is_fine:
        click.echo(f"   -> {finding.advice}")
