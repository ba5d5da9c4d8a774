"""`kentongan migrate`: bring the database to the tables this version needs."""

from __future__ import annotations

import click

from kentongan.bootstrap import assemble
from kentongan.cli import settings_of
from kentongan.cli.output import fail, show
from kentongan.storage import migrate as migrations
from kentongan.storage.second_wall import NoReaderRole


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; end with code 1 if there is something to do.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def migrate(ctx: click.Context, check: bool, as_json: bool) -> None:
    """Bring the database to this version's tables. Safe to call at any time, also by several machines at once.

    Example: kentongan migrate
    """
    settings = settings_of(ctx)
    if settings.is_sqlite:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = assemble(settings).database
    try:
        was_current = migrations.is_current(database)
        if not (was_current or check):
            migrations.migrate(database)
    except (migrations.UnknownMigration, migrations.BrokenReferences, NoReaderRole) as error:
        fail(str(error))
    finally:
        database.close()
    current = was_current or not check
    shown = {"current": current, "changed": current and not was_current, "migration": migrations.newest()}
    show(shown, as_json, _words(current, was_current))
    if not current:
        ctx.exit(1)


def _words(current: bool, was_current: bool) -> str:
    if was_current:
        return "The database has this version's tables."
    return (
        "The database was brought to this version's tables." if current else "The database waits for: kentongan migrate"
    )
