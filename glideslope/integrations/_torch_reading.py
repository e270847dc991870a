"""The schedule that a scheduler of torch's own follows.

A class of torch is read by building the class of the same name here, whose schedule is a closed
form, from the attributes that hold its arguments.
"""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial, reduce
from inspect import signature
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch.optim import lr_scheduler as theirs
from torch.optim.swa_utils import SWALR

from glideslope.errors import InvalidType, InvalidValue, require, require_type
from glideslope.optim import lr_scheduler as ours
from glideslope.schedules import Schedule

from ._recorded import UnknownFormula, first_steps, in_group, read_or_record
from ._transformers_reading import schedule_of_function

Arguments = Callable[[Any, int], dict[str, Any]]
"""A function from a scheduler and the index of a group to the arguments of the class here."""


class Curve(NamedTuple):
    """The schedule of a group: its rates are ``base · factors``."""

    factors: Schedule
    base: float

    def rates(self) -> Schedule:
        """The learning rates."""
        return self.factors if self.base == 1 else self.factors * self.base


def from_torch(
    scheduler: Any, group: int = 0, *, sampled: bool = False, steps: int | None = None
) -> Schedule:
    """The learning rates of one parameter group under a scheduler of torch, as a schedule.

    ``s(t)`` is the rate after ``t`` calls of ``step``, whatever step the scheduler is at now; it is
    left as it is. The classes of torch that follow a formula are read exactly, `SequentialLR` and
    `ChainedScheduler` of them too, and a `LambdaLR` of transformers' functions. Where torch differs
    from its own formula, the schedule follows the formula.

    ``Scheduler(optimizer, lr=Absolute(s))`` trains with these rates, and ``s / base`` are factors
    of a group's own rate.

    Args:
        scheduler: a scheduler of ``torch.optim.lr_scheduler``.
        group: the index of the parameter group.
        sampled: where the formula is not known (a `LambdaLR`, a class of one's own), record the
            values of a copy in a table. The scheduler must be at step 0.
        steps: the number of values to record.

    Raises:
        InvalidType: the formula is not known, or ``scheduler`` follows a metric, or it is one of
            Glideslope's, which has the attribute ``schedule``.
        InvalidValue: there is no such group; ``sampled`` without ``steps``, or after the first
            step.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> from_torch(torch.optim.lr_scheduler.StepLR(optimizer, 30))
        step(30) * 0.1
        >>> halving = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.5**epoch)
        >>> from_torch(halving, sampled=True, steps=3)
        piecewise([(0, 0.1), (1, 0.05), (2, 0.025)]).take(3)
    """
    _check(scheduler)
    in_group("scheduler", scheduler.optimizer.param_groups, group)
    read = partial(_schedule, scheduler, group)
    record = partial(_recorded, scheduler, group)
    return read_or_record("scheduler", scheduler, read, record, sampled, steps)


def _check(scheduler: Any) -> None:
    """Refuse what is no scheduler of torch, and one that has no schedule."""
    name = "scheduler"
    if isinstance(scheduler, ours.LRScheduler | ours.ReduceLROnPlateau):
        rule = "be one of torch's own: one of Glideslope's has the attribute `schedule`"
        require_type(False, name, rule, scheduler)
    metric = signature(getattr(scheduler, "step", lambda: None)).parameters.get("metrics")
    follows = metric is not None and metric.default is metric.empty
    require_type(not follows, name, "follow the step: this one follows a metric", scheduler)
    is_torchs = isinstance(scheduler, theirs.LRScheduler)
    require_type(is_torchs, name, "be a scheduler of torch.optim.lr_scheduler", scheduler)


def _schedule(scheduler: Any, group: int) -> Schedule:
    return _read(scheduler, group).rates()


def _read(scheduler: Any, group: int) -> Curve:
    """The curve of a scheduler, by its class."""
    kind = type(scheduler)
    if kind in COMPOSITES:
        return COMPOSITES[kind](scheduler, group)
    if kind in FACTORS:
        base = float(scheduler.base_lrs[group])
        return Curve(_like(scheduler, base, FACTORS[kind](scheduler, group)), base)
    if kind is SWALR and scheduler.last_epoch > 0:
        raise UnknownFormula("the rate at which SWALR began is known at step 0 only")
    if kind in RATES:
        now = float(scheduler.optimizer.param_groups[group]["lr"])
        return Curve(_like(scheduler, now, RATES[kind](scheduler, group)), 1.0)
    if kind is theirs.LambdaLR:
        return _of_function(scheduler, group)
    raise UnknownFormula(f"{kind.__name__} is no class of torch's that follows a formula")


def _like(scheduler: Any, base: float, arguments: dict[str, Any]) -> Schedule:
    """The schedule of the class here of the same name."""
    optimizer = SimpleNamespace(param_groups=[{"lr": base}])
    try:
        twin: Any = getattr(ours, type(scheduler).__name__)(optimizer, **arguments)
        schedule: Schedule = twin.schedule
    except (InvalidType, InvalidValue, ZeroDivisionError) as error:
        raise UnknownFormula(str(error)) from None
    return schedule


# -- the arguments of each class -----------------------------------------------------------------


def _attributes(*names: str) -> Arguments:
    return lambda scheduler, _group: {name: getattr(scheduler, name) for name in names}


def _multi_step(scheduler: Any, _group: int) -> dict[str, Any]:
    milestones = sorted(scheduler.milestones.elements())
    return {"milestones": milestones, "gamma": scheduler.gamma}


def _one_cycle(scheduler: Any, group: int) -> dict[str, Any]:
    limits = scheduler.optimizer.param_groups[group]
    top, start, end = (float(limits[key]) for key in ("max_lr", "initial_lr", "min_lr"))
    phases, total = scheduler._schedule_phases, scheduler.total_steps
    return {
        "max_lr": top,
        "total_steps": total,
        "pct_start": (phases[0]["end_step"] + 1) / total,
        "anneal_strategy": scheduler._anneal_func_type,
        "div_factor": top / start,
        "final_div_factor": start / end,
        "three_phase": len(phases) == 3,
        "cycle_momentum": False,
    }


def _cyclic(scheduler: Any, group: int) -> dict[str, Any]:
    size = scheduler.total_size
    up = _near_whole(size * scheduler.step_ratio)
    return {
        "base_lr": float(scheduler.base_lrs[group]),
        "max_lr": float(scheduler.max_lrs[group]),
        "step_size_up": up,
        "step_size_down": _near_whole(size - up),
        "mode": scheduler.mode,
        "gamma": scheduler.gamma,
        "scale_fn": scheduler._scale_fn_custom,
        "scale_mode": scheduler.scale_mode,
        "cycle_momentum": False,
    }


def _near_whole(steps: float) -> float:
    """A count without the rounding of a quotient and a product."""
    return float(round(steps)) if abs(steps - round(steps)) < 1e-9 * steps else steps


def _swa(scheduler: Any, group: int) -> dict[str, Any]:
    return {
        "swa_lr": float(scheduler.optimizer.param_groups[group]["swa_lr"]),
        "anneal_epochs": scheduler.anneal_epochs,
        "anneal_strategy": scheduler._anneal_strategy,
    }


FACTORS: dict[type, Arguments] = {
    theirs.ConstantLR: _attributes("factor", "total_iters"),
    theirs.LinearLR: _attributes("start_factor", "end_factor", "total_iters"),
    theirs.ExponentialLR: _attributes("gamma"),
    theirs.PolynomialLR: _attributes("total_iters", "power"),
    theirs.StepLR: _attributes("step_size", "gamma"),
    theirs.MultiStepLR: _multi_step,
    theirs.CosineAnnealingLR: _attributes("T_max", "eta_min"),
    theirs.CosineAnnealingWarmRestarts: _attributes("T_0", "T_mult", "eta_min"),
}
"""Classes whose schedule here is a factor of the base."""

RATES: dict[type, Arguments] = {
    theirs.CyclicLR: _cyclic,
    theirs.OneCycleLR: _one_cycle,
    SWALR: _swa,
}
"""Classes whose schedule here is the rate itself."""


# -- composites ----------------------------------------------------------------------------------


def _sequence(scheduler: Any, group: int) -> Curve:
    """The members one after another, each on its own clock."""
    stops = [max(0, milestone) for milestone in scheduler._milestones]
    if sorted(stops) != stops:
        raise UnknownFormula("its milestones do not ascend")
    lengths = [*(stop - start for start, stop in pairwise([0, *stops])), math.inf]
    kept: list[tuple[Curve, float]] = []
    for member, n in zip(scheduler._schedulers, lengths, strict=True):
        if n:
            kept.append((_member(member, group, kept), n))
    if len({curve.base for curve, _ in kept}) == 1:
        parts, base = [curve.factors for curve, _ in kept], kept[0][0].base
    else:
        parts, base = [curve.rates() for curve, _ in kept], 1.0
    cut = [first_steps(part, n) for part, (_, n) in zip(parts, kept, strict=True)]
    return Curve(reduce(operator.rshift, cut), base)


def _member(member: Any, group: int, before: list[tuple[Curve, float]]) -> Curve:
    """The curve of a member: `SWALR` anneals from the last rate of the member before it."""
    if type(member) is not SWALR or not before:
        return _read(member, group)
    curve, n = before[-1]
    last = curve.rates()(n - 1)
    return Curve(_like(member, last, _swa(member, group)), 1.0)


def _chain(scheduler: Any, group: int) -> Curve:
    """The product of the members' factors."""
    for member in scheduler._schedulers:
        floor = getattr(member, "eta_min", 0)
        if type(member) not in CHAINED or floor:
            kind = type(member).__name__ + (" with eta_min" if floor else "")
            raise UnknownFormula(f"{kind} in a ChainedScheduler is no factor of the others")
    curves = [_read(member, group) for member in scheduler._schedulers]
    return Curve(reduce(operator.mul, (curve.factors for curve in curves)), curves[0].base)


COMPOSITES: dict[type, Callable[[Any, int], Curve]] = {
    theirs.SequentialLR: _sequence,
    theirs.ChainedScheduler: _chain,
}
CHAINED = {*FACTORS, theirs.ChainedScheduler} - {theirs.CosineAnnealingWarmRestarts}
"""Classes that multiply the rate that they find."""


def _of_function(scheduler: Any, group: int) -> Curve:
    """A `LambdaLR` whose function is a schedule, or one of transformers' functions."""
    function = scheduler.lr_lambdas[group]
    is_schedule = isinstance(function, Schedule)
    factors = function if is_schedule else schedule_of_function(function)
    return Curve(factors, float(scheduler.base_lrs[group]))


# -- tables --------------------------------------------------------------------------------------


def _recorded(scheduler: Any, group: int, steps: int) -> Iterator[float]:
    """The rates of a copy of a scheduler that has not been stepped, on an optimizer of its own."""
    at = _step_of(scheduler)
    require(at == 0, "scheduler", "be at step 0 to be recorded: it runs from there", f"step {at}")
    groups = [
        {**{k: v for k, v in each.items() if k != "params"}, "params": [torch.nn.Parameter()]}
        for each in scheduler.optimizer.param_groups
    ]
    optimizer = torch.optim.SGD(groups)
    copy = deepcopy(scheduler, {id(scheduler.optimizer): optimizer})
    for _ in range(steps):
        yield float(optimizer.param_groups[group]["lr"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the optimizer makes no update
            copy.step()


def _step_of(scheduler: Any) -> int:
    """The step that a scheduler is at; torch's `ChainedScheduler` has none of its own."""
    chained = isinstance(scheduler, theirs.ChainedScheduler)
    return _step_of(scheduler._schedulers[0]) if chained else int(scheduler.last_epoch)
