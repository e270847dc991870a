"""The compiled function of a step gives what the schedule gives, to the last bit."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given

import glideslope as gs
from glideslope import Schedule
from glideslope.errors import InvalidType, InvalidValue, UnboundError
from glideslope.schedules._trace import INLINE, LEVELS

from .references import Row, table
from .strategies import SIGNED, schedules, steps_of

FAR = (1e15, 2**53, 2**53 + 1, 10**18, 1e300, 10**400, math.inf)


def steps_to_compare(schedule: Schedule) -> list[float]:
    """Integers and floats: every boundary, an ulp and a step either side, and far out."""
    edges = [t for t in steps_of(schedule) if t.is_integer()]
    ulps = [math.nextafter(t, side) for t in edges for side in (-math.inf, math.inf)]
    far = [sign * t for t in FAR for sign in (1, -1)]
    return [*steps_of(schedule), *map(int, edges), *ulps, *far, -0.0, 0, math.nan]


def answer(ask: Callable[[float], float], t: float) -> Any:
    """The bits of a value, or the error."""
    try:
        value = ask(t)
    except Exception as error:
        return type(error), str(error)
    assert type(value) is float
    return value.hex()


def differences(schedule: Schedule) -> list[tuple[float, Any, Any]]:
    """The steps at which the compiled function and the schedule differ, with both answers."""
    ask = schedule.evaluator()
    assert ask != schedule._scalar
    asked = [(t, answer(ask, t), answer(schedule, t)) for t in steps_to_compare(schedule)]
    return [row for row in asked if row[1] != row[2]]


@given(schedules(SIGNED))
def test_every_bit_of_any_schedule(schedule: Schedule) -> None:
    assert differences(schedule) == []


@pytest.mark.parametrize("row", table(), ids=str)
def test_every_bit_of_every_curve(row: Row) -> None:
    assert differences(row.schedule) == []


LINE, WAVE = gs.linear(10), gs.cosine(7, end=0.1)
MANY = gs.Sequence(tuple(gs.linear(k + 1, start=k) for k in range(3 * INLINE)))
DEEP = LINE
for _ in range(2 * LEVELS):
    DEEP = LINE >> DEEP * 0.5
COMPOSED = [
    LINE >> WAVE >> gs.hold(5) >> gs.exponential(0.9),
    gs.hold(5) >> gs.constant(0.5),
    (WAVE >> WAVE.reverse()).repeat(decay=0.5),
    WAVE.repeat(),
    LINE.stretch(2.5).repeat(),
    WAVE.repeat(5, stretch=1.5, decay=-0.5),
    WAVE.repeat(stretch=3),
    LINE.stretch(17) * WAVE.take(3) + gs.constant(-0.25),
    WAVE.clip(0.2, 0.7).shift(3) - LINE.staircase(2.5),
    gs.rectifier().branch(40, gs.linear(7)),
    WAVE.branch(0, gs.linear(7)),
    gs.linear(1e16) >> gs.cosine(1e17) >> gs.linear(10**30),
    gs.function(lambda t: 0.9**t),
    gs.function([3, 1, 2, 0.5].__getitem__, 3) * WAVE,
    gs.step(30, gamma=0.5),
    gs.linear(1).stretch(2).staircase(1).repeat(),
    MANY,
    MANY.repeat(),
    DEEP,
]


@pytest.mark.parametrize("schedule", COMPOSED, ids=lambda schedule: repr(schedule)[:60])
def test_every_bit_of_what_is_composed(schedule: Schedule) -> None:
    assert differences(schedule) == []


def test_every_kind_of_schedule_is_compiled() -> None:
    asked: set[type] = set()

    def kinds(schedule: Schedule) -> None:
        asked.add(type(schedule))
        for part in (*getattr(schedule, "parts", ()), getattr(schedule, "inner", None)):
            if part is not None:
                kinds(part)

    for schedule in (*COMPOSED, *(row.schedule for row in table())):
        assert schedule.evaluator() != schedule._scalar
        kinds(schedule)
    ours = {kind for kind in Schedule.registry.values() if kind.__module__.startswith("glideslope")}
    assert ours <= asked


@pytest.mark.parametrize("schedule", COMPOSED, ids=lambda schedule: repr(schedule)[:60])
def test_the_schedule_itself_is_asked_only_when_something_is_wrong(schedule: Schedule) -> None:
    ask = schedule.evaluator()
    values = [answer(schedule, t) for t in range(3)]
    ask.__globals__["schedule"] = None  # type: ignore[attr-defined]
    assert [answer(ask, t) for t in range(3)] == values


@dataclass(frozen=True, repr=False)
class Branching(Schedule):
    """A schedule that branches on the step, which cannot be written down."""

    steps: float = 10

    def _at(self, t: Any, xp: Any) -> Any:
        return 1.0 if t < 5 else 0.0


def test_a_kind_that_cannot_be_compiled_is_evaluated() -> None:
    schedule = Branching()
    assert [schedule.evaluator()(t) for t in (4, 5)] == [1.0, 0.0]
    assert [(schedule >> LINE).evaluator()(t) for t in (4, 5, 11)] == [1.0, 0.0, 0.9]


def no_number(t: float) -> Any:
    return "high"


WRONG: list[tuple[Schedule, Any, type[Exception], str]] = [
    (LINE, math.nan, InvalidValue, "`t` must be a number, got nan"),
    (gs.constant(), math.nan, InvalidValue, "`t` must be a number, got nan"),
    (gs.multistep([3]), math.nan, InvalidValue, "`t` must be a number, got nan"),
    (gs.exponential(2.0), 2000, InvalidValue, "`exponential(2)` is not finite at step 2000: inf"),
    (gs.exponential(2.0), 10**400, InvalidValue, "`exponential(2)` is not finite at step 1000"),
    (gs.function(lambda t: math.inf), 3, InvalidValue, "`<lambda>(3)` must be finite, got inf"),
    (gs.function(no_number), 3, InvalidType, "`no_number(3)` must be a real number, got 'high'"),
    (LINE, "3", InvalidType, "`t` must be a number or an array of steps, got '3'"),
]


@pytest.mark.parametrize(("schedule", "t", "error", "sentence"), WRONG, ids=repr)
def test_the_error_names_the_schedule(
    schedule: Schedule, t: Any, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error) as caught:
        schedule.evaluator()(t)
    assert str(caught.value).startswith(sentence)
    assert caught.value.__context__ is None


def test_an_unbound_length_is_refused_when_the_function_is_asked_for() -> None:
    with pytest.raises(UnboundError, match="unbound length '5%'"):
        gs.warmup("5%").evaluator()


def test_the_schedule_stays_a_value() -> None:
    schedule = MANY.repeat() * WAVE
    schedule.evaluator()(5)
    assert pickle.loads(pickle.dumps(schedule)) == copy.deepcopy(schedule) == schedule
