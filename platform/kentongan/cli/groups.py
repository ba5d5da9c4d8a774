"""`kentongan group` and `kentongan role`: sharing groups, and the coordinator's role."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime

import click

from kentongan.cli.acting import acting, moment
from kentongan.cli.output import show
from kentongan.domain.marking import Level
from kentongan.services.coordination import Coordination
from kentongan.services.errors import NotFound
from kentongan.services.groups import Groups, GroupView
from kentongan.services.organizations import Organizations

LEVELS = {"AMBER": Level.AMBER, "AMBER+STRICT": Level.AMBER_STRICT, "RED": Level.RED}
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def group() -> None:
    """Sharing groups: named sets of organizations that markings may be for.

    Example: kentongan group create Banks --owner CERT-ID
    """


@group.command("create")
@click.argument("name")
@click.option("--owner", required=True, help="The member CERT that owns it.")
@AS_JSON
@click.pass_context
def create(ctx: click.Context, name: str, owner: str, as_json: bool) -> None:
    """Found a group; its owner is in it. Prints the STIX id that markings name it by.

    Example: kentongan group create Banks --owner CERT-ID
    """
    with acting(ctx) as (session, clock, who):
        made = Groups(session, clock, who).create(Organizations(session, clock, who).named(owner), name)
    show(asdict(made), as_json, made.id)


@group.command("list")
@AS_JSON
@click.pass_context
def list_all(ctx: click.Context, as_json: bool) -> None:
    """Show every group with its STIX id.

    Example: kentongan group list
    """
    with acting(ctx) as (session, clock, who):
        found = Groups(session, clock, who).all()
    lines = [f"{each.id}  {each.name} of {each.owner}{' (ended)' if each.ended else ''}" for each in found]
    show([asdict(each) for each in found], as_json, "\n".join(lines) or "None yet.")


@group.command("show")
@click.argument("name")
@AS_JSON
@click.pass_context
def show_one(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show who is in a group, and up to which level things reach them.

    Example: kentongan group show Banks
    """
    with _named(ctx, name) as (_, found, _organizations):
        shown = found
    lines = [f"{shown.name}  {shown.id}"]
    lines += [
        f"  {each.name}, up to {each.strictest}{', constituent' if each.constituent else ''}"
        for each in shown.organizations
    ]
    show(asdict(shown), as_json, "\n".join(lines))


@group.command("add")
@click.argument("name")
@click.argument("organization")
@click.option("--strictest", type=click.Choice(list(LEVELS)), default="RED", show_default=True)
@click.pass_context
def add(ctx: click.Context, name: str, organization: str, strictest: str) -> None:
    """Let an organization into a group; takes effect at once.

    Example: kentongan group add Banks "Bank Nusantara" --strictest AMBER
    """
    with _named(ctx, name) as (groups, found, organizations):
        groups.admit(found.id, organizations.named(organization), LEVELS[strictest])
    click.echo(f"{organization} is in {name}.")


@group.command("remove")
@click.argument("name")
@click.argument("organization")
@click.pass_context
def remove(ctx: click.Context, name: str, organization: str) -> None:
    """Let an organization go from a group; takes effect at once.

    Example: kentongan group remove Banks "Bank Nusantara"
    """
    with _named(ctx, name) as (groups, found, organizations):
        groups.dismiss(found.id, organizations.named(organization))
    click.echo(f"{organization} is no more in {name}.")


@group.command("end")
@click.argument("name")
@click.pass_context
def end(ctx: click.Context, name: str) -> None:
    """End a group: nobody reads anything through it any more.

    Example: kentongan group end Banks
    """
    with _named(ctx, name) as (groups, found, _):
        groups.end(found.id)
    click.echo(f"{name} has ended.")


@contextmanager
def _named(ctx: click.Context, name: str) -> Iterator[tuple[Groups, GroupView, Organizations]]:
    with acting(ctx) as (session, clock, who):
        groups = Groups(session, clock, who)
        found = next((each for each in groups.all() if each.name == name), None)
        if found is None:
            raise NotFound(f"there is no group named '{name}'; `kentongan group list` shows them")
        yield groups, found, Organizations(session, clock, who)


@click.group()
def role() -> None:
    """The coordinator's role: who has it, and handing it over.

    Example: kentongan role hand-over CERT-MY --from 2027-01-01
    """


@role.command("show")
@AS_JSON
@click.pass_context
def show_role(ctx: click.Context, as_json: bool) -> None:
    """Who coordinates the region, and who does next.

    Example: kentongan role show
    """
    with acting(ctx) as (session, clock, who):
        found = Coordination(session, clock, who).now()
    words = f"{found.organization or 'Nobody'} coordinates."
    if found.next_from is not None:
        words += f" From {found.next_from:%Y-%m-%d %H:%M} UTC it is {found.next}."
    show(asdict(found), as_json, words)


@role.command("hand-over")
@click.argument("organization")
@click.option("--from", "starts_at", callback=moment, required=True, help="When it begins, e.g. 2027-01-01.")
@click.pass_context
def hand_over(ctx: click.Context, organization: str, starts_at: datetime) -> None:
    """Give the coordinator's role to another member from a day on; until then the present one keeps it.

    Example: kentongan role hand-over CERT-MY --from 2027-01-01
    """
    with acting(ctx) as (session, clock, who):
        Coordination(session, clock, who).hand_over(Organizations(session, clock, who).named(organization), starts_at)
    click.echo(f"{organization} coordinates from {starts_at:%Y-%m-%d %H:%M %Z} on.")
