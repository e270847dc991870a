"""Tables on terminals of every width, and in a pipe."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console
from rich.text import Text

from glideslope.cli._tables import Column, print_table

COLUMNS = [Column(""), Column("steps", right=True), Column("best", right=True), Column("schedule")]
LONG = "warmup(250) >> hold(3750) >> linear(1000) >> constant(0.1)"
ROWS = [["a", "4000", "*1.2345", LONG], ["b", "50", "", "cosine(50)"]]


def printed(width: int, terminal: bool = True, rows: list[list[str]] = ROWS) -> list[str]:
    output = StringIO()
    console = Console(file=output, width=width, force_terminal=terminal, color_system=None)
    print_table(console, COLUMNS, [[Text(cell) for cell in row] for row in rows])
    return output.getvalue().splitlines()


@pytest.mark.parametrize("width", [10, 40, 80, 300])
def test_in_a_pipe_each_row_is_a_line(width: int) -> None:
    assert printed(width, terminal=False) == [
        "   steps     best  schedule",
        f"a   4000  *1.2345  {LONG}",
        "b     50           cosine(50)",
    ]


def test_the_last_cell_is_wrapped_where_there_is_room_for_it() -> None:
    assert printed(50) == [
        "   steps     best  schedule",
        "a   4000  *1.2345  warmup(250) >> hold(3750) >>",
        "                   linear(1000) >> constant(0.1)",
        "b     50           cosine(50)",
    ]


def test_on_a_narrow_terminal_each_value_follows_its_label() -> None:
    assert printed(40) == [
        "a",
        "steps     4000",
        "best      *1.2345",
        "schedule  warmup(250) >> hold(3750) >>",
        "          linear(1000) >> constant(0.1)",
        "",
        "b",
        "steps     50",
        "schedule  cosine(50)",
    ]


def test_on_a_very_narrow_one_below_it() -> None:
    assert printed(12, rows=[["a", "4000", "", "cosine(50)"]]) == [
        *("a", "steps", "4000", "schedule", "cosine(50)")
    ]


@pytest.mark.parametrize("width", range(10, 100))
def test_no_line_is_wider_than_the_terminal_and_nothing_is_lost(width: int) -> None:
    lines = printed(width)
    assert max(map(len, lines)) <= width
    text = "".join("".join(lines).split())
    assert all("".join(part.split()) in text for part in ("4000", "*1.2345", "50"))
    assert text.count(">>") == 3


def test_a_column_without_a_name_and_without_cells_takes_no_room() -> None:
    assert printed(80, rows=[["", "1", "2", "x"]])[0] == "steps  best  schedule"
