"""Schedules from optax's. The other way nothing is needed: optax takes a schedule as it is.

>>> import optax
>>> from_optax(optax.warmup_cosine_decay_schedule(0.0, 1.0, 500, 10_000, end_value=0.1))
warmup(500) >> cosine(9500, end=0.1)
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial, reduce
from inspect import unwrap
from itertools import accumulate, pairwise
from typing import Any

from glideslope.errors import GlideslopeError, require_type
from glideslope.schedules import (
    Constant,
    Cosine,
    Exponential,
    Linear,
    Piecewise,
    Polynomial,
    Schedule,
    hold,
)

from ._recorded import UnknownFormula, first_steps, read_or_record

__all__ = ["from_optax"]

CLOSE = 1e-4
"""The share of the highest value that optax's float32 may be off by; a formula differs by more."""
LOOKS = 17
"""The number of steps at which a schedule is compared with the function it was read from."""

Arguments = Mapping[str, Any]
"""The variables that one of optax's functions has kept of its arguments, by name."""


def from_optax(
    function: Callable[[Any], Any], *, sampled: bool = False, steps: int | None = None
) -> Schedule:
    """The schedule that a function of optax computes, in double precision.

    optax's schedules are functions that keep their arguments. Those are read, and the schedule is
    compared with the function at some steps, so another release's formula is refused and not
    misread. Joined schedules are read if all members are; a member may be a schedule of Glideslope.
    A function under ``jax.jit`` is read as the one inside.

    Args:
        function: what ``optax.cosine_decay_schedule(…)`` and the like return.
        sampled: where the formula is not known, record the function's values in a table.
        steps: the number of values to record.

    Raises:
        InvalidType: the formula is not known.
        InvalidValue: ``sampled`` without ``steps``, or the function gives no number.

    Example:
        >>> import optax
        >>> from_optax(optax.exponential_decay(0.1, 40, 0.5, transition_begin=10))
        (hold(10) >> exponential(0.5, every=40)) * 0.1
        >>> from_optax(lambda count: 0.1 / (1 + count), sampled=True, steps=2).values()
        array([0.1 , 0.05])

    Source: ``optax.schedules``.
    """
    require_type(callable(function), "function", "be a schedule of optax", function)
    read = partial(_checked, function)
    return read_or_record("function", function, read, partial(_recorded, function), sampled, steps)


def _checked(function: Any) -> Schedule:
    """The schedule of a function, if it has the function's values."""
    try:
        schedule = _read(function)
    except KeyError as error:
        raise UnknownFormula(f"it keeps no variable {error}") from None
    except (GlideslopeError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UnknownFormula(str(error)) from None
    last = schedule.view_steps()
    steps = sorted({last * k // (LOOKS - 1) for k in range(LOOKS)})
    theirs = [float(function(t)) for t in steps]
    near = CLOSE * max(map(abs, theirs))
    if any(abs(schedule(t) - value) > near for t, value in zip(steps, theirs, strict=True)):
        raise UnknownFormula(f"its values are not those of {schedule}")
    return schedule


def _read(function: Any) -> Schedule:
    """The schedule of a function, by the name of the function that made it."""
    function = unwrap(function)
    if isinstance(function, Schedule):
        return function
    name, _, inner = getattr(function, "__qualname__", "").partition(".<locals>.")
    if not str(getattr(function, "__module__", "")).startswith("optax.") or name not in READERS:
        raise UnknownFormula("it was not made by a function of optax that is known here")
    kept = _kept(function)
    if inner == "<lambda>":  # of no steps, and so on: optax holds the first value
        return Constant(float(kept["value" if "value" in kept else "init_value"]))
    return READERS[name](kept)


def _kept(function: Any) -> Arguments:
    """The variables of the enclosing function, without those that were never set."""
    kept = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):
            kept[name] = cell.cell_contents
    return kept


def _recorded(function: Any, steps: int) -> Iterator[Any]:
    return map(function, range(steps))


def _whole(steps: Any) -> float:
    """A count as optax may have kept it: as a float, or as an array."""
    return int(steps) if steps == int(steps) else float(steps)


def _scaled(schedule: Schedule, peak: Any) -> Schedule:
    return schedule if peak == 1 else schedule * float(peak)


def _later(begin: Any, value: float, schedule: Schedule) -> Schedule:
    """``value`` up to step ``begin``, then the schedule."""
    return hold(_whole(begin), value) >> schedule if begin > 0 else schedule


# -- a reader for each function of optax ---------------------------------------------------------


def _polynomial(kept: Arguments) -> Schedule:
    start, end, power = (float(kept[name]) for name in ("init_value", "end_value", "power"))
    steps = _whole(kept["transition_steps"])
    if power == 1:
        curve: Schedule = Linear(steps, start=start, end=end)
    else:
        curve = Polynomial(steps, start=start, end=end, power=power)
    return _later(kept["transition_begin"], start, curve)


def _cosine(kept: Arguments) -> Schedule:
    steps, power = _whole(kept["decay_steps"]), float(kept["exponent"])
    return _scaled(Cosine(steps, end=float(kept["alpha"]), power=power), kept["init_value"])


def _exponential(kept: Arguments) -> Schedule:
    every, rate = _whole(kept["transition_steps"]), float(kept["decay_rate"])
    curve: Schedule = Exponential(rate, every)
    curve = curve.staircase(every) if kept["staircase"] else curve
    curve = _scaled(_later(kept["transition_begin"], 1.0, curve), kept["init_value"])
    if kept["end_value"] is None:
        return curve
    end = float(kept["end_value"])
    return curve.clip(lo=end) if rate < 1 else curve.clip(hi=end)


def _piecewise_constant(kept: Arguments) -> Schedule:
    scales = sorted((kept["boundaries_and_scales"] or {}).items())
    return _piecewise(kept["init_value"], scales, "hold")


def _piecewise_interpolate(kept: Arguments) -> Schedule:
    shape = SHAPES[kept["interpolate_fn"].__name__]
    scales = zip(kept["boundaries"], kept["scales"], strict=True)
    return _piecewise(kept["init_value"], list(scales), shape)


def _piecewise(first: Any, scales: list[tuple[Any, Any]], shape: str) -> Schedule:
    """From the first value and the factor at each boundary."""
    if not scales:
        return Constant(float(first))
    values = accumulate((float(scale) for _, scale in scales), operator.mul, initial=float(first))
    steps = (0, *(_whole(step) for step, _ in scales))
    if shape == "hold":
        steps = tuple(max(0, step) for step in steps)
    points = dict(zip(steps, values, strict=True))  # at step 0 the last of several counts
    return Piecewise(tuple(points.items()), shape)


def _joined(kept: Arguments) -> Schedule:
    stops = [_whole(stop) for stop in kept["boundaries"]]
    curves = [_read(member) for member in kept["schedules"]]
    if sorted(stops) != stops or len(stops) != len(curves) - 1:
        raise UnknownFormula("there is no ascending boundary between every two members")
    lengths = [b - a for a, b in pairwise([0, *stops])]
    cut = [first_steps(part, n) for part, n in zip(curves, lengths, strict=False) if n]
    return reduce(operator.rshift, [*cut, curves[-1]])


SHAPES = {"_linear_interpolate": "linear", "_cosine_interpolate": "cosine"}

READERS: Mapping[str, Callable[[Arguments], Schedule]] = {
    "constant_schedule": lambda kept: Constant(float(kept["value"])),
    "cosine_decay_schedule": _cosine,
    "exponential_decay": _exponential,
    "join_schedules": _joined,
    "piecewise_constant_schedule": _piecewise_constant,
    "piecewise_interpolate_schedule": _piecewise_interpolate,
    "polynomial_schedule": _polynomial,
}
"""By the function that makes the schedule; optax's other functions call one of these."""


def __dir__() -> list[str]:
    return __all__
