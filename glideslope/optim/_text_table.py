"""Rows of cells as text, in columns two spaces apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def text_table(rows: Iterable[Sequence[str]], sides: str) -> str:
    """A line for each row; ``sides`` has ``<`` or ``>`` for each column, its side of alignment."""
    columns = list(zip(*rows, strict=True))
    return "\n".join(map("  ".join, zip(*map(_aligned, columns, sides), strict=True)))


def _aligned(column: Sequence[str], side: str) -> list[str]:
    width = max(map(len, column))
    return [f"{cell:{side}{width}}" for cell in column]
