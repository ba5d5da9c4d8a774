"""`kentongan org`: who takes part, and what they tell of themselves."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, TextIO

import click

from kentongan.cli.acting import AS_JSON, acting, moment
from kentongan.cli.output import show
from kentongan.domain.identity import OrganizationKind
from kentongan.domain.profile import ATTRIBUTES
from kentongan.services.maskings import Maskings
from kentongan.services.organizations import Organizations, OrganizationView, Told

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
@AS_JSON
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
@AS_JSON
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
@AS_JSON
@click.pass_context
def show_one(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show one organization with what it tells of itself; --json also what it told before.

    Example: kentongan org show CERT-ID
    """
    with acting(ctx) as (session, clock, who):
        organizations = Organizations(session, clock, who)
        organization = organizations.named(name)
        found = organizations.profile(organization)
        history = organizations.history(organization)
    lines = [f"{found.organization.name}  {found.organization.id}"]
    lines += [_line(each) for each in found.attributes]
    show({**asdict(found), "history": [asdict(each) for each in history]}, as_json, "\n".join(lines))


@org.command("set")
@click.argument("name")
@click.argument("attribute", type=click.Choice(list(ATTRIBUTES)))
@click.argument("value", required=False)
@click.option("--file", "from_file", type=click.File(encoding="utf-8"), help="Read the value from here; - is stdin.")
@click.option("--expires", callback=moment, help="Until when it holds, e.g. 2027-06-30.")
@AS_JSON
@click.pass_context
def set_attribute(
    ctx: click.Context,
    name: str,
    attribute: str,
    value: str | None,
    from_file: TextIO | None,
    expires: datetime | None,
    as_json: bool,
) -> None:
    """Have an organization tell something of itself from now on; without a value nothing more.

    Example: kentongan org set CERT-ID pgp-key --file cert-id.asc --expires 2027-06-30
    """
    if from_file is not None:
        if value is not None:
            raise click.UsageError("give a value or a file, not both")
        value = from_file.read()
    with acting(ctx) as (session, clock, who):
        organizations = Organizations(session, clock, who)
        organization = organizations.named(name)
        organizations.tell(organization, attribute, value, expires)
        found = organizations.profile(organization)
    words = f"{name}: {attribute} {'is told no more' if value is None else 'was set'}."
    show(asdict(found), as_json, words)


@org.command("mask")
@click.argument("name")
@click.option("--red/--no-red", default=None, help="What it marks RED takes part in linking by keyed hash only.")
@click.option(
    "--personal/--no-personal",
    default=None,
    help="Mail addresses and the names of who was hit are masked in all it sends from now on.",
)
@click.option("--tell-others/--no-tell-others", default=None, help="Others may be told that something related exists.")
@AS_JSON
@click.pass_context
def mask(
    ctx: click.Context, name: str, red: bool | None, personal: bool | None, tell_others: bool | None, as_json: bool
) -> None:
    """Show or change what of an organization takes part by keyed hash only; what is not given stays as it was.

    Example: kentongan org mask CERT-ID --red --personal --no-tell-others
    """
    given = {"red": red, "personal": personal, "tell_others": tell_others}
    said = {key: value for key, value in given.items() if value is not None}
    with acting(ctx) as (session, clock, who):
        organization, maskings = Organizations(session, clock, who).named(name), Maskings(session, clock)
        wish = maskings.of(organization.id)
        if said:
            wish = maskings.change(who, organization.id, replace(wish, **said))
    lines = [
        f"TLP:RED     {'by keyed hash only' if wish.red else 'compared like the rest'}",
        f"personal    {'masked in all it sends' if wish.personal else 'as it is sent'}",
        f"tell others {'that something related exists' if wish.tell_others else 'nothing'}",
    ]
    show(asdict(wish), as_json, "\n".join(lines))


@org.command("end")
@click.argument("name")
@AS_JSON
@click.pass_context
def end(ctx: click.Context, name: str, as_json: bool) -> None:
    """An organization leaves: its tokens and people open nothing any more; what it sent stays.

    Example: kentongan org end "Bank Nusantara"
    """
    with acting(ctx) as (session, clock, who):
        organizations = Organizations(session, clock, who)
        organization = organizations.named(name)
        organizations.end(organization)
        found = organizations.profile(organization).organization
    show(_shown(found), as_json, f"{name} has left.")


def _line(told: Told) -> str:
    until = f", until {told.expires_at:%Y-%m-%d}" if told.expires_at else ""
    return f"  {told.name}: {told.fingerprint or told.value} (since {told.valid_from:%Y-%m-%d}{until})"


def _shown(organization: OrganizationView) -> dict[str, Any]:
    return asdict(organization)
