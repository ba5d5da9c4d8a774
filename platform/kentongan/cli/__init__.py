"""The `kentongan` command: one file per group of commands, loaded only when it is called, so that `--help` is quick."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import click

from kentongan.cli.output import fail
from kentongan.settings import Settings, WrongSetting, load_settings

COMMANDS = {
    "up": "run",
    "web": "run",
    "worker": "run",
    "scheduler": "run",
    "mail": "mail",
    "migrate": "migrate",
    "doctor": "doctor",
    "org": "organizations",
    "person": "people",
    "token": "tokens",
    "group": "groups",
    "role": "groups",
    "audit": "audit",
    "subscribe": "subscribe",
    "submit": "submit",
    "feed": "feeds",
    "erase": "erasing",
    "retention": "erasing",
    "explain": "explain",
    "decide": "decide",
    "relink": "relink",
    "matching-report": "matching_report",
    "evaluate": "evaluate",
    "demo": "demo",
    "bench": "bench",
}
"""Each command and the module of this package that holds it, under the command's name."""


class LazyGroup(click.Group):
    """Imports a command's module when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """In the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, from its module's attribute of the same name, written as names are."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"kentongan.cli.{COMMANDS[cmd_name]}")
        command: Any = getattr(module, cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        _add_data_dir(command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what no command foresees (no folder, no database) ends in one line, not in a traceback."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # whoever read the output left: click ends quietly
        except OSError as error:
            what = f"{error.filename}: " if error.filename else ""
            fail(f"{what}{error.strerror or error}; `kentongan doctor` says what is wrong", NOT_REACHED)
        except Exception as error:
            if not type(error).__module__.startswith("sqlalchemy."):
                raise
            fail(
                f"the database cannot be used ({_first_line(error)}); `kentongan migrate` prepares it, `kentongan doctor` "
                "says what is wrong",
                NOT_REACHED,
            )


NOT_REACHED = 3


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]


def _add_data_dir(command: click.Command) -> None:
    """Let every command be told the installation behind its own name too, as `up` is."""
    if isinstance(command, click.Group):
        for each in command.commands.values():
            _add_data_dir(each)
    elif not any(parameter.name == "data_dir" for parameter in command.params):
        command.params.append(
            click.Option(
                ["--data-dir"],
                type=click.Path(path_type=Path),
                expose_value=False,
                callback=_remember_data_dir,
                help="The installation to work on (or KENTONGAN_DATA_DIR).",
            )
        )


def _remember_data_dir(ctx: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.find_root().obj = value


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="The installation to work on (or KENTONGAN_DATA_DIR)."
)
@click.version_option(package_name="kentongan")
@click.pass_context
def main(ctx: click.Context, data_dir: Path | None) -> None:
    """Kentongan: CERTs submit incidents, duplicates and campaigns are found, subscribers are told.

    Example: kentongan up, and in another terminal: kentongan submit incident.json
    """
    ctx.obj = data_dir


def settings_of(ctx: click.Context, **overrides: Any) -> Settings:
    """The settings of the installation this command works on. Ends the command with code 2 on a wrong value."""
    data_dir = overrides.pop("data_dir", None) or ctx.find_root().obj
    try:
        return load_settings(data_dir=data_dir, **overrides)
    except WrongSetting as error:
        raise click.UsageError(str(error)) from None
