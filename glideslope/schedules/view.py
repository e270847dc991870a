"""Labels and limits of pictures of schedules; the curve's points are `Schedule.outline`."""

from __future__ import annotations

from ._length import number_text as number_text
from ._outline import Outline as Outline
from ._outline import value_limits as value_limits

__all__ = ["Outline", "number_text", "value_label", "value_limits"]


def value_label(value: float, scale: float, digits: int = 4) -> str:
    """A value for a label: a rounding error beside values of size ``scale`` is 0.

    Args:
        value: the value.
        scale: the largest absolute value in the picture.
        digits: significant digits.

    >>> value_label(6.1e-32, 1.0), value_label(0.000123456, 1.0)
    ('0', '0.0001235')
    """
    return "0" if abs(value) <= 1e-12 * scale else f"{value:.{digits}g}"


def __dir__() -> list[str]:
    return __all__
