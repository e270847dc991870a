"""One number, from whoever computed it."""

from __future__ import annotations

from typing import Any, SupportsFloat


def scalar(value: SupportsFloat) -> Any:
    """A number of Python; of a scalar of NumPy or torch, its value, gradients or not."""
    return value.item() if hasattr(value, "item") else value
