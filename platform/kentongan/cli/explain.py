"""`kentongan explain`: why two incidents are tied, or why not."""

from __future__ import annotations

from dataclasses import asdict, replace

import click

from kentongan.bootstrap import assemble
from kentongan.cli import settings_of
from kentongan.cli.acting import user
from kentongan.cli.output import fail, show
from kentongan.domain.identity import at_the_console
from kentongan.services.errors import NotFound, Refused
from kentongan.services.explain import Explain, Explanation
from kentongan.services.organizations import Organizations

QUESTIONS = {"duplicate-of": "One event?", "related-to": "One campaign?"}


@click.command()
@click.argument("one")
@click.argument("other")
@click.option("--org", "name", required=True, help="The organization as which you read.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def explain(ctx: click.Context, one: str, other: str, name: str, as_json: bool) -> None:
    """Say why two incidents are tied, or why not, from what an organization may see of them.

    Example: kentongan explain incident--4a1c... incident--99d0... --org CERT-ID
    """
    kentongan = assemble(settings_of(ctx))
    try:
        with kentongan.database.reading() as session:
            found = Organizations(session, kentongan.clock, at_the_console(user())).named(name).identity()
        reader = replace(found, name=f"{user()} at the console", address="command line")
        with kentongan.database.reading_for(reader) as session:
            told = Explain(session).explain(reader, one, other)
    except (NotFound, Refused) as error:
        fail(str(error))
    show(_shown(told), as_json, _in_words(told))


def _shown(told: Explanation) -> dict[str, object]:
    return {
        "incident": told.incident.id,
        "other": told.other.id,
        "answers": [asdict(answer) for answer in told.answers],
    }


def _in_words(told: Explanation) -> str:
    lines = [f"{told.incident.title}  |  {told.other.title}"]
    for answer in told.answers:
        lines.append(f"{QUESTIONS[answer.kind]} {answer.words[0].upper()}{answer.words[1:]}.")
        lines += [f"  {one.share:+6.0%}  {one.words}" for one in answer.evidence]
    return "\n".join(lines)
