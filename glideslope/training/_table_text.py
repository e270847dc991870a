"""A table as text, row by row: where each row ends, and which of them are whole."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any, NamedTuple

Row = list[str]

# Bytes that are no UTF-8, in a file that somebody else began, stay what they are.
KEEP = "surrogateescape"


class Table(NamedTuple):
    """The whole rows of a text.

    Args:
        rows: what they hold; the first one names the columns.
        ends: for each of them, how many bytes it and those before it take.
    """

    rows: list[Row]
    ends: list[int]

    @property
    def size(self) -> int:
        """How many bytes the whole rows take."""
        return self.ends[-1] if self.ends else 0


def table_of(content: bytes) -> Table:
    """The whole rows of a table; a last one that was not written to its end is left out.

    Raises:
        csv.Error: a field of more than 131,072 characters.
    """
    lines = content.splitlines(keepends=True)
    reader = csv.reader(line.decode(errors=KEEP) for line in lines)
    table, begun, size = Table([], []), 0, 0
    for row in reader:
        raw = lines[begun : reader.line_num]
        begun = reader.line_num
        if not _is_whole(raw):
            break
        size += sum(map(len, raw))
        table.rows.append(row)
        table.ends.append(size)
    return table


def row_text(row: Iterable[Any]) -> bytes:
    """A row and its line break."""
    text = io.StringIO(newline="")
    # With this ending, fields with either character of it are put in quotes.
    csv.writer(text, lineterminator="\r\n").writerow(row)
    return text.getvalue().removesuffix("\r\n").encode(errors=KEEP) + b"\n"


def _is_whole(raw: list[bytes]) -> bool:
    """The lines of a row end in a line break that is not inside of quotes."""
    if not raw[-1].endswith((b"\n", b"\r")):
        return False
    try:
        list(csv.reader((line.decode(errors=KEEP) for line in raw), strict=True))
    except csv.Error as error:
        return "unexpected end of data" not in str(error)
    return True
