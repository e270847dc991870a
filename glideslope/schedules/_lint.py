"""Checks of a schedule before a long run, such as for jumps and for warm-ups that never end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from glideslope.errors import require

from .view import value_label

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LOOKS = 1 << 16
"""The most steps of a run that are evaluated; a longer run is sampled evenly."""
GLANCES = 1 << 10
"""The number of steps after the run that are evaluated."""
HIGH = 0.2
"""A run ends high when its last value is above the floor by more than this share of the peak."""
RISE = 0.05
"""A rise counts if it is more than this share of the peak."""
JUMP = 0.1
"""A discontinuity counts if it is more than this share of the peak."""
STEEPEST = 64
"""The number of steepest rises that are examined: most are smooth."""
GONE = 1e-6
"""A value below this share of the peak is taken for zero."""
EPOCHS = 1000
"""The longest schedule, in steps, that is suspected to count epochs."""
BATCHES = 10
"""The fewest batches in a suspected epoch."""


class Finding(NamedTuple):
    """Something to know before a run, from `Schedule.lint`; `str` gives ``code: message``.

    The codes, with P the highest value of the run:

    - ``not-finite``: the value overflows; no other check is made then.
    - ``short-run``: the run ends before the schedule does, and the schedule still changes there.
    - ``endless-warmup``: the run ends while the value still rises towards the schedule's peak.
    - ``high-end``: the last value is more than 0.2 P above the floor, the lowest value from the
      peak to the schedule's end: a decay was cut short, or a cycle ends at its top.
    - ``long-run``: the schedule is over before half of the run and holds a value below 0.5 P; or
      before 99% of the run, and holds zero; or an endless decay is below 1e-6 P for half of it.
      A schedule that holds its height, as a warm-up alone does, is in order.
    - ``epochs-as-steps``: as ``long-run``, with a schedule of at most 1000 steps in a run at least
      10 times as long: its lengths may be epochs, while the scheduler steps once per batch.
    - ``rises-again``: having come down to half its height, the curve rises by more than 0.05 P,
      but not within the cycles of ``.repeat()``.
    - ``jump``: the curve is broken by more than 0.1 P, upwards anywhere, downwards where two parts
      of a sequence do not meet. Steep is not broken, stairs go down on purpose, and so do the
      cycles of ``.repeat()`` begin again.
    - ``zero-start``: the value at step 0 is 0, so the first update changes nothing.
    - ``negative``: a value is below 0, so an update would climb.

    The run's length is the schedule's unless given; of an endless schedule without one, only the
    curve is checked. Up to 65,536 steps are all evaluated; of a longer run as many, evenly.

    Args:
        code: the kind, one of those above.
        message: the sentence to print.
        step: the step it is about.
    """

    code: str
    message: str
    step: int

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def lint(schedule: Any, steps: int | None) -> list[Finding]:
    """The findings of every check, those of the whole run first."""
    schedule._check_bound()
    require(steps is None or steps >= 1, "steps", "be at least 1", steps)
    is_run = steps is not None or math.isfinite(schedule.steps)
    run = LintedRun(schedule, int(steps or schedule.view_steps()))
    checks = (RUN_CHECKS if is_run else ()) + CURVE_CHECKS
    return list(not_finite(run)) or [finding for check in checks for finding in check(run)]


class LintedRun:
    """A schedule over a number of steps, evaluated once for every check."""

    def __init__(self, schedule: Any, steps: int) -> None:
        self.schedule, self.steps = schedule, steps
        self.length: float = schedule.steps

    @cached_property
    def at(self) -> NDArray[np.float64]:
        """The steps that are evaluated."""
        import numpy as np

        return np.unique(np.linspace(0.0, float(self.steps - 1), min(self.steps, LOOKS)).round())

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """The values at these steps."""
        return self.look(self.at)

    def look(self, steps: Any) -> NDArray[np.float64]:
        """The values at these steps; those that overflow are infinite."""
        import numpy as np

        with np.errstate(all="ignore"):
            return np.asarray(self.schedule(np.asarray(steps, np.float64)), np.float64)

    @cached_property
    def peak(self) -> int:
        """The index of the first highest value."""
        return int(self.values.argmax())

    @cached_property
    def scale(self) -> float:
        """The largest absolute value; every tolerance is a share of it."""
        return float(abs(self.values).max())

    @cached_property
    def last(self) -> float:
        """The value at the end of the run: the last one, or the next if that is lower."""
        return min(float(self.values[-1]), float(self.look([self.steps])[0]))

    @cached_property
    def rest(self) -> NDArray[np.float64]:
        """Values of the schedule from the run's end to its own; of an endless one, far ahead."""
        import numpy as np

        stop = self.length if math.isfinite(self.length) else 2 * self.schedule.view_steps()
        values = self.look(np.linspace(float(self.steps), float(max(stop, self.steps)), GLANCES))
        return values[np.isfinite(values)]

    def text(self, value: float) -> str:
        """A value as text."""
        return value_label(value, self.scale, digits=3)

    @cached_property
    def cycles(self) -> list[tuple[float, float]]:
        """The spans in which the schedule restarts on purpose."""
        return list(self.schedule._restarts())


# -- the run as a whole --------------------------------------------------------------------------


def not_finite(run: LintedRun) -> Iterator[Finding]:
    import numpy as np

    bad = ~np.isfinite(run.values)
    if bad.any():
        step = int(run.at[bad.argmax()])
        yield Finding("not-finite", f"the value at step {step} is too large for a number", step)


def short_run(run: LintedRun) -> Iterator[Finding]:
    if run.steps + 0.5 < run.length < math.inf and (run.rest != run.values[-1]).any():
        where = f"the run ends at step {run.steps} of {run.length:.15g}"
        yield Finding("short-run", f"{where}: the schedule's end is never reached", run.steps)


def is_rising(run: LintedRun) -> bool:
    """True if the run ends before the schedule's peak."""
    if run.length <= run.steps or run.values[-1] < run.values[run.peak] or not len(run.rest):
        return False
    return bool(run.rest.max() - run.values[-1] > RISE * abs(run.rest).max())


def endless_warmup(run: LintedRun) -> Iterator[Finding]:
    if is_rising(run):
        message = f"still warming up at step {run.steps}, the end of the run"
        yield Finding("endless-warmup", message, run.steps)


def high_end(run: LintedRun) -> Iterator[Finding]:
    if is_rising(run):
        return
    floor = float(run.values[run.peak :].min())
    if math.isfinite(run.length) and len(run.rest):
        floor = min(floor, float(run.rest.min()))
    if run.last - floor > HIGH * run.scale:
        low = run.text(floor)
        message = f"the run ends at {run.text(run.last)}, while the schedule comes down to {low}"
        yield Finding("high-end", message, run.steps - 1)


def long_run(run: LintedRun) -> Iterator[Finding]:
    over, last = min(run.length, faded(run)), float(run.values[-1])
    holds_zero = over == run.length and abs(last) <= GONE * run.scale
    if not over or over >= (0.99 if holds_zero else 0.5) * run.steps or last > 0.5 * run.scale:
        return
    state = "over" if over == run.length else "nearly 0"
    where = f"{state} at step {over:.15g} of {run.steps}"
    if over <= EPOCHS and run.steps >= BATCHES * over:
        advice = 'lengths in epochs are written "10ep" and bound by bind(steps_per_epoch=...)'
        yield Finding("epochs-as-steps", f"{where}: {advice}", math.ceil(over))
    else:
        message = f"{where}: the rest of the run stays at {run.text(last)}"
        yield Finding("long-run", message, math.ceil(over))


def faded(run: LintedRun) -> float:
    """The step from which an endless decay is nearly zero until the end of the run."""
    import numpy as np

    alive = np.flatnonzero(abs(run.values) > GONE * run.scale)
    if math.isfinite(run.length) or not len(alive) or alive[-1] + 1 == len(run.at):
        return math.inf
    return float(run.at[alive[-1] + 1])


# -- the curve itself ----------------------------------------------------------------------------


def rises_again(run: LintedRun) -> Iterator[Finding]:
    import numpy as np

    high = np.maximum.accumulate(run.values)
    is_down = (run.values <= 0.5 * high) & (high > RISE * run.scale)
    for start, stop in run.cycles:
        within = (start <= run.at) & (run.at < stop)
        is_down &= ~within | (run.at == run.at[within].max(initial=-1))
        high[within] = np.inf
    low = np.minimum.accumulate(np.where(is_down, run.values, np.inf))
    risen = np.flatnonzero((run.values - low > RISE * run.scale) & np.isfinite(high))
    if len(risen):
        yield rise(run, int(risen[0]), float(low[risen[0]]))


def rise(run: LintedRun, where: int, low: float) -> Finding:
    """The finding of a rise seen at index ``where``, from the value ``low`` before it."""
    import numpy as np

    bottom = int(np.flatnonzero(run.values[:where] == low)[-1])
    step, top = int(run.at[bottom]), float(run.values[where:].max())
    message = f"down to {run.text(low)} at step {step}, then up again to {run.text(top)}"
    return Finding("rises-again", f"{message} (on purpose is written .repeat())", step)


def jump(run: LintedRun) -> Iterator[Finding]:
    breaks = [*upward_breaks(run), *broken_joins(run)]
    if breaks:
        step, before, after = max(breaks, key=lambda found: abs(found[2] - found[1]))
        yield Finding("jump", f"from {run.text(before)} to {run.text(after)} at step {step}", step)


Break = tuple[int, float, float]
"""The first step after a discontinuity, and the values on either side."""


def upward_breaks(run: LintedRun) -> Iterator[Break]:
    """The largest rise between neighbouring steps that is a discontinuity."""
    import numpy as np

    rises = np.diff(run.values)
    for start, stop in run.cycles:
        rises[(start < run.at[1:]) & (run.at[1:] < stop)] = 0
    for k in np.argsort(-rises)[:STEEPEST]:
        if rises[k] <= JUMP * run.scale:
            return
        step, before, after = narrowed(run.schedule, float(run.at[k]), float(run.at[k + 1]))
        if after - before > JUMP * run.scale and not within_cycles(run, step):
            yield math.ceil(step), before, after
            return


def narrowed(schedule: Any, a: float, b: float) -> tuple[float, float, float]:
    """The place with most of the difference between two steps, and the values on its two sides."""
    low, high = schedule(a), schedule(b)
    for _ in range(48):
        middle = (a + b) / 2
        value = schedule(middle)
        if abs(value - low) > abs(high - value):
            b, high = middle, value
        else:
            a, low = middle, value
    return b, low, high


def broken_joins(run: LintedRun) -> Iterator[Break]:
    """Phases that do not begin where the one before ended, unless both are stairs."""
    phases = [phase for phase in run.schedule.phases() if phase.start < run.steps]
    for before, after in pairwise(phases):
        step = after.start
        left, right = run.schedule(math.nextafter(step, 0)), run.schedule(step)
        stairs = is_flat(run, before) and is_flat(run, after)
        if abs(right - left) > JUMP * run.scale and not stairs and not within_cycles(run, step):
            yield math.ceil(step), left, right


def is_flat(run: LintedRun, phase: Any) -> bool:
    """True if a phase has one value throughout."""
    import numpy as np

    stop = min(phase.stop, run.steps)
    values = run.schedule(np.linspace(phase.start, math.nextafter(stop, 0), 9))
    return bool((values == values[0]).all())


def within_cycles(run: LintedRun, step: float) -> bool:
    return any(start < step < stop for start, stop in run.cycles)


def zero_start(run: LintedRun) -> Iterator[Finding]:
    if run.values[0] == 0:
        message = "the value at step 0 is 0: the first update changes nothing"
        yield Finding("zero-start", message, 0)


def negative(run: LintedRun) -> Iterator[Finding]:
    below = run.values < -1e-12 * run.scale
    if below.any():
        k = int(below.argmax())
        step, value = int(run.at[k]), float(run.values[k])
        yield Finding("negative", f"the value at step {step} is {value:.3g}", step)


Check = Callable[[LintedRun], Iterator[Finding]]
RUN_CHECKS: tuple[Check, ...] = (short_run, endless_warmup, high_end, long_run)
CURVE_CHECKS: tuple[Check, ...] = (rises_again, jump, zero_start, negative)
