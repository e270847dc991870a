"""A schedule as an adapter is given it."""

from __future__ import annotations

from typing import Any

from glideslope.errors import require_type
from glideslope.schedules import Schedule, parse


def as_rates(schedule: Any) -> Schedule:
    """A schedule, or the text of one, whose lengths are all in steps."""
    curve = parse(schedule) if isinstance(schedule, str) else schedule
    rule = "be a schedule or the text of one"
    require_type(isinstance(curve, Schedule), "schedule", rule, schedule)
    curve(0)  # refuses lengths that are not bound
    return curve
