"""Curves that need no end: a constant, the decays, and the warm-up factors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from glideslope.errors import require

from ._codec import value_text
from ._far import held
from ._fields import set_period, set_phase, set_positive, set_values
from ._length import Length, Steps, bound_steps
from ._maths import SCALARS
from ._schedule import Schedule
from ._series import Grid, Total, added, sum_of_exponentials


@dataclass(frozen=True, repr=False)
class Constant(Schedule):
    """One value: ``s(t) = value``.

    Args:
        value: the value.
        steps: length, in steps or with a unit; endless unless given (`hold` gives it first).

    Raises:
        InvalidValue: ``steps`` below 1 and not 0, or a value that is not finite.

    Example:
        >>> import glideslope as gs
        >>> gs.constant(0.1)(10**9)
        0.1
        >>> gs.warmup(10) >> gs.hold(80) >> gs.linear(10)
        warmup(10) >> hold(80) >> linear(10)
    """

    notation = "constant"
    _is_monotone = True
    value: float = 1.0
    steps: Steps = math.inf  # type: ignore[assignment]

    def __post_init__(self) -> None:
        set_values(self, "value")
        if self.steps != math.inf:
            set_phase(self, "steps")

    @property
    def end(self) -> float:
        """The value."""
        return self.value

    def _at(self, t: Any, xp: Any) -> Any:
        return xp.full(t, self.value)

    def _total(self, grid: Grid) -> Total:
        return Total(self.value * grid.count)

    def __repr__(self) -> str:
        if self.steps == math.inf:
            return f"constant({value_text(self.value)})"
        rest = "" if self.value == 1.0 else f", {value_text(self.value)}"
        return f"hold({value_text(self.steps)}{rest})"


@dataclass(frozen=True, repr=False)
class Endless(Schedule):
    """The base of the endless curves: no length, and one direction."""

    _is_monotone = True

    @property
    def _length(self) -> float | Length:
        return math.inf


@dataclass(frozen=True, repr=False)
class Exponential(Endless):
    """A constant factor per step, or per ``every`` steps: ``gamma^(t / every)``.

    Args:
        gamma: the factor, at least 0; with 0 the curve is 1 at step 0 and 0 after it.
        every: the number of steps it takes to apply once, in steps or with a unit.

    Raises:
        InvalidValue: ``gamma`` below 0, ``every`` not above 0.

    Example:
        >>> import glideslope as gs
        >>> gs.exponential(0.5, every=10)(20)
        0.25

    Source: torch's ``ExponentialLR``; ``every`` from Keras' ``ExponentialDecay``.
    """

    notation = "exponential"
    gamma: float
    every: Steps = 1

    def __post_init__(self) -> None:
        set_values(self, "gamma")
        require(self.gamma >= 0, "gamma", "be at least 0", self.gamma)
        set_period(self, "every")

    def _at(self, t: Any, xp: Any) -> Any:
        t = xp.clip(t, 0, math.inf)
        # Whole powers and the rest apart: the error of a power grows with a rounded exponent.
        every = xp.number(self.every)
        whole = xp.quotient(t, self.every)
        rest = xp.clip(t - whole * every, 0, every)
        return xp.power(self.gamma, whole) * xp.power(self.gamma, rest / every)

    def _total(self, grid: Grid) -> Total:
        early, late = grid.split((0,))
        if not self.gamma:  # 0^0 is 1
            return Total(float(early.count + (late.count > 0 and late.first == 0)))
        turns = late.scaled(1 / Fraction(bound_steps(self.every)))
        return Total(early.count + sum_of_exponentials(turns, math.log(self.gamma)))


@dataclass(frozen=True, repr=False)
class PowerLaw(Endless):
    """A power of time: ``(1 + t / timescale)^(-power)``.

    ``power=0.5`` after a warm-up of ``timescale`` steps is the inverse square root
    ``√(w / t)`` in the run's own clock; ``power=1`` is inverse time decay, ``1 / (1 + γt)`` with
    ``timescale = 1 / γ``.

    Args:
        timescale: steps until the base of the power has doubled, in steps or with a unit.
        power: the exponent, above 0.

    Raises:
        InvalidValue: ``timescale`` or ``power`` not above 0.

    Example:
        >>> import glideslope as gs
        >>> (gs.warmup(100) >> gs.power_law(100))(400)      # √(100 / 400)
        0.5

    Source: arXiv:1706.03762 (inverse square root), arXiv:2408.13359 (power).
    """

    notation = "power_law"
    timescale: Steps
    power: float = 0.5

    def __post_init__(self) -> None:
        set_period(self, "timescale")
        set_positive(self, "power")

    def _at(self, t: Any, xp: Any) -> Any:
        t, timescale = xp.clip(t, 0, math.inf), xp.number(self.timescale)
        return (timescale / (timescale + t)) ** self.power


@dataclass(frozen=True, repr=False)
class Saturation(Endless):
    """Exponential warm-up: ``1 - e^(-(t + 1) / timescale)``, to multiply another schedule with.

    ``timescale = 1 / (1 - beta2)`` is the untuned exponential warm-up for Adam.

    Args:
        timescale: steps to within 1/e of one, in steps or with a unit.

    Raises:
        InvalidValue: ``timescale`` not above 0.

    Example:
        >>> import glideslope as gs
        >>> s = gs.saturation(1000) * gs.cosine(100_000)
        >>> round(s(999), 4)
        0.632

    Source: arXiv:1910.04209.
    """

    notation = "saturation"
    timescale: Steps

    def __post_init__(self) -> None:
        set_period(self, "timescale")

    def _at(self, t: Any, xp: Any) -> Any:
        return -xp.expm1(-(xp.clip(t, 0, math.inf) + 1) / xp.number(self.timescale))

    def _total(self, grid: Grid) -> Total:
        early, late = grid.split((0,))
        missing = sum_of_exponentials(late.moved(-1), -1 / bound_steps(self.timescale))
        return added((held(self, 0, early.count), Total(late.count - missing)))


@dataclass(frozen=True, repr=False)
class Rectifier(Endless):
    r"""RAdam's variance rectification as a warm-up factor, from the first step where it exists.

    ``√((ρ-4)(ρ-2)ρ∞ / ((ρ∞-4)(ρ∞-2)ρ))`` with ``ρ∞ = 2/(1-β) - 1`` and
    ``ρ = ρ∞ - 2kβ^k/(1-β^k)``, ``k = t + k₀`` where k₀ is the first k with ``ρ > 4``.

    Args:
        beta2: the optimizer's second-moment coefficient; between 0.6 and 1.

    Raises:
        InvalidValue: ``beta2`` not between 0.6 and 1.

    Example:
        >>> import glideslope as gs
        >>> round(gs.rectifier(0.999)(1000), 4)
        0.6466

    Source: RAdam, arXiv:1908.03265, as a warm-up in arXiv:1910.04209.
    """

    notation = "rectifier"
    beta2: float = 0.999

    def __post_init__(self) -> None:
        set_values(self, "beta2")
        require(0.6 < self.beta2 < 1, "beta2", "be more than 0.6 and less than 1", self.beta2)

    @cached_property
    def _first(self) -> int:
        """The first count whose ρ exceeds 4: about five, a few more for a small β₂."""
        return next(k for k in range(1, 1 << 20) if self._excess(k, SCALARS) > 0)

    @property
    def _limit(self) -> float:
        return 2 / (1 - self.beta2) - 1

    def _excess(self, k: Any, xp: Any) -> Any:
        """ρ - 4 without cancellation.

        With ``h = -log(β) / 2`` and ``L(z) = coth z - 1/z``, ρ is also ``k + L(h) - k·L(kh)``.
        """
        h = -0.5 * math.log(self.beta2)
        early = (k - 4) + (langevin(h) - k * langevin(k * h))
        late = self._limit - 4 + 2 * k * xp.exp(-2 * h * k) / xp.expm1(-2 * h * k)
        return xp.where(k * h < 1, early, late)

    def _at(self, t: Any, xp: Any) -> Any:
        limit = self._limit
        excess = self._excess(xp.clip(t, 0, 1e15) + self._first, xp)
        products = (excess / (limit - 4)) * ((excess + 2) / (limit - 2)) * (limit / (excess + 4))
        return xp.sqrt(products)


def langevin(z: Any) -> Any:
    """``coth z - 1/z`` for z up to 1, by its continued fraction."""
    value = 0.0
    for odd in range(19, 1, -2):
        value = z * z / (odd + value)
    return value / z
