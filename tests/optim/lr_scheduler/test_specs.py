"""The values that `Scheduler` takes for a key: lengths of a run, a schedule for each group."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import glideslope as gs
from glideslope.errors import InvalidType, StateMismatch
from glideslope.optim.lr_scheduler import Absolute, Scheduler

from .driving import rates_of

Factor = Callable[[float], float]
BASES = {"number": 0.1, "schedule": 0.2, "text": 0.3, "function": 0.4, "absolute": 0.5, "rest": 0.6}
STEPS = 12


def group(name: str, lr: float, **more: Any) -> dict[str, Any]:
    return {"params": [torch.nn.Parameter(torch.ones(1))], "name": name, "lr": lr, **more}


def sgd(**rates: float) -> torch.optim.SGD:
    return torch.optim.SGD([group(name, rate) for name, rate in (rates or BASES).items()], lr=1.0)


def near(value: Any) -> Any:
    return pytest.approx(value, rel=1e-12, abs=1e-15)


def inverse(t: float) -> float:
    return 1 / (1 + t)


# A whole run ------------------------------------------------------------------------------------


def trapezoid(t: float) -> float:
    """10 % up, 20 % down of 40 steps."""
    return min(t / 4, 1.0, max(40 - t, 0) / 8)


LENGTHS: dict[str, tuple[str, dict[str, float]]] = {
    "shares of the run": ("warmup(10%) >> hold(70%) >> linear(20%)", {"total_steps": 40}),
    "the rest of the run": ("warmup(4) >> hold(rest) >> linear(20%)", {"total_steps": 40}),
    "epochs": ("warmup(1ep) >> hold(7ep) >> linear(2ep)", {"steps_per_epoch": 4}),
    "tokens": ("warmup(2e3tok) >> hold(14e3tok) >> linear(4e3tok)", {"tokens_per_step": 500}),
    "epochs and shares": (
        "warmup(1ep) >> hold(70%) >> linear(2ep)",
        {"total_steps": 40, "steps_per_epoch": 4},
    ),
}


@pytest.mark.parametrize(("text", "plan"), LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("read", [str, gs.parse], ids=["text", "schedule"])
def test_lengths_are_bound_to_the_run(
    text: str, plan: dict[str, float], read: Callable[[str], Any]
) -> None:
    optimizer = sgd(a=0.1, b=0.2)
    scheduler = Scheduler(optimizer, lr=[read(text), Absolute(read(text))], **plan)  # type: ignore[arg-type]
    for t in range(45):
        assert rates_of(optimizer) == near([0.1 * trapezoid(t), trapezoid(t)]), f"step {t}"
        optimizer.step()
        scheduler.step()


# Something else for each group ------------------------------------------------------------------


def specs() -> dict[str, Any]:
    return {
        "number": 0.5,
        "schedule": gs.linear(8),
        "text": "warmup(4)",
        "function": gs.function(inverse),
        "absolute": Absolute(gs.cosine(10)),
    }


EXPECTED: dict[str, Factor] = {
    "number": lambda t: 0.05,
    "schedule": lambda t: 0.2 * (1 - min(t, 8) / 8),
    "text": lambda t: 0.3 * min(t / 4, 1),
    "function": lambda t: 0.4 / (1 + t),
    "absolute": lambda t: (1 + math.cos(math.pi * min(t, 10) / 10)) / 2,
    "rest": lambda t: 0.6,
}
WAYS: dict[str, Callable[[], Any]] = {
    "by name": specs,
    "by index": lambda: dict(enumerate(specs().values())),
    "a list": lambda: [*specs().values(), None],
    "a mapping of both": lambda: {
        (name if index % 2 else index): spec for index, (name, spec) in enumerate(specs().items())
    },
}
ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def expected(t: float) -> Any:
    return near([EXPECTED[name](t) for name in BASES])


@ways
def test_each_group_follows_its_own(way: Callable[[], Any]) -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, lr=way())
    for t in range(STEPS):
        assert rates_of(optimizer) == expected(t), f"step {t}"
        assert scheduler.get_last_lr() == rates_of(optimizer)
        optimizer.step()
        scheduler.step()


@ways
@pytest.mark.parametrize("stop", [0, 1, 8])
def test_all_of_them_resume_from_plain_values(way: Callable[[], Any], stop: int) -> None:
    scheduler = Scheduler(sgd(), lr=way())
    scheduler.step(stop)
    state = json.loads(json.dumps(scheduler.state_dict()))
    optimizer = sgd()
    again = Scheduler(optimizer, lr=way())
    again.load_state_dict(state)
    for t in range(stop, STEPS):
        assert rates_of(optimizer) == expected(t), f"step {t}"
        optimizer.step()
        again.step()


@given(order=st.permutations(list(BASES)), t=st.integers(0, STEPS))
def test_names_decide_whatever_the_order_of_the_groups(order: list[str], t: int) -> None:
    optimizer = sgd(**{name: BASES[name] for name in order})
    scheduler = Scheduler(optimizer, lr=specs())
    scheduler.step(t)
    assert rates_of(optimizer) == near([EXPECTED[name](t) for name in order])


@pytest.mark.parametrize("edited", BASES)
def test_an_edit_of_one_leaves_the_others(edited: str) -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, lr=specs())
    scheduler.step(2)
    index = list(BASES).index(edited)
    optimizer.param_groups[index]["lr"] *= 0.5
    for t in range(3, STEPS):
        scheduler.step(t)
        due = [EXPECTED[name](t) * (0.5 if name == edited else 1) for name in BASES]
        assert rates_of(optimizer) == near(due), f"step {t}"


@pytest.mark.parametrize("key", ["weight_decay", "momentum"])
def test_keys_are_scheduled_apart(key: str) -> None:
    optimizer = torch.optim.SGD([group("a", 0.1), group("b", 0.2)], lr=1.0, **{key: 0.8})
    scheduler = Scheduler(optimizer, lr={"a": "linear(8)"}, **{key: [None, gs.function(inverse)]})
    for t in range(STEPS):
        assert rates_of(optimizer) == near([0.1 * (1 - min(t, 8) / 8), 0.2])
        assert [each[key] for each in optimizer.param_groups] == near([0.8, 0.8 / (1 + t)])
        optimizer.step()
        scheduler.step()


def test_a_late_group_follows_what_its_name_or_number_says() -> None:
    optimizer = sgd(schedule=0.2)
    with_number = {"schedule": gs.linear(8)}
    scheduler = Scheduler(optimizer, lr=with_number)
    scheduler.step(2)
    optimizer.add_param_group(group("schedule", 0.4))
    optimizer.add_param_group(group("other", 0.6))
    scheduler.step(4)
    assert rates_of(optimizer) == near([0.1, 0.2, 0.6])


@pytest.mark.parametrize(
    "spec",
    [inverse, [inverse], {"a": inverse}, Absolute],
    ids=["alone", "in a list", "in a mapping", "a class"],
)
def test_a_function_is_refused_and_told_what_makes_a_schedule_of_it(spec: Any) -> None:
    optimizer = sgd(a=0.1)
    told = "must be a schedule" if spec is Absolute else r"glideslope\.function\(f\) makes one"
    with pytest.raises(InvalidType, match=told):
        Scheduler(optimizer, lr=spec)
    assert rates_of(optimizer) == [0.1]
    assert "initial_lr" not in optimizer.param_groups[0]


def test_an_absolute_function_is_refused_alike() -> None:
    with pytest.raises(InvalidType, match=r"glideslope\.function\(f\) makes one"):
        Absolute(inverse)


def test_a_function_of_another_group_is_another_run() -> None:
    state = Scheduler(sgd(), lr=specs()).state_dict()
    other = {**specs(), "rest": gs.function(inverse)}
    with pytest.raises(StateMismatch, match="`lr`"):
        Scheduler(sgd(), lr=other).load_state_dict(state)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("on_mismach", "on_mismatch"),
        ("total_step", "total_steps"),
        ("step_per_epoch", "steps_per_epoch"),
        ("token_per_step", "tokens_per_step"),
        ("verbos", "verbose"),
    ],
)
def test_a_misspelt_argument_is_no_key(wrong: str, meant: str) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    sentence = f"Scheduler has no argument `{wrong}`: did you mean `{meant}`?"
    with pytest.raises(InvalidType, match=re.escape(sentence)):
        Scheduler(optimizer, lr="linear(9)", **{wrong: "keep"})
