"""transformers' functions: its published table, its formulas, and where ours differ on purpose."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any

import pytest
import torch

from glideslope.errors import InvalidValue
from glideslope.optim import lr_scheduler
from glideslope.optim.lr_scheduler import (
    ConstantLR,
    GreedyLR,
    LambdaLR,
    LRScheduler,
    ReduceLROnPlateau,
    get_constant_schedule,
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
    get_cosine_with_hard_restarts_schedule_with_warmup,
    get_cosine_with_min_lr_schedule_with_warmup,
    get_cosine_with_min_lr_schedule_with_warmup_lr_rate,
    get_greedy_schedule,
    get_inverse_sqrt_schedule,
    get_linear_schedule_with_warmup,
    get_polynomial_decay_schedule_with_warmup,
    get_reduce_on_plateau_schedule,
    get_scheduler,
    get_wsd_schedule,
)
from glideslope.optim.lr_scheduler._transformers import BY_NAME as TABLE

from ...round_trip import through_a_file
from .driving import rates_of

BASE = 10.0
RUNS = [
    (warm, total)
    for warm in (0, 1, 2, 3, 7, 10, 12.5)
    for total in (1, 5, 10, 13, 40, 97, 100.5)
    if total - warm >= 1
]


def sgd(*rates: float) -> torch.optim.SGD:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates]
    return torch.optim.SGD(groups, lr=rates[0])


def advance(optimizer: torch.optim.Optimizer, scheduler: LRScheduler) -> None:
    optimizer.step()
    scheduler.step()


def curve(build: Callable[..., LRScheduler], steps: int, *args: Any, **kwargs: Any) -> list[float]:
    """The rates that the updates 0 .. steps - 1 run at, from 10."""
    optimizer = sgd(BASE)
    scheduler = build(optimizer, *args, **kwargs)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        advance(optimizer, scheduler)
    return seen


# -- values --------------------------------------------------------------------------------------

# The table of transformers' own tests: rate 10, 10 steps, a tolerance of 0.01.
PUBLISHED = [
    (get_constant_schedule, {}, [10.0] * 10),
    (get_constant_schedule_with_warmup, {"num_warmup_steps": 4}, [0, 2.5, 5, 7.5, *[10] * 6]),
    (
        get_linear_schedule_with_warmup,
        {"num_warmup_steps": 2, "num_training_steps": 10},
        [0.0, 5.0, 10.0, 8.75, 7.5, 6.25, 5.0, 3.75, 2.5, 1.25],
    ),
    (
        get_cosine_schedule_with_warmup,
        {"num_warmup_steps": 2, "num_training_steps": 10},
        [0.0, 5.0, 10.0, 9.61, 8.53, 6.91, 5.0, 3.08, 1.46, 0.38],
    ),
    (
        get_cosine_with_hard_restarts_schedule_with_warmup,
        {"num_warmup_steps": 2, "num_training_steps": 10, "num_cycles": 2},
        [0.0, 5.0, 10.0, 8.53, 5.0, 1.46, 10.0, 8.53, 5.0, 1.46],
    ),
    (
        get_polynomial_decay_schedule_with_warmup,
        {"num_warmup_steps": 2, "num_training_steps": 10, "power": 2.0, "lr_end": 1e-7},
        [0.0, 5.0, 10.0, 7.656, 5.625, 3.906, 2.5, 1.406, 0.625, 0.156],
    ),
]


@pytest.mark.parametrize(("build", "kwargs", "expected"), PUBLISHED)
def test_the_published_table(
    build: Callable[..., LRScheduler], kwargs: dict[str, Any], expected: list[float]
) -> None:
    assert curve(build, 10, **kwargs) == pytest.approx(expected, abs=1e-2)


# transformers' factors in plain arithmetic. Those of a decay are written in its share ``x``.
def rise(t: float, w: float) -> float:
    return t / w


def waves(x: float, cycles: float = 0.5) -> float:
    return (1 + math.cos(2 * math.pi * cycles * x)) / 2


def restarts(x: float, cycles: int) -> float:
    return (1 + math.cos(math.pi * (cycles * x % 1))) / 2 if x < 1 else 0.0


def above_floor(share: float, floor: float) -> float:
    return floor + (1 - floor) * share


def expected_run(w: float, total: float, decay: Callable[[float], float]) -> list[float]:
    """Warm-up and decay at every step of a run, and held for three more."""
    last = math.ceil(total)
    steps = range(last + 4)
    return [BASE * (rise(t, w) if t < w else decay(min(1, (t - w) / (total - w)))) for t in steps]


DECAYS: list[tuple[Callable[..., LRScheduler], dict[str, Any], Callable[[float], float]]] = [
    (get_linear_schedule_with_warmup, {}, lambda x: 1 - x),
    *[
        (get_cosine_schedule_with_warmup, {"num_cycles": n}, partial(waves, cycles=n))
        for n in (0.5, 1, 1.5, 2, 0.3, 7.7)
    ],
    *[
        (
            get_cosine_with_hard_restarts_schedule_with_warmup,
            {"num_cycles": n},
            partial(restarts, cycles=n),
        )
        for n in (1, 2, 3, 8)
    ],
    *[
        (
            get_polynomial_decay_schedule_with_warmup,
            {"lr_end": end, "power": power},
            lambda x, end=end, power=power: above_floor((1 - x) ** power, end / BASE),
        )
        for end in (0.0, 1e-7, 1.0)
        for power in (0.5, 1, 2, 3.3)
    ],
    *[
        (
            get_cosine_with_min_lr_schedule_with_warmup,
            {"num_cycles": n, **floor},
            lambda x, n=n: above_floor(waves(x, n), 0.2),
        )
        for n in (0.5, 1, 1.5)
        for floor in ({"min_lr": 2.0}, {"min_lr_rate": 0.2})
    ],
]


@pytest.mark.parametrize(("build", "kwargs", "decay"), DECAYS)
def test_a_decay_follows_the_formula_and_then_holds(
    build: Callable[..., LRScheduler], kwargs: dict[str, Any], decay: Callable[[float], float]
) -> None:
    for warm, total in RUNS:
        expected = expected_run(warm, total, decay)
        got = curve(build, len(expected), warm, total, **kwargs)
        assert got == pytest.approx(expected, rel=1e-13, abs=1e-13), (warm, total)


@pytest.mark.parametrize("cycles", [0.5, 1, 1.5])
@pytest.mark.parametrize("start", [None, 0.1, 0.5])
@pytest.mark.parametrize("floor", [{"min_lr": 2.0}, {"min_lr_rate": 0.2}])
@pytest.mark.parametrize(("warm", "total"), [(0, 1), (0, 9), (1, 2), (1, 10), (4, 5), (4, 20)])
def test_the_warmup_that_never_is_zero(
    warm: int, total: int, floor: dict[str, float], start: float | None, cycles: float
) -> None:
    def factor(t: int) -> float:
        if t < warm:
            return (t + 1) / warm if start is None else start + (1 - start) * t / max(1, warm - 1)
        return above_floor(waves(min(1, (t + 1 - warm) / (total - warm)), cycles), 0.2)

    expected = [BASE * factor(t) for t in range(total + 4)]
    got = curve(
        get_cosine_with_min_lr_schedule_with_warmup_lr_rate,
        total + 4,
        warm,
        total,
        num_cycles=cycles,
        warmup_lr_rate=start,
        **floor,
    )
    assert got == pytest.approx(expected, rel=1e-13, abs=1e-13)


@pytest.mark.parametrize("warm", [0, 1, 4, 25])
@pytest.mark.parametrize("timescale", [None, 1, 5, 400])
def test_inverse_square_root(warm: int, timescale: int | None) -> None:
    scale = timescale or warm or 10_000
    expected = [
        BASE * (rise(t, warm) if t < warm else (scale / (t - warm + scale)) ** 0.5)
        for t in range(60)
    ]
    got = curve(get_inverse_sqrt_schedule, 60, warm, timescale)
    assert got == pytest.approx(expected, rel=1e-14)


UP = {
    "linear": lambda x: x,
    "cosine": lambda x: (1 - math.cos(math.pi * x)) / 2,
    "1-sqrt": lambda x: 1 - math.sqrt(1 - x),
}
DOWN = {
    "linear": lambda x, _: 1 - x,
    "cosine": lambda x, cycles: waves(x, cycles),
    "1-sqrt": lambda x, _: 1 - math.sqrt(x),
}


@pytest.mark.parametrize("by", ["num_training_steps", "num_stable_steps"])
@pytest.mark.parametrize("low", [0, 0.1])
@pytest.mark.parametrize(("kind", "cycles"), [(k, 0.5) for k in DOWN] + [("cosine", 1.5)])
@pytest.mark.parametrize("up", UP)
@pytest.mark.parametrize(
    "steps", [(3, 4, 6), (0, 4, 6), (3, 0, 6), (3, 4, 0), (0, 0, 5), (1, 1, 1)]
)
def test_warmup_stable_decay(
    steps: tuple[int, int, int], up: str, kind: str, cycles: float, low: float, by: str
) -> None:
    warm, stable, cool = steps

    def factor(t: int) -> float:
        if t < warm:
            return above_floor(UP[up](t / warm), low)
        if t < warm + stable:
            return 1
        if t < sum(steps):
            return above_floor(DOWN[kind]((t - warm - stable) / cool, cycles), low)
        return low

    expected = [BASE * factor(t) for t in range(sum(steps) + 3)]
    length = {by: sum(steps) if by == "num_training_steps" else stable}
    shapes = {"warmup_type": up, "decay_type": kind, "num_cycles": cycles}
    got = curve(get_wsd_schedule, len(expected), warm, cool, min_lr_ratio=low, **shapes, **length)
    assert got == pytest.approx(expected, rel=1e-13, abs=1e-13)


@pytest.mark.parametrize(
    ("build", "kwargs", "end"),
    [
        (get_linear_schedule_with_warmup, {}, 0.0),
        (get_cosine_schedule_with_warmup, {}, 0.0),
        (get_cosine_schedule_with_warmup, {"num_cycles": 2.0}, 0.0),
        (get_cosine_with_hard_restarts_schedule_with_warmup, {"num_cycles": 3}, 0.0),
        (get_polynomial_decay_schedule_with_warmup, {"lr_end": 2.0}, 2.0),
        (get_cosine_with_min_lr_schedule_with_warmup, {"min_lr": 2.0}, 2.0),
        (get_cosine_with_min_lr_schedule_with_warmup, {"min_lr_rate": 0.3}, 3.0),
        (get_cosine_with_min_lr_schedule_with_warmup_lr_rate, {"min_lr": 2.0}, 2.0),
    ],
)
@pytest.mark.parametrize("total", [1, 4, 8])
def test_a_run_no_longer_than_its_warmup_only_warms_up(
    build: Callable[..., LRScheduler], kwargs: dict[str, Any], end: float, total: int
) -> None:
    """transformers divides by zero (polynomial), or jumps between 1 and 0 from step to step."""
    got = curve(build, 12, 8, total, **kwargs)
    early = build is get_cosine_with_min_lr_schedule_with_warmup_lr_rate
    assert got[:8] == [BASE * (t + early) / 8 for t in range(8)]
    assert got[8:] == [end] * 4


def test_the_end_is_held_where_transformers_rises_again() -> None:
    """transformers is back at 10 two halves later, at step 18, where the run is too long."""
    got = curve(get_cosine_schedule_with_warmup, 40, 2, 10)
    assert got[10:] == [0.0] * 30


@pytest.mark.parametrize(("total", "cycles"), [(44, 22), (18, 14), (9, 9), (12, 24), (97, 1)])
def test_every_restart_is_at_the_peak(total: int, cycles: int) -> None:
    """transformers gives 0 at step 30 of 44 with 22 cycles: its quotient falls short of 15."""
    build = get_cosine_with_hard_restarts_schedule_with_warmup
    got = curve(build, total, 0, total, cycles)
    due = {cycle * total // cycles for cycle in range(cycles) if cycle * total % cycles == 0}
    assert {t for t, rate in enumerate(got) if rate == BASE} == due


# -- groups --------------------------------------------------------------------------------------

FLOORED = [
    partial(get_polynomial_decay_schedule_with_warmup, lr_end=0.05),
    partial(get_cosine_with_min_lr_schedule_with_warmup, min_lr=0.05),
    partial(get_cosine_with_min_lr_schedule_with_warmup_lr_rate, min_lr=0.05),
]


@pytest.mark.parametrize("build", FLOORED)
def test_a_floor_is_the_same_rate_in_every_group(build: Callable[..., LRScheduler]) -> None:
    """transformers takes the default rate for every group's: the second would end at 0.005."""
    optimizer = sgd(1.0, 0.1, 0.05, 0.01, 0.0)
    scheduler = build(optimizer, 2, 10)
    for t in range(1, 14):
        advance(optimizer, scheduler)
        assert t < 2 or min(rates_of(optimizer)[:2]) >= 0.05
    assert rates_of(optimizer) == pytest.approx([0.05, 0.05, 0.05, 0.01, 0.0], rel=1e-15)


@pytest.mark.parametrize("build", FLOORED)
def test_a_group_that_comes_later_has_the_floor_too(build: Callable[..., LRScheduler]) -> None:
    optimizer = sgd(1.0)
    scheduler = build(optimizer, 2, 10)
    for _ in range(5):
        advance(optimizer, scheduler)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.2})
    advance(optimizer, scheduler)
    assert 0.05 < rates_of(optimizer)[1] < 0.2
    for _ in range(8):
        advance(optimizer, scheduler)
    assert rates_of(optimizer) == pytest.approx([0.05, 0.05], rel=1e-12)


def test_groups_keep_their_ratio_without_a_floor() -> None:
    optimizer = sgd(1.0, 0.1)
    scheduler = get_linear_schedule_with_warmup(optimizer, 2, 10)
    for _ in range(6):
        advance(optimizer, scheduler)
    assert rates_of(optimizer) == pytest.approx([0.5, 0.05], rel=1e-15)


def test_a_floor_is_under_the_rate_of_the_checkpoint() -> None:
    saved, optimizer = sgd(1.0), sgd(0.5)
    kwargs = {"num_warmup_steps": 2, "num_training_steps": 10, "lr_end": 0.05}
    old = get_polynomial_decay_schedule_with_warmup(saved, **kwargs)
    for _ in range(4):
        advance(saved, old)
    new = get_polynomial_decay_schedule_with_warmup(optimizer, **kwargs)
    new.load_state_dict(old.state_dict())
    for _ in range(6):
        advance(optimizer, new)
    assert rates_of(optimizer) == pytest.approx([0.05], rel=1e-15)


def test_a_metric_and_a_schedule_multiply() -> None:
    optimizer = sgd(1.0)
    scheduler = get_linear_schedule_with_warmup(optimizer, 0, 10)
    plateau = get_reduce_on_plateau_schedule(optimizer, factor=0.5, patience=0)
    seen = []
    for loss in (1.0, 1.0, 0.5, 0.5):
        advance(optimizer, scheduler)
        plateau.step(loss)
        seen += rates_of(optimizer)
    assert seen == pytest.approx([0.9, 0.4, 0.35, 0.15], rel=1e-15)


# -- state and resume ----------------------------------------------------------------------------

BUILDERS: dict[str, Callable[[Any], LRScheduler]] = {
    "constant": get_constant_schedule,
    "constant_with_warmup": lambda o, **k: get_constant_schedule_with_warmup(o, 3, **k),
    "linear": lambda o, **k: get_linear_schedule_with_warmup(o, 3, 12, **k),
    "cosine": lambda o, **k: get_cosine_schedule_with_warmup(o, 3, 12, 1.5, **k),
    "restarts": lambda o, **k: get_cosine_with_hard_restarts_schedule_with_warmup(o, 3, 12, 2, **k),
    "polynomial": lambda o, **k: get_polynomial_decay_schedule_with_warmup(o, 3, 12, 0.01, **k),
    "inverse_sqrt": lambda o, **k: get_inverse_sqrt_schedule(o, 3, **k),
    "wsd": lambda o, **k: get_wsd_schedule(o, 3, 5, 12, **k),
    "min_lr": lambda o, **k: get_cosine_with_min_lr_schedule_with_warmup(
        o, 3, 12, min_lr=0.01, **k
    ),
    "min_lr_rate": lambda o, **k: get_cosine_with_min_lr_schedule_with_warmup_lr_rate(
        o, 3, 12, min_lr_rate=0.1, **k
    ),
}
STEPS = 15


def straight_run(build: Callable[..., LRScheduler]) -> list[list[float]]:
    optimizer = sgd(1.0, 0.1)
    scheduler = build(optimizer)
    seen = [rates_of(optimizer)]
    for _ in range(STEPS):
        advance(optimizer, scheduler)
        seen.append(rates_of(optimizer))
    return seen


def run_to(stop: int, build: Callable[..., LRScheduler]) -> tuple[torch.optim.SGD, LRScheduler]:
    optimizer = sgd(1.0, 0.1)
    scheduler = build(optimizer)
    for _ in range(stop):
        advance(optimizer, scheduler)
    return optimizer, scheduler


@pytest.mark.parametrize("name", BUILDERS)
def test_a_saved_run_continues_exactly(name: str) -> None:
    build = BUILDERS[name]
    expected = straight_run(build)
    for stop in range(STEPS):
        saved_optimizer, saved = run_to(stop, build)
        optimizer = sgd(1.0, 0.1)
        scheduler = build(optimizer)
        optimizer.load_state_dict(through_a_file(saved_optimizer.state_dict()))
        scheduler.load_state_dict(through_a_file(saved.state_dict()))
        assert rates_of(optimizer) == expected[stop]
        for t in range(stop + 1, STEPS + 1):
            advance(optimizer, scheduler)
            assert rates_of(optimizer) == expected[t]


@pytest.mark.parametrize("name", BUILDERS)
def test_last_epoch_continues_after_that_step(name: str) -> None:
    build = BUILDERS[name]
    expected = straight_run(build)
    for stop in range(1, STEPS):
        saved_optimizer, _ = run_to(stop, build)
        optimizer = sgd(1.0, 0.1)
        optimizer.load_state_dict(saved_optimizer.state_dict())
        scheduler = build(optimizer, last_epoch=stop - 1)
        assert rates_of(optimizer) == expected[stop]
        advance(optimizer, scheduler)
        assert rates_of(optimizer) == expected[stop + 1]


def theirs(optimizer: Any, last_epoch: int = -1) -> torch.optim.lr_scheduler.LambdaLR:
    """The object of transformers: torch's class around a `functools.partial`, saved as ``{}``."""

    def factor(t: int, *, warm: int) -> float:
        return t / warm if t < warm else (12 - t) / (12 - warm)

    return torch.optim.lr_scheduler.LambdaLR(optimizer, partial(factor, warm=3), last_epoch)


def test_a_state_of_transformers_loads_here_and_the_reverse() -> None:
    ours = BUILDERS["linear"]
    expected = straight_run(ours)
    for build, other in ((theirs, ours), (ours, theirs)):
        saved_optimizer, saved = run_to(5, build)
        optimizer = sgd(1.0, 0.1)
        scheduler = other(optimizer)
        optimizer.load_state_dict(saved_optimizer.state_dict())
        scheduler.load_state_dict(through_a_file(saved.state_dict()))
        for t in range(6, 12):
            advance(optimizer, scheduler)
            assert rates_of(optimizer) == pytest.approx(expected[t], rel=1e-15)


@pytest.mark.parametrize("name", BUILDERS)
def test_it_is_a_lambda_lr_of_torch(name: str) -> None:
    scheduler = BUILDERS[name](sgd(1.0, 0.1))
    assert isinstance(scheduler, LambdaLR | torch.optim.lr_scheduler.LRScheduler)
    assert scheduler.state_dict()["lr_lambdas"] == [None, None]


# -- get_scheduler -------------------------------------------------------------------------------

BY_NAME = [
    ("linear", get_linear_schedule_with_warmup, {}),
    ("cosine", get_cosine_schedule_with_warmup, {"num_cycles": 1.5}),
    ("cosine_with_restarts", get_cosine_with_hard_restarts_schedule_with_warmup, {"num_cycles": 2}),
    ("polynomial", get_polynomial_decay_schedule_with_warmup, {"lr_end": 0.1, "power": 2.0}),
    ("constant", get_constant_schedule, {}),
    ("constant_with_warmup", get_constant_schedule_with_warmup, {}),
    ("inverse_sqrt", get_inverse_sqrt_schedule, {"timescale": 7}),
    ("cosine_with_min_lr", get_cosine_with_min_lr_schedule_with_warmup, {"min_lr": 0.1}),
    (
        "cosine_warmup_with_min_lr",
        get_cosine_with_min_lr_schedule_with_warmup_lr_rate,
        {"min_lr_rate": 0.1, "warmup_lr_rate": 0.2},
    ),
    ("warmup_stable_decay", get_wsd_schedule, {"num_decay_steps": 5, "min_lr_ratio": 0.1}),
]
COUNTS = {"num_warmup_steps": 3, "num_training_steps": 12}


class SchedulerType(Enum):
    LINEAR = "linear"


@pytest.mark.parametrize(("name", "build", "kwargs"), BY_NAME)
def test_by_name_is_the_function(
    name: str, build: Callable[..., LRScheduler], kwargs: dict[str, Any]
) -> None:
    takes = build.__code__.co_varnames[: build.__code__.co_argcount]
    counts = {count: steps for count, steps in COUNTS.items() if count in takes}

    def named(optimizer: Any) -> LRScheduler:
        return get_scheduler(name, optimizer, **COUNTS, scheduler_specific_kwargs=kwargs)

    assert curve(named, 15) == curve(build, 15, **counts, **kwargs)


def test_by_member_of_an_enumeration() -> None:
    scheduler = get_scheduler(SchedulerType.LINEAR, sgd(1.0), 3, 12)
    assert str(scheduler.lr_lambdas[0]) == "warmup(3) >> linear(9)"  # type: ignore[attr-defined]


def test_the_ones_that_follow_a_metric() -> None:
    plateau = get_scheduler(
        "reduce_lr_on_plateau", sgd(1.0), scheduler_specific_kwargs={"patience": 3}
    )
    assert isinstance(plateau, ReduceLROnPlateau)
    assert plateau.patience == 3
    greedy = get_scheduler("greedy", sgd(1.0), 3, 12, {"patience": 4})
    assert isinstance(greedy, GreedyLR)
    assert greedy.patience == get_greedy_schedule(sgd(1.0), patience=4).patience == 4


def test_every_name_of_the_reference_is_here() -> None:
    functions = {name for name in lr_scheduler.__all__ if name.startswith("get_")}
    assert functions == {function.__name__ for function in TABLE.values()} | {"get_scheduler"}


# -- mistakes ------------------------------------------------------------------------------------

LINEAR, COSINE = get_linear_schedule_with_warmup, get_cosine_schedule_with_warmup
RESTARTS = get_cosine_with_hard_restarts_schedule_with_warmup
POLYNOMIAL = get_polynomial_decay_schedule_with_warmup
MIN_LR = get_cosine_with_min_lr_schedule_with_warmup
MIN_LR_RATE = get_cosine_with_min_lr_schedule_with_warmup_lr_rate

MISTAKES: list[tuple[Callable[..., object], dict[str, Any], str]] = [
    (
        partial(LINEAR, num_training_steps=9),
        {"num_warmup_steps": -1},
        "`num_warmup_steps` must be 0 or at least 1, got -1",
    ),
    (
        partial(LINEAR, num_training_steps=9),
        {"num_warmup_steps": 0.1},
        "`num_warmup_steps` must be 0 or at least 1, got 0.1",
    ),
    (
        partial(LINEAR, num_warmup_steps=2),
        {"num_training_steps": 0},
        "`num_training_steps` must be at least 1, got 0",
    ),
    (
        partial(LINEAR, num_warmup_steps=2),
        {"num_training_steps": math.inf},
        "`num_training_steps` must be finite, got inf",
    ),
    (
        get_constant_schedule_with_warmup,
        {"num_warmup_steps": math.nan},
        "`num_warmup_steps` must be finite, got nan",
    ),
    (partial(COSINE, **COUNTS), {"num_cycles": 0}, "`num_cycles` must be more than 0, got 0"),
    (partial(RESTARTS, **COUNTS), {"num_cycles": 0}, "`num_cycles` must be at least 1, got 0"),
    (
        partial(RESTARTS, **COUNTS),
        {"num_cycles": 2.5},
        "`num_cycles` must be a whole number, got 2.5",
    ),
    (
        partial(POLYNOMIAL, **COUNTS),
        {"lr_end": 11.0},
        "`lr_end` must be at most the optimizer's own rate, 10, got 11.0",
    ),
    (partial(POLYNOMIAL, **COUNTS), {"lr_end": -1.0}, "`lr_end` must be at least 0, got -1.0"),
    (partial(POLYNOMIAL, **COUNTS), {"power": 0}, "`power` must be more than 0, got 0"),
    (
        partial(get_inverse_sqrt_schedule, num_warmup_steps=2),
        {"timescale": 0},
        "`timescale` must be more than 0, got 0",
    ),
    (
        partial(MIN_LR, **COUNTS),
        {},
        "`min_lr` must be given, or min_lr_rate, and not both, got (None, None)",
    ),
    (
        partial(MIN_LR, **COUNTS),
        {"min_lr": 1.0, "min_lr_rate": 0.1},
        "`min_lr` must be given, or min_lr_rate, and not both, got (1.0, 0.1)",
    ),
    (
        partial(MIN_LR, **COUNTS),
        {"min_lr": 11.0},
        "`min_lr` must be at most the optimizer's own rate, 10, got 11.0",
    ),
    (
        partial(MIN_LR, **COUNTS),
        {"min_lr_rate": 1.5},
        "`min_lr_rate` must be from 0 to 1, got 1.5",
    ),
    (
        partial(MIN_LR_RATE, **COUNTS, min_lr=1.0),
        {"warmup_lr_rate": -0.1},
        "`warmup_lr_rate` must be at least 0, got -0.1",
    ),
    (
        partial(get_wsd_schedule, num_warmup_steps=3, num_decay_steps=5),
        {},
        "`num_training_steps` must be given where num_stable_steps is not, got None",
    ),
    (
        partial(get_wsd_schedule, num_warmup_steps=3, num_decay_steps=5),
        {"num_training_steps": 7},
        "`num_training_steps` must be at least the 8 steps of warm-up and decay, got 7",
    ),
    (
        partial(get_wsd_schedule, num_warmup_steps=3, num_decay_steps=5, num_training_steps=9),
        {"warmup_type": "sine"},
        "`warmup_type` must be one of linear, cosine, 1-sqrt, got 'sine'",
    ),
    (
        partial(get_wsd_schedule, num_warmup_steps=3, num_decay_steps=5, num_training_steps=9),
        {"decay_type": "sqrt"},
        "`decay_type` must be one of linear, cosine, 1-sqrt, got 'sqrt'",
    ),
    (
        partial(get_wsd_schedule, num_warmup_steps=3, num_decay_steps=5, num_training_steps=9),
        {"min_lr_ratio": 2},
        "`min_lr_ratio` must be from 0 to 1, got 2",
    ),
    (
        partial(get_scheduler, "linear"),
        {"num_training_steps": 9},
        "`num_warmup_steps` must be given for 'linear', got None",
    ),
    (
        partial(get_scheduler, "cosine"),
        {"num_warmup_steps": 9},
        "`num_training_steps` must be given for 'cosine', got None",
    ),
]


@pytest.mark.parametrize(("build", "kwargs", "message"), MISTAKES)
def test_a_mistake_is_named_and_nothing_is_written(
    build: Callable[..., object], kwargs: dict[str, Any], message: str
) -> None:
    optimizer = sgd(BASE)
    with pytest.raises(InvalidValue) as caught:
        build(optimizer=optimizer, **kwargs)
    assert str(caught.value) == message
    assert rates_of(optimizer) == [BASE]


def test_an_unknown_name() -> None:
    with pytest.raises(InvalidValue, match=r"`name` must be one of linear, cosine, .*got 'cos'"):
        get_scheduler("cos", sgd(1.0), 3, 12)


@pytest.mark.parametrize("name", ["constant", "constant_with_warmup", "linear"])
def test_an_argument_of_another_schedule(name: str) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'num_cycles'"):
        get_scheduler(name, sgd(1.0), 3, 12, {"num_cycles": 2})


def test_phases_that_are_not_the_run_are_named() -> None:
    with pytest.warns(UserWarning, match="the phases come to 10 steps, the run to 12"):
        get_wsd_schedule(sgd(1.0), 3, 5, 12, num_stable_steps=2)
    get_wsd_schedule(sgd(1.0), 3, 5, 10, num_stable_steps=2)


def test_another_scheduler_multiplies() -> None:
    optimizer = sgd(1.0)
    half = ConstantLR(optimizer, factor=0.5, total_iters=100)
    scheduler = get_polynomial_decay_schedule_with_warmup(optimizer, 0, 10, lr_end=0.2)
    for _ in range(12):
        advance(optimizer, scheduler)
        half.step()
    assert rates_of(optimizer) == pytest.approx([0.1], rel=1e-15)
