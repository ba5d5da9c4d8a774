"""`kentongan org`: who takes part, and what they tell of themselves."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from kentongan.cli.acting import acting, moment
from kentongan.cli.output import show
from kentongan.domain.identity import OrganizationKind
from kentongan.domain.profile import ATTRIBUTES
from kentongan.services.organizations import Organizations, OrganizationView

KINDS = click.Choice([kind.value for kind in OrganizationKind])


@click.group()
def org() -> None:
    """Organizations: member CERTs, subscribers, the coordinator's office.

    Example: kentongan org add CERT-ID --country ID --kind member
    """


@org.command("add")
@click.argument("name")
@click.option("--country", help="Two letters of ISO 3166-1, e.g. ID.")
@click.option("--kind", type=KINDS, required=True)
@click.option("--vouched-by", help="Of a subscriber: the member that vouches for it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def add(ctx: click.Context, name: str, country: str | None, kind: str, vouched_by: str | None, as_json: bool) -> None:
    """Let an organization in.

    Example: kentongan org add "Bank Nusantara" --country ID --kind subscriber --vouched-by CERT-ID
    """
    with acting(ctx) as (session, clock, who):
        organizations = Organizations(session, clock, who)
        voucher = organizations.named(vouched_by) if vouched_by else None
        made = organizations.add(name, OrganizationKind(kind), country, voucher)
        shown = organizations.profile(made).organization
    show(_shown(shown), as_json, f"{shown.name} is in, as {shown.kind}.")


@org.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def list_all(ctx: click.Context, as_json: bool) -> None:
    """Show every organization.

    Example: kentongan org list --json
    """
    with acting(ctx) as (session, clock, who):
        organizations = Organizations(session, clock, who)
        every = [organizations.profile(each).organization for each in organizations.all()]
    lines = [f"{each.kind:<12} {each.country or '--'}  {each.name}{' (ended)' if each.ended else ''}" for each in every]
    empty = "Nobody yet: kentongan org add NAME --country CC --kind member"
    show([_shown(each) for each in every], as_json, "\n".join(lines) or empty)


@org.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def show_one(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show one organization with what it tells of itself.

    Example: kentongan org show CERT-ID
    """
    with acting(ctx) as (session, clock, who):
        organizations = Organizations(session, clock, who)
        found = organizations.profile(organizations.named(name))
    lines = [f"{found.organization.name}  {found.organization.id}"]
    lines += [f"  {each.name}: {each.value} (since {each.valid_from:%Y-%m-%d})" for each in found.attributes]
    show(asdict(found), as_json, "\n".join(lines))


@org.command("set")
@click.argument("name")
@click.argument("attribute", type=click.Choice(list(ATTRIBUTES)))
@click.argument("value", required=False)
@click.option("--expires", callback=moment, help="Until when it holds, e.g. 2027-06-30.")
@click.pass_context
def set_attribute(ctx: click.Context, name: str, attribute: str, value: str | None, expires: datetime | None) -> None:
    """Have an organization tell something of itself from now on; without a value nothing more.

    Example: kentongan org set CERT-ID time-zone Asia/Jakarta
    """
    with acting(ctx) as (session, clock, who):
        organizations = Organizations(session, clock, who)
        organizations.tell(organizations.named(name), attribute, value, expires)
    click.echo(f"{name}: {attribute} {'is told no more' if value is None else 'was set'}.")


@org.command("end")
@click.argument("name")
@click.pass_context
def end(ctx: click.Context, name: str) -> None:
    """An organization leaves: its tokens and people open nothing any more; what it sent stays.

    Example: kentongan org end "Bank Nusantara"
    """
    with acting(ctx) as (session, clock, who):
        organizations = Organizations(session, clock, who)
        organizations.end(organizations.named(name))
    click.echo(f"{name} has left.")


def _shown(organization: OrganizationView) -> dict[str, Any]:
    return asdict(organization)
