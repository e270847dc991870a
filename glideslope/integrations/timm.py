"""Schedules from timm's schedulers.

With ``warmup_prefix=True``, ``CosineLRScheduler(optimizer, 100, warmup_t=5)`` at a rate of 0.1 is
``linear(5, start=0, end=0.1) >> cosine(100, start=0.1) >> constant(0)``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import partial, reduce
from typing import Any

from glideslope.errors import GlideslopeError, require_type
from glideslope.schedules import (
    Constant,
    Cosine,
    Linear,
    Polynomial,
    PowerLaw,
    Relaxation,
    Schedule,
    Tanh,
    hold,
    multistep,
    step,
)

from ._recorded import UnknownFormula, in_group, read_or_record

__all__ = ["from_timm"]


def from_timm(
    scheduler: Any, group: int = 0, *, sampled: bool = False, steps: int | None = None
) -> Schedule:
    """The learning rates of one parameter group under a scheduler of timm, as a schedule.

    t counts what timm's scheduler counts: epochs, or updates with ``t_in_epochs=False``. A schedule
    in epochs is one of updates by ``.stretch(…)``, or ``.stretch(…).staircase(…)`` for rates that
    change once an epoch. The scheduler is left as it is.

    Args:
        scheduler: a scheduler of ``timm.scheduler``.
        group: the index of the parameter group; its ``"lr_scale"`` is in the rates.
        sampled: where the formula is not known (noise, a function of one's own), record the values
            in a table.
        steps: the number of values to record.

    Raises:
        InvalidType: the formula is not known, or ``scheduler`` follows a metric.
        InvalidValue: there is no such group; ``sampled`` without ``steps``.

    Example:
        >>> from_timm(0.1)
        Traceback (most recent call last):
        glideslope.errors.InvalidType: `scheduler` must be a scheduler of timm, got 0.1

    Source: ``timm.scheduler``.
    """
    is_timms = hasattr(scheduler, "_get_lr") and hasattr(scheduler, "base_values")
    require_type(is_timms, "scheduler", "be a scheduler of timm", scheduler)
    metric = type(scheduler).__name__ == "PlateauLRScheduler"
    require_type(not metric, "scheduler", "follow the step: this one follows a metric", scheduler)
    in_group("scheduler", scheduler.base_values, group)
    read = partial(_read, scheduler, group)
    record = partial(_recorded, scheduler, group)
    return read_or_record("scheduler", scheduler, read, record, sampled, steps)


def _recorded(scheduler: Any, group: int, steps: int) -> Iterator[float]:
    """Its values, which depend on the step alone; the noise too."""
    for t in range(steps):
        values = scheduler._add_noise(scheduler._get_lr(t), t)
        yield float(values[group]) * _scale(scheduler, group)


def _scale(scheduler: Any, group: int) -> float:
    return float(scheduler.optimizer.param_groups[group].get("lr_scale", 1.0))


def _read(scheduler: Any, group: int) -> Schedule:
    """The warm-up and the decay after it, or behind it."""
    name, home = type(scheduler).__name__, type(scheduler).__module__.partition(".")[0]
    if home != "timm" or name not in READERS:
        raise UnknownFormula(f"{name} is no class of timm's that follows a formula")
    if scheduler.noise_range_t is not None:
        raise UnknownFormula("it adds noise")
    base = float(scheduler.base_values[group])
    try:
        curve = READERS[name](scheduler, base)
        whole = _with_warmup(scheduler, group, curve)
    except GlideslopeError as error:
        raise UnknownFormula(str(error)) from None
    scale = _scale(scheduler, group)
    return whole if scale == 1 else whole * scale


def _with_warmup(scheduler: Any, group: int, curve: Schedule) -> Schedule:
    """The warm-up and the curve, which begins after it or, without a prefix, with it."""
    steps = scheduler.warmup_t
    if not steps:
        return curve
    start = float(scheduler.warmup_lr_init)
    top = start + steps * float(scheduler.warmup_steps[group])
    first = Linear(steps, start=start, end=top)
    if getattr(scheduler, "warmup_prefix", True):  # WSD has no other form
        return first >> curve
    return first >> (curve.shift(-steps) if steps < curve.steps else Constant(curve.end))


# -- a reader for each class: the rates without the warm-up --------------------------------------


Cycle = Callable[[float, float], Schedule]
"""A function from the length of a cycle and its highest rate to its curve."""


def _cycles(scheduler: Any, base: float, cycle: Cycle) -> Schedule:
    """Cycles from ``base`` times a decay to ``lr_min``, which is held after the last of them."""
    limit, decay, growth = scheduler.cycle_limit, scheduler.cycle_decay, scheduler.cycle_mul
    if limit > MANY:
        raise UnknownFormula(f"it has more than {MANY} cycles")
    if growth != 1:
        _check_growth(scheduler.t_initial, growth, limit)
    cycles = [cycle(scheduler.t_initial * growth**k, base * decay**k) for k in range(limit)]
    return reduce(operator.rshift, [*cycles, Constant(float(scheduler.lr_min))])


def _check_growth(first: float, growth: float, limit: int) -> None:
    """Refuse cycles that timm, which finds them by a logarithm, begins at another step."""
    if growth < 1:
        raise UnknownFormula("its cycles shrink")
    ratio, begin = Fraction(growth), Fraction(0)
    for k in range(limit):
        begin += Fraction(first) * ratio**k
        for t in (math.ceil(begin) - 1, math.ceil(begin)):
            found = math.floor(math.log(1 - t / first * (1 - growth), growth))
            if found != (k if t < begin else k + 1):
                raise UnknownFormula(f"its logarithm gives step {t} to another cycle")


MANY = 1000
"""The most cycles that are written one after another."""


def _cosine(scheduler: Any, base: float) -> Schedule:
    shape = partial(Cosine, end=scheduler.lr_min, k_decay=scheduler.k_decay)
    return _cycles(scheduler, base, lambda steps, top: shape(steps, start=top))


def _poly(scheduler: Any, base: float) -> Schedule:
    options = {"power": scheduler.power, "k_decay": scheduler.k_decay, "end": scheduler.lr_min}
    return _cycles(scheduler, base, lambda steps, top: Polynomial(steps, start=top, **options))


def _tanh(scheduler: Any, base: float) -> Schedule:
    low = float(scheduler.lr_min)
    lower, upper = float(scheduler.lb), float(scheduler.ub)
    return _cycles(
        scheduler, base, lambda steps, top: low + (top - low) * Tanh(steps, lower, upper)
    )


def _step(scheduler: Any, base: float) -> Schedule:
    return step(scheduler.decay_t, scheduler.decay_rate) * base


def _multi_step(scheduler: Any, base: float) -> Schedule:
    """A milestone of timm is the step after the change."""
    milestones = [max(0, at - 1) for at in scheduler.decay_t]
    return multistep(milestones, scheduler.decay_rate) * base


def _wsd(scheduler: Any, base: float) -> Schedule:
    """``lr_min + (stable - lr_min) · decay``, where the stable rate stays above ``lr_min``."""
    low, stable_steps = float(scheduler.lr_min), scheduler.t_initial - scheduler.decay_t
    if callable(scheduler.decay_fn):
        raise UnknownFormula("its decay is a function, which may do anything")
    stable: Schedule = Constant(base)
    if scheduler.stable_fn != "constant":
        power = 0.5 if scheduler.stable_fn == "rsqrt" else scheduler.stable_power
        stable = PowerLaw(scheduler.stable_timescale, power) * base
    decay = DECAYS[scheduler.decay_fn](scheduler)
    decay = hold(stable_steps) >> decay if stable_steps else decay
    above = stable.clip(lo=low) if low else stable
    return low + (above - low) * decay


DECAYS: Mapping[str, Callable[[Any], Schedule]] = {
    "linear": lambda s: Linear(s.decay_t),
    "1-sqrt": lambda s: Polynomial(s.decay_t, power=0.5, mirrored=True),
    "cosine": lambda s: Cosine(s.decay_t),
    "power": lambda s: Polynomial(s.decay_t, power=s.decay_power, mirrored=True),
    "exp": lambda s: Relaxation(s.decay_t, ratio=s.decay_ratio),
}

READERS: Mapping[str, Callable[[Any, float], Schedule]] = {
    "CosineLRScheduler": _cosine,
    "MultiStepLRScheduler": _multi_step,
    "PolyLRScheduler": _poly,
    "StepLRScheduler": _step,
    "TanhLRScheduler": _tanh,
    "WSDLRScheduler": _wsd,
}


def __dir__() -> list[str]:
    return __all__
