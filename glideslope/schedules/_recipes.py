"""Well-known schedules as compositions of curves, a line or two each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import partial
from typing import Any, Protocol

from glideslope.errors import InvalidType, require, require_type

from ._curves import Constant, Exponential, PowerLaw
from ._length import Length, Steps, as_length, as_phase, as_steps, as_value, whole
from ._maths import power
from ._ramps import Cosine, Geometric, Linear, Logarithmic, Polynomial, Relaxation, Rex
from ._schedule import Schedule
from ._tables import Piecewise


class MakeRamp(Protocol):
    """A function from a length and two ends to a ramp."""

    def __call__(self, steps: Steps, *, start: float, end: float) -> Schedule: ...


WARMUPS: Mapping[str, MakeRamp] = {
    "linear": Linear,
    "cosine": Cosine,
    "square": partial(Polynomial, power=2, mirrored=True),
    "sqrt": partial(Polynomial, power=0.5),
    "log": partial(Logarithmic, include_end=True),
    "geometric": Geometric,
}
COOLDOWNS: Mapping[str, MakeRamp] = {
    "linear": Linear,
    "cosine": Cosine,
    "square": partial(Polynomial, power=2, mirrored=True),
    "sqrt": partial(Polynomial, power=0.5, mirrored=True),
    "exponential": Relaxation,
    "geometric": Geometric,
    "rex": Rex,
}


def _shape(shapes: Mapping[str, MakeRamp], name: str) -> MakeRamp:
    require(
        isinstance(name, str) and name in shapes, "shape", f"be one of {', '.join(shapes)}", name
    )
    return shapes[name]


def _number(name: str, steps: Steps) -> float:
    """A length for arithmetic, so it must be in steps already."""
    value = as_length(name, steps)
    if isinstance(value, Length):
        raise InvalidType(f"`{name}` must be a number of steps here, got {str(value)!r}")
    return value


def _exact(value: float) -> Fraction:
    """The decimal number that a float is written as, so that 0.29 of 100 is 29."""
    return Fraction(repr(value))


def _run_length(steps: Steps, least: int) -> int | float | Length:
    """The length of a whole run, which must have steps."""
    length = as_phase("steps", steps)
    require(isinstance(length, Length) or length >= least, "steps", f"be at least {least}", length)
    return length


def _lengths(**steps: Steps) -> list[int | float | Length]:
    """The lengths of a recipe's phases, refused by the names they have there."""
    return [as_phase(name, value) for name, value in steps.items()]


def warmup(steps: Steps, shape: str = "linear", start: float = 0.0) -> Schedule:
    """From ``start`` up to 1.

    Shapes, with x the share done: ``linear`` x, ``cosine``, ``square`` x², ``sqrt`` 1 - √(1 - x),
    ``log`` log(1 + t) / log(steps), ``geometric`` (needs ``start`` above 0). A ``start`` above 1
    warms up from above. ``warmup(w).shift(-1)`` is the form (t + 1) / w, which is never zero.

    Args:
        steps: length, in steps or with a unit.
        shape: one of those above.
        start: value at step 0.

    Raises:
        InvalidValue: a length below 1 and not 0, or an unknown shape.

    Example:
        >>> import glideslope as gs
        >>> gs.warmup(100)(25), gs.warmup(100, "square")(50)
        (0.25, 0.25)

    Source: arXiv:1706.02677.
    """
    return _shape(WARMUPS, shape)(steps, start=start, end=1.0)


def hold(steps: Steps, value: float = 1.0) -> Schedule:
    """``value`` for ``steps`` steps.

    Args:
        steps: length, in steps or with a unit.
        value: the value.

    Raises:
        InvalidValue: a length below 1 and not 0, or a value that is not finite.

    Example:
        >>> import glideslope as gs
        >>> gs.hold(10) >> gs.linear(5)
        hold(10) >> linear(5)
    """
    return Constant(value, steps)


def cooldown(steps: Steps, shape: str = "linear", end: float = 0.0) -> Schedule:
    """From 1 down to ``end``.

    Shapes, with x the share done: ``linear`` 1 - x, ``cosine``, ``sqrt`` 1 - √x, ``square``
    1 - x², ``exponential`` 2 · 0.5^x - 1, ``geometric`` end^x (needs ``end`` above 0), ``rex``.

    Args:
        steps: length, in steps or with a unit.
        shape: one of those above.
        end: value at ``t = steps``, held afterwards.

    Raises:
        InvalidValue: a length below 1 and not 0, or an unknown shape.

    Example:
        >>> import glideslope as gs
        >>> gs.cooldown(100, "sqrt")(25)
        0.5

    Source: arXiv:2405.18392 compares them.
    """
    return _shape(COOLDOWNS, shape)(steps, start=1.0, end=end)


def step(every: Steps, gamma: float = 0.1) -> Schedule:
    """A factor ``gamma`` each time ``every`` steps have passed: ``gamma^⌊t / every⌋``.

    Args:
        every: steps, or a length with a unit, from one factor to the next.
        gamma: the factor, at least 0.

    Raises:
        InvalidValue: ``every`` not above 0, or ``gamma`` below 0.

    Example:
        >>> import glideslope as gs
        >>> gs.step(30, gamma=0.5)(60)
        0.25

    Source: torch's ``StepLR``.
    """
    return Exponential(gamma, every).staircase(every)


def multistep(milestones: Any, gamma: float = 0.1) -> Schedule:
    """A factor ``gamma`` at each of the ``milestones``, steps in any order, with or without units.

    A milestone given twice counts twice; those of different units are taken in the order given.

    Args:
        milestones: a list of steps.
        gamma: the factor.

    Raises:
        InvalidType: ``milestones`` is no list.
        InvalidValue: a milestone below 0.

    Example:
        >>> import glideslope as gs
        >>> gs.multistep([30, 80])(80) == 0.1**2
        True

    Source: torch's ``MultiStepLR``.
    """
    gamma, rule = as_value("gamma", gamma), "be a list of steps"
    require_type(isinstance(milestones, Iterable), "milestones", rule, milestones)
    steps = _in_order([as_steps("milestones", at) for at in milestones])
    first = min((at for at in steps if not isinstance(at, Length)), default=0)
    require(first >= 0, "milestones", "be at least 0", first)
    points = {0: 1.0} | {at: power(gamma, k + 1) for k, at in enumerate(steps)}
    return Piecewise(points) if len(points) > 1 else Constant(points[0])


def _in_order(steps: list[int | float | Length]) -> list[int | float | Length]:
    """The steps ascending, if all have the same unit."""
    units = {at.unit if isinstance(at, Length) else "" for at in steps}
    return sorted(steps, key=_amount) if len(units) < 2 else steps


def _amount(steps: int | float | Length) -> float:
    return steps.value if isinstance(steps, Length) else steps


def natural_exponential(rate: float) -> Schedule:
    """``e^(-rate · t)``.

    Args:
        rate: the exponent per step, above 0.

    Raises:
        InvalidValue: ``rate`` not above 0.

    Example:
        >>> import glideslope as gs
        >>> round(gs.natural_exponential(0.1)(10), 6)
        0.367879

    Source: Paddle's ``NaturalExpDecay``.
    """
    rate = as_value("rate", rate)
    require(rate > 0, "rate", "be more than 0", rate)
    return Exponential(math.exp(-1), every=1 / rate)


def inverse_time(rate: float, every: Steps = 1) -> Schedule:
    """``1 / (1 + rate · t / every)``; add ``.staircase(every)`` for whole stairs.

    Args:
        rate: the rate, above 0.
        every: steps, or a length with a unit, to which ``rate`` refers.

    Raises:
        InvalidValue: ``rate`` not above 0, or ``every`` below 1.

    Example:
        >>> import glideslope as gs
        >>> gs.inverse_time(0.5)(2)
        0.5

    Source: Keras' ``InverseTimeDecay``.
    """
    rate = as_value("rate", rate)
    require(rate > 0, "rate", "be more than 0", rate)
    return PowerLaw(_number("every", every) / rate, power=1.0)


def inverse_sqrt(warmup_steps: Steps) -> Schedule:
    """Linear warm-up, then ``√(w / t)`` in the run's own clock.

    Args:
        warmup_steps: w, in steps or with a unit.

    Raises:
        InvalidValue: ``warmup_steps`` below 1.

    Example:
        >>> import glideslope as gs
        >>> s = gs.inverse_sqrt(100)
        >>> s(50), s(100), s(400)
        (0.5, 1.0, 0.5)

    Source: fairseq's ``inverse_sqrt``, arXiv:1706.03762.
    """
    steps = as_length("warmup_steps", warmup_steps)
    return warmup(steps) >> PowerLaw(steps)


def noam(model_size: float, warmup_steps: Steps, factor: float = 1.0) -> Schedule:
    """The transformer schedule: ``factor · d^-½ · min(t^-½, t · w^-1.5)``, an absolute rate.

    t counts from 0, where the value is 0: the first update changes nothing. `noam_clamped` begins
    with the value of step 1 instead.

    Args:
        model_size: d, above 0.
        warmup_steps: w, in steps.
        factor: a factor on the rate.

    Raises:
        InvalidValue: ``model_size`` not above 0, or ``warmup_steps`` below 1.

    Example:
        >>> import glideslope as gs
        >>> round(gs.noam(512, 4000)(4000), 8)
        0.00069877

    Source: arXiv:1706.03762, section 5.3.
    """
    size, steps = as_value("model_size", model_size), _number("warmup_steps", warmup_steps)
    require(size > 0, "model_size", "be more than 0", model_size)
    return inverse_sqrt(steps) * (as_value("factor", factor) / math.sqrt(size * steps))


def noam_clamped(model_size: float, warmup_steps: float, factor: float = 1.0) -> Schedule:
    """`noam` that is never 0: ``factor · d^-½ · min(u^-½, u · w^-1.5)`` with ``u = max(1, t)``.

    An absolute rate; ``warmup_steps`` is any number above 0, and up to 1 there is no warm-up.

    Args:
        model_size: d, above 0.
        warmup_steps: w, in steps, above 0.
        factor: a factor on the rate.

    Raises:
        InvalidValue: ``model_size`` or ``warmup_steps`` not above 0.

    Example:
        >>> import glideslope as gs
        >>> s = gs.noam_clamped(512, 4000)
        >>> s(0) == s(1) == gs.noam(512, 4000)(1)
        True

    Source: AllenNLP's ``NoamLR``, OpenNMT's ``noam_decay``.
    """
    size, steps = as_value("model_size", model_size), as_value("warmup_steps", warmup_steps)
    require(size > 0, "model_size", "be more than 0", model_size)
    require(steps > 0, "warmup_steps", "be more than 0", warmup_steps)
    width = max(steps, 1.0)
    up = warmup(width).clip(1 / width) if steps > 1 else hold(1)
    return (up >> PowerLaw(width)) * (as_value("factor", factor) / math.sqrt(size * width))


def warmup_cosine(
    warmup_steps: Steps, decay_steps: Steps, start: float = 0.0, end: float = 0.0
) -> Schedule:
    """Linear warm-up from ``start``, then half a cosine down to ``end``.

    ``decay_steps`` are those after the warm-up, so the whole takes both together.

    Args:
        warmup_steps: length of the warm-up, in steps or with a unit.
        decay_steps: length of the decay after it.
        start: value at step 0.
        end: value at the end, held afterwards.

    Raises:
        InvalidValue: a length below 1 and not 0.

    Example:
        >>> import glideslope as gs
        >>> gs.warmup_cosine(500, 9500)
        warmup(500) >> cosine(9500)
    """
    up, down = _lengths(warmup_steps=warmup_steps, decay_steps=decay_steps)
    return warmup(up, start=start) >> Cosine(down, end=end)


def wsd(
    warmup_steps: Steps,
    stable_steps: Steps,
    decay_steps: Steps,
    shape: str = "linear",
    end: float = 0.0,
) -> Schedule:
    """Warm-up, stable, decay (trapezoid); ``shape`` is one of `cooldown`'s.

    Args:
        warmup_steps: length of the warm-up, in steps or with a unit.
        stable_steps: length of the stable phase.
        decay_steps: length of the decay.
        shape: a shape of `cooldown`.
        end: value at the end, held afterwards.

    Raises:
        InvalidValue: a length below 1 and not 0, or an unknown shape.

    Example:
        >>> import glideslope as gs
        >>> gs.wsd("5%", "75%", "20%")
        warmup("5%") >> hold("75%") >> linear("20%")

    Source: MiniCPM, arXiv:2404.06395.
    """
    lengths = {"warmup_steps": warmup_steps, "stable_steps": stable_steps}
    up, stable, down = _lengths(**lengths, decay_steps=decay_steps)
    return warmup(up) >> hold(stable) >> cooldown(down, shape, end)


def wsd_s(
    warmup_steps: Steps,
    stable_steps: Steps,
    decay_steps: Steps,
    n: int,
    shape: str = "linear",
    end: float = 0.0,
) -> Schedule:
    """WSD-S: the rate returns to the peak after each decay, ``n`` times.

    Args:
        warmup_steps: length of the warm-up, in steps or with a unit.
        stable_steps: length of each stable phase.
        decay_steps: length of each decay.
        n: number of cycles.
        shape: a shape of `cooldown`.
        end: value at the end of each decay.

    Raises:
        InvalidValue: a length below 1 and not 0, or an unknown shape.

    Example:
        >>> import glideslope as gs
        >>> gs.wsd_s(10, 80, 20, n=3)
        warmup(10) >> (hold(80) >> linear(20)).repeat(3)

    Source: arXiv:2410.05192.
    """
    lengths = {"warmup_steps": warmup_steps, "stable_steps": stable_steps}
    up, stable, down = _lengths(**lengths, decay_steps=decay_steps)
    return warmup(up) >> (hold(stable) >> cooldown(down, shape, end)).repeat(n)


def one_cycle(
    steps: Steps,
    warmup_fraction: float = 0.3,
    start: float = 0.04,
    end: float = 4e-6,
    shape: str = "cosine",
    three_phase: bool = False,
) -> Schedule:
    """Up from ``start`` to 1, then down to ``end``, which is reached on the last step used.

    ``three_phase`` goes down to ``start`` in as many steps as it went up, then to ``end``. In
    torch's arguments, ``start = 1 / div_factor`` and ``end = start / final_div_factor``.

    Args:
        steps: length of the whole run.
        warmup_fraction: share of the run at whose last step the peak is.
        start: value at step 0.
        end: value at step ``steps - 1``.
        shape: ``"cosine"`` or ``"linear"``.
        three_phase: down to ``start`` first.

    Raises:
        InvalidType: ``three_phase`` is not True or False.
        InvalidValue: an unknown shape, or a phase would have no steps.

    Example:
        >>> import glideslope as gs
        >>> s = gs.one_cycle(100)
        >>> s(0), s(29), s(99)
        (0.04, 1.0, 4e-06)

    Source: arXiv:1708.07120, torch's ``OneCycleLR``.
    """
    require(shape in ("linear", "cosine"), "shape", "be linear or cosine", shape)
    require_type(isinstance(three_phase, bool), "three_phase", "be True or False", three_phase)
    start, end = as_value("start", start), as_value("end", end)
    ramp = Linear if shape == "linear" else Cosine
    length = _number("steps", steps)
    share = _exact(as_value("warmup_fraction", warmup_fraction)) * _exact(length)
    up, rest = float(share - 1), float(_exact(length) - share)
    enough = up >= 1 and rest - (up if three_phase else 0) >= 1
    require(enough, "warmup_fraction", f"leave every phase a step of the {length}", warmup_fraction)
    if not three_phase:
        return ramp(up, start=start, end=1.0) >> ramp(rest, start=1.0, end=end)
    back = ramp(up, start=1.0, end=start)
    return ramp(up, start=start, end=1.0) >> back >> ramp(rest - up, start=start, end=end)


def triangular(up_steps: Steps, down_steps: Steps | None = None) -> Schedule:
    """One triangle, from 0 up to 1 and down again: a cycle of the cyclical learning rate.

    ``triangular(n).repeat()`` is "triangular", ``.repeat(decay=0.5)`` "triangular2", a product with
    `exponential` "exp_range"; scale between a base and a peak with ``base + (peak - base) * s``.

    Args:
        up_steps: length of the rise, in steps or with a unit.
        down_steps: length of the fall; that of the rise unless given.

    Raises:
        InvalidValue: a length below 1 and not 0.

    Example:
        >>> import glideslope as gs
        >>> clr = 0.1 + 0.9 * gs.triangular(10).repeat(decay=0.5)
        >>> clr(10), clr(30)
        (1.0, 0.55)

    Source: arXiv:1506.01186.
    """
    down_steps = up_steps if down_steps is None else down_steps
    up, down = _lengths(up_steps=up_steps, down_steps=down_steps)
    return warmup(up) >> Linear(down)


def slanted_triangular(steps: int, cut_fraction: float = 0.1, ratio: float = 32.0) -> Schedule:
    """A short rise from ``1 / ratio`` to 1, a long fall back to it.

    Args:
        steps: length of the whole run, in steps.
        cut_fraction: share of the run that rises, between 0 and 1.
        ratio: the peak over the lowest value, at least 1.

    Raises:
        InvalidValue: an argument out of range, or no step to rise in.

    Example:
        >>> import glideslope as gs
        >>> s = gs.slanted_triangular(1000)
        >>> s(0), s(100), s(1000)
        (0.03125, 1.0, 0.03125)

    Source: ULMFiT, arXiv:1801.06146.
    """
    cut_fraction = as_value("cut_fraction", cut_fraction)
    require(0 < cut_fraction < 1, "cut_fraction", "be more than 0 and less than 1", cut_fraction)
    ratio = as_value("ratio", ratio)
    require(ratio >= 1, "ratio", "be at least 1", ratio)
    low, cut = 1 / ratio, math.floor(_exact(_number("steps", steps)) * _exact(cut_fraction))
    require(cut >= 1, "cut_fraction", f"leave a step of the {steps} to go up", cut_fraction)
    down = cut * (1 / cut_fraction - 1)
    return Linear(cut, start=low, end=1.0) >> Linear(down, start=1.0, end=low)


def range_test(
    steps: Steps, start: float = 1e-7, end: float = 10.0, shape: str = "geometric"
) -> Schedule:
    """The sweep of a learning-rate range test, both ends used: an absolute rate.

    Args:
        steps: length of the sweep, in steps or with a unit.
        start: rate at step 0.
        end: rate at the last step.
        shape: ``"geometric"`` or ``"linear"``.

    Raises:
        InvalidValue: ``steps`` below 2, an unknown shape, or rates that it cannot connect.

    Example:
        >>> import glideslope as gs
        >>> s = gs.range_test(100)
        >>> s(0), s(99)
        (1e-07, 10.0)

    Source: arXiv:1506.01186.
    """
    require(shape in ("linear", "geometric"), "shape", "be linear or geometric", shape)
    ramp = Linear if shape == "linear" else Geometric
    return ramp(_run_length(steps, 2), start=start, end=end, include_end=True)


def cosine_waves(steps: Steps, cycles: float = 0.5) -> Schedule:
    """Whole cosine waves: ``(1 + cos(2π · cycles · x)) / 2``; half a cycle is plain `cosine`.

    Args:
        steps: length, in steps or with a unit.
        cycles: number of waves, above 0.

    Raises:
        InvalidValue: ``steps`` below 1 and not 0, or ``cycles`` not above 0.

    Example:
        >>> import glideslope as gs
        >>> s = gs.cosine_waves(100, cycles=1.5)
        >>> [round(s(t), 6) for t in (0, 33, 67, 100)]
        [1.0, 0.000247, 0.999753, 0.0]

    Source: transformers' ``get_cosine_schedule_with_warmup(num_cycles=...)``.
    """
    length, cycles = _number("steps", steps), as_value("cycles", cycles)
    require(cycles > 0, "cycles", "be more than 0", cycles)
    half = length / (2 * cycles)
    return (Cosine(half) >> Cosine(half).reverse()).repeat().take(length)


def chebyshev(steps: Steps) -> Schedule:
    """The Chebyshev nodes in order, ``(1 + cos((2t + 1)π / 2N)) / 2``: monotone, close to a cosine.

    Args:
        steps: N, in steps or with a unit.

    Raises:
        InvalidValue: ``steps`` below 1.

    Example:
        >>> import glideslope as gs
        >>> round(gs.chebyshev(2)(0), 6)
        0.853553

    Source: pytorch-scheduler's ``ChebyshevScheduler``; not the fractal schedule, see below.
    """
    return Cosine(_run_length(steps, 1)).shift(-0.5)


def fractal_chebyshev(steps: int, low: float = 0.1, high: float = 1.0) -> Schedule:
    """The fractal schedule: steps ``1 / λ_j`` at Chebyshev nodes λ of [low, high], permuted.

    ``λ_j = (high + low)/2 - (high - low)/2 · cos((j + ½)π / N)``, taken in the order that keeps
    partial products small. It jumps up and down on purpose.

    Args:
        steps: N, a power of two up to 2^20.
        low: smallest curvature, above 0.
        high: largest curvature, above ``low``.

    Raises:
        InvalidValue: N is not such a power, or the interval is empty.

    Example:
        >>> import glideslope as gs
        >>> gs.fractal_chebyshev(4).values().round(3)
        array([7.449, 1.035, 2.647, 1.385])

    Source: arXiv:2103.01338.
    """
    count = whole("steps", steps, 2)
    power_of_two = count & (count - 1) == 0 and count <= 1 << 20
    require(power_of_two, "steps", "be a power of two up to 2^20", steps)
    low, high = as_value("low", low), as_value("high", high)
    require(low > 0, "low", "be more than 0", low)
    require(high > low, "high", f"be more than low = {low}", high)
    order = [0]
    while len(order) < count:
        order = [j for i in order for j in (i, 2 * len(order) - 1 - i)]
    middle, radius = (high + low) / 2, (high - low) / 2
    nodes = [middle - radius * math.cos((j + 0.5) * math.pi / count) for j in order]
    return Piecewise([(t, 1 / node) for t, node in enumerate(nodes)]).take(count)
