"""Points that draw a schedule, and how far an endless one has to be drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLES = 16
"""Evenly spaced evaluations for each column of a picture: enough for the extremes of a column."""
SCATTERED = 64
"""Evaluations at random places of each column: even ones see one phase of a fast oscillation."""


class Outline(NamedTuple):
    """Points that draw a curve, joined by straight lines, as `outline` gives them.

    Args:
        steps: ascending steps, an array.
        values: the value at each of them, an array of the same length.
    """

    steps: NDArray[np.float64]
    values: NDArray[np.float64]

    @property
    def limits(self) -> tuple[float, float]:
        """The ends of the value axis; see `glideslope.schedules.view.value_limits`."""
        return value_limits(self.values)


def value_limits(values: NDArray[np.float64]) -> tuple[float, float]:
    """Lowest and highest value of a picture's axis: from 0, unless all values lie far from it.

    Args:
        values: every value that is drawn; at least one.

    >>> import numpy as np
    >>> value_limits(np.array([0.2, 1.0])), value_limits(np.array([0.9, 1.0]))
    ((0.0, 1.0), (0.9, 1.0))
    """
    lowest, highest = float(values.min()), float(values.max())
    if 0 < highest < 2 * lowest and lowest < highest:
        return lowest, highest
    if lowest < highest or lowest != 0:
        return min(lowest, 0.0), max(highest, 0.0)
    return 0.0, 1.0


def settling_steps(curve: Any) -> int:
    """A power of two after which the curve is nearly constant, or has begun to grow fast."""
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


def outline(schedule: Any, stop: float, columns: int) -> Outline:
    """`Schedule.outline`."""
    import numpy as np

    steps = sample_steps(schedule, stop, columns)
    with np.errstate(all="ignore"):
        values = np.asarray(schedule(steps), dtype=np.float64)
    steps, values = steps[np.isfinite(values)], values[np.isfinite(values)]
    edges = np.searchsorted(steps, np.linspace(0.0, float(stop), columns + 1)[1:-1])
    kept = {0, len(steps) - 1}
    for column in np.split(np.arange(len(steps)), edges):
        if len(column):
            kept |= {int(column[values[column].argmin()]), int(column[values[column].argmax()])}
    chosen = sorted(kept)
    return Outline(steps[chosen], values[chosen])


def sample_steps(schedule: Any, stop: float, columns: int) -> NDArray[np.float64]:
    """Even and scattered steps from 0 to ``stop``, and those on both sides of a phase boundary.

    The last one is ``stop`` itself only if the schedule ends there; otherwise it is just before,
    for ``stop`` may be the first step of another cycle.
    """
    import numpy as np

    boundaries = [phase.start for phase in schedule.phases() if 0 < phase.start < stop]
    starts = np.array(boundaries, dtype=np.float64)
    even = np.linspace(0.0, float(stop), columns * SAMPLES + 1)
    even[-1] = stop if stop >= schedule.steps else np.nextafter(stop, 0)
    cells = np.arange(columns * SCATTERED)
    places = np.random.RandomState(0).random_sample(len(cells))  # the same in every picture
    scattered = (cells + places) * (stop / len(cells))
    return np.unique(np.concatenate([even, scattered, starts, np.nextafter(starts, 0)]))
