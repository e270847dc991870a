"""The program that the commands register with, and how it ends when the user is mistaken."""

from __future__ import annotations

import sys

import typer

from glideslope.errors import GlideslopeError

app = typer.Typer(
    name="glideslope",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def glideslope() -> None:
    """Learning rates: shape and check schedules, find a rate, train, and look at runs."""


def main() -> None:
    """Run the command line; a user's mistake ends in one sentence on stderr and exit code 2."""
    try:
        app()
    except (GlideslopeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
