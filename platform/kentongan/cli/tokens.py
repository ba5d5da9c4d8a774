"""`kentongan token`: what machines show to be known."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import click

from kentongan.cli.acting import AS_JSON, acting, moment
from kentongan.cli.output import show
from kentongan.domain.identity import Scope
from kentongan.domain.permissions import OF_TOKENS
from kentongan.services.organizations import Organizations
from kentongan.services.tokens import Tokens

SCOPES = click.Choice(sorted(scope.value for scope in OF_TOKENS))


@click.group()
def token() -> None:
    """Tokens: what a machine shows to be known.

    Example: kentongan token create --org CERT-ID --scope submit --scope read
    """


@token.command("create")
@click.option("--org", "name", required=True, help="The organization it is for.")
@click.option(
    "--scope", "scopes", type=SCOPES, multiple=True, required=True, help="What it may be used for; repeatable."
)
@click.option("--label", default="", help="A name for it.")
@click.option("--expires", callback=moment, help="From when on it opens nothing, e.g. 2027-06-30.")
@click.option("--network", "networks", multiple=True, help="From where it may be used, e.g. 192.0.2.0/24; repeatable.")
@click.option("--read-only", is_flag=True, help="It may change nothing, whatever its scopes.")
@AS_JSON
@click.pass_context
def create(
    ctx: click.Context,
    name: str,
    scopes: tuple[str, ...],
    label: str,
    expires: datetime | None,
    networks: tuple[str, ...],
    read_only: bool,
    as_json: bool,
) -> None:
    """Make a token and print it: this once, it is stored only as a hash.

    Example: kentongan token create --org CERT-ID --scope submit --scope read --network 192.0.2.0/24
    """
    with acting(ctx) as (session, clock, who):
        made = Tokens(session, clock, who).create(
            Organizations(session, clock, who).named(name),
            frozenset(Scope(scope) for scope in scopes),
            label=label,
            expires_at=expires,
            networks=networks or None,
            read_only=read_only,
        )
    shown = {"organization": name, "id": made.token.id, "scopes": sorted(scopes), "token": made.secret}
    show(shown, as_json, made.secret)


@token.command("list")
@click.option("--org", "name", required=True, help="The organization whose they are.")
@AS_JSON
@click.pass_context
def list_all(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show an organization's tokens: how they begin, what they may, when they were last used.

    Example: kentongan token list --org CERT-ID
    """
    with acting(ctx) as (session, clock, who):
        found = Tokens(session, clock, who).all(Organizations(session, clock, who).named(name))
    lines = [
        f"{each.id}  {each.prefix}...  {','.join(each.scopes)}{' read-only' if each.read_only else ''}  "
        f"{'revoked' if each.revoked else f'last used {each.last_used_at:%Y-%m-%d %H:%M}' if each.last_used_at else 'unused'}"
        f"  {each.label}"
        for each in found
    ]
    show([asdict(each) for each in found], as_json, "\n".join(lines) or "None yet.")


@token.command("revoke")
@click.argument("token_id")
@click.option("--org", "name", required=True, help="The organization whose it is.")
@AS_JSON
@click.pass_context
def revoke(ctx: click.Context, token_id: str, name: str, as_json: bool) -> None:
    """Let a token open nothing any more.

    Example: kentongan token revoke 6f1c0c4e-0000-4000-8000-000000000000 --org CERT-ID
    """
    with acting(ctx) as (session, clock, who):
        Tokens(session, clock, who).revoke(Organizations(session, clock, who).named(name), token_id)
    show({"organization": name, "id": token_id, "revoked": True}, as_json, "Revoked.")
