"""Curves given by data: points, and a user's function."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from numbers import Real
from typing import Any

from glideslope.errors import InvalidType, require, require_type, shortened

from ._length import Binder, Length, Steps, as_phase, as_steps, as_value
from ._schedule import Schedule
from ._series import Grid, Number, Total, added, sum_of_cosines, sum_of_powers

SHAPES = ("hold", "linear", "cosine")


@dataclass(frozen=True, repr=False)
class Piecewise(Schedule):
    """Through given points: held until the next point, or joined by lines or half cosine waves.

    ``points[k] = (step, value)``; from one point to the next the value is ``value_k`` (hold),
    ``value_k · r + value_{k+1} · x`` (linear), or the same along a cosine.

    Args:
        points: (step, value) pairs, or a mapping from step to value; the first step is 0, the
            steps ascend. Steps may have a unit. The last point is the end: its value is held, and
            in a sequence the next schedule begins there.
        shape: ``"hold"``, ``"linear"`` or ``"cosine"``.

    Raises:
        InvalidValue: fewer than two points, steps that do not ascend from 0, an unknown shape.

    Example:
        >>> import glideslope as gs
        >>> s = gs.piecewise({0: 1.0, 30: 0.1, 60: 0.01})
        >>> s(29), s(30), s(1000)
        (1.0, 0.1, 0.01)
        >>> gs.piecewise([(0, 0), (10, 1), (100, 0)], shape="linear")(55)
        0.5

    Source: torch's ``MultiStepLR``, Ignite's ``PiecewiseLinear``, optax's ``piecewise_*``.
    """

    notation = "piecewise"
    points: Any
    shape: str = "hold"

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", _pairs(self.points))
        require(self.shape in SHAPES, "shape", f"be one of {', '.join(SHAPES)}", self.shape)
        steps = [step for step, _ in self.points]
        require(steps[0] == 0, "points", "begin at step 0", steps[0])
        require(ascending(steps), "points", "have ascending steps", steps)

    @property
    def _length(self) -> float | Length:
        units = (step for step, _ in self.points if isinstance(step, Length))
        return next(units, self.points[-1][0])

    def _bind(self, binder: Binder) -> Piecewise:
        points = [(binder.position(step), value) for step, value in self.points]
        return Piecewise(tuple(points), self.shape)

    @cached_property
    def _columns(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The steps and the values; the last value twice, so that every interval has an end."""
        steps, values = zip(*self.points, strict=True)
        return (*steps, 2 * steps[-1]), (*values, values[-1])

    def _at(self, t: Any, xp: Any) -> Any:
        steps, values = self._columns
        t = xp.clip(t, 0, steps[-2])
        k = xp.count(steps[1:-1], t)
        if self.shape == "hold":
            return xp.take(values, k)
        start, stop = xp.take(steps, k), xp.take(steps, k + 1)
        x, r = (t - start) / (stop - start), (stop - t) / (stop - start)
        if self.shape == "cosine":
            x, r = xp.sin(0.5 * math.pi * x) ** 2, xp.sin(0.5 * math.pi * r) ** 2
        return xp.take(values, k) * r + xp.take(values, k + 1) * x

    def _total(self, grid: Grid) -> Total:
        steps, values = self._columns
        early, *grids = grid.split(steps[:-1])
        pieces = zip(grids[:-1], pairwise(steps), pairwise(values), strict=False)
        sums = (Total(self._sum(*piece)) for piece in pieces if piece[0].count)
        ends = Total(values[0] * early.count), Total(values[-1] * grids[-1].count)
        return added((*ends, *sums))

    def _sum(self, grid: Grid, steps: tuple[Any, Any], values: tuple[Any, Any]) -> float:
        """The sum over the points of one interval."""
        if self.shape == "hold":
            return float(values[0] * grid.count)
        shares = grid.moved(steps[0]).scaled(1 / (Fraction(steps[1]) - Fraction(steps[0])))
        up = sum_of_powers(shares, 1)
        if self.shape == "cosine":
            up = Fraction((shares.count - sum_of_cosines(shares)) / 2)
        return float(Fraction(values[0]) * (shares.count - up) + Fraction(values[1]) * up)

    def _knots(self, start: Number, stop: Number, every: bool) -> list[Number]:
        return [step for step, _ in self.points if start <= step <= stop]


@dataclass(frozen=True, repr=False)
class Function(Schedule):
    """A user's function of the step: ``s(t) = function(t)``.

    It compares and pickles as its function does, and cannot be saved as text or JSON.

    Args:
        function: takes a step (int or float), gives a finite real number. NumPy arrays are
            evaluated element by element; arrays of other libraries are given to it whole.
        steps: length, in steps or with a unit; endless unless given.

    Raises:
        InvalidType: ``function`` cannot be called, or gives something that is not a real number.
        InvalidValue: it gives a number that is not finite.

    Example:
        >>> import glideslope as gs
        >>> gs.function(lambda t: 0.95 ** (t // 10))(25)
        0.9025
    """

    notation = "function"
    _has_name = False
    function: Callable[[Any], Any]
    steps: Steps = math.inf  # type: ignore[assignment]

    def __post_init__(self) -> None:
        require_type(callable(self.function), "function", "be callable", self.function)
        if self.steps != math.inf:
            object.__setattr__(self, "steps", as_phase("steps", self.steps))

    def _at(self, t: Any, xp: Any) -> Any:
        return xp.each(self._one, self.function, xp.clip(t, 0, self.steps))

    def _one(self, t: float) -> float:
        t = int(t) if t == int(t) else float(t)  # not a NumPy scalar: a table can be indexed
        value = self.function(t)
        value = value.item() if hasattr(value, "item") else value
        name = getattr(self.function, "__name__", type(self.function).__name__)
        call = f"{name}({t})"
        require_type(isinstance(value, Real), call, "be a real number", value)
        require(math.isfinite(value), call, "be finite", value)
        return float(value)


def ascending(steps: list[Any]) -> bool:
    """True if each step is more than the one before, as far as they are bound."""
    bound = [step for step in steps if not isinstance(step, Length)]
    return all(a < b for a, b in pairwise(bound))


def _pairs(points: Any) -> tuple[tuple[Any, float], ...]:
    """Points from a mapping or from pairs."""
    rule = "be (step, value) pairs or a mapping from step to value"
    items: Iterable[Any] = points.items() if isinstance(points, Mapping) else points
    try:
        pairs = [(step, value) for step, value in items]
    except (TypeError, ValueError):
        raise InvalidType(f"`points` must {rule}, got {shortened(points)}") from None
    require(len(pairs) > 1, "points", "be at least two: one value is a constant", points)
    return tuple((as_steps("step", step), as_value("value", value)) for step, value in pairs)
