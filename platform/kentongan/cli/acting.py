"""What administrative commands share: one transaction, the identity of who types, refusals as one line."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click
from sqlalchemy.orm import Session

from kentongan.bootstrap import assemble
from kentongan.cli import settings_of
from kentongan.cli.output import fail
from kentongan.domain.identity import Identity, at_the_console
from kentongan.services.errors import NotFound, Refused

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@contextmanager
def acting(ctx: click.Context) -> Iterator[tuple[Session, Callable[[], datetime], Identity]]:
    """A transaction that commits at the end of the block, the clock, and the operator at the machine.

    Ends the command with 1 and one line where a service refuses the wish.
    """
    kentongan = assemble(settings_of(ctx))
    try:
        with kentongan.database.writing() as session:
            yield session, kentongan.clock, at_the_console(user())
    except (NotFound, Refused) as error:
        fail(str(error))
    finally:
        kentongan.database.close()


def moment(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    """A day or a moment of ISO 8601; without a time zone it is UTC. Raises BadParameter."""
    if value is None:
        return None
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter("write a day or a moment so: 2027-06-30 or 2027-06-30T12:00:00+07:00") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def user() -> str:
    """Who types, as the system knows them; in a container it may know nobody of that number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown user"
