"""Functions for rules: each works on Python floats, NumPy arrays and torch tensors.

An engine that compiles a rule replaces them by its own versions.
"""

from __future__ import annotations

import math
import sys
from typing import Any

__all__ = [
    "absolute",
    "agreeing",
    "agreeing_decay",
    "clip",
    "maximum",
    "mean",
    "minimum",
    "norm",
    "sign",
    "sqrt",
    "total",
    "where",
    "wide",
]

TINY = 1e-300
"""The least divisor, where the quotient is 0 or is not used."""


def _is_torchs(value: Any) -> bool:
    """True if torch's functions take it: a tensor, or a class with ``__torch_function__``."""
    return hasattr(value, "__torch_function__")


def _library(*values: Any) -> Any:
    """Torch if one of the values is a tensor, else NumPy; a value that is here loaded its own."""
    if any(map(_is_torchs, values)):
        return sys.modules["torch"]
    import numpy

    return numpy


def sqrt(x: Any) -> Any:
    """The square root."""
    return math.sqrt(x) if isinstance(x, float) else _library(x).sqrt(x)


def absolute(x: Any) -> Any:
    """The value without its sign."""
    return abs(x)


def sign(x: Any) -> Any:
    """-1, 0 or 1; the sign of 0 is 0."""
    return float((x > 0) - (x < 0)) if isinstance(x, float) else _library(x).sign(x)


def maximum(x: Any, y: Any) -> Any:
    """The larger of two; not-a-number wins."""
    return _library(x, y).maximum(*_alike(x, y))


def minimum(x: Any, y: Any) -> Any:
    """The smaller of two; not-a-number wins."""
    return _library(x, y).minimum(*_alike(x, y))


def clip(x: Any, low: Any, high: Any) -> Any:
    """``x`` moved into [low, high]."""
    return _library(x).clip(x, low, high)


def where(condition: Any, x: Any, y: Any) -> Any:
    """``x`` where the condition holds, else ``y``: what a rule has instead of ``if``."""
    if not _is_torchs(condition) and (_is_torchs(x) or _is_torchs(y)):
        return x if condition else y  # NumPy would read the tensor
    return _library(condition).where(condition, x, y)


def total(x: Any) -> Any:
    """The sum over a whole tensor, in double precision: a scalar."""
    return _library(x).sum(wide(x))


def mean(x: Any) -> Any:
    """The mean over a whole tensor."""
    return total(x) / (x.numel() if _is_torchs(x) else _library(x).size(x))


def norm(x: Any) -> Any:
    """The Euclidean norm of a whole tensor, its squares taken in double precision."""
    return sqrt(total(wide(x) * wide(x)))


def wide(x: Any) -> Any:
    """The value in double precision, whatever the precision of the parameter."""
    return x.double() if _is_torchs(x) else x


def agreeing(update: Any, g: Any) -> Any:
    """An update where it has the sign of the gradient, as much larger as fewer elements have it.

    A rule that has the option ``cautious`` calls it where that is on.

    >>> import numpy as np
    >>> agreeing(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.0, 0.0, -1.0]))
    array([2., 4., 0., 0.])
    """
    return update * where(update * g > 0, 1, 0) / maximum(mean(where(update * g > 0, 1, 0)), 1e-3)


def agreeing_decay(weight_decay: Any, update: Any, p: Any) -> Any:
    """Weight decay where the update has the sign of the parameter, or one of both is 0; else 0.

    A rule that has the option ``cautious_weight_decay`` calls it where that is on.

    >>> import numpy as np
    >>> agreeing_decay(0.5, np.array([1.0, 0.0, -1.0, 1.0]), np.array([2.0, 2.0, 2.0, 0.0]))
    array([0.5, 0.5, 0. , 0.5])
    """
    return weight_decay * minimum(sign(update) * sign(p) + 1, 1)  # a product may be rounded to 0


def _alike(x: Any, y: Any) -> tuple[Any, Any]:
    """Both as tensors if one is: torch's `maximum` takes no plain number."""
    if _is_torchs(x):
        return x, y if _is_torchs(y) else x.new_full((), y)
    return (y.new_full((), x), y) if _is_torchs(y) else (x, y)
