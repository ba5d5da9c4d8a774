"""`kentongan matching-report`: how right the links were, by what people confirmed and rejected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace

import click

from kentongan.bootstrap import assemble
from kentongan.cli import settings_of
from kentongan.cli.acting import AS_JSON, user
from kentongan.cli.output import fail, show
from kentongan.domain.feedback import Feedback, Precision
from kentongan.domain.identity import Scope, at_the_console
from kentongan.services.errors import NotFound, Refused
from kentongan.services.matching_report import MatchingReport, OrganizationFeedback
from kentongan.services.organizations import Organizations
from kentongan.storage.coordination import coordinator_at


@click.command(name="matching-report")
@click.option("--org", "name", required=True, help="The organization as which you read.")
@AS_JSON
@click.pass_context
def matching_report(ctx: click.Context, name: str, as_json: bool) -> None:
    """Say how right the links were, by kind and by rule, from what an organization's people confirmed and rejected.

    Of the organization that coordinates the region: from what all said of what it may see.

    Example: kentongan matching-report --org CERT-ID
    """
    kentongan = assemble(settings_of(ctx))
    try:
        with kentongan.database.reading() as session:
            found = Organizations(session, kentongan.clock, at_the_console(user())).named(name).identity()
            coordinates = coordinator_at(session, kentongan.clock()) == found.organization_id
            reader = replace(found, scopes=frozenset({Scope.READ, Scope.COORDINATE} if coordinates else {Scope.READ}))
            told = MatchingReport(session).report(reader)
    except (NotFound, Refused) as error:
        fail(str(error))
    show([asdict(one) for one in told], as_json, "\n".join(line for one in told for line in _lines(one)))


def _lines(one: OrganizationFeedback) -> Iterator[str]:
    yield one.organization
    for kind, part in (("duplicate-of", one.duplicates), ("related-to", one.related)):
        yield f"  {kind}: {part.judged} judged, {part.missed} missed, {part.agreed} rightly not found"
        yield from _figures(part)


def _figures(part: Feedback) -> Iterator[str]:
    if part.precision:
        yield f"    {'all links':12s} {_in_words(part.precision)}"
    for rule in part.rules:
        yield f"    {rule.rule:12s} {_in_words(rule.precision)}"
    for step in part.calibration:
        yield f"    scores {step.low:.1f} to {step.high:.1f}: {step.links} links, said {step.said:.2f}, true {step.confirmed:.2f}"


def _in_words(precision: Precision) -> str:
    counted = f"{precision.confirmed} confirmed, {precision.rejected} rejected"
    return f"{counted}: {precision.share:.0%} ({precision.low:.0%} to {precision.high:.0%})"
