"""The same few operations for Python floats and for arrays of any library.

A formula is written once against ``xp`` and runs on a float (exact Python arithmetic, what drives
an optimizer) or on an array of NumPy, torch or JAX (also inside ``jax.jit``: no branch on values).
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from glideslope.errors import require_type


class Scalars:
    """Python floats under the array libraries' names."""

    sin = staticmethod(math.sin)
    cos = staticmethod(math.cos)
    exp = staticmethod(math.exp)
    expm1 = staticmethod(math.expm1)
    log = staticmethod(math.log)
    log1p = staticmethod(math.log1p)
    sqrt = staticmethod(math.sqrt)

    @staticmethod
    def quotient(t: float, n: float) -> float:
        """How many whole ``n`` are in ``t``, exactly for integers of any size."""
        if isinstance(t, int) and isinstance(n, int):
            return t // n
        return t if math.isinf(t) else math.floor(t / n)

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

    def full(self, t: Any, value: float) -> Any:
        return self._library.full_like(t, value)

    def clip(self, x: Any, lo: float, hi: float) -> Any:
        # As floats: an int must fit 32 bits in JAX and 64 in torch.
        return self._library.clip(x, float(lo), float(hi))

    def quotient(self, t: Any, n: float) -> Any:
        k = self.floor(t / float(n))
        if self._library.__name__ != "jax.numpy":
            return k
        # XLA multiplies by a rounded 1/n instead, which leaves k off by one at some multiples of n.
        rest = t - k * float(n)
        return self.where(rest >= n, k + 1, self.where(rest < 0, k - 1, k))

    def count(self, edges: Sequence[float], t: Any) -> Any:
        values = t.contiguous() if self._library.__name__ == "torch" else t
        return self.searchsorted(self._table(edges), values, side="right")

    def take(self, table: Sequence[float], index: Any) -> Any:
        return self._table(table)[index]

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
    array = hasattr(t, "dtype") and (module == "torch" or hasattr(t, "__array_namespace__"))
    require_type(array, "t", "be a number or an array of steps", t)
    real = str(t.dtype).rpartition(".")[2].startswith(("int", "uint", "float", "bfloat"))
    require_type(real, "t", "be an array of real numbers", t)
    return sys.modules["torch"] if module == "torch" else t.__array_namespace__()


def as_floats(t: Any, library: Any) -> Any:
    """Steps as floating point: double precision where the library's integers promise no better."""
    if library.__name__ == "torch" and not t.is_floating_point():
        return t.to(library.float32 if t.device.type == "mps" else library.float64)
    return t * 1.0


def power(base: float, k: int) -> float:
    """``base**k``, infinite where a double cannot hold it."""
    try:
        return float(base**k)
    except OverflowError:
        return math.inf
