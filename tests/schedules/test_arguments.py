"""Every argument of every curve and recipe refuses what it cannot mean, by its own name."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest

import glideslope as gs
from glideslope.errors import GlideslopeError, InvalidType, InvalidValue

RAMP: dict[str, Any] = {"steps": 9, "start": 0.5, "end": 0.25, "include_end": True}
RAMPS = {name: kind for name, kind in gs.Schedule.registry.items() if issubclass(kind, gs.Ramp)}
CALLS: dict[str, dict[str, Any]] = {
    **{name: RAMP for name, kind in RAMPS.items() if {f.name for f in fields(kind)} == set(RAMP)},
    "chebyshev": {"steps": 9},
    "constant": {"value": 0.5, "steps": 9},
    "cooldown": {"steps": 9, "shape": "cosine", "end": 0.1},
    "cosine": RAMP | {"power": 2, "k_decay": 1.5},
    "cosine_waves": {"steps": 9, "cycles": 1.5},
    "exp_hyperbolic": {"steps": 9, "upper_bound": 20, "floor": 0.1},
    "exponential": {"gamma": 0.5, "every": 9},
    "fractal_chebyshev": {"steps": 8, "low": 0.1, "high": 1},
    "function": {"function": abs, "steps": 9},
    "growing_polynomial": {"period": 9, "power": 2},
    "hold": {"steps": 9, "value": 0.5},
    "hyperbolic": {"steps": 9, "upper_bound": 20},
    "inverse_sqrt": {"warmup_steps": 9},
    "inverse_time": {"rate": 0.5, "every": 9},
    "multistep": {"milestones": [3, 6], "gamma": 0.5},
    "natural_exponential": {"rate": 0.5},
    "noam_clamped": {"model_size": 64, "warmup_steps": 9.5, "factor": 2},
    "noam": {"model_size": 64, "warmup_steps": 9, "factor": 2},
    "one_cycle": {
        "steps": 20,
        "warmup_fraction": 0.3,
        "start": 0.04,
        "end": 0.001,
        "shape": "linear",
        "three_phase": True,
    },
    "piecewise": {"points": [(0, 1), (9, 0.5)], "shape": "linear"},
    "polynomial": RAMP | {"power": 2, "k_decay": 1.5, "mirrored": True},
    "power_law": {"timescale": 9, "power": 2},
    "range_test": {"steps": 9, "start": 0.1, "end": 1, "shape": "linear"},
    "rectifier": {"beta2": 0.99},
    "relaxation": RAMP | {"ratio": 0.5},
    "saturation": {"timescale": 9},
    "slanted_triangular": {"steps": 20, "cut_fraction": 0.1, "ratio": 32},
    "step": {"every": 9, "gamma": 0.5},
    "tanh": {"steps": 9, "lower": -3, "upper": 3},
    "triangular": {"up_steps": 9, "down_steps": 3},
    "warmup": {"steps": 9, "shape": "square", "start": 0.1},
    "warmup_cosine": {"warmup_steps": 9, "decay_steps": 9, "start": 0.1, "end": 0.2},
    "wsd": {"warmup_steps": 9, "stable_steps": 9, "decay_steps": 9, "shape": "sqrt", "end": 0.2},
    "wsd_s": {
        "warmup_steps": 9,
        "stable_steps": 9,
        "decay_steps": 9,
        "n": 3,
        "shape": "sqrt",
        "end": 0.2,
    },
}

NO_NUMBER = [None, True, [], 1j, b"1", object()]
NOT_FINITE = [math.nan, math.inf, -math.inf, 10**400]
NUMBER = [*NO_NUMBER, "1", *NOT_FINITE]
PHASE = [*NO_NUMBER, "ten", "", "-5%", "1_", "5 %", "Rest", *NOT_FINITE, -1, -0.5, 0.5]
LENGTH = [*PHASE, "0%", "rest", 0]
PERIOD = [value for value in LENGTH if value != 0.5]
POSITIVE = [*NUMBER, 0, -1]
SHARE = [*POSITIVE, 1, 2]
FLAG = [None, 0, 1, "yes", []]
SHAPE = [None, 5, "x", [], "Linear"]

BAD: dict[str, list[Any]] = {
    **dict.fromkeys(["steps", "warmup_steps", "stable_steps", "decay_steps", "up_steps"], PHASE),
    **dict.fromkeys(["every", "timescale"], PERIOD),
    **dict.fromkeys(["period", "upper_bound"], LENGTH),
    **dict.fromkeys(["value", "start", "end", "lower", "upper", "factor"], NUMBER),
    **dict.fromkeys(["power", "k_decay", "rate", "model_size", "cycles"], POSITIVE),
    **dict.fromkeys(["ratio", "floor", "cut_fraction", "beta2", "warmup_fraction"], SHARE),
    **dict.fromkeys(["include_end", "mirrored", "three_phase"], FLAG),
    "gamma": [*NUMBER, -1],
    "shape": SHAPE,
    "down_steps": PHASE[1:],  # None is as many as `up_steps`
    "n": [*NUMBER[:7], math.nan, 0, -1, 2.5],  # endless is a number of cycles
    "low": POSITIVE,
    "high": [*POSITIVE, 0.1],
    "milestones": [None, 5, ["x"], [None], ["rest"], [-1], [3, -1]],
    "points": [None, 5, [], {}, [(0, 1)], [0, 1], [(0, 1), (0, 2)], [(1, 1), (2, 2)], "0123"],
    "function": [None, 5, "abs"],
}
ALSO: dict[tuple[str, str], list[Any]] = {
    ("constant", "steps"): [v for v in PHASE if v != math.inf],  # endless is a length
    ("function", "steps"): [v for v in PHASE if v != math.inf],
    ("hold", "steps"): [v for v in PHASE if v != math.inf],
    ("chebyshev", "steps"): [*PHASE, 0, "0%"],
    ("range_test", "steps"): [*PHASE, 0, "0%", 1],
    ("slanted_triangular", "steps"): LENGTH,
    ("inverse_sqrt", "warmup_steps"): LENGTH,
    ("inverse_time", "every"): LENGTH,
    ("noam", "warmup_steps"): LENGTH,
    ("noam_clamped", "warmup_steps"): POSITIVE,
    ("multistep", "gamma"): NUMBER,
    ("slanted_triangular", "ratio"): [*POSITIVE, 0.5],
    ("geometric", "end"): [*POSITIVE, 1e308],
    **{("half_life", end): [*POSITIVE, 1] for end in ("start", "end")},
    ("fractal_chebyshev", "steps"): [*LENGTH, 1, 3, 12, 2.5, "8", 2**21],
    ("cosine_waves", "steps"): [*LENGTH, "5%"],
    ("one_cycle", "steps"): [*LENGTH, "5%"],
    ("tanh", "lower"): [*NUMBER, -301],
    ("tanh", "upper"): [*NUMBER, 301],
    ("hyperbolic", "upper_bound"): [*LENGTH, 8],
    ("exp_hyperbolic", "upper_bound"): [*LENGTH, 8],
}


def cases() -> Iterator[tuple[str, str, Any]]:
    for name, good in CALLS.items():
        for argument in good:
            for bad in ALSO.get((name, argument), BAD[argument]):
                yield name, argument, bad


def test_the_table_names_every_curve_recipe_and_argument() -> None:
    public = {name for name in gs.schedules.__all__ if name == name.lower() and name != "parse"}
    assert public == set(CALLS)
    for name, good in CALLS.items():
        assert set(inspect.signature(getattr(gs, name)).parameters) == set(good), name
        getattr(gs, name)(**good)(3)


@pytest.mark.parametrize(
    ("name", "argument", "bad"), list(cases()), ids=lambda value: repr(value)[:20]
)
def test_a_bad_value_is_refused_by_the_name_of_its_argument(
    name: str, argument: str, bad: Any
) -> None:
    with pytest.raises(GlideslopeError) as caught:
        getattr(gs, name)(**CALLS[name] | {argument: bad})
    assert isinstance(caught.value, InvalidValue | InvalidType)
    own = f"`{argument}` must "
    assert own in str(caught.value) or "`length` must " in str(caught.value), caught.value


SENTENCES: list[tuple[Any, str]] = [
    (lambda: gs.linear(-1), "`steps` must be 0 or at least 1, got -1"),
    (lambda: gs.linear(0.5), "`steps` must be 0 or at least 1, got 0.5"),
    (lambda: gs.linear(None), "`steps` must be a number, got None"),
    (lambda: gs.linear(10, end="0.1"), "`end` must be a number, got '0.1'"),
    (lambda: gs.linear(10, start=math.nan), "`start` must be finite, got nan"),
    (lambda: gs.cosine(10, power=0), "`power` must be more than 0, got 0.0"),
    (lambda: gs.cosine(10, include_end=1), "`include_end` must be True or False, got 1"),
    (lambda: gs.exponential(-0.1), "`gamma` must be at least 0, got -0.1"),
    (lambda: gs.exponential(0.5, every=0), "`every` must be more than 0, got 0"),
    (lambda: gs.relaxation(10, ratio=1), "`ratio` must be less than 1, got 1.0"),
    (lambda: gs.rectifier(0.5), "`beta2` must be more than 0.6 and less than 1, got 0.5"),
    (lambda: gs.hyperbolic(10, 9), "`upper_bound` must be at least the 10 steps, got 9"),
    (lambda: gs.wsd(5, 0.5, 5), "`stable_steps` must be 0 or at least 1, got 0.5"),
    (lambda: gs.step("rest"), "`every` must be counted in steps, ep, tok or %: only the length of"),
    (lambda: gs.hyperbolic(9, "rest"), "`upper_bound` must be a number of steps, got 'rest'"),
    (lambda: gs.wsd(5, 5, 5, "sine"), "`shape` must be one of linear, cosine, square, sqrt,"),
    (lambda: gs.geometric(10, end=0), "`end` must be more than 0, got 0.0"),
    (lambda: gs.warmup(10, "geometric"), "`start` must be more than 0, got 0.0"),
    (
        lambda: gs.one_cycle(10, 0.1),
        "`warmup_fraction` must leave every phase a step of the 10, got 0.1",
    ),
    (lambda: gs.piecewise({5: 1.0, 9: 2.0}), "`points` must begin at step 0, got 5"),
    (
        lambda: gs.piecewise({0: 1.0, 9: 2.0, 5: 3.0}),
        "`points` must have ascending steps, got [0, 9, 5]",
    ),
    (lambda: gs.multistep([80, -30]), "`milestones` must be at least 0, got -30"),
    (
        lambda: gs.fractal_chebyshev(12),
        "`steps` must be a power of two up to 2^20, got 12",
    ),
]


@pytest.mark.parametrize(("make", "sentence"), SENTENCES)
def test_the_exact_sentence(make: Any, sentence: str) -> None:
    with pytest.raises(GlideslopeError) as caught:
        make()
    assert str(caught.value).startswith(sentence)


# -- a user's function -----------------------------------------------------------------------------


def test_a_function_is_asked_for_whole_numbers_where_steps_are_whole() -> None:
    table = [0.5, 0.25, 0.125]
    schedule = gs.function(lambda t: table[min(t, 2)])
    assert schedule(1) == 0.25
    assert schedule.values(4).tolist() == [0.5, 0.25, 0.125, 0.125]
    assert (gs.hold(5) >> schedule)(6) == 0.25


def test_a_function_with_a_length_holds_its_end() -> None:
    schedule = gs.function(lambda t: t * 2.0, 10)
    assert [schedule(t) for t in (-1, 0, 9, 10, 11)] == [0.0, 0.0, 18.0, 20.0, 20.0]


def half(t: float) -> float:
    return t / 2


def test_a_function_compares_and_shows_as_itself() -> None:
    assert gs.function(half) == gs.function(half)
    assert gs.function(half) != gs.function(abs)
    assert repr(gs.function(half, 10) * 2) == "function(half, steps=10) * 2"


ANSWERS: list[tuple[Any, type[Exception], str]] = [
    (lambda _: "x", InvalidType, "must be a real number, got 'x'"),
    (lambda _: None, InvalidType, "must be a real number, got None"),
    (lambda _: 1j, InvalidType, "must be a real number, got 1j"),
    (lambda _: [1.0], InvalidType, "must be a real number, got [1.0]"),
    (lambda _: math.nan, InvalidValue, "must be finite, got nan"),
    (lambda _: math.inf, InvalidValue, "must be finite, got inf"),
]


@pytest.mark.parametrize(("function", "error", "sentence"), ANSWERS)
def test_a_function_must_answer_with_a_real_number(
    function: Any, error: Any, sentence: str
) -> None:
    with pytest.raises(error) as caught:
        gs.function(function)(3)
    assert sentence in str(caught.value)
    assert "(3)" in str(caught.value)


def test_what_a_function_raises_is_its_own() -> None:
    def broken(t: float) -> float:
        raise KeyError(t)

    with pytest.raises(KeyError):
        gs.function(broken)(3)
