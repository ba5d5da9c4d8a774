"""`kentongan group` and `kentongan role`: sharing groups, and the coordinator's role."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime

import click

from kentongan.cli.acting import AS_JSON, acting, moment
from kentongan.cli.output import show
from kentongan.domain.marking import Level
from kentongan.services.coordination import Coordination
from kentongan.services.errors import NotFound, Refused
from kentongan.services.groups import Groups, GroupView
from kentongan.services.organizations import Organizations

LEVELS = {"AMBER": Level.AMBER, "AMBER+STRICT": Level.AMBER_STRICT, "RED": Level.RED}
OF = click.option("--owner", help="The member CERT that owns it, where several have a group of this name.")


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
@OF
@AS_JSON
@click.pass_context
def show_one(ctx: click.Context, name: str, owner: str | None, as_json: bool) -> None:
    """Show who is in a group, by its name or STIX id, and up to which level things reach them.

    Example: kentongan group show Banks
    """
    with _named(ctx, name, owner) as (_, found, _organizations):
        shown = found
    lines = [f"{shown.name} of {shown.owner}{' (ended)' if shown.ended else ''}  {shown.id}"]
    lines += [
        f"  {each.name}, up to {each.strictest}{', constituent' if each.constituent else ''}"
        for each in shown.organizations
    ]
    show(asdict(shown), as_json, "\n".join(lines))


@group.command("rename")
@click.argument("name")
@click.argument("new_name")
@OF
@AS_JSON
@click.pass_context
def rename(ctx: click.Context, name: str, new_name: str, owner: str | None, as_json: bool) -> None:
    """Call a group otherwise; markings go on naming it by the same id.

    Example: kentongan group rename Banks "All banks"
    """
    with _named(ctx, name, owner) as (groups, found, _):
        renamed = groups.rename(found.id, new_name)
    show(asdict(renamed), as_json, f"It is called {renamed.name} now.")


@group.command("add")
@click.argument("name")
@click.argument("organization")
@click.option("--strictest", type=click.Choice(list(LEVELS)), default="RED", show_default=True)
@OF
@AS_JSON
@click.pass_context
def add(ctx: click.Context, name: str, organization: str, strictest: str, owner: str | None, as_json: bool) -> None:
    """Let an organization into a group; takes effect at once.

    Example: kentongan group add Banks "Bank Nusantara" --strictest AMBER
    """
    with _named(ctx, name, owner) as (groups, found, organizations):
        changed = groups.admit(found.id, organizations.named(organization), LEVELS[strictest])
    show(asdict(changed), as_json, f"{organization} is in {changed.name}.")


@group.command("remove")
@click.argument("name")
@click.argument("organization")
@OF
@AS_JSON
@click.pass_context
def remove(ctx: click.Context, name: str, organization: str, owner: str | None, as_json: bool) -> None:
    """Let an organization go from a group; takes effect at once.

    Example: kentongan group remove Banks "Bank Nusantara"
    """
    with _named(ctx, name, owner) as (groups, found, organizations):
        changed = groups.dismiss(found.id, organizations.named(organization))
    show(asdict(changed), as_json, f"{organization} is no more in {changed.name}.")


@group.command("end")
@click.argument("name")
@OF
@AS_JSON
@click.pass_context
def end(ctx: click.Context, name: str, owner: str | None, as_json: bool) -> None:
    """End a group: nobody reads anything through it any more.

    Example: kentongan group end Banks
    """
    with _named(ctx, name, owner) as (groups, found, _):
        groups.end(found.id)
        ended = groups.group(found.id)
    show(asdict(ended), as_json, f"{ended.name} has ended.")


@contextmanager
def _named(ctx: click.Context, name: str, owner: str | None) -> Iterator[tuple[Groups, GroupView, Organizations]]:
    """The group of this name or STIX id. Refuses a name that several owners gave to a group, unless one is told."""
    with acting(ctx) as (session, clock, who):
        groups = Groups(session, clock, who)
        found = [one for one in groups.all() if name in (one.name, one.id) and owner in (None, one.owner)]
        if not found:
            raise NotFound(f"there is no group named '{name}'; `kentongan group list` shows them")
        if len(found) > 1:
            owners = ", ".join(one.owner for one in found)
            raise Refused(f"several have a group named '{name}' ({owners}): say which by --owner or by its STIX id")
        yield groups, found[0], Organizations(session, clock, who)


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
@AS_JSON
@click.pass_context
def hand_over(ctx: click.Context, organization: str, starts_at: datetime, as_json: bool) -> None:
    """Give the coordinator's role to another member from a day on; until then the present one keeps it.

    Example: kentongan role hand-over CERT-MY --from 2027-01-01
    """
    with acting(ctx) as (session, clock, who):
        coordination = Coordination(session, clock, who)
        coordination.hand_over(Organizations(session, clock, who).named(organization), starts_at)
        found = coordination.now()
    show(asdict(found), as_json, f"{organization} coordinates from {starts_at:%Y-%m-%d %H:%M %Z} on.")
