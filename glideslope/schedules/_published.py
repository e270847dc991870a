"""Published shapes that neither start at one nor end at zero exactly, kept as published."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Self

from glideslope.errors import require

from ._curves import Endless
from ._fields import set_length, set_phase, set_positive, set_values
from ._length import REST, Binder, Length, Steps, as_phase, bound_steps
from ._schedule import Schedule, Span


@dataclass(frozen=True, repr=False)
class Finite(Schedule):
    """Base of the curves here that have a length."""

    steps: Steps = field()  # type: ignore[assignment]

    def __post_init__(self) -> None:
        set_phase(self, "steps")


@dataclass(frozen=True, repr=False)
class Bounded(Finite):
    """Base of both hyperbolas: a length, and an upper bound that is not below it."""

    upper_bound: Steps

    def __post_init__(self) -> None:
        super().__post_init__()
        set_phase(self, "upper_bound")
        same = self.upper_bound == self.steps
        require(same or self.upper_bound != REST, "upper_bound", "be a number of steps", "rest")
        if not isinstance(self.steps, Length) and not isinstance(self.upper_bound, Length):
            steps, limit = bound_steps(self.steps), bound_steps(self.upper_bound)
            require(limit >= steps, "upper_bound", f"be at least the {steps} steps", limit)

    def _bind(self, binder: Binder) -> Self:
        # The same length stays the same, though one is rounded in its place and one on its own.
        same = self.upper_bound == self.steps
        steps = binder.resolve(as_phase("steps", self.steps))
        limit = binder.position(as_phase("upper_bound", self.upper_bound))
        return replace(self, steps=steps, upper_bound=steps if same else limit)


@dataclass(frozen=True, repr=False)
class Tanh(Finite):
    """A hyperbolic tangent: ``(1 - tanh(lower · (1 - x) + upper · x)) / 2``.

    It starts a little under 1 and ends a little over 0, as published.

    Args:
        steps: length, in steps or with a unit.
        lower: argument at step 0.
        upper: argument at the end.

    Raises:
        InvalidValue: ``steps`` below 1 and not 0.

    Example:
        >>> import glideslope as gs
        >>> round(gs.tanh(100)(70), 6)
        0.5

    Source: arXiv:1806.01593, timm's ``TanhLRScheduler``.
    """

    notation = "tanh"
    _is_monotone = True
    lower: float = -7.0
    upper: float = 3.0

    def __post_init__(self) -> None:
        super().__post_init__()
        set_values(self, "lower", "upper")
        for name in ("lower", "upper"):
            require(abs(getattr(self, name)) <= 300, name, "be at most 300", getattr(self, name))

    def _at(self, t: Any, xp: Any) -> Any:
        if not self.steps:
            return xp.full(t, 1 / (1 + math.exp(2 * self.upper)))
        t, steps = xp.clip(t, 0, self.steps), xp.number(self.steps)
        argument = (self.lower * (steps - t) + self.upper * t) / steps
        # (1 - tanh a) / 2 = 1 / (1 + e^(2a)), which does not cancel.
        return 1 / (1 + xp.exp(2 * argument))


@dataclass(frozen=True, repr=False)
class Hyperbolic(Bounded):
    """Part of a hyperbola: ``1 + f(t) - f(0)``, ``f(t) = √((N - t)/U · (2 - (N + t)/U))``.

    The first steps hardly depend on the length N, only on the upper bound U.

    Args:
        steps: the length N, in steps or with a unit.
        upper_bound: the bound U, at least N; with ``U = N`` the curve reaches 0.

    Raises:
        InvalidValue: ``steps`` below 1 and not 0, ``upper_bound`` below ``steps``.

    Example:
        >>> import glideslope as gs
        >>> gs.hyperbolic(100, 100)(60)
        0.4

    Source: HyperbolicLR, arXiv:2407.15200.
    """

    notation = "hyperbolic"

    def _at(self, t: Any, xp: Any) -> Any:
        n, u = (xp.number(bound_steps(steps)) for steps in (self.steps, self.upper_bound))
        if not u:
            return xp.full(t, 0.0)
        f0, f = hyperbola(0, n, u, math), hyperbola(xp.clip(t, 0, n), n, u, xp)
        # 1 - f(0), which would cancel when U is close to N.
        return ((u - n) / u) ** 2 / (1 + f0) + f


@dataclass(frozen=True, repr=False)
class ExpHyperbolic(Bounded):
    """A hyperbola in the logarithm: ``floor^(f(0) - f(t))``, f as in `Hyperbolic`.

    Args:
        steps: the length N, in steps or with a unit.
        upper_bound: the bound U, at least N; with ``U = N`` the curve reaches ``floor``.
        floor: the infimum, between 0 and 1.

    Raises:
        InvalidValue: ``steps`` below 1 and not 0, ``upper_bound`` below ``steps``, or ``floor`` not
            in (0, 1).

    Example:
        >>> import glideslope as gs
        >>> round(gs.exp_hyperbolic(100, 100, floor=0.01)(60), 6)    # 0.01^0.6
        0.063096

    Source: ExpHyperbolicLR, arXiv:2407.15200.
    """

    notation = "exp_hyperbolic"
    floor: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        set_positive(self, "floor")
        require(self.floor < 1, "floor", "be less than 1", self.floor)

    def _at(self, t: Any, xp: Any) -> Any:
        n, u = (xp.number(bound_steps(steps)) for steps in (self.steps, self.upper_bound))
        if not u:
            return xp.full(t, self.floor)
        start, now = hyperbola(0, n, u, math), hyperbola(xp.clip(t, 0, n), n, u, xp)
        return self.floor ** (start - now)


def hyperbola(t: Any, n: Any, u: Any, xp: Any) -> Any:
    """``√((n - t)/u · (2 - (n + t)/u))``, its second factor from what remains to u, exactly."""
    return xp.sqrt((n - t) * ((u - n) + (u - t))) / u


@dataclass(frozen=True, repr=False)
class GrowingPolynomial(Endless):
    """Polynomial decay whose period grows whenever it runs out: ``(1 - t / (T ⌈t/T⌉))^power``.

    The "cycle" of Keras, Paddle and NeMo: cycle k falls from ``1/k^power`` to 0. For equal cycles
    write ``polynomial(T).repeat()``.

    Args:
        period: the first period T, in steps or with a unit.
        power: the exponent, above 0.

    Raises:
        InvalidValue: ``period`` below 1, ``power`` not above 0.

    Example:
        >>> import glideslope as gs
        >>> s = gs.growing_polynomial(100)
        >>> s(0), s(100), s(150)
        (1.0, 0.0, 0.25)

    Source: Keras' ``PolynomialDecay(cycle=True)``.
    """

    notation = "growing_polynomial"
    _is_monotone = False
    period: Steps
    power: float = 1.0

    def __post_init__(self) -> None:
        set_length(self, "period")
        set_positive(self, "power")

    def _shape_steps(self) -> int:
        return math.ceil(float(4 * bound_steps(self.period)))

    def _restarts(self) -> Iterator[Span]:
        yield 0.0, math.inf

    def _at(self, t: Any, xp: Any) -> Any:
        t, period = xp.clip(t, 0, 1e15), xp.number(self.period)
        done = xp.quotient(t, self.period)
        begun = xp.where(t > done * period, done + 1, done)
        whole = period * xp.clip(begun, 1, 1e15)
        return ((whole - t) / whole) ** self.power
