"""A schedule survives text, JSON and pickle: the same value, and the same curve to the last bit."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import glideslope as gs
from glideslope import Length, Schedule
from glideslope.errors import GlideslopeError, InvalidType, InvalidValue

from .strategies import ANY_LENGTH, PLAN, SIGNED, schedules, steps_of

NAMES = {name: getattr(gs, name) for name in gs.schedules.__all__}


def twins(schedule: Schedule) -> dict[str, Schedule]:
    """The results of each round trip of ``schedule``."""
    return {
        "parse": gs.parse(repr(schedule)),
        "eval": eval(repr(schedule), NAMES),
        "json": Schedule.from_json(schedule.to_json()),
        "dict": Schedule.from_dict(schedule.to_dict()),
        "pickle": pickle.loads(pickle.dumps(schedule)),
        "copy": copy.deepcopy(schedule),
    }


@given(schedules(SIGNED, ANY_LENGTH))
def test_every_way_there_and_back_gives_an_equal_schedule(schedule: Schedule) -> None:
    for way, twin in twins(schedule).items():
        assert twin == schedule, way
        assert type(twin) is type(schedule), way
        assert (hash(twin), repr(twin)) == (hash(schedule), repr(schedule)), way


@given(schedules(SIGNED))
def test_every_way_there_and_back_gives_the_identical_curve(schedule: Schedule) -> None:
    steps = steps_of(schedule)
    curve = [schedule(t) for t in steps]
    for way, twin in twins(schedule).items():
        assert [twin(t) for t in steps] == curve, way


@given(schedules(SIGNED, ANY_LENGTH))
def test_json_holds_plain_data_only(schedule: Schedule) -> None:
    text = schedule.to_json()
    assert json.loads(text) == schedule.to_dict()
    assert "Infinity" not in text
    assert "NaN" not in text


@given(schedules(SIGNED, ANY_LENGTH))
def test_binding_before_saving_is_binding_after(schedule: Schedule) -> None:
    loaded = Schedule.from_json(schedule.to_json())
    assert loaded.bind(**PLAN) == schedule.bind(**PLAN)


TEXTS = {
    "warmup(500) >> cosine(9500)": gs.warmup(500) >> gs.cosine(9500),
    "cosine(100, end=0.1).repeat(3, decay=0.5, stretch=2)": gs.cosine(100, end=0.1).repeat(
        3, decay=0.5, stretch=2
    ),
    "warmup(500) * 0.0003": gs.linear(500, start=0.0, end=1.0) * 3e-4,
    "hold(80)": gs.constant(1.0, 80),
    'hold("5%", 0.5)': gs.constant(0.5, "5%"),
    "constant(0.5)": gs.constant(0.5),
    "linear(10) * -1 + 1": 1 - gs.linear(10),
    "cosine(10) - 0.5": gs.cosine(10) - 0.5,
    "cosine(10) + linear(10) * -1": gs.cosine(10) - gs.linear(10),
    "(cosine(10) + 0.5) * linear(10)": (gs.cosine(10) + 0.5) * gs.linear(10),
    "(warmup(5) >> linear(5)) * 2": (gs.warmup(5) >> gs.linear(5)) * 2,
    "(warmup(5) >> linear(5)).clip(hi=0.5)": (gs.warmup(5) >> gs.linear(5)).clip(hi=0.5),
    "cosine(10).branch(5, linear(5) * 0.5)": gs.cosine(10).branch(5, gs.linear(5) * 0.5),
    "polynomial(100, power=0.5, mirrored=True)": gs.polynomial(100, power=0.5, mirrored=True),
    "piecewise([(0, 1), (30, 0.1)])": gs.piecewise({0: 1.0, 30: 0.1}),
    'piecewise([(0, 1), ("30ep", 0.1)])': gs.piecewise({0: 1.0, "30ep": 0.1}),
    'exponential(0.5, every="2000000000tok")': gs.exponential(0.5, every="2e9tok"),
    "cosine(100).repeat()": gs.cosine(100).repeat(),
    'cosine("rest")': gs.cosine("rest"),
    '(warmup(5) >> cosine("rest")) * 0.0003': (gs.warmup(5) >> gs.cosine("rest")) * 3e-4,
    'constant(1).branch("80%", linear("rest"))': gs.constant(1).branch("80%", gs.linear("rest")),
    'exponential(0.5).take("rest")': gs.exponential(0.5).take("rest"),
    "linear(0)": gs.linear(0.0),
    "exponential(0)": gs.exponential(0),
    "linear(1000000000000000)": gs.linear(10**15),
    "linear(1000000, start=1e-300, end=1e+300)": gs.linear(10**6, start=1e-300, end=1e300),
}


@pytest.mark.parametrize("text", TEXTS)
def test_the_notation(text: str) -> None:
    assert repr(TEXTS[text]) == text
    assert str(TEXTS[text]) == text
    assert gs.parse(text) == TEXTS[text]


def test_the_format_of_the_saved_form() -> None:
    schedule = gs.warmup("5%") >> gs.cosine(9, end=0.1).repeat(2, stretch=3) * 0.5
    linear = {"kind": "linear", "steps": "5%", "start": 0.0, "end": 1.0}
    cosine = {"kind": "cosine", "steps": 9, "end": 0.1}
    repeated = {"kind": "repeat", "inner": cosine, "n": 2, "stretch": 3}
    product = {"kind": "product", "parts": [repeated, {"kind": "constant", "value": 0.5}]}
    saved = {"glideslope": 1, "schedule": {"kind": "sequence", "parts": [linear, product]}}
    assert schedule.to_dict() == saved
    assert Schedule.from_dict(saved) == schedule


def test_a_part_of_no_steps_vanishes_from_a_form_written_by_hand() -> None:
    parts = [{"kind": "linear", "steps": 0}, {"kind": "cosine", "steps": 9}]
    saved = {"glideslope": 1, "schedule": {"kind": "sequence", "parts": parts}}
    assert Schedule.from_dict(saved) == gs.cosine(9)


def test_what_is_equal_is_one_key() -> None:
    same = [gs.linear(10), gs.Linear(10.0), gs.linear("10"), gs.parse("linear(1e1)")]
    assert len({*same}) == 1
    assert gs.constant(1) == gs.constant(1.0)
    assert gs.linear(10) != gs.linear(10, end=0.5)
    assert gs.linear(10) != gs.cosine(10)
    assert gs.linear(10) != gs.polynomial(10)
    assert (gs.linear(10) == 10) is False


def test_a_function_pickles_by_name_and_has_no_saved_form() -> None:
    schedule = gs.function(abs, 10) * 2
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    with pytest.raises(InvalidType, match="the function `abs` has no plain form"):
        schedule.to_json()


# -- what was never saved --------------------------------------------------------------------------

COSINE = {"kind": "cosine", "steps": 9}
DAMAGED: list[tuple[Any, str]] = [
    (None, "not a saved schedule: None"),
    ([], "not a saved schedule"),
    ({}, "not a saved schedule"),
    ({"glideslope": 1}, "not a saved schedule"),
    ({"glideslope": 2, "schedule": COSINE}, "format 2: this version reads format 1"),
    ({"glideslope": None, "schedule": COSINE}, "format None"),
    ({"glideslope": 1, "schedule": None}, "`schedule` must be a saved schedule"),
    ({"glideslope": 1, "schedule": [COSINE]}, "`schedule` must be a saved schedule"),
    ({"glideslope": 1, "schedule": {}}, "`kind` must be the name of a schedule, got None"),
    ({"glideslope": 1, "schedule": {"kind": "cosin"}}, "`kind` must be the name of a schedule"),
    ({"glideslope": 1, "schedule": {"kind": ["cosine"]}}, "`kind` must be the name of a schedule"),
    ({"glideslope": 1, "schedule": {"kind": "function"}}, "`kind` must be the name of a schedule"),
    ({"glideslope": 1, "schedule": {"kind": "cosine"}}, "`cosine` lacks an argument"),
    ({"glideslope": 1, "schedule": {**COSINE, "stop": 1}}, "`cosine` has no argument `stop`"),
    ({"glideslope": 1, "schedule": {**COSINE, "steps": 0.5}}, "`steps` must be 0 or at least 1"),
    ({"glideslope": 1, "schedule": {**COSINE, "steps": [9]}}, "`steps` must be a number"),
    ({"glideslope": 1, "schedule": {"kind": "reverse", "inner": 9}}, "`inner` must be a schedule"),
    ({"glideslope": 1, "schedule": {"kind": "sequence", "parts": []}}, "at least two schedules"),
    ({"glideslope": 1, "schedule": {"kind": "sequence", "parts": 5}}, ""),
    ({"glideslope": 1, "schedule": {"kind": "sum", "parts": [9, 9]}}, "`parts` must be schedules"),
]


@pytest.mark.parametrize(("data", "sentence"), DAMAGED)
def test_a_damaged_form_is_refused_with_a_sentence(data: Any, sentence: str) -> None:
    with pytest.raises(GlideslopeError) as caught:
        Schedule.from_dict(data)
    assert sentence in str(caught.value)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["kind", "parts", "inner", "steps", "n"]), inner)
    ),
    max_leaves=8,
)
KINDS = st.sampled_from(sorted(Schedule.registry))
FIELDS = sorted({"steps", "start", "end", "parts", "inner", "n", "lo", "hi", "k", "at", "decay"})
VALUES = PLAIN | st.sampled_from(["5%", "10", 5, 0, -1, 0.5, COSINE, [COSINE, COSINE]])


@given(KINDS, st.dictionaries(st.sampled_from(FIELDS), VALUES))
def test_only_our_errors_leave_from_dict(kind: str, arguments: dict[str, Any]) -> None:
    data = {"glideslope": 1, "schedule": {"kind": kind} | arguments}
    try:
        schedule = Schedule.from_dict(data)
    except GlideslopeError:
        return
    assert Schedule.from_json(schedule.to_json()) == schedule


@given(st.text() | st.binary() | PLAIN.map(str) | PLAIN.map(json.dumps) | PLAIN)
def test_only_our_errors_leave_from_json(text: Any) -> None:
    with pytest.raises(GlideslopeError):
        Schedule.from_json(text)


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 5000, '{"glideslope": 1', "NaN", b"\xff"])
def test_hostile_json_is_refused(text: Any) -> None:
    with pytest.raises(InvalidValue):
        Schedule.from_json(text)


def test_hostile_depth_is_refused() -> None:
    data: Any = COSINE
    for _ in range(50_000):
        data = {"kind": "reverse", "inner": data}
    with pytest.raises(InvalidValue, match="nested too deeply"):
        Schedule.from_dict({"glideslope": 1, "schedule": data})


def test_a_length_reads_back_as_itself() -> None:
    for length in (
        Length(10, "ep"),
        Length(2e9, "tok"),
        Length(0.1 + 0.2, "%"),
        Length(1e-7, "ep"),
    ):
        assert gs.linear(str(length)) == gs.linear(length)
