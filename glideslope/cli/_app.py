"""The program that the commands register with, and the one style of its messages.

A mistake of the user ends in one sentence on the standard error and exit code 2.
"""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from glideslope._version import __version__
from glideslope.distributed import apparent_launch
from glideslope.errors import GlideslopeError

app = typer.Typer(
    name="glideslope",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Newer releases of Typer have their own copies of Click's errors and export only this one.
UsageError, ClickError = typer.BadParameter.__mro__[1:3]


@app.callback(invoke_without_command=True)
def glideslope(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None:
    """Learning rates: shape and check schedules, find a learning rate, train, and compare runs."""
    if version:
        typer.echo(f"glideslope {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the command line, and exit with the code of the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a run may be named in any alphabet
    try:
        code = app(standalone_mode=False, prog_name="glideslope")
    except (GlideslopeError, OSError, ClickError) as error:  # type: ignore[misc]
        if not is_repeated(error):
            print(f"error: {message(error)}", file=sys.stderr)
        raise SystemExit(2) from None
    except typer.Abort:  # Ctrl-C, in older releases of Typer
        raise SystemExit(130) from None
    raise SystemExit(code or 0)


def is_repeated(error: Exception) -> bool:
    """True for an error that the first rank of a run prints: all ranks find it, or hear of it."""
    is_train = sys.argv[1:2] == ["train"]
    return is_train and not isinstance(error, OSError) and not apparent_launch().is_first


def message(error: Exception) -> str:
    """The sentence of an error."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, typer.BadParameter) and error.message.startswith("must "):
        return f"`{option_of(error)}` {error.message}"
    if isinstance(error, UsageError):
        problem = error.format_message().rstrip(".")  # type: ignore[attr-defined]
        context = error.ctx  # type: ignore[attr-defined]
        path = context.command_path if context else "glideslope"
        return f"{problem[:1].lower()}{problem[1:]}: see `{path} --help`"
    return str(error)


def option_of(error: typer.BadParameter) -> str:
    """The option, or the argument, that has a bad value."""
    parameter = error.param
    if parameter is None:
        return ""
    return max(parameter.opts, key=len) if parameter.opts[0].startswith("-") else parameter.name
