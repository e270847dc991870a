"""Text in columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["text_table"]


def text_table(rows: Iterable[Sequence[str]], sides: str) -> str:
    """Rows of cells as lines of text, in columns two spaces apart.

    Args:
        rows: the cells of each row, as many in each.
        sides: ``<`` or ``>`` for each column, the side on which its cells are aligned.

    >>> print(text_table([("lr", "0.1"), ("weight_decay", "0")], "<>"))
    lr            0.1
    weight_decay    0
    """
    columns = list(zip(*rows, strict=True))
    return "\n".join(map("  ".join, zip(*map(_aligned, columns, sides), strict=True)))


def _aligned(column: Sequence[str], side: str) -> list[str]:
    width = max(map(len, column))
    return [f"{cell:{side}{width}}" for cell in column]
