"""`kentongan person`: who signs in for an organization, from the machine's own console."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from sqlalchemy.orm import Session

from kentongan.bootstrap import Kentongan, assemble
from kentongan.cli import settings_of
from kentongan.cli.output import fail, show
from kentongan.domain.identity import Identity, Role, at_the_console
from kentongan.services.errors import NotFound, Refused
from kentongan.services.letters import NewLink, letter
from kentongan.services.organizations import Organizations
from kentongan.services.passwords import fit_password
from kentongan.services.people import People

ROLES = click.Choice([role.value for role in Role])


@click.group()
def person() -> None:
    """People: invited, given roles, ended.

    Example: kentongan person invite siti@cert.example --org CERT-ID --name "Siti" --role administrator
    """


_org = click.option("--org", "organization", required=True, help="The organization they belong to.")
_name = click.option("--name", required=True, help="How others call them.")
_roles = click.option("--role", "roles", type=ROLES, multiple=True, required=True, help="What they are; repeatable.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@person.command("invite")
@click.argument("email")
@_org
@_name
@_roles
@_json
@click.pass_context
def invite(ctx: click.Context, email: str, organization: str, name: str, roles: tuple[str, ...], as_json: bool) -> None:
    """Send somebody a link to take up their account; without a mail server it is printed, this once.

    Example: kentongan person invite siti@cert.example --org CERT-ID --name "Siti" --role administrator
    """
    kentongan = assemble(settings_of(ctx))
    with _wish(kentongan) as (session, who):
        belongs = Organizations(session, kentongan.clock, who).named(organization)
        people = People(session, kentongan.clock)
        link = people.invite(who, belongs, email=email, name=name, roles=_as_roles(roles))
    _hand_out(kentongan, link, as_json)


@person.command("add")
@click.argument("email")
@_org
@_name
@_roles
@_json
@click.pass_context
def add(ctx: click.Context, email: str, organization: str, name: str, roles: tuple[str, ...], as_json: bool) -> None:
    """Let somebody in with a password, read from the standard input: for setting an installation up.

    Who needs a second factor is asked to set one up at the first sign-in.

    Example: kentongan person add siti@cert.example --org CERT-ID --name "Siti" --role analyst < password
    """
    kentongan = assemble(settings_of(ctx))
    password = sys.stdin.readline().rstrip("\r\n")
    with _wish(kentongan) as (session, who):
        kept = fit_password(password, (email, name, organization))
        belongs = Organizations(session, kentongan.clock, who).named(organization)
        made = People(session, kentongan.clock).add(
            who, belongs, email=email, name=name, roles=_as_roles(roles), kept=kept
        )
        shown = {"id": made.stix_id, "email": made.email, "name": made.name, "roles": made.roles}
    show(shown, as_json, f"{made.name} signs in as {made.email}.")


@person.command("list")
@click.option("--org", "organization", help="Only of this organization.")
@_json
@click.pass_context
def list_all(ctx: click.Context, organization: str | None, as_json: bool) -> None:
    """Show everybody.

    Example: kentongan person list --org CERT-ID --json
    """
    kentongan = assemble(settings_of(ctx))
    with _wish(kentongan) as (session, who):
        organizations = Organizations(session, kentongan.clock, who)
        chosen = [organizations.named(organization)] if organization else organizations.all()
        people = People(session, kentongan.clock)
        every = [
            {
                "id": each.id,
                "organization": belongs.name,
                "email": each.email,
                "name": each.name,
                "roles": list(each.roles),
                "state": each.state,
            }
            for belongs in chosen
            for each in people.all(who, belongs)
        ]
    lines = [f"{one['state']:<8} {one['organization']}  {one['email']}  {', '.join(one['roles'])}" for one in every]
    show(
        every, as_json, "\n".join(lines) or "Nobody yet: kentongan person invite EMAIL --org ... --name ... --role ..."
    )


@person.command("roles")
@click.argument("email")
@_roles
@_json
@click.pass_context
def roles(ctx: click.Context, email: str, roles: tuple[str, ...], as_json: bool) -> None:
    """Say what somebody is from now on; what is not named is taken away.

    Example: kentongan person roles siti@cert.example --role analyst --role administrator
    """
    kentongan = assemble(settings_of(ctx))
    with _wish(kentongan) as (session, who):
        people = People(session, kentongan.clock)
        found = people.named(who, email)
        people.change_roles(who, found, _as_roles(roles))
        shown = {"email": found.email, "roles": found.roles}
    show(shown, as_json, f"{found.email} is {', '.join(found.roles)}.")


@person.command("end")
@click.argument("email")
@_json
@click.pass_context
def end(ctx: click.Context, email: str, as_json: bool) -> None:
    """Let somebody sign in no more; they are signed out at once.

    Example: kentongan person end siti@cert.example
    """
    kentongan = assemble(settings_of(ctx))
    with _wish(kentongan) as (session, who):
        people = People(session, kentongan.clock)
        found = people.named(who, email)
        people.end(who, found)
    show({"email": found.email, "state": "ended"}, as_json, f"{found.email} signs in no more.")


@person.command("reset")
@click.argument("email")
@_json
@click.pass_context
def reset(ctx: click.Context, email: str, as_json: bool) -> None:
    """Take back password, second factors and sessions, and let somebody begin anew by a link.

    Example: kentongan person reset siti@cert.example
    """
    kentongan = assemble(settings_of(ctx))
    with _wish(kentongan) as (session, who):
        people = People(session, kentongan.clock)
        link = people.reset(who, people.named(who, email))
    _hand_out(kentongan, link, as_json)


@contextmanager
def _wish(kentongan: Kentongan) -> Iterator[tuple[Session, Identity]]:
    """One transaction, as the operator at the console; a refusal ends the command."""
    try:
        with kentongan.database.writing() as session:
            yield session, at_the_console(_user())
    except (NotFound, Refused) as error:
        fail(str(error))


def _hand_out(kentongan: Kentongan, link: NewLink, as_json: bool) -> None:
    until = link.expires_at.isoformat(timespec="minutes")
    shown: dict[str, Any] = {"email": link.email, "expires_at": until}
    if not kentongan.sends_letters:
        shown["link"] = link.address(kentongan.settings.address)
        return show(shown, as_json, f"{shown['link']}\n(works once, until {until}; give it to {link.name} alone)")
    receipt = kentongan.send(letter(link, kentongan.settings.address))
    if not receipt.ok:
        fail(f"{link.email} has a link now, but the letter was not sent: {receipt.answer}; mend that, then reset")
    return show(shown, as_json, f"A letter with a link is on its way to {link.email}.")


def _user() -> str:
    """Who runs the command, for the audit trail; a container's user may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _as_roles(names: tuple[str, ...]) -> list[Role]:
    return [Role(name) for name in names]
