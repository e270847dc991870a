"""TensorFlow's functions under the names of the other array libraries."""

from __future__ import annotations

import sys
from typing import Any

from glideslope.errors import require_type


class TensorFlow:
    """The functions that a schedule's formula calls, of tensors of TensorFlow.

    Args:
        library: the module ``tensorflow``.
    """

    __name__ = "tensorflow"

    def __init__(self, library: Any) -> None:
        maths = library.math
        self.cos, self.sin, self.sqrt = maths.cos, maths.sin, maths.sqrt
        self.exp, self.expm1 = maths.exp, maths.expm1
        self.log, self.log1p = maths.log, maths.log1p
        self.clip, self.floor, self.where = library.clip_by_value, maths.floor, library.where
        self._library = library

    def floats(self, t: Any) -> Any:
        """Steps as floating point, integers as TensorFlow's default of float32."""
        t = self._library.convert_to_tensor(t)
        return t if t.dtype.is_floating else self._library.cast(t, "float32")

    def finfo(self, dtype: Any) -> Any:
        """The limits of a dtype, as NumPy has them."""
        from numpy import finfo

        return finfo(dtype.as_numpy_dtype)

    def full_like(self, t: Any, value: float) -> Any:
        """A tensor of one value in the shape of ``t``."""
        return self._library.zeros_like(t) + value

    def asarray(self, values: list[float], dtype: Any) -> Any:
        """A tensor of values."""
        return _Table(self._library, self._library.constant(values, dtype))

    def searchsorted(self, edges: Any, t: Any, side: str) -> Any:
        """The place of each element of ``t`` among the edges; TensorFlow has it of vectors."""
        flat = self._library.reshape(t, [-1])
        found = self._library.searchsorted(edges.values, flat, side)
        return self._library.reshape(found, self._library.shape(t))


class _Table:
    """Values that are indexed by a tensor."""

    def __init__(self, library: Any, values: Any) -> None:
        self._library, self.values = library, values

    def __getitem__(self, index: Any) -> Any:
        return self._library.gather(self.values, index)


def tensorflow_of(t: Any) -> TensorFlow:
    """TensorFlow for a tensor or a variable of it; one that holds no real numbers is refused."""
    is_real = t.dtype.is_floating or t.dtype.is_integer
    require_type(is_real, "t", "be an array of real numbers", t)
    return TensorFlow(sys.modules["tensorflow"])
