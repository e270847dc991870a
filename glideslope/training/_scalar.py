"""One number, from whoever computed it."""

from __future__ import annotations

from typing import Any, SupportsFloat

from glideslope.errors import InvalidType, require_type, shortened


def scalar(value: SupportsFloat) -> Any:
    """A number of Python; of a scalar of NumPy or torch, its value, gradients or not.

    Raises:
        InvalidType: it holds several numbers, or none.
    """
    try:
        return value.item() if hasattr(value, "item") else value
    except (ValueError, RuntimeError) as error:
        message = f"a value in a record must be one number, got {shortened(value)}"
        raise InvalidType(message) from error


def number(name: str, value: SupportsFloat) -> float:
    """The same as a float.

    Args:
        name: what the value is called.
        value: the number; NaN and infinities are numbers, text is none.

    Raises:
        InvalidType: it is no number.
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
