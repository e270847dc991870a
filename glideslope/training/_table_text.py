"""CSV text, row by row: where each row ends, and which rows are complete."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any, NamedTuple

Row = list[str]

# Bytes that are not UTF-8, in a file that another program wrote, do not change.
KEEP = "surrogateescape"


class Table(NamedTuple):
    """The complete rows of a text.

    Args:
        rows: the cells of each row; the first row names the columns.
        ends: for each row, its end in bytes from the start of the text.
    """

    rows: list[Row]
    ends: list[int]

    @property
    def size(self) -> int:
        """The number of bytes of the complete rows."""
        return self.ends[-1] if self.ends else 0


def table_of(content: bytes) -> Table:
    """The complete rows of a table; an incomplete last one is left out.

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
    """True if the lines of a row end in a line break outside of quotes."""
    if not raw[-1].endswith((b"\n", b"\r")):
        return False
    try:
        list(csv.reader((line.decode(errors=KEEP) for line in raw), strict=True))
    except csv.Error as error:
        return "unexpected end of data" not in str(error)
    return True
