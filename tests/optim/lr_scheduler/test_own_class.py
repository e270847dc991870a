"""The scheduler that CONTRIBUTING.md writes as an example does all that others do."""

from __future__ import annotations

import copy
import math
import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from glideslope.errors import StateMismatch
from glideslope.optim.lr_scheduler import LinearLR, SequentialLR, StepLR
from glideslope.schedules import inverse_sqrt

from .driving import rates_of, sgd

TEXT = (Path(__file__).parents[3] / "CONTRIBUTING.md").read_text()
(CODE,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
LINES_AT_MOST = 30  # besides the docstring
WARMUP, STEPS = 4, 20
near = pytest.approx


@pytest.fixture(scope="module")
def own() -> Any:
    """The class, in a module of its own, so that it can be pickled."""
    module = ModuleType("own_class")
    sys.modules["own_class"] = module
    exec(CODE, module.__dict__)
    yield module.InverseSqrtLR
    del sys.modules["own_class"]


def factor(t: int) -> float:
    return t / WARMUP if t < WARMUP else math.sqrt(WARMUP / t)


def run(optimizer: Any, scheduler: Any, steps: int) -> list[list[float]]:
    """The rates of that many updates, from the present one."""
    shown = []
    for _ in range(steps):
        shown.append(rates_of(optimizer))
        optimizer.step()
        scheduler.step()
    return shown


def test_it_is_as_short_as_the_text_says() -> None:
    code = re.sub(r'^    """.*?"""\n', "", CODE, flags=re.MULTILINE | re.DOTALL)
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= LINES_AT_MOST


def test_it_follows_its_formula(own: Any) -> None:
    optimizer = sgd(0.8, 0.3)
    shown = run(optimizer, own(optimizer, WARMUP), STEPS)
    expected = [[0.8 * factor(t), 0.3 * factor(t)] for t in range(STEPS)]
    assert shown == [near(row, rel=1e-15) for row in expected]


def test_it_holds_the_schedule(own: Any) -> None:
    optimizer = sgd(0.8)
    scheduler = own(optimizer, WARMUP)
    assert scheduler.schedule == inverse_sqrt(WARMUP)
    run(optimizer, scheduler, 3)
    scheduler.warmup_steps = 9  # a changed attribute is followed
    assert run(optimizer, scheduler, 2)[1] == near([0.8 * 4 / 9], rel=1e-15)
    assert scheduler.schedule == inverse_sqrt(9)


def scheduler_alone(own: Any, saved: Any) -> tuple[Any, Any]:
    optimizer = sgd(0.8)
    scheduler = own(optimizer, WARMUP)
    scheduler.load_state_dict(saved[1])
    return optimizer, scheduler


def optimizer_first(own: Any, saved: Any) -> tuple[Any, Any]:
    optimizer = sgd(0.8)
    optimizer.load_state_dict(saved[0])
    scheduler = own(optimizer, WARMUP)
    scheduler.load_state_dict(saved[1])
    return optimizer, scheduler


def scheduler_first(own: Any, saved: Any) -> tuple[Any, Any]:
    optimizer = sgd(0.8)
    scheduler = own(optimizer, WARMUP)
    scheduler.load_state_dict(saved[1])
    optimizer.load_state_dict(saved[0])
    return optimizer, scheduler


def by_last_epoch(own: Any, saved: Any) -> tuple[Any, Any]:
    optimizer = sgd(0.8)
    optimizer.load_state_dict(saved[0])
    return optimizer, own(optimizer, WARMUP, last_epoch=saved[1]["last_epoch"] - 1)


@pytest.mark.parametrize("stop", [1, WARMUP - 1, WARMUP, WARMUP + 1, 11])
@pytest.mark.parametrize(
    "resume", [scheduler_alone, optimizer_first, scheduler_first, by_last_epoch]
)
def test_it_resumes(own: Any, resume: Callable[..., Any], stop: int) -> None:
    optimizer = sgd(0.8)
    scheduler = own(optimizer, WARMUP)
    run(optimizer, scheduler, stop)
    saved = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))
    optimizer, scheduler = resume(own, saved)
    shown = run(optimizer, scheduler, STEPS - stop)
    assert shown == [near([0.8 * factor(t)], rel=1e-15) for t in range(stop, STEPS)]


def test_a_pickled_one_continues(own: Any) -> None:
    optimizer = sgd(0.8)
    scheduler = own(optimizer, WARMUP)
    run(optimizer, scheduler, 6)
    scheduler = pickle.loads(pickle.dumps(scheduler))
    shown = run(scheduler.optimizer, scheduler, 6)
    assert shown == [near([0.8 * factor(t)], rel=1e-15) for t in range(6, 12)]


def test_its_state_is_its_own(own: Any) -> None:
    state = own(sgd(0.8), WARMUP).state_dict()
    with pytest.raises(StateMismatch, match="has warmup_steps"):
        StepLR(sgd(0.8), 3).load_state_dict(state)
    with pytest.raises(StateMismatch, match="lacks warmup_steps"):
        own(sgd(0.8), WARMUP).load_state_dict(StepLR(sgd(0.8), 3).state_dict())
    other = own(sgd(0.8), WARMUP + 5)
    with pytest.warns(UserWarning, match=r"warmup_steps=4 \(was 9\)"):
        other.load_state_dict(state)
    assert other.schedule == inverse_sqrt(WARMUP)


def test_a_group_added_later_joins(own: Any) -> None:
    optimizer = sgd(0.8)
    scheduler = own(optimizer, WARMUP)
    run(optimizer, scheduler, 6)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], "lr": 0.3})
    scheduler.step()
    assert rates_of(optimizer) == near([0.8 * factor(7), 0.3 * factor(7)], rel=1e-15)


def own_first(own: Any, optimizer: Any) -> tuple[list[Any], int, list[float]]:
    members = [own(optimizer, WARMUP), StepLR(optimizer, 5, gamma=0.5)]
    return members, 6, [*map(factor, range(6)), *(0.5 ** (t // 5) for t in range(6))]


def own_second(own: Any, optimizer: Any) -> tuple[list[Any], int, list[float]]:
    members = [LinearLR(optimizer, 0.25, 1.0, total_iters=3), own(optimizer, WARMUP)]
    return members, 3, [0.25, 0.5, 0.75, *map(factor, range(9))]


@pytest.mark.parametrize(
    ("compose", "make"),
    [
        (SequentialLR, own_first),
        (SequentialLR, own_second),
        (torch.optim.lr_scheduler.SequentialLR, own_first),
    ],
)
def test_it_takes_its_turn_in_a_sequence(own: Any, compose: Any, make: Any) -> None:
    optimizer = sgd(0.8)
    members, milestone, factors = make(own, optimizer)
    shown = run(optimizer, compose(optimizer, members, milestones=[milestone]), 12)
    assert shown == [near([0.8 * expected], rel=1e-14) for expected in factors]


def test_it_multiplies_with_others(own: Any) -> None:
    optimizer = sgd(0.8)
    own_one, halving = own(optimizer, WARMUP), StepLR(optimizer, 5, gamma=0.5)
    shown = []
    for _ in range(12):
        shown.append(rates_of(optimizer))
        optimizer.step()
        own_one.step()
        halving.step()
    assert shown == [near([0.8 * factor(t) * 0.5 ** (t // 5)], rel=1e-14) for t in range(12)]
