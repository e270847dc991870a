"""The reply to the design page: text, phases, curve, key values and findings of a schedule."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from glideslope.errors import GlideslopeError, require
from glideslope.schedules import Schedule, parse
from glideslope.schedules.notation import bind_named

from .._summary import Summary
from ._copies import copies
from ._phases import phases
from ._question import UNITS, Json, Refused, numbers_asked_for, schedule_asked_for

Numbers = Mapping[str, float | None]
NAMES = {name: f"the {words}" for name, words in UNITS.items()}
LONGEST = 10**15
"""The most steps of a schedule that the page shows."""
COLUMNS = 700
"""The curve has the points for a picture of so many columns."""
VALUES = 1500
"""The pointer finds the exact values of so many steps."""


def answer(question: Json) -> Json:
    """Everything the page shows of a schedule, or the sentence that says what is wrong with it.

    A refusal has the sentence under ``error`` and the field that is wrong under ``field``, empty
    for the schedule itself.

    Args:
        question: ``text``, the schedule in the notation, or ``parts``, the phases as an earlier
            answer gave them; numbers or None under ``total_steps``, ``steps_per_epoch``,
            ``tokens_per_step`` and ``lr``, the base rate; under ``compare`` the text of a second
            schedule.
    """
    try:
        numbers = numbers_asked_for(question)
        found = described(schedule_asked_for(question), numbers, question.get("compare"))
    except Refused as refused:
        return {"error": str(refused), "field": refused.field}
    except GlideslopeError as error:
        return {"error": str(error), "field": ""}
    plain: Json = finite(found)
    return plain


def described(schedule: Schedule, numbers: Numbers, compare: Any) -> Json:
    """A schedule as text, its phases, its curve, its key values and its findings."""
    drawn = Drawn(schedule, numbers)
    second = compared(compare, numbers) if compare else None
    seconds = second if isinstance(second, Drawn) else None
    stop = max(drawn.stop, seconds.stop if seconds else 0)
    units = {name: numbers[name] for name in UNITS}
    return {
        **drawn.summary.as_dict(),
        **copies(schedule, numbers, compare if seconds else ""),
        "parts": phases(schedule, units, drawn.lr),
        "stop": stop,
        **drawn.points(stop),
        "compare": {**seconds.summary.as_dict(), **seconds.points(stop)} if seconds else second,
    }


def compared(text: Any, numbers: Numbers) -> Drawn | Json:
    """The second schedule, or the sentence that says what is wrong with it."""
    try:
        return Drawn(parse(text), numbers)
    except GlideslopeError as error:
        return {"error": str(error)}


class Drawn:
    """A schedule over its run, in steps and at its base rate.

    Raises:
        UnboundError: a length needs a number that is not given.
        InvalidValue: there are too many steps to show, or the last value is too large for a number.
    """

    def __init__(self, schedule: Schedule, numbers: Numbers) -> None:
        bound = bind_named(schedule, {name: numbers[name] for name in UNITS}, NAMES)
        self.lr = 1.0 if numbers["lr"] is None else numbers["lr"]
        self.rates = bound if self.lr == 1 else bound * self.lr
        run = numbers["total_steps"]
        seen = int(run or self.rates.view_steps())
        require(seen <= LONGEST, "steps", f"be at most {LONGEST} here", seen)
        self.summary = Summary(self.rates, seen, None if run is None else seen)
        self.stop = max(seen, min(self.rates.view_steps(), LONGEST))

    def points(self, stop: int) -> Json:
        """The points that draw the curve, and the values that the pointer finds."""
        return {"curve": curve(self.rates, stop), "values": values(self.rates, stop)}


def curve(schedule: Schedule, stop: int) -> dict[str, list[float]]:
    """The points that draw the schedule."""
    x, y = schedule.outline(stop, COLUMNS)
    return {"x": x.tolist(), "y": y.tolist()}


def values(schedule: Schedule, stop: int) -> dict[str, list[float]]:
    """The values of the schedule at whole steps, as many as the pointer can tell apart."""
    x = np.unique(np.linspace(0, stop, VALUES).round())
    y = np.asarray(schedule(x), np.float64)
    found = np.isfinite(y)
    return {"x": x[found].tolist(), "y": y[found].tolist()}


def finite(data: Any) -> Any:
    """The same data with None for what JSON has no number for."""
    if isinstance(data, dict):
        return {key: finite(value) for key, value in data.items()}
    if isinstance(data, list):
        return [finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
