"""How far to look at a schedule, and which points show it: for every picture and the linter.

A schedule is known here by what it answers, so this file knows no class and none imports it back.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from ._codec import is_schedule

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLES = 16
"""Evaluations for each column of a picture: enough to find the extremes of a column."""


def view_steps(schedule: Any) -> int:
    """All the steps of a schedule, at least one, or as many of an endless one as show its shape.

    Four cycles of a repetition; of a decay, as many as it takes to come nearly to rest.
    """
    schedule._check_bound()
    if math.isfinite(schedule.steps):
        return max(math.ceil(float(schedule.steps)), 1)
    parts = list(inner_schedules(schedule))
    if schedule.notation == "repeat":
        return math.ceil(float(parts[0].steps * sum(schedule.growth**k for k in range(4))))
    if schedule.notation == "growing_polynomial":
        return math.ceil(float(4 * schedule.period))
    if schedule.notation == "sequence":
        *heads, tail = map(view_steps, parts)
        return sum(heads) + max(sum(heads), tail)
    return max(map(view_steps, parts)) if parts else settling_steps(schedule)


def inner_schedules(schedule: Any) -> Iterator[Any]:
    """The schedules that a schedule is made of, in order."""
    for field in fields(schedule):
        value = getattr(schedule, field.name)
        yield from filter(is_schedule, value if isinstance(value, tuple) else (value,))


def settling_steps(curve: Any) -> int:
    """A power of two after which the curve has nearly come to rest, or has taken off."""
    import numpy as np

    steps = 16
    with np.errstate(all="ignore"):
        while steps < 1 << 30:
            start, half, whole = (float(v) for v in curve(np.array([0, steps / 2, steps])))
            early, late = abs(half - start), abs(whole - half)
            if late <= 0.25 * early or late > 5 * early:
                break
            steps *= 2
    return steps


def outline(
    schedule: Any, stop: float, columns: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Steps and values that draw ``0 <= t <= stop`` in a picture of so many columns.

    Each column keeps its lowest and its highest point, in order, so that nothing that is narrower
    than a column is lost: a spike of one step, a jump, the teeth of a thousand cycles.
    """
    import numpy as np

    schedule._check_bound()
    steps = sample_steps(schedule, stop, columns * SAMPLES)
    with np.errstate(all="ignore"):
        values = np.asarray(schedule(steps), dtype=np.float64)
    steps, values = steps[np.isfinite(values)], values[np.isfinite(values)]
    edges = np.searchsorted(steps, np.linspace(0, stop, columns + 1)[1:-1])
    kept = {0, len(steps) - 1}
    for column in np.split(np.arange(len(steps)), edges):
        if len(column):
            kept |= {int(column[values[column].argmin()]), int(column[values[column].argmax()])}
    chosen = sorted(kept)
    return steps[chosen], values[chosen]


def sample_steps(schedule: Any, stop: float, count: int) -> NDArray[np.float64]:
    """So many steps, evenly from 0 to ``stop``, and both sides of each phase's boundary.

    The last one is ``stop`` itself only where the schedule ends: in the middle of its way it may
    be the first step of another cycle.
    """
    import numpy as np

    starts = np.array([phase.start for phase in schedule.phases() if 0 < phase.start < stop])
    even = np.linspace(0, stop, count + 1)
    even[-1] = stop if stop >= schedule.steps else np.nextafter(stop, 0)
    return np.unique(np.concatenate([even, starts, np.nextafter(starts, 0)]))


def value_limits(values: NDArray[np.float64]) -> tuple[float, float]:
    """The lowest and highest value of a picture: from 0, unless all values lie far from it."""
    lowest, highest = float(values.min()), float(values.max())
    if 0 < highest < 2 * lowest and lowest < highest:
        return lowest, highest
    if lowest < highest or lowest != 0:
        return min(lowest, 0.0), max(highest, 0.0)
    return 0.0, 1.0


def value_label(value: float, scale: float, digits: int = 4) -> str:
    """A value as a person reads it: beside values of size ``scale``, a rounding error is 0.

    >>> value_label(6.1e-32, 1.0), value_label(0.000123456, 1.0)
    ('0', '0.0001235')
    """
    return "0" if abs(value) <= 1e-12 * scale else f"{value:.{digits}g}"
