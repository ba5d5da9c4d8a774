"""What the demonstration tells at its end."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from kentongan.bench.measure import percentiles
from kentongan.demo.cast import LISTENERS
from kentongan.demo.guests import Key
from kentongan.demo.play import Outcome, Play
from kentongan.demo.verify import told_incident
from kentongan.demo.views import CHAPTERS
from kentongan.domain.identity import Identity
from kentongan.services.read_campaigns import CampaignView, ReadCampaigns
from kentongan.services.read_cases import CaseView, ReadCases
from kentongan.services.read_links import LinkView

_SHOWN = 6
_PAGE = 100


def tell(console: Console, play: Play, outcome: Outcome, url: str | None) -> None:
    """Print everything; `url` is where the installation goes on serving, None where it ends."""
    assert outcome.reader is not None
    console.print(_accepted(outcome))
    cases, campaigns = _found(play, outcome.reader)
    console.print(_cases(cases, outcome.reader))
    console.print(_campaigns(campaigns, outcome.reader))
    console.print(_views(outcome))
    console.print(_alerts(outcome))
    for fault in outcome.faults:
        console.print(f"[bold red]wrong:[/] {fault}", highlight=False)
    if url is not None:
        console.print(f"\nOpen [bold]{url}[/] and sign in as one of these:", highlight=False)
        for key in outcome.keys:
            _tell_key(console, key)


def _tell_key(console: Console, key: Key) -> None:
    guest = key.guest
    console.print(f"\n[bold]{guest.name}[/], {guest.role.value} of {guest.organization}", highlight=False)
    console.print(f"  {guest.email}  {key.password}", highlight=False, markup=False, soft_wrap=True)
    if key.uri:
        console.print(f"  {key.uri}", highlight=False, markup=False, soft_wrap=True)


def _accepted(outcome: Outcome) -> Table:
    table = _table("Accepted")
    for name in ("submissions", "incidents", "objects", "of these", "seconds"):
        table.add_column(name, justify="left" if name == "of these" else "right")
    objects = sum(outcome.accepted.values())
    parts = ", ".join(f"{count} {what}" for what, count in sorted(outcome.accepted.items()))
    table.add_row(
        str(outcome.submissions), str(len(outcome.sent)), str(objects), parts, f"{outcome.submit_seconds:.1f}"
    )
    return table


def _found(play: Play, reader: Identity) -> tuple[list[CaseView], list[CampaignView]]:
    with play.kentongan.database.reading() as session:
        read_cases, read_campaigns = ReadCases(session), ReadCampaigns(session)
        cases, cursor = [], None
        while True:
            page = read_cases.page(reader, _PAGE, cursor)
            cases += [read_cases.case(reader, each.id) for each in page.items if each.reports > 1]
            if (cursor := page.next) is None:
                break
        campaigns, cursor = [], None
        while True:
            found = read_campaigns.page(reader, _PAGE, cursor)
            campaigns += [read_campaigns.campaign(reader, each.id) for each in found.items]
            if (cursor := found.next) is None:
                return cases, campaigns


def _cases(cases: list[CaseView], reader: Identity) -> Table:
    several = sorted(cases, key=lambda view: -len(view.reports))
    table = _table(f"Cases with several reports, as {reader.organization_name} sees them: {len(several)}")
    table.add_column("reports", justify="right")
    table.add_column("reported by")
    table.add_column("first title", max_width=44)
    table.add_column("why they are one event")
    for view in several[:_SHOWN]:
        reporters = ", ".join(dict.fromkeys(report.incident.reporter.name for report in view.reports))
        table.add_row(str(len(view.reports)), reporters, view.reports[0].incident.title, _why(view.links))
    return table


def _campaigns(campaigns: list[CampaignView], reader: Identity) -> Table:
    largest = sorted(campaigns, key=lambda view: -len(view.cases))
    table = _table(f"Campaigns, as {reader.organization_name} sees them: {len(largest)}")
    table.add_column("cases", justify="right")
    table.add_column("countries")
    table.add_column("first title", max_width=44)
    table.add_column("why they belong together")
    for view in largest[:_SHOWN]:
        countries = " ".join(view.campaign.countries)
        table.add_row(str(len(view.cases)), countries, view.campaign.title, _why(view.links))
    return table


def _views(outcome: Outcome) -> Table:
    table = _table("One campaign under four markings: which of its reports each reader sees")
    for name in ("reported by", "marked", "title"):
        table.add_column(name)
    for view in outcome.views:
        table.add_column(view.reader, justify="center")
    for chapter in CHAPTERS:
        seen = ("yes" if chapter.title in view.titles else "-" for view in outcome.views)
        table.add_row(chapter.reporter, chapter.marked, chapter.title, *seen)
    return table


def _alerts(outcome: Outcome) -> Table:
    table = _table("Alerts that arrived, each with its signature and content verified")
    for name in ("subscriber", "channel", "alerts", "repeats", "verified", "median", "99th percentile"):
        table.add_column(name, justify="left" if name in ("subscriber", "channel") else "right")
    for listener in LISTENERS:
        mine = [arrival for arrival in outcome.arrivals if arrival.subscriber == listener.slug]
        alerts = {arrival.message_id for arrival in mine}
        good = sum(not arrival.fault for arrival in mine)
        times = _times(outcome, listener.slug)
        speed = [f"{value:.0f} ms" for value in percentiles(times)] if len(times) > 1 else ["", ""]
        table.add_row(
            listener.organization, listener.channel, str(len(alerts)), str(len(mine) - len(alerts)), str(good), *speed
        )
    return table


def _times(outcome: Outcome, slug: str) -> list[float]:
    """Seconds from the first byte sent to the alert's arrival, of each alert whose incident is known."""
    mine = (arrival for arrival in outcome.arrivals if arrival.subscriber == slug and not arrival.fault)
    return [arrival.at - outcome.sent_at[told] for arrival in mine if (told := told_incident(arrival, outcome.sent))]


def _why(links: tuple[LinkView, ...]) -> str:
    if not links:
        return ""
    strongest = max(links, key=lambda link: len(link.evidence))
    return "; ".join(item.words for item in strongest.evidence[:2] if item.share > 0)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", expand=False, pad_edge=False)
