"""`kentongan org` and `kentongan token`: who takes part, and what their machines show."""

from __future__ import annotations

import getpass
from typing import Any

import click

from kentongan.bootstrap import assemble
from kentongan.cli import settings_of
from kentongan.cli.output import fail, show
from kentongan.domain.identity import OrganizationKind, Scope, at_the_console
from kentongan.services.errors import NotFound, Refused
from kentongan.services.organizations import Organizations
from kentongan.storage.organizations import Organization

KINDS = click.Choice([kind.value for kind in OrganizationKind])
SCOPES = click.Choice([scope.value for scope in Scope])


@click.group()
def org() -> None:
    """Organizations: member CERTs, subscribers, the coordinator's office.

    Example: kentongan org add CERT-ID --country ID --kind member
    """


@org.command("add")
@click.argument("name")
@click.option("--country", help="Two letters of ISO 3166-1, e.g. ID.")
@click.option("--kind", type=KINDS, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def add(ctx: click.Context, name: str, country: str | None, kind: str, as_json: bool) -> None:
    """Let an organization in.

    Example: kentongan org add "Bank Nusantara" --country ID --kind subscriber
    """
    kentongan = assemble(settings_of(ctx))
    try:
        with kentongan.database.writing() as session:
            made = Organizations(session, kentongan.clock).add(
                name, OrganizationKind(kind), country, by=at_the_console(getpass.getuser())
            )
            shown = _shown(made)
    except Refused as error:
        fail(str(error))
    show(shown, as_json, f"{made.name} is in, as {made.kind}.")


@org.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def list_all(ctx: click.Context, as_json: bool) -> None:
    """Show every organization.

    Example: kentongan org list --json
    """
    kentongan = assemble(settings_of(ctx))
    with kentongan.database.reading() as session:
        every = [_shown(each) for each in Organizations(session, kentongan.clock).all()]
    lines = [f"{each['kind']:<12} {each['country'] or '--'}  {each['name']}" for each in every]
    show(every, as_json, "\n".join(lines) or "Nobody yet: kentongan org add NAME --country CC --kind member")


@click.group()
def token() -> None:
    """Tokens: what a machine or person shows to be known.

    Example: kentongan token create --org CERT-ID --scope submit --scope read
    """


@token.command("create")
@click.option("--org", "name", required=True, help="The organization it is for.")
@click.option(
    "--scope", "scopes", type=SCOPES, multiple=True, required=True, help="What it may be used for; repeatable."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def create(ctx: click.Context, name: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """Make a token and print it: this once, it is stored only as a hash.

    Example: kentongan token create --org CERT-ID --scope submit --scope read
    """
    kentongan = assemble(settings_of(ctx))
    try:
        with kentongan.database.writing() as session:
            organizations = Organizations(session, kentongan.clock)
            wanted = frozenset(Scope(scope) for scope in scopes)
            made = organizations.new_token(organizations.named(name), wanted, by=at_the_console(getpass.getuser()))
    except (NotFound, Refused) as error:
        fail(str(error))
    show({"organization": name, "scopes": sorted(scopes), "token": made.secret}, as_json, made.secret)


def _shown(organization: Organization) -> dict[str, Any]:
    return {"name": organization.name, "country": organization.country, "kind": organization.kind}
