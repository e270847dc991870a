"""Key values, phases and findings of one schedule over a run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from glideslope.errors import GlideslopeError
from glideslope.schedules import Area, Finding, Peak, Phase, Schedule


@dataclass(frozen=True)
class Summary:
    """A schedule over the first ``steps`` steps, or over a part that shows its shape.

    Args:
        schedule: with every length bound.
        steps: how many of its steps count.
        run: the length of the run, if it is known.

    Raises:
        InvalidValue: the last value is too large for a number.
    """

    schedule: Schedule
    steps: int
    run: int | None

    def __post_init__(self) -> None:
        self.schedule(self.steps - 1)  # refuses a value that has overflowed

    @property
    def length(self) -> float | None:
        """The number of steps the schedule has; None when it is endless."""
        return self.schedule.steps if math.isfinite(self.schedule.steps) else None

    @property
    def start(self) -> float:
        """The value at step 0."""
        return float(self.schedule(0))

    @cached_property
    def peak(self) -> Peak:
        """The highest value and its first step."""
        return self.schedule.peak(self.steps)

    @property
    def last(self) -> float:
        """The value at the last step."""
        return float(self.schedule(self.steps - 1))

    @property
    def end(self) -> float | None:
        """The value that is held when the schedule is over; None where that is not seen."""
        return self.schedule.end if self.schedule.steps <= self.steps else None

    @cached_property
    def area(self) -> Area:
        """The sum of the values; infinite where that is too large for a number."""
        with np.errstate(all="ignore"):
            try:
                return self.schedule.area(0, self.steps)
            except GlideslopeError:
                raise
            except (OverflowError, ValueError):  # of `math.fsum`, on its way or at infinities
                return Area(math.inf)

    @property
    def area_fraction(self) -> float | None:
        """The area as a share of the peak held throughout; None where the peak is not above 0."""
        whole = self.peak.value * self.steps
        return self.area / whole if whole > 0 else None

    @cached_property
    def phases(self) -> list[Phase]:
        """The phases that have a step among the first ``steps``."""
        return [phase for phase in self.schedule.phases() if math.ceil(phase.start) < self.steps]

    @cached_property
    def findings(self) -> list[Finding]:
        """The findings of `Schedule.lint`."""
        return self.schedule.lint(self.run)

    def first_of(self, phase: Phase) -> float:
        """The value at the first step of a phase."""
        return float(self.schedule(math.ceil(phase.start)))

    def last_of(self, phase: Phase) -> float:
        """The value at the last step of a phase, or at the last step."""
        return float(self.schedule(math.ceil(min(phase.stop, self.steps)) - 1))

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "text": str(self.schedule),
            "schedule": self.schedule.to_dict(),
            "length": self.length,
            "steps": self.steps,
            "start": self.start,
            "peak": self.peak._asdict(),
            "peak_exact": self.peak.exact,
            "last": self.last,
            "end": self.end,
            "area": self.area,
            "area_exact": self.area.exact,
            "area_fraction": self.area_fraction,
            "phases": [self._phase_as_dict(phase) for phase in self.phases],
            "findings": [finding._asdict() for finding in self.findings],
        }

    def _phase_as_dict(self, phase: Phase) -> dict[str, Any]:
        return {
            "start": phase.start,
            "stop": phase.stop if math.isfinite(phase.stop) else None,
            "curve": str(phase.curve),
            "first": self.first_of(phase),
            "last": self.last_of(phase),
        }
