"""`kentongan erase` and `kentongan retention`: what goes for good, and when."""

from __future__ import annotations

from dataclasses import asdict

import click

from kentongan.bootstrap import assemble
from kentongan.cli import settings_of
from kentongan.cli.acting import user
from kentongan.cli.output import fail, show
from kentongan.domain.identity import at_the_console
from kentongan.domain.retention import Retention
from kentongan.domain.timestamp import format_timestamp
from kentongan.services.erase import Erase
from kentongan.services.errors import Erased, NotFound, Refused
from kentongan.services.organizations import Organizations
from kentongan.services.retention import Retentions

ORG = click.option("--org", "name", required=True, help="The organization whose it is.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_KEPT = "kept until it is erased"


class Days(click.ParamType[int | None]):
    """A number of days, or `keep`."""

    name = "DAYS|keep"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """None for `keep`."""
        if value == "keep" or value is None:
            return None
        if not str(value).isascii() or not str(value).isdecimal():
            self.fail(f"{value!r} is neither a number of days nor the word keep", param, ctx)
        return int(str(value))


@click.command()
@click.argument("submission")
@ORG
@click.option("--reason", default="", help="Why; it stays with the tombstone.")
@AS_JSON
@click.pass_context
def erase(ctx: click.Context, submission: str, name: str, reason: str, as_json: bool) -> None:
    """Erase one submission of an organization, for good, at its demand; who was told of it is sent a recall.

    Example: kentongan erase 6f0d0c0e-5f0b-4c77-9c6b-6b656e746f6e --org CERT-ID --reason "letter of 3 May"
    """
    kentongan = assemble(settings_of(ctx))
    try:
        with kentongan.database.writing() as session:
            owner = Organizations(session, kentongan.clock, at_the_console(user())).named(name)
            console = at_the_console(user())
            stone = Erase(session, kentongan.clock).submission(console, owner.id, submission, reason)
    except (NotFound, Refused) as error:
        fail(str(error))
    except Erased as error:
        when = f" at {format_timestamp(error.stone.erased_at)}" if error.stone else ""
        fail(f"{error}{when}")
    shown = {**asdict(stone), **{key: format_timestamp(getattr(stone, key)) for key in ("received_at", "erased_at")}}
    show(shown, as_json, f"Submission {stone.id} of {stone.organization} is erased.")


@click.group()
def retention() -> None:
    """How long an organization's things are kept.

    Example: kentongan retention show --org CERT-ID
    """


@retention.command("show")
@ORG
@AS_JSON
@click.pass_context
def show_wish(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show how long they are kept.

    Example: kentongan retention show --org CERT-ID --json
    """
    kentongan = assemble(settings_of(ctx))
    try:
        with kentongan.database.reading() as session:
            owner = Organizations(session, kentongan.clock, at_the_console(user())).named(name)
            wish = Retentions(session, kentongan.clock).of(owner.id)
    except NotFound as error:
        fail(str(error))
    show(asdict(wish), as_json, _in_words(wish))


@retention.command("set")
@ORG
@click.option("--incidents", type=Days(), help="Incidents with all their versions, from the newest on.")
@click.option("--content", type=Days(), help="Documents as they were received; what was accepted of them stays.")
@click.option("--logs", type=Days(), help="What became of alerts.")
@AS_JSON
@click.pass_context
def set_wish(
    ctx: click.Context, name: str, incidents: int | None, content: int | None, logs: int | None, as_json: bool
) -> None:
    """Keep them so long from now on; what is not given stays as it was, `keep` ends a limit.

    Example: kentongan retention set --org CERT-ID --incidents 1825 --content 365 --logs keep
    """
    given = {"incident_days": incidents, "content_days": content, "log_days": logs}
    options = {"incident_days": "incidents", "content_days": "content", "log_days": "logs"}
    kentongan = assemble(settings_of(ctx))
    try:
        with kentongan.database.writing() as session:
            owner = Organizations(session, kentongan.clock, at_the_console(user())).named(name)
            retentions = Retentions(session, kentongan.clock)
            kept = asdict(retentions.of(owner.id))
            said = {key: given[key] for key, option in options.items() if _was_given(ctx, option)}
            wish = retentions.change(at_the_console(user()), owner.id, Retention(**(kept | said)))
    except (NotFound, Refused) as error:
        fail(str(error))
    show(asdict(wish), as_json, _in_words(wish))


def _was_given(ctx: click.Context, option: str) -> bool:
    return ctx.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE


def _in_words(wish: Retention) -> str:
    rows = (("incidents", wish.incident_days), ("documents", wish.content_days), ("logs", wish.log_days))
    return "\n".join(f"{name:<10} {_KEPT if days is None else f'{days} days'}" for name, days in rows)
