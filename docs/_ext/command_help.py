"""Text of the reference of the command line: the help of every command, as it prints it."""

from __future__ import annotations

import typer.main
from typer.testing import CliRunner

from glideslope.cli._app import app

WIDTH = "96"


def commands() -> str:
    """The help of the program and of each command."""
    names = sorted(typer.main.get_command(app).commands)
    return "\n\n".join(_help(*arguments) for arguments in ((), *((name,) for name in names)))


def _help(*command: str) -> str:
    environment = {"COLUMNS": WIDTH, "TERMINAL_WIDTH": WIDTH, "NO_COLOR": "1"}
    result = CliRunner().invoke(app, [*command, "--help"], env=environment, prog_name="glideslope")
    text = "\n".join(map(str.rstrip, result.output.strip().splitlines()))
    return f"### `{' '.join(('glideslope', *command))}`\n\n```text\n{text}\n```"
