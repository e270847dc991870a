"""The rules of a loaded state: its changes, its refusals, its messages."""

from __future__ import annotations

import copy
import json
import math
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch

import glideslope as gs
from glideslope.errors import InvalidType, StateMismatch
from glideslope.optim import SGD, AdamW
from glideslope.optim import lr_scheduler as lrs

from ...round_trip import through_a_file
from .driving import rates_of

Make = Callable[[Any], Any]
unordered = pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")
SGDS = {"torch's SGD": torch.optim.SGD, "SGD": SGD}
ADAMWS = {"torch's AdamW": torch.optim.AdamW, "AdamW": AdamW}
ORDERS = [
    "build, optimizer, scheduler",
    "build, scheduler, optimizer",
    "optimizer, build, scheduler",
    "optimizer, build, scheduler, optimizer",
]
ALONE = "build, scheduler"


def parameter() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.ones(1))


def groups(*rates: float) -> list[dict[str, Any]]:
    return [{"params": [parameter()], "lr": rate} for rate in rates]


def near(value: Any) -> Any:
    return pytest.approx(value, rel=1e-12, abs=1e-15)


def step(optimizer: Any, *schedulers: Any) -> None:
    for group in optimizer.param_groups:
        for each in group["params"]:
            each.grad = torch.ones_like(each)
    optimizer.step()
    for scheduler in schedulers:
        scheduler.step()


def saved(optimizer: Any, scheduler: Any, steps: int) -> dict[str, Any]:
    for _ in range(steps):
        step(optimizer, scheduler)
    return copy.deepcopy({"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()})


def resume(order: str, optimizer: Any, make: Make, state: dict[str, Any]) -> Any:
    """The scheduler that is built and loaded in this order."""
    scheduler = None
    for word in order.split(", "):
        if word == "build":
            scheduler = make(optimizer)
        elif word == "optimizer":
            optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        else:
            assert scheduler is not None
            scheduler.load_state_dict(copy.deepcopy(state["scheduler"]))
    return scheduler


# Another run's schedules ------------------------------------------------------------------------

Specs = dict[str, Any]
OTHER: dict[str, tuple[Specs, Specs, float, float]] = {  # saved, in the code; the bases of both
    "longer": ({"lr": "cosine(10)"}, {"lr": "cosine(20)"}, 1e-3, 1e-3),
    "longer, and of weight decay": (
        {"lr": "cosine(10)", "weight_decay": "linear(10, end=0.5)"},
        {"lr": "cosine(20)", "weight_decay": "linear(20, end=0.5)"},
        1e-3,
        1e-3,
    ),
    "absolute": (
        {"lr": lrs.Absolute("cosine(10) * 3e-4")},
        {"lr": lrs.Absolute("cosine(20) * 3e-4")},
        1e-3,
        1e-3,
    ),
    "absolute and constant": (
        {"lr": "cosine(10)"},
        {"lr": lrs.Absolute("constant(1e-5)")},
        1e-4,
        1e-4,
    ),
    "from 0": ({"lr": "warmup(10)"}, {"lr": "warmup(20)"}, 1e-3, 1e-3),
    "another base": ({"lr": "cosine(10)"}, {"lr": "cosine(10)"}, 1e-3, 5e-4),
    "another base and schedule": ({"lr": "cosine(10)"}, {"lr": "linear(30)"}, 1e-3, 5e-4),
}
DECAY = 0.1
STOP = 5


def value(specs: Specs, key: str, base: float, t: int) -> float:
    spec = specs.get(key, "constant(1)")
    if isinstance(spec, lrs.Absolute):
        return float(spec.schedule(t))
    return base * float(gs.parse(spec)(t))


def of_another_run(kind: Any, specs: Specs, base: float, **more: Any) -> tuple[Any, Make]:
    optimizer = kind([parameter()], lr=base, weight_decay=DECAY)
    return optimizer, lambda o: lrs.Scheduler(o, **specs, **more)


@pytest.mark.parametrize("kind", ADAMWS.values(), ids=ADAMWS)
@pytest.mark.parametrize("order", [*ORDERS, ALONE])
@pytest.mark.parametrize("policy", ["keep", "adopt"])
@pytest.mark.parametrize(("theirs", "ours", "saved_base", "base"), OTHER.values(), ids=OTHER)
def test_another_runs_schedule_is_kept_or_adopted_alike_in_every_order(
    theirs: Specs, ours: Specs, saved_base: float, base: float, policy: str, order: str, kind: Any
) -> None:
    optimizer, make = of_another_run(kind, theirs, saved_base)
    state = saved(optimizer, make(optimizer), STOP)
    optimizer, make = of_another_run(kind, ours, base, on_mismatch=policy)
    scheduler = resume(order, optimizer, make, state)
    specs, lr = (ours, base) if policy == "keep" else (theirs, saved_base)
    lr = saved_base if hides_the_base(order, kind) else lr
    for t in range(STOP, STOP + 6):
        (group,) = optimizer.param_groups
        # An optimizer that is loaded last shows the other run's values until the next step.
        if t > STOP or not order.endswith("optimizer"):
            assert group["lr"] == near(value(specs, "lr", lr, t)), f"step {t}"
            assert group["weight_decay"] == near(value(specs, "weight_decay", DECAY, t))
        step(optimizer, scheduler)


@pytest.mark.parametrize("kind", ADAMWS.values(), ids=ADAMWS)
@pytest.mark.parametrize("order", [*ORDERS, ALONE])
@pytest.mark.parametrize(("theirs", "ours", "saved_base", "base"), OTHER.values(), ids=OTHER)
def test_another_runs_schedule_is_refused_in_every_order(
    theirs: Specs, ours: Specs, saved_base: float, base: float, order: str, kind: Any
) -> None:
    optimizer, make = of_another_run(kind, theirs, saved_base)
    state = saved(optimizer, make(optimizer), STOP)
    optimizer, make = of_another_run(kind, ours, base)
    if ours == theirs and hides_the_base(order, kind):
        resume(order, optimizer, make, state)
        return
    with pytest.raises(StateMismatch, match="the checkpoint is of another run"):
        resume(order, optimizer, make, state)


def hides_the_base(order: str, kind: Any) -> bool:
    """True for torch's optimizers, loaded before the scheduler is built: they hide the base."""
    return order.startswith("optimizer") and kind is torch.optim.AdamW


# What is said at a resume -----------------------------------------------------------------------

DRIVERS: dict[str, tuple[Make, str]] = {  # and the optimizers that have what is driven
    "one cycle": (lambda o: lrs.OneCycleLR(o, 0.05, total_steps=30), "any"),
    "cyclic": (lambda o: lrs.CyclicLR(o, 0.01, 0.05, 4), "any"),
    "Scheduler of betas": (lambda o: lrs.Scheduler(o, betas=("linear(20)", None)), "AdamW"),
    "Scheduler of the second beta": (
        lambda o: lrs.Scheduler(o, **{"betas[1]": "linear(20)"}),
        "AdamW",
    ),
    "Scheduler of momentum": (lambda o: lrs.Scheduler(o, momentum="linear(20)"), "SGD"),
    "Scheduler of weight decay": (lambda o: lrs.Scheduler(o, weight_decay="linear(20)"), "any"),
    "a one cycle in a sequence": (
        lambda o: lrs.SequentialLR(
            o, [lrs.ConstantLR(o, 0.5, 9), lrs.OneCycleLR(o, 0.05, total_steps=30)], [2]
        ),
        "any",
    ),
    "Schedulers in a chain": (
        lambda o: lrs.ChainedScheduler(
            [lrs.StepLR(o, 2), lrs.Scheduler(o, lr="cosine(20)", weight_decay="linear(20)")]
        ),
        "any",
    ),
}
QUIET = [
    pytest.param(make, kind, id=f"{name}: {kind}")
    for name, (make, suits) in DRIVERS.items()
    for kind in ("SGD", "AdamW")
    if suits in ("any", kind)
]


def driven(kind: str, **options: Any) -> Any:
    if kind == "SGD":
        return SGD([parameter()], **{"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1} | options)
    return AdamW([parameter()], **{"lr": 0.01, "weight_decay": 0.1} | options)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("make", "kind"), QUIET)
def test_nothing_is_said_of_what_a_scheduler_drives(make: Make, kind: str, order: str) -> None:
    optimizer = driven(kind)
    state = saved(optimizer, make(optimizer), STOP)
    optimizer = driven(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler = resume(order, optimizer, make, state)
        for _ in range(3):
            step(optimizer, scheduler)


OWN: dict[str, tuple[str, dict[str, Any]]] = {
    "lr": ("AdamW", {"lr": 0.1 * gs.linear(20)}),
    "weight decay": ("AdamW", {"weight_decay": gs.linear(20)}),
    "betas": ("AdamW", {"betas": (gs.linear(20, start=0.5, end=0.9), 0.999)}),
    "momentum": ("SGD", {"momentum": gs.linear(20, start=0.5, end=0.9)}),
}


@pytest.mark.parametrize(("kind", "options"), OWN.values(), ids=OWN)
def test_nothing_is_said_of_an_optimizers_own_schedules(kind: str, options: dict[str, Any]) -> None:
    optimizer = driven(kind, **options)
    for _ in range(STOP):
        step(optimizer)
    other = driven(kind, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        for _ in range(3):
            step(optimizer)
            step(other)
    for key in ("lr", "weight_decay", *(k for k in ("momentum", "betas") if k in options)):
        assert other.param_groups[0][key] == optimizer.param_groups[0][key]


@pytest.mark.parametrize("order", ORDERS)
def test_what_no_scheduler_drives_is_still_named(order: str) -> None:
    def make(optimizer: Any) -> Any:
        return lrs.OneCycleLR(optimizer, 0.05, total_steps=30)

    optimizer = driven("AdamW")
    state = saved(optimizer, make(optimizer), STOP)
    optimizer = driven("AdamW", weight_decay=0.2)
    with pytest.warns(UserWarning, match=r"weight_decay from 0\.2 to 0\.1") as told:
        step(optimizer, resume(order, optimizer, make, state))
    assert not any("betas" in str(warning.message) for warning in told)


# Small hand edits -------------------------------------------------------------------------------

EDITED: dict[str, tuple[Make, Callable[[int], float]]] = {
    "Scheduler": (lambda o: lrs.Scheduler(o, lr="linear(20)"), lambda t: 1 - t / 20),
    "lambda": (lambda o: lrs.LambdaLR(o, lambda t: 0.9**t), lambda t: 0.9**t),
    "linear": (lambda o: lrs.LinearLR(o, 0.5, 1.0, 10), lambda t: 0.5 + t / 20),
    "step": (lambda o: lrs.StepLR(o, 4, 0.5), lambda t: 0.5 ** (t // 4)),
    "exponential": (lambda o: lrs.ExponentialLR(o, 0.9), lambda t: 0.9**t),
    "cosine": (
        lambda o: lrs.CosineAnnealingLR(o, 20),
        lambda t: (1 + math.cos(math.pi * t / 20)) / 2,
    ),
    "sequence": (
        lambda o: lrs.SequentialLR(o, [lrs.ConstantLR(o, 0.5, 9), lrs.ExponentialLR(o, 0.9)], [2]),
        lambda t: 0.5 if t < 2 else 0.9 ** (t - 2),
    ),
    "chain": (
        lambda o: lrs.ChainedScheduler([lrs.StepLR(o, 4, 0.5), lrs.ExponentialLR(o, 0.9)]),
        lambda t: 0.5 ** (t // 4) * 0.9**t,
    ),
    "chain with Scheduler": (
        lambda o: lrs.ChainedScheduler([lrs.Scheduler(o, lr="linear(20)"), lrs.StepLR(o, 4, 0.5)]),
        lambda t: (1 - t / 20) * 0.5 ** (t // 4),
    ),
}


@pytest.mark.parametrize("edit", [1 + 1e-6, 1 - 1e-6, 2.0])
@pytest.mark.parametrize("kind", SGDS.values(), ids=SGDS)
@pytest.mark.parametrize("order", [*ORDERS, ALONE])
@pytest.mark.parametrize(("make", "factor"), EDITED.values(), ids=EDITED)
def test_a_hand_edit_is_kept_however_small(
    make: Make, factor: Callable[[int], float], order: str, kind: Any, edit: float
) -> None:
    optimizer = kind(groups(0.8, 0.05), lr=1.0)
    scheduler = make(optimizer)
    saved(optimizer, scheduler, STOP)
    optimizer.param_groups[0]["lr"] *= edit
    state = saved(optimizer, scheduler, 0)
    optimizer = kind(groups(0.8, 0.05), lr=1.0)
    scheduler = resume(order, optimizer, make, state)
    for t in range(STOP, STOP + 4):
        assert rates_of(optimizer) == near([0.8 * edit * factor(t), 0.05 * factor(t)]), f"step {t}"
        step(optimizer, scheduler)


@pytest.mark.parametrize("edit", [1 + 1e-6, 2.0])
def test_a_hand_edit_of_what_an_optimizers_own_schedule_drives_is_kept(edit: float) -> None:
    optimizer = SGD([parameter()], lr=0.8 * gs.linear(20))
    for _ in range(STOP):
        step(optimizer)
    optimizer.param_groups[0]["lr"] *= edit
    other = SGD([parameter()], lr=0.8 * gs.linear(20))
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for t in range(STOP, STOP + 4):
        assert rates_of(other) == near([0.8 * edit * (1 - t / 20)]), f"step {t}"
        step(other)


# Steps of any kind of number --------------------------------------------------------------------

JUMPERS: dict[str, tuple[Make, Callable[[float], float]]] = {
    "Scheduler": (lambda o: lrs.Scheduler(o, lr="linear(10)"), lambda t: 1 - t / 10),
    "linear": (lambda o: lrs.LinearLR(o, 0.5, 1.0, 10), lambda t: 0.5 + t / 20),
    "exponential": (lambda o: lrs.ExponentialLR(o, 0.9), lambda t: 0.9**t),
    "lambda": (lambda o: lrs.LambdaLR(o, lambda t: 1 / (1 + t)), lambda t: 1 / (1 + t)),
    "cosine": (
        lambda o: lrs.CosineAnnealingLR(o, 20),
        lambda t: (1 + math.cos(math.pi * t / 20)) / 2,
    ),
    "restarts": (
        lambda o: lrs.CosineAnnealingWarmRestarts(o, 20),
        lambda t: (1 + math.cos(math.pi * t / 20)) / 2,
    ),
}
NUMBERS: list[tuple[Any, float]] = [
    (2.5, 2.5),
    (3.0, 3),
    (np.int64(3), 3),
    (np.float64(3.0), 3),
    (np.float32(2.5), 2.5),
    (torch.tensor(3), 3),
    (torch.tensor(2.5), 2.5),
]


def plain(state: Any) -> bool:
    if isinstance(state, dict):
        return all(plain(part) for part in state.values())
    if isinstance(state, list | tuple):
        return all(plain(part) for part in state)
    return state is None or type(state) in (int, float, bool, str)


@unordered
@pytest.mark.filterwarnings("ignore:The epoch parameter:PendingDeprecationWarning")
@pytest.mark.parametrize(("number", "t"), NUMBERS, ids=lambda number: repr(number))
@pytest.mark.parametrize(("make", "factor"), JUMPERS.values(), ids=JUMPERS)
def test_a_step_of_any_kind_of_number_is_saved_and_loads(
    make: Make, factor: Callable[[float], float], number: Any, t: float
) -> None:
    optimizer = torch.optim.SGD(groups(0.8), lr=1.0)
    scheduler = make(optimizer)
    scheduler.step(number)
    assert rates_of(optimizer) == near([0.8 * factor(t)])
    state = scheduler.state_dict()
    assert plain(state)
    assert through_a_file(state) == state
    if isinstance(scheduler, lrs.Scheduler):
        assert state["last_epoch"] == t
        assert json.loads(json.dumps(state)) == state
        assert isinstance(state["last_epoch"], float if t == 2.5 else int)

    optimizer = torch.optim.SGD(groups(0.8), lr=1.0)
    other = make(optimizer)
    other.load_state_dict(through_a_file(state))
    for k in range(3):
        assert rates_of(optimizer) == near([0.8 * factor(t + k)])
        step(optimizer, other)


# Fewer groups and more --------------------------------------------------------------------------

BASE = 0.1
JOINED: dict[str, tuple[Make, Callable[[int], float]]] = EDITED | {
    "multiplicative": (lambda o: lrs.MultiplicativeLR(o, lambda t: 0.9), lambda t: 0.9**t),
    "multistep": (
        lambda o: lrs.MultiStepLR(o, [2, 4], 0.5),
        lambda t: 0.5 ** ((t >= 2) + (t >= 4)),
    ),
    "constant": (lambda o: lrs.ConstantLR(o, 0.5, 4), lambda t: 0.5 if t < 4 else 1.0),
    "polynomial": (lambda o: lrs.PolynomialLR(o, 20), lambda t: 1 - t / 20),
    "restarts": (
        lambda o: lrs.CosineAnnealingWarmRestarts(o, 20),
        lambda t: (1 + math.cos(math.pi * t / 20)) / 2,
    ),
    "one cycle": (
        lambda o: lrs.OneCycleLR(
            o, BASE, total_steps=40, cycle_momentum=False, anneal_strategy="linear"
        ),
        lambda t: 1 / 25 + (1 - 1 / 25) * t / 11,
    ),
    "cyclic": (
        lambda o: lrs.CyclicLR(o, 0.0, BASE, 10, cycle_momentum=False),
        lambda t: t / 10,
    ),
    "swa": (lambda o: lrs.SWALR(o, 0.05, 10, "linear"), lambda t: 1 - t / 20),
}


@pytest.mark.parametrize("order", ["build, scheduler", "build, scheduler, late"])
@pytest.mark.parametrize(("make", "factor"), JOINED.values(), ids=JOINED)
def test_a_group_that_the_state_lacks_joins(
    make: Make, factor: Callable[[int], float], order: str
) -> None:
    optimizer = torch.optim.SGD(groups(BASE, BASE), lr=1.0)
    state = saved(optimizer, make(optimizer), 3)
    is_late = order.endswith("late")
    optimizer = torch.optim.SGD(groups(*[BASE] * (2 if is_late else 3)), lr=1.0)
    scheduler = resume(ALONE, optimizer, make, state)
    if is_late:
        # Under one cycle a group's own rate is the peak, and an initial_lr the first rate.
        given = {} if isinstance(scheduler, lrs.OneCycleLR) else {"initial_lr": BASE}
        optimizer.add_param_group(groups(BASE)[0] | given)
        step(optimizer, scheduler)
    for t in range(3 + is_late, 8):
        assert rates_of(optimizer) == near([BASE * factor(t)] * 3), f"step {t}"
        step(optimizer, scheduler)


@pytest.mark.parametrize("make", [made for made, _ in JOINED.values()], ids=JOINED)
def test_a_state_of_more_groups_is_refused_with_both_counts(make: Make) -> None:
    optimizer = torch.optim.SGD(groups(BASE, BASE, BASE), lr=1.0)
    state = saved(optimizer, make(optimizer), 3)
    optimizer = torch.optim.SGD(groups(BASE, BASE), lr=1.0)
    scheduler = make(optimizer)
    before = rates_of(optimizer), scheduler.state_dict()
    with pytest.raises(StateMismatch, match=r"(?s)\b3\b.*\b2\b|\b2\b.*\b3\b"):
        scheduler.load_state_dict(state["scheduler"])
    assert (rates_of(optimizer), scheduler.state_dict()) == before


# A second stage, and a rate that is set between loading and building ----------------------------

FIRST: dict[str, Make] = {
    "lambda": lambda o: lrs.LambdaLR(o, lambda t: max(0.0, 1 - t / 5)),
    "Scheduler": lambda o: lrs.Scheduler(o, lr="linear(5)"),
    "cosine": lambda o: lrs.CosineAnnealingLR(o, 5),
    "torch's lambda": lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda t: max(0.0, 1 - t / 5)),
}
SECOND: dict[str, tuple[Make, Callable[[int], float]]] = {
    "lambda": (
        lambda o: lrs.LambdaLR(o, lambda t: min(1, (t + 1) / 4)),
        lambda t: min(1, (t + 1) / 4),
    ),
    "warm-up": (lambda o: lrs.Scheduler(o, lr="warmup(4)"), lambda t: min(1, t / 4)),
    "Scheduler": (lambda o: lrs.Scheduler(o, lr="linear(10)"), lambda t: 1 - t / 10),
    "linear": (lambda o: lrs.LinearLR(o, 0.25, 1.0, 4), lambda t: 0.25 + 0.75 * min(t / 4, 1)),
    "cosine": (
        lambda o: lrs.CosineAnnealingLR(o, 20),
        lambda t: (1 + math.cos(math.pi * t / 20)) / 2,
    ),
    "sequence": (
        lambda o: lrs.SequentialLR(o, [lrs.ConstantLR(o, 0.5, 9), lrs.StepLR(o, 2, 0.5)], [2]),
        lambda t: 0.5 if t < 2 else 0.5 ** ((t - 2) // 2),
    ),
    "step": (lambda o: lrs.StepLR(o, 2, 0.5), lambda t: 0.5 ** (t // 2)),
    "exponential": (lambda o: lrs.ExponentialLR(o, 0.9), lambda t: 0.9**t),
}


@pytest.mark.parametrize("kind", SGDS.values(), ids=SGDS)
@pytest.mark.parametrize("order", ["optimizer, build", "build, optimizer"])
@pytest.mark.parametrize(("make", "factor"), SECOND.values(), ids=SECOND)
@pytest.mark.parametrize("first", FIRST.values(), ids=FIRST)
def test_a_second_stage_from_a_state_whose_rate_came_down_to_0(
    first: Make, make: Make, factor: Callable[[int], float], order: str, kind: Any
) -> None:
    optimizer = kind(groups(0.1, 0.02), lr=1.0)
    state = saved(optimizer, first(optimizer), 5)
    assert rates_of(optimizer) == near([0.0, 0.0])
    optimizer = kind(groups(0.1, 0.02), lr=1.0)
    scheduler = resume(order, optimizer, make, state)
    for t in range(6):
        # An optimizer that is loaded last shows its own rate until the next step, as with torch.
        if t or order == "optimizer, build":
            assert rates_of(optimizer) == near([0.1 * factor(t), 0.02 * factor(t)]), f"step {t}"
        step(optimizer, scheduler)


@pytest.mark.parametrize("kind", SGDS.values(), ids=SGDS)
@pytest.mark.parametrize(("make", "factor"), SECOND.values(), ids=SECOND)
@pytest.mark.parametrize("first", FIRST.values(), ids=FIRST)
def test_a_rate_that_is_set_after_loading_is_the_base(
    first: Make, make: Make, factor: Callable[[int], float], kind: Any
) -> None:
    optimizer = kind(groups(10.0, 5.0), lr=1.0)
    state = saved(optimizer, first(optimizer), 2)
    optimizer = kind(groups(10.0, 5.0), lr=1.0)
    optimizer.load_state_dict(state["optimizer"])
    for group, rate in zip(optimizer.param_groups, (1.0, 0.5), strict=True):
        group["lr"] = rate
    scheduler = make(optimizer)
    for t in range(5):
        assert rates_of(optimizer) == near([factor(t), 0.5 * factor(t)]), f"step {t}"
        # One of torch's optimizers does not tell if the rate was set or loaded, so that is said.
        is_said = t == 0 and kind is torch.optim.SGD
        said = pytest.warns(UserWarning, match="came with lr = ") if is_said else nullcontext()
        with said:
            step(optimizer, scheduler)


@pytest.mark.parametrize("kind", SGDS.values(), ids=SGDS)
@pytest.mark.parametrize("theirs", [False, True])
def test_a_key_that_the_saved_group_lacks_does_not_survive_a_load(kind: Any, theirs: bool) -> None:
    library: Any = torch.optim.lr_scheduler if theirs else lrs
    optimizer = kind([parameter()], lr=0.1)
    state = copy.deepcopy(optimizer.state_dict())
    optimizer.param_groups[0]["lr"] = 1e-6
    sweep = library.ExponentialLR(optimizer, 1.5)  # a range test notes 1e-6 as the base
    step(optimizer, sweep)
    optimizer.load_state_dict(state)  # and is put back
    del sweep
    assert optimizer.param_groups[0].keys() == state["param_groups"][0].keys()
    scheduler = library.LambdaLR(optimizer, lambda t: 1.0)
    assert rates_of(optimizer) == [0.1]
    step(optimizer, scheduler)
    assert rates_of(optimizer) == [0.1]


# The order of calls -----------------------------------------------------------------------------

WATCHED: dict[str, Make] = {
    "step": lambda o: lrs.StepLR(o, 1),
    "lambda": lambda o: lrs.LambdaLR(o, lambda t: 0.9**t),
    "one cycle": lambda o: lrs.OneCycleLR(o, 1.0, 20, cycle_momentum=False),
    "Scheduler": lambda o: lrs.Scheduler(o, lr="linear(10)"),
    "torch's own": lambda o: torch.optim.lr_scheduler.StepLR(o, 1),
}


def heard(work: Callable[[], object]) -> int:
    """How often the order of calls is remarked on."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        work()
    return sum("Detected call of `lr_scheduler.step()`" in str(w.message) for w in caught)


@pytest.mark.parametrize("order", ["scheduler first", "optimizer first"])
@pytest.mark.parametrize("kind", SGDS.values(), ids=SGDS)
@pytest.mark.parametrize("make", WATCHED.values(), ids=WATCHED)
def test_the_wrong_order_of_calls_is_remarked_on_once(make: Make, kind: Any, order: str) -> None:
    model = torch.nn.Linear(1, 1)
    optimizer = kind(model.parameters(), lr=0.1)
    scheduler = make(optimizer)
    calls = [scheduler.step, optimizer.step]

    def train() -> None:
        for _ in range(4):
            optimizer.zero_grad()
            model(torch.ones(1, 1)).sum().backward()
            for call in calls if order == "scheduler first" else reversed(calls):
                call()

    assert heard(train) == (order == "scheduler first")


@pytest.mark.parametrize("skipped", [1, 2])
@pytest.mark.parametrize("kind", SGDS.values(), ids=SGDS)
@pytest.mark.parametrize("make", list(WATCHED.values())[:-1], ids=list(WATCHED)[:-1])
def test_a_step_that_a_loss_scaler_skips_is_not_remarked_on(
    make: Make, kind: Any, skipped: int
) -> None:
    model = torch.nn.Linear(1, 1)
    optimizer = kind(model.parameters(), lr=0.1)
    scheduler = make(optimizer)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)

    def train() -> None:
        for t in range(4):
            optimizer.zero_grad()
            inputs = torch.full((1, 1), math.inf if t < skipped else 1.0)
            scaler.scale(model(inputs).sum()).backward()
            scaler.step(optimizer)
            scaler.update()
            scheduler.step()

    assert heard(train) == 0


# Compiled loops ---------------------------------------------------------------------------------

LOOPS: dict[str, tuple[Callable[[Any, Any], Any], tuple[float, ...]]] = {
    "linear": (lambda lib, o: lib.LinearLR(o, 0.1, total_iters=5), ()),
    "step": (lambda lib, o: lib.StepLR(o, 2), ()),
    "exponential": (lambda lib, o: lib.ExponentialLR(o, 0.9), ()),
    "plateau": (lambda lib, o: lib.ReduceLROnPlateau(o, patience=0), (1.0,)),
    "Scheduler": (  # beside torch's linear one
        lambda lib, o: (
            lrs.Scheduler(o, lr="linear(5, start=0.1, end=1)")
            if lib is lrs
            else lib.LinearLR(o, 0.1, total_iters=5)
        ),
        (),
    ),
}


def graphs(make: Callable[[Any, Any], Any], metric: tuple[float, ...], library: Any) -> int:
    """How many graphs are compiled by six calls of a compiled loop."""
    torch._dynamo.reset()
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=torch.tensor(0.1))
    scheduler = make(library, optimizer)
    model(torch.ones(1, 2)).sum().backward()
    count = 0

    def backend(module: Any, _: Any) -> Any:
        nonlocal count
        count += 1
        return module.forward

    @torch.compile(fullgraph=False, backend=backend)
    def loop() -> None:
        optimizer.step()
        scheduler.step(*metric)

    for _ in range(6):
        loop()
    return count


@unordered
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
@pytest.mark.parametrize(("make", "metric"), LOOPS.values(), ids=LOOPS)
def test_a_compiled_loop_is_compiled_as_often_as_with_torchs(
    make: Callable[[Any, Any], Any], metric: tuple[float, ...]
) -> None:
    theirs = graphs(make, metric, torch.optim.lr_scheduler)
    assert graphs(make, metric, lrs) <= theirs


# Keys that only some groups have, and groups left alone -----------------------------------------


class MuonWithAdam(torch.optim.Optimizer):
    """Two kinds of groups, as optimizers of matrices and vectors have."""

    def __init__(self) -> None:
        matrices = {"lr": 0.02, "momentum": 0.95, "name": "muon"}
        vectors = {"lr": 3e-4, "betas": (0.9, 0.95), "name": "adam"}
        super().__init__([{"params": [parameter()]} | group for group in (matrices, vectors)], {})

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        pass


RISE = "linear(10, start=0.9, end=1)"
SOME: dict[str, dict[str, Any]] = {
    "by name": {"momentum": {"muon": RISE}},
    "by index": {"momentum": {0: RISE}},
    "a list": {"momentum": [RISE, None]},
    "both kinds": {"momentum": {"muon": RISE}, "betas[0]": {"adam": RISE}},
    "both kinds, a tuple": {"momentum": [RISE, None], "betas": ([None, RISE], None)},
}


@pytest.mark.parametrize("order", [None, *ORDERS])
@pytest.mark.parametrize("specs", SOME.values(), ids=SOME)
def test_a_key_that_only_the_named_groups_have(specs: dict[str, Any], order: str | None) -> None:
    def make(optimizer: Any) -> Any:
        return lrs.Scheduler(optimizer, lr="cosine(20)", **specs)

    optimizer: Any = MuonWithAdam()
    scheduler, start = make(optimizer), 0
    if order is not None:
        state, start = saved(optimizer, scheduler, STOP), STOP
        optimizer = MuonWithAdam()
        scheduler = resume(order, optimizer, make, state)
    for t in range(start, start + 4):
        muon, adam = optimizer.param_groups
        rise = 0.9 + 0.01 * t
        cosine = (1 + math.cos(math.pi * t / 20)) / 2
        assert rates_of(optimizer) == near([0.02 * cosine, 3e-4 * cosine])
        assert muon["momentum"] == near(0.95 * rise)
        assert adam["betas"] == near((0.9 * (rise if len(specs) == 2 else 1), 0.95))
        assert "momentum" not in adam
        assert "betas" not in muon
        step(optimizer, scheduler)


@pytest.mark.parametrize("spec", [RISE, [RISE, RISE], {"adam": RISE}, {1: RISE}])
def test_a_named_group_must_have_the_key(spec: Any) -> None:
    optimizer = MuonWithAdam()
    before = str(optimizer.param_groups)
    with pytest.raises(InvalidType, match=r"`momentum`.*group 1"):
        lrs.Scheduler(optimizer, lr="cosine(20)", momentum=spec)
    assert str(optimizer.param_groups) == before


@pytest.mark.parametrize("order", [*ORDERS, ALONE])
@pytest.mark.parametrize("spec", [[None, "linear(10)"], {1: "linear(10)"}])
def test_none_leaves_a_group_alone_whatever_is_loaded(spec: Any, order: str) -> None:
    def make(optimizer: Any) -> Any:
        return lrs.Scheduler(optimizer, lr=spec)

    optimizer = torch.optim.SGD(groups(0.8, 0.4), lr=1.0)
    state = saved(optimizer, make(optimizer), STOP)
    optimizer = torch.optim.SGD(groups(0.8, 0.4), lr=1.0)
    scheduler = resume(order, optimizer, make, state)
    for t in range(STOP, STOP + 4):
        assert rates_of(optimizer) == near([0.8, 0.4 * (1 - t / 10)])
        optimizer.param_groups[0]["lr"] = 0.8  # what is not driven may be set to anything
        step(optimizer, scheduler)
