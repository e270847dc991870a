"""Moving averages for rules: functions of one expression, which an engine inlines."""

from __future__ import annotations

from typing import Any

from ._maths import sqrt

__all__ = ["averaged", "averaged_square", "corrected_root"]


def averaged(average: Any, x: Any, beta: Any) -> Any:
    """An exponential moving average after ``x``: it moves towards ``x`` by ``1 - beta``.

    >>> averaged(1.0, 2.0, beta=0.75)
    1.25
    """
    return average + (1 - beta) * (x - average)


def averaged_square(average: Any, x: Any, beta: Any) -> Any:
    """An exponential moving average of squares after the square of ``x``.

    >>> averaged_square(1.0, 3.0, beta=0.75)
    3.0
    """
    return beta * average + (1 - beta) * x * x


def corrected_root(average: Any, beta: Any, step: Any) -> Any:
    """The root of an averaged square, corrected for its start at 0 after ``step`` updates.

    >>> corrected_root(averaged_square(0.0, 3.0, beta=0.75), beta=0.75, step=1)
    3.0
    """
    return sqrt(average) / sqrt(1 - beta**step)
