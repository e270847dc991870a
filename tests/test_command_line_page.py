"""The page of the command line lists every command."""

from __future__ import annotations

import re
from pathlib import Path

import typer.main

from glideslope.cli._app import app

PAGE = Path(__file__).parents[1] / "docs" / "command-line.md"


def test_every_command_has_a_row() -> None:
    rows = re.findall(r"^\| `glideslope ([a-z-]+)", PAGE.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
