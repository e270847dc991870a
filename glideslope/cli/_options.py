"""Numbers on the command line, and the sentences that refuse what is none."""

from __future__ import annotations

import math
from typing import Any

import typer

LARGEST = 2**63 - 1

IN_UPDATES = {
    "steps_per_epoch": "to be a number of updates here",
    "tokens_per_step": "to be a number of updates here",
}
"""Names for `bind_named` of the numbers that a command has no options for."""


def count(text: str | int) -> int:
    """A whole number, also as ``1e4`` or ``10_000``.

    Raises:
        BadParameter: it is none.
    """
    try:
        found = int(text)
    except ValueError:
        rough = number_or_nan(text)
        if not rough.is_integer():
            rule = f"must be a whole number, such as 500 or 1e4, got {text!r}"
            raise typer.BadParameter(rule) from None
        found = int(rough)
    if abs(found) > LARGEST:
        raise typer.BadParameter(f"must be less than 2**63, got {text!r}")
    return found


def number(text: str | float) -> float:
    """A number, NaN excepted.

    Raises:
        BadParameter: it is none.
    """
    found = number_or_nan(text)
    if math.isnan(found):
        raise typer.BadParameter(f"must be a number, such as 0.5 or 3e-4, got {text!r}")
    return found


def number_or_nan(text: str | float) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def count_option(explained: str, metavar: str = "N", **options: Any) -> Any:
    """An option whose value is a whole number."""
    return typer.Option(metavar=metavar, parser=count, help=explained, **options)


def number_option(explained: str, metavar: str = "X", **options: Any) -> Any:
    """An option whose value is a number."""
    return typer.Option(metavar=metavar, parser=number, help=explained, **options)
