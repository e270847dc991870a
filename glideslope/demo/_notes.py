"""Warnings of the library as lines of a program."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def warnings_as_notes(console: Console) -> Iterator[None]:
    """Print the library's warnings as notes."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        yield
    for warning in warned:
        console.print(f"note: {warning.message}")
