"""`kentongan subscribe`: let an organization hear of what concerns it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from kentongan.bootstrap import assemble
from kentongan.cli import settings_of
from kentongan.cli.acting import user
from kentongan.cli.output import fail, show
from kentongan.domain.alert import AlertKind
from kentongan.domain.identity import at_the_console
from kentongan.domain.marking import Level
from kentongan.domain.target import networks
from kentongan.services.errors import NotFound, Refused
from kentongan.services.organizations import Organizations
from kentongan.services.subscriptions import (
    EMAIL,
    WEBHOOK,
    InvalidSubscription,
    NewSubscription,
    Subscriptions,
    SubscriptionView,
)

LEVELS = click.Choice([level.label.removeprefix("TLP:") for level in Level], case_sensitive=False)
KINDS = click.Choice([kind.value for kind in AlertKind])


@click.command()
@click.option("--org", "name", required=True, help="The organization that listens.")
@click.option("--webhook", help="An https address to POST signed alerts to.")
@click.option("--email", help="A mail address.")
@click.option("--label", default="", help="A name for the subscription.")
@click.option("--country", "countries", multiple=True, help="Two letters, e.g. ID; repeatable, as all that follow.")
@click.option("--sector", "sectors", multiple=True)
@click.option("--rsit-class", "rsit_classes", multiple=True, help="E.g. intrusions.")
@click.option("--rsit-type", "rsit_types", multiple=True, help="E.g. system-compromise.")
@click.option("--severity", "severities", multiple=True, help="C1 to C6, or as reporters write it.")
@click.option("--observable", "observables", multiple=True, help="A domain, address, network, URL, hash, ...")
@click.option("--kind", "kinds", type=KINDS, multiple=True, help="Kinds of alert; default all.")
@click.option("--text", default="", help="Words of the title or description (once).")
@click.option("--tlp-min", type=LEVELS, help="Nothing less strict (once).")
@click.option("--tlp-max", type=LEVELS, help="Nothing stricter (once).")
@click.option("--own", is_flag=True, help="Also what the organization reported itself.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def subscribe(
    ctx: click.Context,
    /,
    name: str,
    webhook: str | None,
    email: str | None,
    label: str,
    as_json: bool,
    **wanted: Any,  # the options of the filter, by the names of its parts
) -> None:
    """Subscribe an organization and print the id and, for a webhook, the secret its alerts are signed with: this once.

    Example: kentongan subscribe --org "Bank Nusantara" --webhook https://soc.bank.example/kentongan --country ID
    """
    if bool(webhook) == bool(email):
        raise click.UsageError("give either --webhook or --email")
    settings = settings_of(ctx)
    kentongan = assemble(settings)
    try:
        with kentongan.database.writing() as session:
            identity = replace(
                Organizations(session, kentongan.clock, at_the_console(user())).named(name).identity(),
                name=f"{user()} at the console",
                address="command line",
            )
            made = Subscriptions(session, kentongan.clock, networks(settings.egress_allow)).create(
                identity,
                channel=WEBHOOK if webhook else EMAIL,
                target=webhook or email or "",
                filter={part: _as_json(value) for part, value in wanted.items() if value},
                name=label,
            )
    except InvalidSubscription as error:
        fail("\n".join(f"{one.path}: {one.reason}. {one.hint}" for one in error.problems), 2)
    except (NotFound, Refused) as error:
        fail(str(error))
    show(_shown(name, made), as_json, _in_words(name, made))


def _as_json(value: Any) -> Any:  # strings, flags and tuples of strings
    return list(value) if isinstance(value, tuple) else value


def _shown(name: str, made: NewSubscription) -> dict[str, Any]:
    one: SubscriptionView = made.subscription
    return {
        "organization": name,
        "id": one.id,
        "name": one.name,
        "channel": one.channel,
        "target": one.target,
        "filter": one.filter,
        "secret": made.secret,
    }


def _in_words(name: str, made: NewSubscription) -> str:
    lines = [f"{name} listens: subscription {made.subscription.id}"]
    if made.secret:
        lines.append(f"secret (shown this once): {made.secret}")
    return "\n".join(lines)
