"""The same few operations for Python floats and for arrays of any library.

A formula is written once against ``xp`` and runs on a float (Python arithmetic, which schedulers
use) or on an array of NumPy, torch, JAX, MLX or TensorFlow (also in a function that is compiled: no
branch on values).
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from glideslope.errors import require_type

from ._tensorflow import tensorflow_of


class Scalars:
    """Python floats under the array libraries' names."""

    sin = staticmethod(math.sin)
    cos = staticmethod(math.cos)
    exp = staticmethod(math.exp)
    expm1 = staticmethod(math.expm1)
    log = staticmethod(math.log)
    log1p = staticmethod(math.log1p)
    sqrt = staticmethod(math.sqrt)
    tiny = 1e-300
    """Keeps logarithms finite where another branch gives the value."""

    @staticmethod
    def number(value: float) -> float:
        """A constant of the formula, which may be an integer of any size."""
        return value

    @staticmethod
    def power(base: float, exponent: float) -> Any:
        return base**exponent

    @staticmethod
    def scaled(t: float, whole: float, steps: float) -> Any:
        """``t * whole / steps``, rounded once."""
        return rescaled(t * 1.0, whole * 1.0, steps * 1.0)

    @staticmethod
    def quotient(t: float, n: float) -> float:
        """How many whole ``n`` are in ``t``, exactly for integers of any size."""
        if isinstance(t, int) and isinstance(n, int):
            return t // n
        return math.floor(t / n) if math.isfinite(t) else t

    @staticmethod
    def where(condition: bool, a: float, b: float) -> float:
        return a if condition else b

    @staticmethod
    def clip(x: float, lo: float, hi: float) -> float:
        return lo if x < lo else hi if x > hi else x

    @staticmethod
    def full(t: float, value: float) -> float:
        return value

    @staticmethod
    def count(edges: Sequence[float], t: float) -> int:
        """How many of the ascending ``edges`` are at or before ``t``."""
        return bisect_right(edges, t)

    @staticmethod
    def take(table: Sequence[float], index: int) -> float:
        return table[index]

    @staticmethod
    def each(one: Any, whole: Any, t: float) -> Any:
        """A function of a number: ``one`` takes a number, ``whole`` takes an array."""
        return one(t)

    def select(self, t: float, starts: Sequence[float], parts: Sequence[Any]) -> Any:
        """The value of the part that answers for ``t``, on its own clock."""
        k = max(bisect_right(starts, t) - 1, 0)
        return parts[k]._at(t - starts[k], self)


SCALARS = Scalars()


class Arrays:
    """Arrays of one library, on the device and in the precision of ``like``."""

    def __init__(self, library: Any, like: Any) -> None:
        self._library, self._like = library, like

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)

    @property
    def tiny(self) -> float:
        return float(self._library.finfo(self._like.dtype).smallest_normal)

    @property
    def _is_double(self) -> bool:
        return "float64" in str(self._like.dtype)

    def number(self, value: float) -> float:
        return float(value)  # an int must fit 32 bits in JAX and 64 in torch

    def power(self, base: float, exponent: Any) -> Any:
        if self._is_double or not 0.5 < base < 2:
            return base**exponent
        # A base next to one, such as 0.99999999, would be rounded to it.
        return self.exp(math.log(base) * exponent)

    def scaled(self, t: Any, whole: float, steps: Any) -> Any:
        if self._is_double:
            return rescaled(t, float(whole), steps * 1.0)
        return t * float(whole) / (steps * 1.0)

    def full(self, t: Any, value: float) -> Any:
        return self._library.full_like(t, value)

    def clip(self, x: Any, lo: float, hi: float) -> Any:
        return self._library.clip(x, float(lo), float(hi))

    def quotient(self, t: Any, n: float) -> Any:
        divisor: Any = float(n)
        if self._library.__name__ in ("jax.numpy", "tensorflow"):
            # XLA would multiply by a rounded 1/n, which leaves the quotient off by one at some
            # multiples of n, if it saw that the divisor is a constant.
            divisor = self.where(t == t, divisor, t)
        return self.floor(t / divisor)

    def count(self, edges: Sequence[float], t: Any) -> Any:
        values = t.contiguous() if self._library.__name__ == "torch" else t
        return self.searchsorted(self._table(edges), values, side="right")

    def take(self, table: Sequence[float], index: Any) -> Any:
        return self._table(table)[index]

    def each(self, one: Any, whole: Any, t: Any) -> Any:
        if self._library.__name__ != "numpy":
            return whole(t)
        return self.asarray([one(step) for step in t.flat]).reshape(t.shape)

    def select(self, t: Any, starts: Sequence[float], parts: Sequence[Any]) -> Any:
        low, high = self._reach(t, starts)
        values = parts[low]._at(t - float(starts[low]), self)
        for k in range(low + 1, high + 1):
            start = float(starts[k])
            values = self.where(t < start, values, parts[k]._at(t - start, self))
        return values

    def _reach(self, t: Any, starts: Sequence[float]) -> tuple[int, int]:
        """The first and the last part that any step of ``t`` falls to, where that can be seen."""
        if self._library.__name__ != "numpy" or t.size == 0:
            return 0, len(starts) - 1
        low, high = (float(end.reduce(t, axis=None)) for end in (self.fmin, self.fmax))
        return max(bisect_right(starts, low) - 1, 0), max(bisect_right(starts, high) - 1, 0)

    def _table(self, values: Sequence[float]) -> Any:
        device = {"device": self._like.device} if self._library.__name__ == "torch" else {}
        floats = [float(value) for value in values]
        return self._library.asarray(floats, dtype=self._like.dtype, **device)


def array_namespace(t: Any) -> Any:
    """The library that ``t`` is an array of; anything else is refused."""
    module = type(t).__module__.partition(".")[0]
    if module == "tensorflow" and sys.modules["tensorflow"].is_tensor(t):
        return tensorflow_of(t)
    array = hasattr(t, "dtype") and (module == "torch" or hasattr(t, "__array_namespace__"))
    require_type(array, "t", "be a number or an array of steps", t)
    real = str(t.dtype).rpartition(".")[2].startswith(("int", "uint", "float", "bfloat"))
    require_type(real, "t", "be an array of real numbers", t)
    return sys.modules["torch"] if module == "torch" else t.__array_namespace__()


def as_floats(t: Any, library: Any) -> Any:
    """Steps as floating point: double precision where the library's integers promise no better."""
    if library.__name__ == "tensorflow":
        return library.floats(t)
    if library.__name__ == "torch" and not t.is_floating_point():
        return t.to(library.float32 if t.device.type == "mps" else library.float64)
    return t * 1.0


def rescaled(t: Any, whole: Any, steps: Any) -> Any:
    """``t * whole / steps`` of doubles as if rounded once: a boundary must be met from its side.

    The rounding error of the product, and then the remainder of the division, to full precision.
    """
    product = t * whole
    quotient = product / steps
    back = quotient * steps
    error = product_error(t, whole, product) - product_error(quotient, steps, back)
    return quotient + ((product - back) + error) / steps


def product_error(a: Any, b: Any, product: Any) -> Any:
    """``a * b - product`` exactly, by Dekker's product of halves (doi:10.1007/BF01397083)."""
    (a1, a2), (b1, b2) = halves(a), halves(b)
    return ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2


def halves(a: Any) -> tuple[Any, Any]:
    """The upper and the lower 26 bits of a double."""
    shifted = 134217729.0 * a
    upper = shifted - (shifted - a)
    return upper, a - upper


def power(base: float, k: int) -> float:
    """``base**k``, infinite where a double cannot hold it."""
    try:
        return float(base**k)
    except OverflowError:
        return math.inf
