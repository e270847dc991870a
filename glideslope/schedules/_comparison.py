"""The values of several schedules side by side, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glideslope.errors import require_type, shortened
from glideslope.text import text_table

from ._codec import is_schedule
from ._length import number_text, whole
from .view import value_label

LABEL = 32
"""The longest heading of a column, in characters."""


def comparison(schedules: Sequence[Any], steps: int | None, rows: int) -> str:
    """`Schedule.table`."""
    for schedule in schedules:
        require_type(is_schedule(schedule), "others", "be schedules", schedule)
    stop = max(s.view_steps() for s in schedules) if steps is None else whole("steps", steps, 1)
    chosen = _steps(schedules, stop, whole("rows", rows, 2))
    columns = [["step", *map(number_text, chosen)]]
    columns += [[shortened(s, LABEL), *_values(s, chosen)] for s in schedules]
    return text_table(zip(*columns, strict=True), ">" * len(columns))


def _steps(schedules: Sequence[Any], stop: int, rows: int) -> list[int]:
    """Even steps from 0 to ``stop``, and the first step of each phase."""
    even = {round(k * stop / (rows - 1)) for k in range(rows)}
    starts = (phase.start for schedule in schedules for phase in schedule.phases())
    return sorted(even | {round(start) for start in starts if start <= stop})


def _values(schedule: Any, steps: Sequence[int]) -> list[str]:
    values = [schedule(step) for step in steps]
    scale = max(map(abs, values))
    return [value_label(value, scale) for value in values]
