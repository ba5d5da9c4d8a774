"""`kentongan decide`: say of two incidents whether they belong together, and take it back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce

import click

from kentongan.bootstrap import Kentongan, assemble
from kentongan.cli import settings_of
from kentongan.cli.acting import AS_JSON, user
from kentongan.cli.output import fail, show
from kentongan.domain.decisions import Verdict
from kentongan.domain.identity import Identity, Scope, at_the_console
from kentongan.services.decide import Decide
from kentongan.services.errors import NotFound, Refused
from kentongan.services.organizations import Organizations
from kentongan.services.read_decisions import DecisionView
from kentongan.storage.cases import DUPLICATE_OF, RELATED_TO
from kentongan.storage.jobs import Stage

_ORG = click.option("--org", "name", required=True, help="The organization that decides.")
_REASON = click.option("--reason", required=True, help="Why; whoever sees both incidents reads it.")
_KINDS = {False: DUPLICATE_OF, True: RELATED_TO}
_KIND = click.option(
    "--campaign", is_flag=True, help="Whether they belong to one campaign, instead of reporting one event."
)


def _of_two(command: Callable[..., None]) -> Callable[..., None]:
    """What whoever speaks of two incidents gives."""
    asked = (click.argument("one"), click.argument("other"), _ORG, _REASON, _KIND, AS_JSON, click.pass_context)
    return reduce(lambda so_far, each: each(so_far), reversed(asked), command)


@click.group()
def decide() -> None:
    """Say of two incidents whether they belong together.

    It counts for all if the organization owns one of the two and the owner of the other sees both; else it is an opinion.

    Example: kentongan decide apart ID1 ID2 --org CERT-ID --reason "two branches, two attacks"
    """


@decide.command()
@_of_two
def together(ctx: click.Context, one: str, other: str, name: str, reason: str, campaign: bool, as_json: bool) -> None:
    """They report one event, or belong to one campaign.

    Example: kentongan decide together ID1 ID2 --org CERT-ID --reason "one ransom note"
    """
    _enter(ctx, name, as_json, lambda deciding: deciding.decide(one, other, _KINDS[campaign], Verdict.TOGETHER, reason))


@decide.command()
@_of_two
def apart(ctx: click.Context, one: str, other: str, name: str, reason: str, campaign: bool, as_json: bool) -> None:
    """They report two events, or belong to no common campaign.

    Example: kentongan decide apart ID1 ID2 --org CERT-ID --reason "two branches, two attacks"
    """
    _enter(ctx, name, as_json, lambda deciding: deciding.decide(one, other, _KINDS[campaign], Verdict.APART, reason))


@decide.command()
@click.argument("decision")
@_ORG
@_REASON
@AS_JSON
@click.pass_context
def undo(ctx: click.Context, decision: str, name: str, reason: str, as_json: bool) -> None:
    """Take a decision of one's own organization back, by its id.

    Example: kentongan decide undo 0d5c... --org CERT-ID --reason "the notes differ after all"
    """
    _enter(ctx, name, as_json, lambda deciding: deciding.undo(decision, reason))


def _enter(ctx: click.Context, name: str, as_json: bool, wish: Callable[[Decide], DecisionView]) -> None:
    kentongan = assemble(settings_of(ctx))
    try:
        who = _somebody_of(kentongan, name)
        with kentongan.database.writing() as session:
            made = wish(Decide(session, kentongan.clock, who))
    except (NotFound, Refused) as error:
        fail(str(error))
    kentongan.nudge(Stage.MATCH)
    kentongan.nudge(Stage.PUBLISH)
    show(_shown(made), as_json, _in_words(made))


def _somebody_of(kentongan: Kentongan, name: str) -> Identity:
    with kentongan.database.reading() as session:
        found = Organizations(session, kentongan.clock, at_the_console(user())).named(name).identity()
    scopes = frozenset({Scope.READ, Scope.DECIDE})
    return replace(found, scopes=scopes, name=f"{user()} at the console", address="command line")


def _shown(made: DecisionView) -> dict[str, object]:
    return {
        "id": made.id,
        "kind": made.kind,
        "verdict": made.verdict,
        "capacity": made.capacity,
        "incident": made.incident.id,
        "other": made.other.id,
        "cases": [made.incident.case_id, made.other.case_id],
        "undoes": made.undoes,
    }


def _in_words(made: DecisionView) -> str:
    counts = "counts as an opinion" if made.capacity == "opinion" else "counts for all"
    said = f"taken back: {made.undoes}" if made.undoes else f"{made.verdict}, {made.kind}; it {counts}"
    return f"{made.id}  {said}\n  {made.incident.title}\n  {made.other.title}"
