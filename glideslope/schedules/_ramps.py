"""Curves that lead from ``start`` to ``end`` in a number of steps.

All work on the pair ``(x, r)``: the share of the way done and the share that remains, each to full
precision, for ``1 - x`` would lose the last digits near an end. A shape turns the pair into the
weights ``(down, up)`` of ``start`` and ``end``; they add up to one.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from glideslope.errors import require

from ._codec import call_text, value_text
from ._far import held, sampled
from ._fields import set_flag, set_phase, set_positive, set_values
from ._length import Steps, bound_steps
from ._schedule import Schedule
from ._series import Grid, Total, added, sum_of_cosines, sum_of_exponentials, sum_of_powers

POWER = 8
"""Up to this whole power a sum of powers is worked out."""
TINY = 1e-300
"""The ends of a geometric ramp are no further apart than this."""


@dataclass(frozen=True, repr=False)
class Ramp(Schedule):
    """Base of the curves that lead from ``start`` to ``end`` in a number of steps.

    A subclass defines ``_between(x, r, xp)``, its value when the share ``x`` of the steps is done
    and ``r`` remains, with the operations of ``xp`` (those of `math` and NumPy, by one name).

    Args:
        steps: length, in steps or with a unit (``"10ep"``, ``"2e9tok"``, ``"5%"``) or ``"rest"``.
        start: value at step 0.
        end: value at ``t = steps``, held afterwards.
        include_end: reach ``end`` on the last step, ``t = steps - 1``, instead.

    Raises:
        InvalidValue: ``steps`` below 1 and not 0, or a value that is not finite.

    Example:
        >>> import glideslope as gs
        >>> isinstance(gs.cosine(100), gs.Ramp), isinstance(gs.exponential(0.9), gs.Ramp)
        (True, False)
    """

    _is_monotone = True
    steps: Steps = field()  # type: ignore[assignment]
    start: float = 1.0
    end: float = 0.0
    include_end: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        set_phase(self, "steps")
        set_values(self, "start", "end")
        set_flag(self, "include_end")

    @cached_property
    def _span(self) -> float:
        """The steps from ``start`` to ``end``; 0 if the schedule is its end alone."""
        return max(float(bound_steps(self.steps) - self.include_end), 0.0)

    def _at(self, t: Any, xp: Any) -> Any:
        span = self._span
        if not span:
            return xp.full(t, self.end)
        t = xp.clip(t, 0, span)
        return self._between(t / span, (span - t) / span, xp)

    def _over(self, steps: Any, t: Any, xp: Any) -> Any:
        if not self._span:
            return xp.full(t, self.end)
        # The shares of the stretched length: on the original one, the remaining share would cancel.
        span = steps * self._span / float(bound_steps(self.steps))
        t = xp.where(t < span, t, span)
        return self._between(t / span, (span - t) / span, xp)

    @abstractmethod
    def _between(self, x: Any, r: Any, xp: Any) -> Any:
        """The value when the share ``x`` of the way is done and ``r`` remains."""

    def _blend(self, down: Any, up: Any) -> Any:
        return self.start * down + self.end * up

    def _total(self, grid: Grid) -> Total:
        if not self._span:
            return held(self, 0, grid.count)
        early, inside, late = grid.split((0, self._span))
        total = self._sum(inside.scaled(1 / Fraction(self._span)))
        within = sampled(self, inside) if total is None else Total(total)
        return added((held(self, 0, early.count), within, held(self, self._span, late.count)))

    def _sum(self, shares: Grid) -> float | None:
        """The sum of the values at these shares of the way done, where it has a closed form."""
        return None

    def _blended(self, down: float | Fraction, count: int) -> float:
        """The sum of so many values when the weights of ``start`` add up to ``down``."""
        down = Fraction(down)
        return float(Fraction(self.start) * down + Fraction(self.end) * (count - down))


def power_weights(down: Any, up: Any, power: float, xp: Any) -> tuple[Any, Any]:
    """``(down**p, 1 - down**p)``, the second without cancellation when ``down`` is near one."""
    if power == 1:
        return down, up
    near = xp.log1p(-xp.clip(up, 0, 0.5))
    far = xp.log(xp.clip(down, xp.tiny, 1))
    return down**power, -xp.expm1(power * xp.where(up < 0.5, near, far))


@dataclass(frozen=True, repr=False)
class Linear(Ramp):
    """A straight line: ``start · r + end · x`` with ``x = t / steps``, ``r = 1 - x``.

    Args:
        steps: length, in steps or with a unit (``"10ep"``, ``"2e9tok"``, ``"5%"``) or ``"rest"``;
            of no steps it is its end.
        start: value at step 0.
        end: value at ``t = steps``, held afterwards.
        include_end: reach ``end`` on the last step, ``t = steps - 1``, instead.

    Raises:
        InvalidValue: ``steps`` below 1 and not 0, or a value that is not finite.

    Example:
        >>> import glideslope as gs
        >>> gs.linear(10)(4)
        0.6
        >>> gs.linear(5, start=0.0, end=1.0, include_end=True)(4)
        1.0

    Source: decay to zero, arXiv:2502.15938; as a warm-up, arXiv:1706.02677.
    """

    notation = "linear"

    def _between(self, x: Any, r: Any, xp: Any) -> Any:
        return self._blend(r, x)

    def _sum(self, shares: Grid) -> float:
        return self._blended(shares.count - sum_of_powers(shares, 1), shares.count)

    def __repr__(self) -> str:
        if self.end != 1.0 or self.start == 1.0 or self.include_end:
            return call_text(self)
        start = f", start={value_text(self.start)}" if self.start else ""
        return f"warmup({value_text(self.steps)}{start})"


@dataclass(frozen=True, repr=False)
class Cosine(Ramp):
    r"""Half a cosine wave: ``end + (start - end) · ((1 + cos πx) / 2)^power``.

    Computed as ``sin²(πr/2)``, exact to the last digits where the cosine form cancels.

    Args:
        steps: length, in steps or with a unit.
        start: value at step 0.
        end: value at ``t = steps``, held afterwards: the curve does not climb again.
        power: exponent of the wave (optax's ``exponent``).
        k_decay: exponent k on the share done, ``x^k`` (arXiv:2004.05909).
        include_end: reach ``end`` on the last step instead.

    Raises:
        InvalidValue: ``steps`` below 1 and not 0, ``power`` or ``k_decay`` not above 0.

    Example:
        >>> import glideslope as gs
        >>> gs.cosine(100)(0), gs.cosine(100, end=0.1)(1000)
        (1.0, 0.1)

    Source: SGDR, arXiv:1608.03983.
    """

    notation = "cosine"
    power: float = field(default=1.0, kw_only=True)
    k_decay: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        set_positive(self, "power", "k_decay")

    def _between(self, x: Any, r: Any, xp: Any) -> Any:
        x, r = power_weights(x, r, self.k_decay, xp)
        down = _hill(r, xp)
        # One minus `down` has no digits left near the start, which shows only on the way up.
        falls = abs(self.end) <= abs(self.start)
        up = 1 - down if falls else _hill(x, xp)
        return self._blend(*power_weights(down, up, self.power, xp))

    def _sum(self, shares: Grid) -> float | None:
        if self.power != 1 or self.k_decay != 1:
            return None
        return self._blended((shares.count + sum_of_cosines(shares)) / 2, shares.count)


def _hill(x: Any, xp: Any) -> Any:
    """``(1 - cos(π x)) / 2``, with all its digits near 0."""
    sine = xp.sin(0.5 * math.pi * x)
    return sine * sine


@dataclass(frozen=True, repr=False)
class Polynomial(Ramp):
    """A power of the remaining share: ``end + (start - end) · (1 - x^k)^power``.

    ``mirrored`` takes the power of the share done instead:
    ``start + (end - start) · x^power``. With ``power=0.5`` that is the 1 - √x cooldown, with
    ``power=2`` the 1 - x² one.

    Args:
        steps: length, in steps or with a unit.
        start: value at step 0.
        end: value at ``t = steps``, held afterwards.
        power: the exponent, above 0.
        k_decay: exponent k on the share done (arXiv:2004.05909).
        mirrored: the power of the share done, not of the share that remains.
        include_end: reach ``end`` on the last step instead.

    Raises:
        InvalidValue: ``steps`` below 1 and not 0, ``power`` or ``k_decay`` not above 0.

    Example:
        >>> import glideslope as gs
        >>> gs.polynomial(10, power=2)(5), gs.polynomial(100, power=0.5, mirrored=True)(25)
        (0.25, 0.5)

    Source: DeepLab's "poly" policy, arXiv:1606.00915; 1 - √x, arXiv:2405.18392.
    """

    notation = "polynomial"
    power: float = field(default=1.0, kw_only=True)
    k_decay: float = field(default=1.0, kw_only=True)
    mirrored: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        set_flag(self, "mirrored")
        set_positive(self, "power", "k_decay")

    def _between(self, x: Any, r: Any, xp: Any) -> Any:
        x, r = power_weights(x, r, self.k_decay, xp)
        if self.mirrored:
            up, down = power_weights(x, r, self.power, xp)
        else:
            down, up = power_weights(r, x, self.power, xp)
        return self._blend(down, up)

    def _sum(self, shares: Grid) -> float | None:
        if not self.power.is_integer() or self.power > POWER or self.k_decay != 1:
            return None
        if self.mirrored:
            down = shares.count - sum_of_powers(shares, int(self.power))
        else:
            down = sum_of_powers(shares.reversed(1), int(self.power))
        return self._blended(down, shares.count)


@dataclass(frozen=True, repr=False)
class Geometric(Ramp):
    """Equal ratios per step: ``start · (end / start)^x``.

    Args:
        steps: length, in steps or with a unit.
        start: value at step 0, above 0.
        end: value at ``t = steps``, above 0, held afterwards.
        include_end: reach ``end`` on the last step instead.

    Raises:
        InvalidValue: ``steps`` below 1 and not 0, ``start`` or ``end`` not above 0, or 300 decades
            apart.

    Example:
        >>> import glideslope as gs
        >>> gs.geometric(100, start=1.0, end=0.01)(50)
        0.1

    Source: fastai's ``SchedExp``; every learning-rate range test.
    """

    notation = "geometric"
    end: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        set_positive(self, "start", "end")
        near = TINY < self.end / self.start < 1 / TINY
        require(near, "end", f"be within a factor {1 / TINY:g} of start", self.end)

    def _between(self, x: Any, r: Any, xp: Any) -> Any:
        # Measured from the nearer end: the error of a power grows with its exponent.
        from_start = self.start * (self.end / self.start) ** xp.clip(x, 0, 0.5)
        from_end = self.end * (self.start / self.end) ** xp.clip(r, 0, 0.5)
        return xp.where(x < 0.5, from_start, from_end)

    def _sum(self, shares: Grid) -> float:
        return self.start * sum_of_exponentials(shares, math.log(self.end / self.start))


@dataclass(frozen=True, repr=False)
class HalfLife(Ramp):
    """A decay rate per step whose half-life moves in a straight line: ``1 / ln s`` is linear.

    For the β of a running average whose memory grows: even steps of β would change a short memory
    a little and a long one a lot.

    Args:
        steps: length, in steps or with a unit.
        start: value at step 0, between 0 and 1.
        end: value at ``t = steps``, between 0 and 1, held afterwards.
        include_end: reach ``end`` on the last step instead.

    Raises:
        InvalidValue: ``steps`` below 1 and not 0, ``start`` or ``end`` not between 0 and 1.

    Example:
        >>> import glideslope as gs
        >>> round(gs.half_life(100, start=0.5, end=0.25)(50), 6)    # 1 step to half, to 1/2 step
        0.39685

    Source: AdEMAMix, arXiv:2409.03137, appendix A.1.
    """

    notation = "half_life"
    start: float = 0.9
    end: float = 0.9999

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("start", "end"):
            value = getattr(self, name)
            require(0 < value < 1, name, "be more than 0 and less than 1", value)

    def _between(self, x: Any, r: Any, xp: Any) -> Any:
        start, end = math.log(self.start), math.log(self.end)
        return xp.exp(start * end / (r * end + x * start))


@dataclass(frozen=True, repr=False)
class Relaxation(Ramp):
    """Exponential decay that arrives: ``down = (ratio^x - ratio) / (1 - ratio)``.

    ``ratio=0.5`` is MiniCPM's and Megatron's exponential cooldown, ``2 · 0.5^x - 1``.

    Args:
        steps: length, in steps or with a unit.
        start: value at step 0.
        end: value at ``t = steps``, held afterwards.
        ratio: the share of the way to the asymptote that remains at the end; between 0 and 1.
        include_end: reach ``end`` on the last step instead.

    Raises:
        InvalidValue: ``steps`` below 1 and not 0, ``ratio`` not between 0 and 1.

    Example:
        >>> import glideslope as gs
        >>> round(gs.relaxation(100)(50), 6)    # 2 · 0.5^0.5 - 1
        0.414214

    Source: MiniCPM, arXiv:2404.06395; timm's normalised exponential cooldown.
    """

    notation = "relaxation"
    ratio: float = field(default=0.5, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        set_positive(self, "ratio")
        require(self.ratio < 1, "ratio", "be less than 1", self.ratio)

    def _between(self, x: Any, r: Any, xp: Any) -> Any:
        rate, whole = math.log(self.ratio), 1 - self.ratio
        up = -xp.expm1(rate * x) / whole
        # Measured from the nearer end: the error of an exponential grows with its exponent.
        down = xp.where(up < 0.5, 1 - up, self.ratio * xp.expm1(-rate * r) / whole)
        return self._blend(down, up)

    def _sum(self, shares: Grid) -> float:
        powers = sum_of_exponentials(shares, math.log(self.ratio))
        return self._blended((powers - shares.count * self.ratio) / (1 - self.ratio), shares.count)


@dataclass(frozen=True, repr=False)
class Logarithmic(Ramp):
    """Steep first, flat last: ``up = log(1 + t) / log(1 + steps)``.

    With ``include_end`` it is ``log(1 + t) / log(steps)``, DeepSpeed's warm-up.

    Args:
        steps: length, in steps or with a unit.
        start: value at step 0.
        end: value at ``t = steps``, held afterwards.
        include_end: reach ``end`` on the last step instead.

    Raises:
        InvalidValue: ``steps`` below 1 and not 0.

    Example:
        >>> import glideslope as gs
        >>> gs.logarithmic(100, start=0.0, end=1.0, include_end=True)(9)
        0.5

    Source: DeepSpeed's ``WarmupLR(warmup_type="log")``.
    """

    notation = "logarithmic"

    def _between(self, x: Any, r: Any, xp: Any) -> Any:
        done, whole = x * self._span, math.log1p(self._span)
        remaining = xp.log1p(r * self._span / (1 + done))
        return self._blend(remaining / whole, xp.log1p(done) / whole)


@dataclass(frozen=True, repr=False)
class Rex(Ramp):
    """Reflected exponential: ``down = (1 - x) / (1 - x / 2)``.

    Args:
        steps: length, in steps or with a unit.
        start: value at step 0.
        end: value at ``t = steps``, held afterwards.
        include_end: reach ``end`` on the last step instead.

    Raises:
        InvalidValue: ``steps`` below 1 and not 0.

    Example:
        >>> import glideslope as gs
        >>> round(gs.rex(100)(50), 6)
        0.666667

    Source: REX, arXiv:2107.04197.
    """

    notation = "rex"

    def _between(self, x: Any, r: Any, xp: Any) -> Any:
        return self._blend(2 * r / (1 + r), x / (1 + r))
