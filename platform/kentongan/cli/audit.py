"""`kentongan audit`: who did what; whether the trail is whole; signed heads for those who want to keep an eye on it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson

from kentongan.bootstrap import Kentongan, assemble
from kentongan.cli import settings_of
from kentongan.cli.acting import user
from kentongan.cli.output import fail, show
from kentongan.domain.audit import Act
from kentongan.domain.audit_head import NoHead, SignedHead, read_head
from kentongan.domain.identity import at_the_console
from kentongan.keys import audit_key
from kentongan.services.audit import AuditEntryView, AuditFilter, ReadAudit
from kentongan.services.audit_heads import Heads, SignHeads, Verdict, VerifyAudit
from kentongan.services.paging import MOST_PER_PAGE

_DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])
_MOST = click.IntRange(1, MOST_PER_PAGE)


@click.group()
def audit() -> None:
    """The audit trail: every entry is tied to the one before it by its hash.

    Example: kentongan audit verify
    """


@audit.command("verify")
@click.option(
    "--head",
    "files",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="A head published earlier, or a page of them, as the API answered it; repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def verify(ctx: click.Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Go through the whole trail; ends with code 1 and the first broken entry if it does not hold.

    Whoever owns the database can make all hashes anew. A head that somebody kept outside tells: give it with --head.

    Example: kentongan audit verify --head heads-of-last-month.json
    """
    published = [head for file in files for head in _heads_in(file)]
    kentongan = assemble(settings_of(ctx))
    with kentongan.database.reading() as session:
        verdict = VerifyAudit(session).verify(published)
    show(asdict(verdict) | {"holds": verdict.holds}, as_json, _in_words(verdict))
    ctx.exit(0 if verdict.holds else 1)


@audit.command("head")
@click.pass_context
def head(ctx: click.Context) -> None:
    """Sign what the last entry is at this moment, keep it, and print it as JSON: give it to somebody who keeps it too.

    Example: kentongan audit head > head.json
    """
    kentongan = assemble(settings_of(ctx))
    with kentongan.database.writing() as session:
        signed = _signer(kentongan, session).sign()
    if signed is None:
        fail("the trail is empty: there is nothing to sign yet")
    click.echo(orjson.dumps(signed.as_json(), option=orjson.OPT_INDENT_2).decode())


@audit.command("heads")
@click.option("--limit", type=_MOST, default=24, show_default=True, help="How many at most, the newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as `audit verify --head` takes it.")
@click.pass_context
def heads(ctx: click.Context, limit: int, as_json: bool) -> None:
    """Show the heads that were signed, the newest first.

    Example: kentongan audit heads --json > heads.json
    """
    kentongan = assemble(settings_of(ctx))
    with kentongan.database.reading() as session:
        signed = Heads(session).page(limit).items
    words = "\n".join(f"{one.at}  entry {one.number}  {one.hash}" for one in signed)
    show([one.as_json() for one in signed], as_json, words or "None was signed yet: kentongan audit head")


@audit.command("list")
@click.option("--act", type=click.Choice([act.value for act in Act]), help="Only what was done so.")
@click.option("--after", type=_DAY, help="Not before this moment, in UTC.")
@click.option("--before", type=_DAY, help="Only before this moment, in UTC.")
@click.option("--limit", type=_MOST, default=50, show_default=True, help="How many at most, the newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def list_entries(
    ctx: click.Context,
    act: str | None,
    after: datetime | None,
    before: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show administrative acts: who takes part, and who let them. What members read, their administrators see.

    Example: kentongan audit list --act added --after 2026-03-01
    """
    wanted = AuditFilter(Act(act) if act else None, _in_utc(after), _in_utc(before))
    kentongan = assemble(settings_of(ctx))
    with kentongan.database.reading() as session:
        found = ReadAudit(session).page(at_the_console(user()), wanted, limit).items
    show([asdict(entry) for entry in found], as_json, "\n".join(map(_line, found)) or "Nothing fits.")


def _signer(kentongan: Kentongan, session: Any) -> SignHeads:
    return SignHeads(session, kentongan.clock, audit_key(kentongan.settings), kentongan.settings.address)


def _heads_in(file: Path) -> list[SignedHead]:
    """One head, a list of them, or a page as the API answers it."""
    try:
        given = orjson.loads(file.read_bytes())
        listed = given["items"] if isinstance(given, dict) and "items" in given else given
        return [read_head(one) for one in (listed if isinstance(listed, list) else [listed])]
    except (orjson.JSONDecodeError, NoHead) as error:
        fail(f"{file}: {error}", 2)


def _in_words(verdict: Verdict) -> str:
    told = f"{verdict.entries} entries, {verdict.heads} signed heads"
    if verdict.holds:
        return f"The trail holds: {told}. Its head is {verdict.head}"
    first, *others = verdict.breaks
    lines = [f"THE TRAIL IS BROKEN ({told}).", f"First broken entry: {first.number}: {first.why}"]
    return "\n".join([*lines, *(f"also entry {one.number}: {one.why}" for one in others)])


def _line(entry: AuditEntryView) -> str:
    who = f"{entry.organization} ({entry.name or '-'}, {entry.address or '-'})"
    return f"{entry.number:>8}  {entry.at:%Y-%m-%d %H:%M:%S}  {who}  {entry.act.value}: {entry.subject}"


def _in_utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None
