"""Weights that merge checkpoints into the result of a decay.

After a run at full rate, ``θ_n = θ_0 + Σ (θ_j - θ_{j-1})``. With each difference times the factor
that a decay has meanwhile, the sum is ``Σ c_j θ_j``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from glideslope.errors import require, require_type

from ._length import whole

ROUNDING = 1e-12
"""Differences of means that are no difference."""


def merge_weights(schedule: Any, steps: Sequence[int]) -> list[float]:
    """The weights of checkpoints; see `Schedule.merge_weights`."""
    steps = _checked(steps)
    if schedule._unbound is not None:
        schedule = schedule.bind(total_steps=steps[-1])
    begin = steps[-1] - _length(schedule, steps[-1])
    _require_beginning(schedule, begin, steps[0])
    factors = [1.0]
    for span in pairwise(steps):
        factor = _mean(schedule, begin, *span)
        _require_fall(schedule, factors[-1], factor, span)
        factors.append(factor if factor < factors[-1] - ROUNDING else factors[-1])
    factors.append(0.0)
    return [before - after for before, after in pairwise(factors)]


def _length(schedule: Any, run: int) -> int:
    """The number of updates of a decay, at most those of the run."""
    require(schedule.steps < math.inf, "schedule", "have an end, as take(steps) gives it", schedule)
    steps: int = math.ceil(schedule.steps)
    require(steps <= run, "schedule", f"be no longer than the run, {run} updates", schedule)
    return steps


def _checked(steps: Any) -> list[int]:
    require_type(hasattr(steps, "__iter__"), "steps", "be a list of steps", steps)
    numbers = [whole("steps", step, 0) for step in steps]
    require(bool(numbers) and numbers[-1] > 0, "steps", "end at more than 0", numbers)
    for before, after in pairwise(numbers):
        require(before < after, "steps", "increase", f"{after} after {before}")
    return numbers


def _require_beginning(schedule: Any, begin: int, first: int) -> None:
    """Refuse a decay that begins before the first checkpoint."""
    for start, chunk in schedule._chunks(0, first - begin):
        falls = abs(chunk - 1) > ROUNDING
        if falls.any():
            step = begin + start + int(falls.argmax())
            rule = f"begin at {step} or before, where {schedule} leaves 1"
            require(False, "steps", rule, first)


def _mean(schedule: Any, begin: int, start: int, stop: int) -> float:
    """The mean factor of the updates from one checkpoint to the next; 1 before the decay."""
    full = max(0, min(begin, stop) - start)
    area = schedule.area(start + full - begin, stop - begin) if start + full < stop else 0.0
    return math.fsum((full, area)) / (stop - start)


def _require_fall(schedule: Any, before: float, factor: float, span: tuple[int, int]) -> None:
    """Refuse a factor that would give a negative weight."""
    where = "on average from step {} to {}".format(*span)
    most = f"be at most {before:.6g} {where}, as before"
    require(factor <= before + ROUNDING, str(schedule), most, factor)
    require(factor >= -ROUNDING, str(schedule), f"be at least 0 {where}", factor)
