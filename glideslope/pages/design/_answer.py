"""What the page of `glideslope design` is answered: the schedule it asks about, looked at."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import reduce
from operator import rshift
from typing import Any

import numpy as np

from glideslope.errors import GlideslopeError, require, require_type
from glideslope.schedules import Constant, Ramp, Schedule, Sequence, parse
from glideslope.schedules.notation import arguments, bind_named, from_arguments, tokenize, whole

from .._summary import Summary

Json = dict[str, Any]
UNITS = {
    "total_steps": "updates in the run",
    "steps_per_epoch": "updates in an epoch",
    "tokens_per_step": "tokens in an update",
}
NAMES = {name: f"the {words}" for name, words in UNITS.items()}
LONGEST = 10_000_000
"""The most steps that are looked at while somebody waits for each answer."""
COLUMNS = 700
"""The curve is drawn as for a picture of so many columns."""
VALUES = 1500
"""The pointer finds the exact values of so many steps."""

SHAPES: dict[str, type[Schedule]] = {
    kind: shape
    for kind, shape in Schedule.registry.items()
    if issubclass(shape, Ramp) or shape is Constant
}
"""The curves that a phase can be shaped by hand into: those with a length and plain arguments."""
CATALOGUE = {
    kind: {
        f.name: {"float": "number", "bool": "flag"}.get(str(f.type), "length")
        for f in fields(shape)
    }
    for kind, shape in SHAPES.items()
}
"""The arguments of each shape, and what kind of value each takes."""


def answer(question: Json) -> Json:
    """Everything the page shows of a schedule, or the sentence that says what is wrong with it.

    Args:
        question: ``text``, the schedule in the notation, or ``parts``, the phases as an earlier
            answer gave them; and numbers under ``total_steps``, ``steps_per_epoch`` and
            ``tokens_per_step``, or None.
    """
    try:
        units = {name: question.get(name) for name in UNITS}
        found: Json = finite(look_at(asked_for(question), units))
    except GlideslopeError as error:
        return {"error": str(error)}
    return found


def asked_for(question: Mapping[str, Any]) -> Schedule:
    """The schedule of a question."""
    if "text" in question:
        return parse(question["text"])
    parts: Any = question.get("parts")
    require_type(isinstance(parts, list), "parts", "be a list", parts)
    require(bool(parts), "phases", "be at least one", 0)
    return reduce(rshift, map(part_asked_for, parts))


def part_asked_for(part: Any) -> Schedule:
    """One phase: a shape with its arguments, or a text."""
    require_type(isinstance(part, dict), "a phase", "be an object", part)
    if "text" in part:
        return parse(part["text"])
    given = part.get("arguments")
    require_type(isinstance(given, dict), "arguments", "be an object", given)
    return from_arguments(part.get("kind"), given)


def look_at(schedule: Schedule, units: Mapping[str, float | None]) -> Json:
    """The schedule as text, its phases, its curve, its key values and its findings."""
    steps = units["total_steps"]
    run = None if steps is None else whole("the updates in the run", steps, 1)
    in_steps = bind_named(schedule, units, NAMES)
    seen = run or in_steps.view_steps()
    require(seen <= LONGEST, "steps", f"be at most {LONGEST} here", seen)
    report = Summary(in_steps, seen, run).as_dict()
    stop = max(seen, min(in_steps.view_steps(), LONGEST))
    return {
        **report,
        **copies(schedule),
        "parts": list(phases(schedule, units)),
        "stop": stop,
        "curve": curve(in_steps, stop),
        "values": values(in_steps, stop),
    }


def copies(schedule: Schedule) -> dict[str, str]:
    """The schedule in the forms in which it is taken away."""
    return {
        "text": str(schedule),
        "shell": f"--schedule {shlex.quote(str(schedule))}",
        "python": f"import glideslope as gs\n\nschedule = {python_text(str(schedule))}\n",
        "json": json.dumps(schedule.to_dict(), indent=2) + "\n",
    }


def python_text(text: str) -> str:
    """The notation with every name that Python has to look up prefixed by the package's."""
    tokens = tokenize(text)
    before = ["", *(token.text for token in tokens)]
    for previous, token, after in reversed(list(zip(before, tokens, tokens[1:], strict=False))):
        if token.kind == "name" and after.text == "(" and previous != ".":
            text = f"{text[: token.position]}gs.{text[token.position :]}"
    return text


def phases(schedule: Schedule, units: Mapping[str, float | None]) -> Iterator[Json]:
    """The parts of a sequence: how each is written, where it is, its first and its last value."""
    start = 0.0
    for part, known in zip(parts_of(schedule), parts_in_steps(schedule, units), strict=True):
        length = known.steps
        ends = math.isfinite(length)
        yield written(part) | {
            "start": start,
            "length": length if ends else None,
            "first": known(0),
            "last": known.end if ends else None,
        }
        start += length


def parts_of(schedule: Schedule) -> tuple[Schedule, ...]:
    """The phases of a sequence; any other schedule is one."""
    return schedule.parts if isinstance(schedule, Sequence) else (schedule,)


def parts_in_steps(schedule: Schedule, units: Mapping[str, float | None]) -> tuple[Schedule, ...]:
    """The same phases in steps, those that come to none included."""
    if isinstance(schedule, Sequence):
        return schedule.bind_parts(**units)
    return (schedule.bind(**units),)


def written(part: Schedule) -> Json:
    """A part as a shape with all its arguments, or as text where it is none."""
    if part.notation not in SHAPES or part.steps == math.inf:
        return {"text": str(part)}
    return {"kind": part.notation, "arguments": arguments(part)}


def curve(schedule: Schedule, stop: int) -> dict[str, list[float]]:
    """The points that draw the schedule."""
    x, y = schedule.outline(stop, COLUMNS)
    return {"x": x.tolist(), "y": y.tolist()}


def values(schedule: Schedule, stop: int) -> dict[str, list[float]]:
    """What the schedule is at whole steps, as many as the pointer can tell apart."""
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
