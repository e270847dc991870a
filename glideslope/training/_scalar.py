"""Numbers of Python, NumPy and torch as Python numbers."""

from __future__ import annotations

from typing import Any, SupportsFloat

from glideslope.errors import InvalidType, require_type, shortened


def scalar(value: SupportsFloat) -> Any:
    """A number as it is; the value of a scalar of NumPy or torch, with or without a gradient.

    Raises:
        InvalidType: ``value`` holds several numbers, or none.
    """
    try:
        return value.item() if hasattr(value, "item") else value
    except (ValueError, RuntimeError) as error:
        message = f"a value in a record must be one number, got {shortened(value)}"
        raise InvalidType(message) from error


def number(name: str, value: SupportsFloat) -> float:
    """A number as a float.

    Args:
        name: the name of the value, for the message.
        value: the number; NaN and infinities are numbers, text is not.

    Raises:
        InvalidType: ``value`` is not a number.
    """
    held = _held(value)
    require_type(held is not None, name, "be a number", value)
    return float(held)


def _held(value: SupportsFloat) -> Any:
    """The number in a value; None if there is none."""
    try:
        held = scalar(value)
        return float(held) if hasattr(held, "__float__") else None
    except (TypeError, ValueError, RuntimeError, OverflowError):  # many elements, or none here
        return None
