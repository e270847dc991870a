"""The schedules of the library transformers, under its names and with its arguments.

Each is a schedule in a `LambdaLR`: a warm-up, then a decay over the steps that remain. In the
formulas w is ``num_warmup_steps``, T is ``num_training_steps``, and ``x = (t - w) / (T - w)`` is
the share of the decay that is done. After T the last value is held. A warm-up of T steps or more
leaves none to the decay, which is then over at once.
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from typing import Any

from glideslope.errors import require
from glideslope.schedules import (
    Constant,
    Cosine,
    Linear,
    Polynomial,
    PowerLaw,
    Schedule,
    cooldown,
    cosine_waves,
    hold,
    warmup,
)

from ._base import LRScheduler
from ._checks import above, at_least, number
from ._greedy import GreedyLR
from ._lambdas import LambdaLR, with_floor
from ._plateau import ReduceLROnPlateau

MakeCurve = Callable[[float], Schedule]
"""A function from a number of steps to a curve."""

SHAPE_NAMES: Mapping[str, str] = {"linear": "linear", "cosine": "cosine", "1-sqrt": "sqrt"}
"""The shapes of `get_wsd_schedule`, and what `warmup` and `cooldown` call them."""


def _count(name: str, steps: Any) -> float:
    """The length of a phase, 0 to leave it out. A fraction of a step is a share, by mistake."""
    require(number(name, steps) == 0 or steps >= 1, name, "be 0 or at least 1", steps)
    return float(steps)


def _share(name: str, value: Any) -> float:
    require(0 <= number(name, value) <= 1, name, "be from 0 to 1", value)
    return float(value)


def _in_phases(*phases: tuple[float, MakeCurve], then: Schedule) -> Schedule:
    """The phases that have a step, one after another, and ``then`` after them."""
    for steps, curve in reversed(phases):
        then = curve(steps) >> then if steps >= 1 else then
    return then


def _warmup_then(
    num_warmup_steps: Any,
    num_training_steps: Any,
    decay: MakeCurve,
    end: float = 0.0,
    rise: MakeCurve = warmup,
) -> Schedule:
    """A warm-up, then the decay to ``end`` over the steps that remain."""
    warm = _count("num_warmup_steps", num_warmup_steps)
    left = at_least("num_training_steps", num_training_steps, 1) - warm
    return _in_phases((warm, rise), then=decay(left) if left >= 1 else Constant(end))


def _waves(num_cycles: float, end: float = 0.0) -> MakeCurve:
    """Cosine waves between 1 and ``end``."""
    above("num_cycles", num_cycles, 0)

    def curve(steps: float) -> Schedule:
        # Stretched from half waves that have a whole step or more, however short the decay.
        waves = cosine_waves(steps * math.ceil(2 * num_cycles), num_cycles).stretch(steps)
        return end + (1 - end) * waves if end else waves

    return partial(Cosine, end=end) if num_cycles == 0.5 else curve


def _early(curve: Schedule) -> Schedule:
    """The same curve one step sooner."""
    return curve.shift(-1) if curve.steps > 1 else Constant(curve.end)


def _early_warmup(steps: float, start: float | None) -> Schedule:
    """From ``start``, or by ``(t + 1) / steps``, to 1 on the last of these steps."""
    if start is None:
        return _early(warmup(steps)).take(steps)
    return Linear(max(steps - 1, 1), start=start, end=1.0).take(steps)


def get_constant_schedule(optimizer: Any, last_epoch: int = -1) -> LambdaLR:
    """The optimizer's own rate throughout: ``f(t) = 1``.

    Args:
        optimizer: see `LRScheduler`.
        last_epoch: see `LRScheduler`.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> get_constant_schedule(optimizer).last_lr
        [0.1]

    Source: ``transformers.get_constant_schedule``.
    """
    return LambdaLR(optimizer, Constant(), last_epoch)


def get_constant_schedule_with_warmup(
    optimizer: Any, num_warmup_steps: int, last_epoch: int = -1
) -> LambdaLR:
    """A warm-up, then the optimizer's own rate: ``f(t) = min(t / w, 1)``.

    Args:
        optimizer: see `LRScheduler`.
        num_warmup_steps: the steps from 0 to the optimizer's own rate; 0 for none.
        last_epoch: see `LRScheduler`.

    Raises:
        InvalidValue: a count that is negative or a fraction of one step.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = get_constant_schedule_with_warmup(optimizer, num_warmup_steps=4)
        >>> [round(scheduler.lr_lambdas[0](t), 3) for t in range(6)]
        [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]

    Source: ``transformers.get_constant_schedule_with_warmup``.
    """
    warm = _count("num_warmup_steps", num_warmup_steps)
    return LambdaLR(optimizer, _in_phases((warm, warmup), then=Constant()), last_epoch)


def get_linear_schedule_with_warmup(
    optimizer: Any, num_warmup_steps: int, num_training_steps: int, last_epoch: int = -1
) -> LambdaLR:
    """A warm-up, then a straight line down to 0: ``f(t) = t / w``, then ``1 - x``.

    Args:
        optimizer: see `LRScheduler`.
        num_warmup_steps: the steps from 0 to the optimizer's own rate; 0 for none.
        num_training_steps: the steps of the whole run.
        last_epoch: see `LRScheduler`.

    Raises:
        InvalidValue: a count that is negative or a fraction of one step, no training steps.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = get_linear_schedule_with_warmup(optimizer, 2, 6)
        >>> for _ in range(8):
        ...     print(f"{scheduler.last_lr:.3f}", end=" ")
        ...     optimizer.step(); scheduler.step()
        0.000 0.050 0.100 0.075 0.050 0.025 0.000 0.000

    Source: ``transformers.get_linear_schedule_with_warmup``.
    """
    return LambdaLR(
        optimizer, _warmup_then(num_warmup_steps, num_training_steps, Linear), last_epoch
    )


def get_cosine_schedule_with_warmup(
    optimizer: Any,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: float = 0.5,
    last_epoch: int = -1,
) -> LambdaLR:
    """A warm-up, then cosine waves: ``f(t) = t / w``, then ``(1 + cos(2π · cycles · x)) / 2``.

    Half a wave, the default, leads down to 0 and stays there.

    Args:
        optimizer: see `LRScheduler`.
        num_warmup_steps: the steps from 0 to the optimizer's own rate; 0 for none.
        num_training_steps: the steps of the whole run.
        num_cycles: the number of waves.
        last_epoch: see `LRScheduler`.

    Raises:
        InvalidValue: a count that is negative or a fraction of one step, no training steps,
            ``num_cycles`` not above 0.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = get_cosine_schedule_with_warmup(optimizer, 2, 6)
        >>> for _ in range(8):
        ...     print(f"{scheduler.last_lr:.3f}", end=" ")
        ...     optimizer.step(); scheduler.step()
        0.000 0.050 0.100 0.085 0.050 0.015 0.000 0.000

    Source: ``transformers.get_cosine_schedule_with_warmup``.
    """
    schedule = _warmup_then(num_warmup_steps, num_training_steps, _waves(num_cycles))
    return LambdaLR(optimizer, schedule, last_epoch)


def get_cosine_with_hard_restarts_schedule_with_warmup(
    optimizer: Any,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: int = 1,
    last_epoch: int = -1,
) -> LambdaLR:
    """A warm-up, then half cosines one after another: ``(1 + cos(π · (cycles · x mod 1))) / 2``.

    Args:
        optimizer: see `LRScheduler`.
        num_warmup_steps: the steps from 0 to the optimizer's own rate; 0 for none.
        num_training_steps: the steps of the whole run.
        num_cycles: how many times the rate falls from the optimizer's own to 0.
        last_epoch: see `LRScheduler`.

    Raises:
        InvalidValue: a count that is negative or a fraction of one step, no training steps,
            ``num_cycles`` not a whole number of at least 1.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = get_cosine_with_hard_restarts_schedule_with_warmup(optimizer, 2, 6, 2)
        >>> for _ in range(8):
        ...     print(f"{scheduler.last_lr:.3f}", end=" ")
        ...     optimizer.step(); scheduler.step()
        0.000 0.050 0.100 0.050 0.100 0.050 0.000 0.000

    Source: ``transformers.get_cosine_with_hard_restarts_schedule_with_warmup``.
    """
    whole = at_least("num_cycles", num_cycles, 1) == int(num_cycles)
    require(whole, "num_cycles", "be a whole number", num_cycles)

    def restarts(steps: float) -> Schedule:
        # Stretched from whole cycles, so that a restart is due at an exact product of integers.
        return Cosine(steps).repeat(num_cycles).stretch(steps)

    schedule = _warmup_then(num_warmup_steps, num_training_steps, restarts)
    return LambdaLR(optimizer, schedule, last_epoch)


def get_polynomial_decay_schedule_with_warmup(
    optimizer: Any,
    num_warmup_steps: int,
    num_training_steps: int,
    lr_end: float = 1e-7,
    power: float = 1.0,
    last_epoch: int = -1,
) -> LambdaLR:
    """A warm-up, then a power of what remains, down to one rate for all groups.

    The warm-up is ``base · t / w``, the decay ``lr_end + (base - lr_end) · (1 - x)^power``.

    Args:
        optimizer: see `LRScheduler`.
        num_warmup_steps: the steps from 0 to the optimizer's own rate; 0 for none.
        num_training_steps: the steps of the whole run.
        lr_end: the rate at the end, in every group; one whose own rate is lower stays at that.
        power: the exponent.
        last_epoch: see `LRScheduler`.

    Raises:
        InvalidValue: a count that is negative or a fraction of one step, no training steps,
            ``lr_end`` above the rate of every group, ``power`` not above 0.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = get_polynomial_decay_schedule_with_warmup(
        ...     optimizer, 2, 6, lr_end=0.02, power=2.0)
        >>> for _ in range(8):
        ...     print(f"{scheduler.last_lr:.3f}", end=" ")
        ...     optimizer.step(); scheduler.step()
        0.000 0.050 0.100 0.065 0.040 0.025 0.020 0.020

    Source: ``transformers.get_polynomial_decay_schedule_with_warmup``.
    """
    decay = partial(Polynomial, power=above("power", power, 0))
    schedule = _warmup_then(num_warmup_steps, num_training_steps, decay)
    return with_floor(optimizer, schedule, "lr_end", lr_end, num_warmup_steps, last_epoch)


def get_inverse_sqrt_schedule(
    optimizer: Any, num_warmup_steps: int, timescale: int | None = None, last_epoch: int = -1
) -> LambdaLR:
    """A warm-up, then an inverse square root: ``f(t) = t / w``, then ``√(τ / (τ + t - w))``.

    Args:
        optimizer: see `LRScheduler`.
        num_warmup_steps: the steps from 0 to the optimizer's own rate; 0 for none.
        timescale: τ; the length of the warm-up unless given, or 10 000 without one.
        last_epoch: see `LRScheduler`.

    Raises:
        InvalidValue: a count that is negative or a fraction of one step, ``timescale`` not above 0.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = get_inverse_sqrt_schedule(optimizer, num_warmup_steps=100)
        >>> [scheduler.lr_lambdas[0](t) for t in (50, 100, 400)]
        [0.5, 1.0, 0.5]

    Source: ``transformers.get_inverse_sqrt_schedule``.
    """
    warm = _count("num_warmup_steps", num_warmup_steps)
    scale = (warm or 10_000) if timescale is None else above("timescale", timescale, 0)
    return LambdaLR(optimizer, _in_phases((warm, warmup), then=PowerLaw(scale)), last_epoch)


def get_wsd_schedule(
    optimizer: Any,
    num_warmup_steps: int,
    num_decay_steps: int,
    num_training_steps: int | None = None,
    num_stable_steps: int | None = None,
    warmup_type: str = "linear",
    decay_type: str = "cosine",
    min_lr_ratio: float = 0,
    num_cycles: float = 0.5,
    last_epoch: int = -1,
) -> LambdaLR:
    """Warm-up, stable, decay: ``m + (1 - m) · up(x)``, 1, ``m + (1 - m) · down(x)``, then m.

    m is ``min_lr_ratio`` and x the share of the phase that is done. Down are ``linear`` 1 - x,
    ``cosine`` (1 + cos(2π · cycles · x)) / 2, ``1-sqrt`` 1 - √x; up are ``linear`` x, ``cosine``
    (1 - cos πx) / 2, ``1-sqrt`` 1 - √(1 - x).

    Args:
        optimizer: see `LRScheduler`.
        num_warmup_steps: the steps of the warm-up; 0 for none.
        num_decay_steps: the steps of the decay; 0 for none.
        num_training_steps: the steps of the whole run; the stable phase has what the others leave.
        num_stable_steps: the steps of the stable phase, instead.
        warmup_type: ``"linear"``, ``"cosine"`` or ``"1-sqrt"``.
        decay_type: ``"linear"``, ``"cosine"`` or ``"1-sqrt"``.
        min_lr_ratio: where the warm-up starts and the decay ends, as a share of the optimizer's own
            rate.
        num_cycles: the number of waves of a cosine decay.
        last_epoch: see `LRScheduler`.

    Raises:
        InvalidValue: neither count is given, the phases are longer than the run, an unknown type,
            ``min_lr_ratio`` not between 0 and 1, ``num_cycles`` not above 0.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = get_wsd_schedule(optimizer, 2, 4, 10, min_lr_ratio=0.1)
        >>> scheduler.lr_lambdas[0]
        warmup(2, start=0.1) >> hold(4) >> cosine(4, end=0.1) >> constant(0.1)

    Source: ``transformers.get_wsd_schedule``; MiniCPM, arXiv:2404.06395.
    """
    for name, shape in (("warmup_type", warmup_type), ("decay_type", decay_type)):
        require(shape in SHAPE_NAMES, name, f"be one of {', '.join(SHAPE_NAMES)}", shape)
    low = _share("min_lr_ratio", min_lr_ratio)
    warm = _count("num_warmup_steps", num_warmup_steps)
    cool = _count("num_decay_steps", num_decay_steps)
    down = partial(cooldown, shape=SHAPE_NAMES[decay_type], end=low)
    schedule = _in_phases(
        (warm, partial(warmup, shape=SHAPE_NAMES[warmup_type], start=low)),
        (_stable_steps(num_stable_steps, warm + cool, num_training_steps), hold),
        (cool, _waves(num_cycles, low) if decay_type == "cosine" else down),
        then=Constant(low),
    )
    return LambdaLR(optimizer, schedule, last_epoch)


def _stable_steps(num_stable_steps: Any, others: float, num_training_steps: Any) -> float:
    """The length of the stable phase: as given, or what the ``others`` leave of the run."""
    if num_stable_steps is None:
        least = f"be at least the {others:g} steps of warm-up and decay"
        given = num_training_steps is not None
        require(given, "num_training_steps", "be given where num_stable_steps is not", None)
        total = number("num_training_steps", num_training_steps)
        require(total >= others, "num_training_steps", least, num_training_steps)
        return float(total - others)
    stable = _count("num_stable_steps", num_stable_steps)
    if num_training_steps not in (None, others + stable):
        message = f"the phases come to {others + stable:g} steps, the run to {num_training_steps}"
        warnings.warn(message, UserWarning, stacklevel=3)
    return stable


def get_cosine_with_min_lr_schedule_with_warmup(
    optimizer: Any,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: float = 0.5,
    last_epoch: int = -1,
    min_lr: float | None = None,
    min_lr_rate: float | None = None,
) -> LambdaLR:
    """A warm-up from 0, then cosine waves down to a floor.

    The warm-up is ``base · t / w``, the decay
    ``floor + (base - floor) · (1 + cos(2π · cycles · x)) / 2``.

    Args:
        optimizer: see `LRScheduler`.
        num_warmup_steps: the steps from 0 to the optimizer's own rate; 0 for none.
        num_training_steps: the steps of the whole run.
        num_cycles: the number of waves.
        last_epoch: see `LRScheduler`.
        min_lr: the floor, in every group; one whose own rate is lower stays at that.
        min_lr_rate: the floor as a share of each group's own rate, instead.

    Raises:
        InvalidValue: a count that is negative or a fraction of one step, no training steps,
            ``num_cycles`` not above 0, both floors or none, ``min_lr`` above the rate of every
            group, ``min_lr_rate`` not between 0 and 1.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = get_cosine_with_min_lr_schedule_with_warmup(optimizer, 2, 6, min_lr=0.02)
        >>> for _ in range(8):
        ...     print(f"{scheduler.last_lr:.3f}", end=" ")
        ...     optimizer.step(); scheduler.step()
        0.000 0.050 0.100 0.088 0.060 0.032 0.020 0.020

    Source: ``transformers.get_cosine_with_min_lr_schedule_with_warmup``.
    """

    def schedule(end: float) -> Schedule:
        return _warmup_then(num_warmup_steps, num_training_steps, _waves(num_cycles, end), end)

    return _with_floor(optimizer, schedule, min_lr, min_lr_rate, num_warmup_steps, last_epoch)


def get_cosine_with_min_lr_schedule_with_warmup_lr_rate(
    optimizer: Any,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: float = 0.5,
    last_epoch: int = -1,
    min_lr: float | None = None,
    min_lr_rate: float | None = None,
    warmup_lr_rate: float | None = None,
) -> LambdaLR:
    """The same with no update at rate 0: the warm-up ends, and the floor is reached, a step sooner.

    The warm-up is ``base · (t + 1) / w``; in the decay ``x = (t + 1 - w) / (T - w)``.

    Args:
        optimizer: see `LRScheduler`.
        num_warmup_steps: the steps up, the last of them at the optimizer's own rate; 0 for none.
        num_training_steps: the steps of the whole run, the last of them at the floor.
        num_cycles: the number of waves.
        last_epoch: see `LRScheduler`.
        min_lr: the floor, in every group; one whose own rate is lower stays at that.
        min_lr_rate: the floor as a share of each group's own rate, instead.
        warmup_lr_rate: where the warm-up starts, as a share of each group's own rate; ``1 / w``
            unless given.

    Raises:
        InvalidValue: a count that is negative or a fraction of one step, no training steps,
            ``num_cycles`` not above 0, both floors or none, ``min_lr`` above the rate of every
            group, ``min_lr_rate`` not between 0 and 1, ``warmup_lr_rate`` below 0.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = get_cosine_with_min_lr_schedule_with_warmup_lr_rate(
        ...     optimizer, 2, 6, min_lr=0.02)
        >>> for _ in range(8):
        ...     print(f"{scheduler.last_lr:.3f}", end=" ")
        ...     optimizer.step(); scheduler.step()
        0.050 0.100 0.088 0.060 0.032 0.020 0.020 0.020

    Source: ``transformers.get_cosine_with_min_lr_schedule_with_warmup_lr_rate``.
    """
    start = None if warmup_lr_rate is None else at_least("warmup_lr_rate", warmup_lr_rate, 0)

    def schedule(end: float) -> Schedule:
        waves = _waves(num_cycles, end)
        rise = partial(_early_warmup, start=start)
        return _warmup_then(
            num_warmup_steps, num_training_steps, lambda n: _early(waves(n)), end, rise
        )

    return _with_floor(optimizer, schedule, min_lr, min_lr_rate, num_warmup_steps, last_epoch)


def _with_floor(
    optimizer: Any,
    schedule: Callable[[float], Schedule],
    min_lr: float | None,
    min_lr_rate: float | None,
    num_warmup_steps: float,
    last_epoch: int,
) -> LambdaLR:
    """The schedule with an end of ``min_lr`` or of the share ``min_lr_rate``."""
    one = (min_lr is None) != (min_lr_rate is None)
    require(one, "min_lr", "be given, or min_lr_rate, and not both", (min_lr, min_lr_rate))
    if min_lr_rate is not None:
        return LambdaLR(optimizer, schedule(_share("min_lr_rate", min_lr_rate)), last_epoch)
    return with_floor(optimizer, schedule(0.0), "min_lr", min_lr, num_warmup_steps, last_epoch)


def get_reduce_on_plateau_schedule(optimizer: Any, **kwargs: Any) -> ReduceLROnPlateau:
    """A `ReduceLROnPlateau`, which lowers the rate when a metric has stopped improving.

    Args:
        optimizer: see `LRScheduler`.
        kwargs: see `ReduceLROnPlateau`.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> get_reduce_on_plateau_schedule(optimizer, patience=2).patience
        2

    Source: ``transformers.get_reduce_on_plateau_schedule``.
    """
    return ReduceLROnPlateau(optimizer, **kwargs)


def get_greedy_schedule(optimizer: Any, **kwargs: Any) -> GreedyLR:
    """A `GreedyLR`, which raises the rate while a metric improves and lowers it when it does not.

    Args:
        optimizer: see `LRScheduler`.
        kwargs: see `GreedyLR`.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> get_greedy_schedule(optimizer, patience=2).patience
        2

    Source: ``transformers.optimization.get_greedy_schedule``.
    """
    return GreedyLR(optimizer, **kwargs)


BY_NAME: Mapping[str, Callable[..., LRScheduler]] = {
    "linear": get_linear_schedule_with_warmup,
    "cosine": get_cosine_schedule_with_warmup,
    "cosine_with_restarts": get_cosine_with_hard_restarts_schedule_with_warmup,
    "polynomial": get_polynomial_decay_schedule_with_warmup,
    "constant": get_constant_schedule,
    "constant_with_warmup": get_constant_schedule_with_warmup,
    "inverse_sqrt": get_inverse_sqrt_schedule,
    "reduce_lr_on_plateau": get_reduce_on_plateau_schedule,
    "cosine_with_min_lr": get_cosine_with_min_lr_schedule_with_warmup,
    "cosine_warmup_with_min_lr": get_cosine_with_min_lr_schedule_with_warmup_lr_rate,
    "warmup_stable_decay": get_wsd_schedule,
    "greedy": get_greedy_schedule,
}


def get_scheduler(
    name: str | Enum,
    optimizer: Any,
    num_warmup_steps: int | None = None,
    num_training_steps: int | None = None,
    scheduler_specific_kwargs: Mapping[str, Any] | None = None,
) -> LRScheduler:
    """Any of these schedules by its name.

    Args:
        name: ``"linear"``, ``"cosine"``, ``"cosine_with_restarts"``, ``"polynomial"``,
            ``"constant"``, ``"constant_with_warmup"``, ``"inverse_sqrt"``,
            ``"reduce_lr_on_plateau"``, ``"cosine_with_min_lr"``, ``"cosine_warmup_with_min_lr"``,
            ``"warmup_stable_decay"``, ``"greedy"``, or a member of an enumeration with this value.
        optimizer: see `LRScheduler`.
        num_warmup_steps: for the schedules that have a warm-up.
        num_training_steps: for the schedules that have an end.
        scheduler_specific_kwargs: what else the schedule takes.

    Raises:
        InvalidValue: an unknown name, or a count that this schedule needs is missing.
        TypeError: an argument that this schedule does not take.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = get_scheduler("linear", optimizer, 100, 1000)
        >>> scheduler.lr_lambdas[0]
        warmup(100) >> linear(900)

    Source: ``transformers.get_scheduler``.
    """
    name = name.value if isinstance(name, Enum) else name
    require(name in BY_NAME, "name", f"be one of {', '.join(BY_NAME)}", name)
    function = BY_NAME[name]
    counts = {"num_warmup_steps": num_warmup_steps, "num_training_steps": num_training_steps}
    taken = inspect.signature(function).parameters
    for count in counts.keys() & taken.keys():
        optional = taken[count].default is None or counts[count] is not None
        require(optional, count, f"be given for {name!r}", None)
    given = {count: steps for count, steps in counts.items() if count in taken}
    return function(optimizer, **given, **(scheduler_specific_kwargs or {}))
