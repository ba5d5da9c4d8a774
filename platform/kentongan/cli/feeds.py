"""`kentongan feed`: what comes in from elsewhere, on a schedule or when told to."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TextIO

import click
from sqlalchemy.orm import Session

from kentongan.bootstrap import Kentongan, assemble
from kentongan.cli import settings_of
from kentongan.cli.acting import AS_JSON, acting, user
from kentongan.cli.output import fail, show
from kentongan.domain.feeding import FetchFailed, WrongFeed, duration
from kentongan.domain.identity import at_the_console
from kentongan.fetching import InOtherHands, run_one, try_out
from kentongan.services.errors import NotFound, Refused
from kentongan.services.feeds import Feeds, FeedWish
from kentongan.services.foresee_feed import Foreseen
from kentongan.services.organizations import Organizations
from kentongan.services.read_feeds import FeedView, ItemView, ReadFeeds, RunView
from kentongan.storage.feeds import LostFeed

_MOST_SHOWN = 20


@click.group()
def feed() -> None:
    """Feeds that bring something in for one organization: folders, files and addresses that are read, or what is pushed.

    Example: kentongan feed add partner --org CERT-ID --kind stix --source /srv/feeds/partner --every 15m
    """


@feed.command("kinds")
@AS_JSON
def kinds(as_json: bool) -> None:
    """Show what kinds of feeds there are, and what can be chosen for each.

    Example: kentongan feed kinds
    """
    from kentongan_feeds.inbound import kinds as every  # noqa: PLC0415  # --help is quick without it

    lines = []
    for name, kind in every().items():
        lines.append(f"{name:<10} {kind.about}")
        lines += [f"{'':<10}   --option {option}=...  {words}" for option, words in kind.options.items()]
    shown = {name: {"about": kind.about, "options": dict(kind.options)} for name, kind in every().items()}
    show(shown, as_json, "\n".join(lines))


@feed.command("add")
@click.argument("name")
@click.option("--org", required=True, help="The organization whose submissions everything becomes.")
@click.option("--kind", required=True, help="One of `kentongan feed kinds`.")
@click.option(
    "--source",
    default="",
    help="A folder or a file from the root on, or an https address; without one it is only pushed.",
)
@click.option("--every", help="The pause between fetches: 15m, 6h, 1d. Without it only `feed run` fetches.")
@click.option("--option", "options", multiple=True, help="NAME=VALUE, or NAME=@FILE; repeatable.")
@click.option("--secret-file", type=click.File(encoding="utf-8"), help="What the source wants to be shown; - is stdin.")
@AS_JSON
@click.pass_context
def add(
    ctx: click.Context,
    name: str,
    org: str,
    kind: str,
    source: str,
    every: str | None,
    options: tuple[str, ...],
    secret_file: TextIO | None,
    as_json: bool,
) -> None:
    """Set up a feed. A secret is a bearer token, or name:password; it is kept sealed and never shown.

    Example: kentongan feed add partner --org CERT-ID --kind stix --source https://partner.example/feed.json --every 1h
    """
    secret = secret_file.read().strip() if secret_file else ""
    kentongan = assemble(settings_of(ctx))
    try:
        wish = FeedWish(name, kind, source, _chosen(options), duration(every) if every else None, secret)
        with acting(ctx) as (session, clock, who):
            organization = Organizations(session, clock, who).named(org)
            made = Feeds(session, clock, who, kentongan.inbound, kentongan.seal).add(organization, wish)
    except WrongFeed as error:
        fail(str(error), 2)
    how = f"fetch it: kentongan feed run {made.name}" if source else f"send to it: POST /api/v1/feeds/{made.id}/push"
    words = f"{made.name} brings in {kind} for {org}; " + (
        f"it is fetched every {every} while workers run." if every else how
    )
    show(asdict(made), as_json, words)


@feed.command("list")
@AS_JSON
@click.pass_context
def list_all(ctx: click.Context, as_json: bool) -> None:
    """Show every feed with its last and its next fetch.

    Example: kentongan feed list --json
    """
    with acting(ctx) as (session, _, who):
        every = ReadFeeds(session, who).all()
    empty = "Nothing yet: kentongan feed add NAME --org CERT-ID --kind stix --source FOLDER"
    show([asdict(each) for each in every], as_json, "\n".join(map(_line, every)) or empty)


@feed.command("run")
@click.argument("name")
@click.option(
    "--again", is_flag=True, help="Convert also what is known and unchanged; what was kept is not kept twice."
)
@click.option("--dry-run", is_flag=True, help="Only say what would become of each item; nothing is stored.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="With --dry-run: put the STIX here.")
@AS_JSON
@click.pass_context
def run(ctx: click.Context, name: str, again: bool, dry_run: bool, out: Path | None, as_json: bool) -> None:
    """Fetch now. Ends with 1 where the source could not be read to its end.

    Example: kentongan feed run partner --dry-run
    """
    if out is not None and not dry_run:
        raise click.UsageError("--out goes with --dry-run")
    kentongan = assemble(settings_of(ctx))  # no nudge: the workers' sweep finds what was kept within seconds
    try:
        with kentongan.database.writing() as session:
            feed_id = _feeds(kentongan, session).named(name).id
        if dry_run:
            _try_out(kentongan, feed_id, out, as_json)
            return
        done = run_one(kentongan, feed_id, again=again)
    except (NotFound, Refused, InOtherHands, LostFeed, FetchFailed, WrongFeed) as error:
        fail(str(error))
    finally:
        kentongan.database.close()
    show(asdict(done), as_json, _counted(done))
    if done.failure:
        sys.exit(1)


@feed.command("report")
@click.argument("name")
@click.option("--item", help="Only this item, with every change and problem.")
@click.option("--most", type=click.IntRange(1, 100_000), default=50, show_default=True, help="So many items.")
@AS_JSON
@click.pass_context
def report(ctx: click.Context, name: str, item: str | None, most: int, as_json: bool) -> None:
    """Show the fetches and pushes of a feed, and what of each item was kept, changed and refused.

    Example: kentongan feed report partner --item 2026/event.json
    """
    kentongan = assemble(settings_of(ctx))
    with acting(ctx) as (session, _, who):
        found, feeds = _feeds(kentongan, session).named(name).public_id, ReadFeeds(session, who)
        view, runs, items = feeds.view(found), feeds.runs(found), feeds.items(found, most, name=item)
    lines = [_line(view), *(f"  {_moment(each.started_at)}  {_counted(each)}" for each in runs[:_MOST_SHOWN])]
    for each in items:
        lines += _item_lines(each, in_full=item is not None)
    shown = {
        "feed": asdict(view),
        "fetches": [asdict(each) for each in runs],
        "items": [asdict(each) for each in items],
    }
    show(shown, as_json, "\n".join(lines))


@feed.command("remove")
@click.argument("name")
@AS_JSON
@click.pass_context
def remove(ctx: click.Context, name: str, as_json: bool) -> None:
    """Take nothing more, and forget what was taken; what the feed brought stays.

    Example: kentongan feed remove partner
    """
    kentongan = assemble(settings_of(ctx))
    with acting(ctx) as (session, _, _who):
        feeds = _feeds(kentongan, session)
        feeds.remove(feeds.named(name).public_id)
    show({"removed": name}, as_json, f"{name} takes nothing more; what it brought stays.")


def _feeds(kentongan: Kentongan, session: Session) -> Feeds:
    return Feeds(session, kentongan.clock, at_the_console(user()), kentongan.inbound, kentongan.seal)


def _try_out(kentongan: Kentongan, feed_id: int, out: Path | None, as_json: bool) -> None:
    found = []
    for position, each in enumerate(try_out(kentongan, feed_id)):
        shown = {key: value for key, value in asdict(each).items() if key != "documents"}
        found.append(shown)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            for number, document in enumerate(each.documents):
                (out / f"{position:06}-{number:02}.json").write_bytes(document)
        if not as_json:
            click.echo("\n".join(_foreseen_lines(each)))
    if as_json:
        show(found, True, "")
    elif not found:
        click.echo("There is nothing.")


def _chosen(options: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in options:
        name, equals, value = each.partition("=")
        if not equals or name in found:
            raise WrongFeed(f"write each option once, as NAME=VALUE or NAME=@FILE, not '{each[:60]}'")
        found[name] = Path(value[1:]).read_text(encoding="utf-8") if value.startswith("@") else value
    return found


def _line(view: FeedView) -> str:
    last = _counted(view.last_fetch) if view.last_fetch else "never fetched" if view.source else ""
    pushed = f"pushed {_counted(view.last_push)}" if view.last_push else "" if view.source else "nothing was pushed yet"
    told = "; ".join(
        part for part in (last, pushed, f"next {_moment(view.next_fetch)}" if view.next_fetch else "") if part
    )
    return f"{view.name}  {view.id}  {view.kind} for {view.organization} from {view.source or 'who pushes'}: {told}"


def _counted(run: RunView) -> str:
    counts = f"{run.new} new, {run.changed} changed, {run.unchanged} unchanged, {run.refused} refused"
    return f"{counts} ({run.state}{': ' + run.failure if run.failure else ''})"


def _item_lines(item: ItemView, *, in_full: bool) -> list[str]:
    lines = [f"  {item.name}: {item.accepted} objects kept, {item.refused} refused"]
    for change in item.changes:
        places = f" ({', '.join(change.paths)})" if in_full else ""
        lines.append(f"    changed {change.count} times: {change.words}{places}")
    told = item.problems if in_full else item.problems[:3]
    lines += [f"    {each.path}: {each.reason}" for each in told]
    if len(told) < len(item.problems):
        lines.append(f"    and {len(item.problems) - len(told)} more; --item shows them")
    return lines


def _foreseen_lines(each: Foreseen) -> list[str]:
    counts = ", ".join(f"{count} {outcome}" for outcome, count in each.counts.items())
    lines = [f"{each.name}: {counts or 'nothing of it would be kept'}"]
    lines += [f"  would be changed {change.count} times: {change.words}" for change in each.changes]
    return lines + [f"  {problem.path}: {problem.reason}" for problem in each.problems[:_MOST_SHOWN]]


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}Z" if at else ""
