"""`kentongan mail`: the part that receives mail for feeds."""

from __future__ import annotations

import click

from kentongan import log
from kentongan.bootstrap import assemble
from kentongan.cli import settings_of
from kentongan.cli.output import fail

NO_ADDRESS = 4


@click.command()
@click.pass_context
def mail(ctx: click.Context) -> None:
    """Receive mail for feeds by SMTP, in the foreground; `kentongan up` does so too where KENTONGAN_MAIL_IN is set.

    Exit codes: 2 wrong setting, 4 it cannot listen there, or its certificate cannot be used.

    Example: kentongan mail (with KENTONGAN_MAIL_IN=0.0.0.0:25 in the environment)
    """
    from kentongan.mail_reception import run  # noqa: PLC0415  # --help is quick without it

    settings = settings_of(ctx)
    if not settings.mail_in:
        raise click.UsageError("say where to listen: KENTONGAN_MAIL_IN=host:port")
    log.configure(settings.log_level)
    kentongan = assemble(settings)
    try:
        run(kentongan, lambda port: click.echo(f"Mail for feeds is received on port {port}", err=True))
    except OSError as error:
        fail(f"mail cannot be received at {settings.mail_in}: {error.strerror or error}", NO_ADDRESS)
    finally:
        kentongan.database.close()
