"""Tables: in columns where they fit, label by label where they do not, a line a row in a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

GAP = 2
"""Blanks between two columns."""
LEAST = 24
"""The fewest columns into which the last cell of a row is wrapped."""

Row = Sequence[Text]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        name: its heading; a column without one holds what identifies the row.
        right: True if its cells are aligned to the right, as numbers are.
    """

    name: str
    right: bool = False


def print_text(console: Console, text: Text | str = "") -> None:
    """Print a text: wrapped on a terminal, on one line elsewhere."""
    console.print(text, soft_wrap=not console.is_terminal)


def print_table(
    console: Console, columns: Sequence[Column], rows: Sequence[Row], header: bool = True
) -> None:
    """Print a table, no wider than the terminal if there is one."""
    shown = [i for i, column in enumerate(columns) if column.name or any(row[i] for row in rows)]
    columns = [columns[i] for i in shown]
    rows = [[row[i] for i in shown] for row in rows]
    names = [[Text(column.name, "dim") for column in columns]] if header else []
    widths = [max(cell.cell_len for cell in column) for column in zip(*names, *rows, strict=True)]
    fixed = sum(widths[:-1]) + GAP * (len(widths) - 1)
    left = console.width - fixed if console.is_terminal else widths[-1]
    if left >= min(widths[-1], LEAST):
        lines = in_columns(console, columns, [*names, *rows], [*widths[:-1], left])
    else:
        lines = label_by_label(console, columns, rows)
    for line in lines:
        console.print(line, soft_wrap=True)


def in_columns(
    console: Console, columns: Sequence[Column], rows: Sequence[Row], widths: Sequence[int]
) -> Iterator[Text]:
    """A line for each row; the last cell continues below if it is longer than its column."""
    indent = sum(widths[:-1]) + GAP * (len(widths) - 1)
    natural = max(row[-1].cell_len for row in rows)
    ends = [*widths[:-1], min(widths[-1], natural)]
    for row in rows:
        first, *more = wrapped(console, row[-1], widths[-1])
        cells = zip([*row[:-1], first], columns, ends, strict=True)
        line = Text(" " * GAP).join(aligned(cell, column, width) for cell, column, width in cells)
        line.rstrip()
        yield line
        yield from (Text(" " * indent) + text for text in more)


def label_by_label(
    console: Console, columns: Sequence[Column], rows: Sequence[Row]
) -> Iterator[Text]:
    """A block for each row: its values, each after its label, or below where there is no room."""
    reach = max(len(column.name) for column in columns) + GAP
    beside = console.width - reach >= LEAST // 2
    for number, row in enumerate(rows):
        if number:
            yield Text()
        for column, cell in zip(columns, row, strict=True):
            if not cell:
                continue
            label = Text(column.name, "dim")
            if column.name and beside:
                first, *more = wrapped(console, cell, console.width - reach)
                yield aligned(label, Column(""), reach) + first
                yield from (Text(" " * reach) + text for text in more)
            else:
                yield from [label] * bool(column.name)
                yield from wrapped(console, cell, console.width)


def wrapped(console: Console, cell: Text, width: int) -> list[Text]:
    """The lines of a cell; at least one."""
    if cell.cell_len <= width:
        return [cell]
    lines = list(cell.wrap(console, width, overflow="fold"))
    for line in lines:
        line.rstrip()
    return lines


def aligned(cell: Text, column: Column, width: int) -> Text:
    """A cell filled up with blanks."""
    blanks = Text(" " * (width - cell.cell_len))
    return blanks + cell if column.right else cell + blanks
