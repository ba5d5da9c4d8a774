"""`kentongan audit`: read the trail, prove it, sign its head."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
import orjson

from kentongan.bootstrap import Kentongan, assemble
from kentongan.cli import settings_of
from kentongan.cli.output import fail, show
from kentongan.keys import audit_key
from kentongan.services.audit import AuditTrail, SignHeads, Verdict, WrongHead, read_head, written_head


@click.group()
def audit() -> None:
    """What happened, by whom, and the proof that nobody rewrote it.

    Example: kentongan audit verify
    """


@audit.command()
@click.option(
    "--head", "head_file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A head kept earlier."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def verify(ctx: click.Context, head_file: Path | None, as_json: bool) -> None:
    """Prove the whole chain of entries; with a head that was kept, also that it is still the same chain.

    Ends with 0 when it holds, 1 when it does not: the first broken entry is named.

    Example: kentongan audit verify --head head-of-last-month.json
    """
    kentongan = _installation(ctx)
    try:
        kept = read_head(head_file.read_bytes()) if head_file else None
        with kentongan.database.reading() as session:
            verdict = AuditTrail(session).verify(kept)
    except WrongHead as error:
        fail(str(error), 2)
    show({**asdict(verdict), "holds": not verdict.broken}, as_json, _words(verdict, head_file))
    if verdict.broken:
        ctx.exit(1)


@audit.command()
@click.pass_context
def head(ctx: click.Context) -> None:
    """Sign the head of the trail as it is now, and print it: keep it elsewhere, and the trail cannot be rewritten unnoticed.

    Example: kentongan audit head > head.json
    """
    kentongan = _installation(ctx)
    with kentongan.database.writing() as session:
        signed = SignHeads(session, kentongan.clock, audit_key(kentongan.settings)).sign()
    if signed is None:
        fail("nothing happened yet: there is no head")
    click.echo(orjson.dumps(written_head(signed), option=orjson.OPT_INDENT_2).decode())


@audit.command()
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def heads(ctx: click.Context, limit: int, as_json: bool) -> None:
    """The heads that were signed, the newest first.

    Example: kentongan audit heads --json
    """
    with _installation(ctx).database.reading() as session:
        found = AuditTrail(session).heads(limit)
    lines = [f"{one.head.at}  entry {one.head.number}  {one.head.hash}" for one in found]
    show([written_head(one) for one in found], as_json, "\n".join(lines) or "No head was signed yet.")


def _installation(ctx: click.Context) -> Kentongan:
    return assemble(settings_of(ctx))


def _words(verdict: Verdict, head_file: Path | None) -> str:
    if not verdict.broken:
        kept = f", and it is the one that {head_file} was signed for" if head_file else ""
        return f"The chain of {verdict.entries} entries holds{kept}. Its head is {verdict.head or 'none yet'}."
    broken = "\n".join(f"  entry {one.number}: {one.why}" for one in verdict.broken)
    return f"The chain of {verdict.entries} entries is broken, first at entry {verdict.broken[0].number}:\n{broken}"
