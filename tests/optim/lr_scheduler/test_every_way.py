"""Every way in which a run is resumed ends at the same rates.

A way is a list of words, done in their order to a run that is built afresh (`Run` has a method for
each). What is expected is the run that was not interrupted, which is itself compared with formulas
that are written independently.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.state_dict import (
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)

import glideslope as gs
from glideslope.optim import SGD, AdamW
from glideslope.optim import lr_scheduler as lrs

pytestmark = pytest.mark.filterwarnings(
    "ignore:Detected call of `lr_scheduler.step:UserWarning",
    "ignore:The epoch parameter in `scheduler.step:PendingDeprecationWarning",
)

STEPS = 13
"""How many steps the run that is not interrupted makes."""
AFTER = 4
"""How many steps a resumed run is followed."""
STOPS = (1, 4, 7)
LATE = 1
"""The late group is added after this many steps."""
LATE_STOPS = (2, 4, 7)
RATES = {"one group": (0.8,), "three groups": (0.8, 0.2, 0.05), "a late group": (0.8,)}
LATE_RATE = 0.3

OPTIMIZERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "torch's SGD": (torch.optim.SGD, {"momentum": 0.9}),
    "torch's AdamW": (torch.optim.AdamW, {"betas": (0.9, 0.999)}),
    "SGD": (SGD, {"momentum": 0.9}),
    "AdamW": (AdamW, {"betas": (0.9, 0.999)}),
}
SGDS, ADAMWS, OURS = ("torch's SGD", "SGD"), ("torch's AdamW", "AdamW"), ("SGD", "AdamW")

# What is resumed --------------------------------------------------------------------------------


def restarts(t: int) -> float:
    """The cosine of 3, 6, 12 … steps."""
    start, length = 0, 3
    while t >= start + length:
        start, length = start + length, 2 * length
    return cosine((t - start) / length)


def cosine(share: float) -> float:
    return (1 + math.cos(math.pi * share)) / 2


def linear(t: int, start: float, end: float, steps: int) -> float:
    return start + (end - start) * min(t / steps, 1)


def one_cycle(t: int) -> float:
    low, high, lowest = 1 / 25, 1.0, 1 / 25e4
    if t <= 5:
        return high + (low - high) * cosine(t / 5)
    return lowest + (high - lowest) * cosine((t - 5) / 14)


def cut(t: int) -> float:
    """The plateau's: the first metric is the best one, and every second bad one cuts."""
    return 0.5 ** (max(t - 1, 0) // 2)


Formula = Callable[[int, float], float]
OTHER_KEYS = "an optimizer's state has no base of keys other than lr"
NO_BASE = dict.fromkeys(
    [f"optimizer, build, {word}" for word in ("clock", "jump", "calls")], OTHER_KEYS
)
PAST = "its state is what has happened, which no step number tells"
NO_CLOCK = dict.fromkeys(["clock", "jump", "argument", "calls", "ignite"], PAST)
NO_ARGUMENT = {"argument": "it has no argument last_epoch"}
CHAIN = NO_ARGUMENT | dict.fromkeys(["clock", "ignite"], "a chain has no clock of its own")
NO_JUMP = {"jump": "step of a composite takes no step number"}
LIMITS = dict.fromkeys(
    [f"a late group, {word}" for word in ("optimizer", "initial_lr")],
    "a group that is there from the start has the limits of the call, a late one its own",
)
NO_SCHEDULER = dict.fromkeys(
    [
        "build, scheduler",
        "optimizer, scheduler",
        "optimizer, build",
        "clock",
        "jump",
        "calls",
        "argument",
        "ignite",
    ],
    "the schedule is the optimizer's own: there is no scheduler to load or to step",
)


@dataclass(frozen=True)
class Case:
    """Schedulers on the groups, and the learning rate of step t from the base, if it is driven."""

    make: Callable[..., Any] | None
    rate: Formula
    lacks: Mapping[str, str] = field(default_factory=dict)  # words of a way: why it is left out
    only: tuple[str, ...] = tuple(OPTIMIZERS)
    options: Callable[[float], dict[str, Any]] = lambda rate: {}
    metric: tuple[float, ...] = ()


def closed(factor: Callable[[int], float]) -> Formula:
    return lambda t, base: base * factor(t)


def same(t: int, base: float) -> float:
    return base


def scheduled(rate: float) -> dict[str, Any]:
    return {"lr": rate * (gs.warmup(4) >> gs.linear(9, end=0.2))}


def warm_then_linear(t: int) -> float:
    return t / 4 if t < 4 else linear(t - 4, 1.0, 0.2, 9)


CASES: dict[str, Case] = {
    "lambda": Case(
        lambda o, **k: lrs.LambdaLR(o, lambda t: 1 / (1 + t), **k), closed(lambda t: 1 / (1 + t))
    ),
    "lambda from 0": Case(
        lambda o, **k: lrs.LambdaLR(o, lambda t: min(t, 4) / 4, **k),
        closed(lambda t: min(t, 4) / 4),
    ),
    "multiplicative": Case(
        lambda o, **k: lrs.MultiplicativeLR(o, lambda t: 1 - 0.5 / t, **k),
        closed(lambda t: math.prod(1 - 0.5 / i for i in range(1, t + 1))),
    ),
    "step": Case(
        lambda o, **k: lrs.StepLR(o, 4, gamma=0.5, **k), closed(lambda t: 0.5 ** (t // 4))
    ),
    "multistep": Case(
        lambda o, **k: lrs.MultiStepLR(o, [4, 2, 4], gamma=0.3, **k),
        closed(lambda t: 0.3 ** ((t >= 2) + 2 * (t >= 4))),
    ),
    "constant": Case(
        lambda o, **k: lrs.ConstantLR(o, 0.2, 4, **k), closed(lambda t: 0.2 if t < 4 else 1.0)
    ),
    "linear": Case(
        lambda o, **k: lrs.LinearLR(o, 0.25, 0.75, 7, **k),
        closed(lambda t: linear(t, 0.25, 0.75, 7)),
    ),
    "exponential": Case(lambda o, **k: lrs.ExponentialLR(o, 0.9, **k), closed(lambda t: 0.9**t)),
    "polynomial": Case(
        lambda o, **k: lrs.PolynomialLR(o, 20, 2.0, **k), closed(lambda t: (1 - t / 20) ** 2)
    ),
    "cosine": Case(
        lambda o, **k: lrs.CosineAnnealingLR(o, 7, 0.01, **k),
        lambda t, base: 0.01 + (base - 0.01) * cosine(t / 7),
    ),
    "restarts": Case(
        lambda o, **k: lrs.CosineAnnealingWarmRestarts(o, 3, 2, **k), closed(restarts)
    ),
    "cyclic": Case(
        lambda o, **k: lrs.CyclicLR(o, 0.1, 1.0, 4, **k),
        lambda t, base: 0.1 + 0.9 * (1 - abs(t % 8 - 4) / 4),
        LIMITS,
    ),
    "cyclic from 0": Case(
        lambda o, **k: lrs.CyclicLR(o, 0.0, 1.0, 4, **k),
        lambda t, base: 1 - abs(t % 8 - 4) / 4,
        LIMITS,
    ),
    "one cycle": Case(
        lambda o, **k: lrs.OneCycleLR(o, 1.0, 20, **k),
        lambda t, base: one_cycle(t),
        LIMITS | {"initial_lr": "it reads its limits from the groups of a loaded state"},
    ),
    "swa": Case(
        lambda o, **k: lrs.SWALR(o, 0.05, 7, **k),
        lambda t, base: 0.05 + (base - 0.05) * cosine(min(t / 7, 1)),
        {"initial_lr": "the rates in the groups are taken to be those of that step"},
    ),
    "noam": Case(
        lambda o, **k: lrs.NoamScheduler(o, 8, 4, **k),
        lambda t, base: 8**-0.5 * min(max(t, 1) ** -0.5, max(t, 1) * 4**-1.5),
    ),
    "sequence": Case(
        lambda o, **k: lrs.SequentialLR(
            o, [lrs.LinearLR(o, 0.1, 1.0, 4), lrs.CosineAnnealingLR(o, 11)], [4], **k
        ),
        closed(lambda t: linear(t, 0.1, 1.0, 4) if t < 4 else cosine((t - 4) / 11)),
        NO_JUMP,
    ),
    "sequence of Scheduler": Case(
        lambda o, **k: lrs.SequentialLR(
            o,
            [lrs.Scheduler(o, lr="warmup(4)"), lrs.Scheduler(o, lr="linear(9, end=0.2)")],
            [4],
            **k,
        ),
        closed(warm_then_linear),
        NO_JUMP,
    ),
    "sequence of a chain": Case(
        lambda o, **k: lrs.SequentialLR(
            o,
            [
                lrs.ConstantLR(o, 0.1, 9),
                lrs.ChainedScheduler([lrs.LinearLR(o, 0.25, 0.75, 5), lrs.StepLR(o, 4, 0.5)]),
            ],
            [3],
            **k,
        ),
        closed(lambda t: 0.1 if t < 3 else linear(t - 3, 0.25, 0.75, 5) * 0.5 ** ((t - 3) // 4)),
        NO_JUMP,
    ),
    "chain": Case(
        lambda o: lrs.ChainedScheduler([lrs.LinearLR(o, 0.25, 0.75, 5), lrs.StepLR(o, 4, 0.5)]),
        closed(lambda t: linear(t, 0.25, 0.75, 5) * 0.5 ** (t // 4)),
        CHAIN | NO_JUMP,
    ),
    "chain of Scheduler and a sequence": Case(
        lambda o: lrs.ChainedScheduler(
            [
                lrs.Scheduler(o, lr="cosine(20)"),
                lrs.SequentialLR(o, [lrs.ConstantLR(o, 0.5, 9), lrs.StepLR(o, 4, 0.5)], [4]),
            ]
        ),
        closed(lambda t: cosine(t / 20) * (0.5 if t < 4 else 0.5 ** ((t - 4) // 4))),
        CHAIN | NO_JUMP,
    ),
    "Scheduler": Case(
        lambda o: lrs.Scheduler(o, lr="warmup(4) >> linear(9, end=0.2)"),
        closed(warm_then_linear),
        NO_ARGUMENT,
    ),
    "Scheduler of an absolute rate": Case(
        lambda o: lrs.Scheduler(o, lr=lrs.Absolute("linear(20)")),
        lambda t, base: 1 - t / 20,
        NO_ARGUMENT,
    ),
    "Scheduler of weight decay": Case(
        lambda o: lrs.Scheduler(o, weight_decay="linear(10, end=0.5)"), same, NO_ARGUMENT | NO_BASE
    ),
    "Scheduler of momentum": Case(
        lambda o: lrs.Scheduler(o, momentum="linear(10, start=0.5, end=1)"),
        same,
        NO_ARGUMENT | NO_BASE,
        SGDS,
    ),
    "Scheduler of betas": Case(
        lambda o: lrs.Scheduler(o, lr="cosine(20)", betas=("linear(10, start=0.5, end=1)", None)),
        closed(lambda t: cosine(t / 20)),
        NO_ARGUMENT | NO_BASE,
        ADAMWS,
    ),
    "plateau": Case(
        lambda o: lrs.ReduceLROnPlateau(o, factor=0.5, patience=1),
        closed(cut),
        NO_CLOCK,
        metric=(1.0,),
    ),
    "AdamW of schedules": Case(
        None,
        closed(warm_then_linear),
        NO_SCHEDULER,
        ("AdamW",),
        lambda rate: (
            scheduled(rate)
            | {
                "weight_decay": gs.linear(10, start=0.1, end=0.05),
                "betas": (gs.linear(10, start=0.5, end=0.9), 0.999),
            }
        ),
    ),
    "SGD of schedules": Case(
        None,
        closed(warm_then_linear),
        NO_SCHEDULER,
        ("SGD",),
        lambda rate: scheduled(rate) | {"momentum": gs.linear(10, start=0.5, end=0.9)},
    ),
}


class Setup(NamedTuple):
    """The optimizers that hold the groups."""

    optimizer: str
    tensors: bool
    groups: str

    def __str__(self) -> str:
        return f"{self.optimizer}, {'tensors' if self.tensors else 'numbers'}, {self.groups}"


SETUPS = [
    Setup(optimizer, (row + column) % 2 == 1, groups)
    for row, optimizer in enumerate(OPTIMIZERS)
    for column, groups in enumerate(RATES)
]


def setups(case: Case) -> list[Setup]:
    """The setups that a case can have; where a schedule is the rate there is no tensor."""
    mine = [setup for setup in SETUPS if setup.optimizer in case.only]
    return mine if case.make else [setup._replace(tensors=False) for setup in mine]


# How it is resumed ------------------------------------------------------------------------------

WAYS = [
    "build, optimizer, scheduler",
    "build, scheduler, optimizer",
    "optimizer, build, scheduler",
    "optimizer, build, scheduler, optimizer",
    "build, scheduler",
    "build, optimizer",  # of optimizers with schedules: the one thing there is to load
    "build, optimizer, clock",
    "optimizer, build, clock",
    "build, clock, optimizer",
    "build, optimizer, jump",
    "optimizer, build, jump",
    "build, jump, optimizer",
    "build, optimizer, calls",
    "optimizer, build, calls",
    "build, calls, optimizer",
    "optimizer, argument",
    "optimizer, argument, optimizer",
    "optimizer, argument, scheduler",
    "initial_lr, argument",
]


class Saved(NamedTuple):
    """The values of a run after a number of steps."""

    step: int
    optimizer: dict[str, Any]
    scheduler: dict[str, Any] | None


class Run:
    """A case under a setup, and the words of the ways to resume it."""

    def __init__(self, case: Case, setup: Setup) -> None:
        self.case, self.setup = case, setup
        self.scheduler: Any = None
        self.model = torch.nn.ParameterList()
        kind, options = OPTIMIZERS[setup.optimizer]
        groups = [self.group(rate) for rate in RATES[setup.groups]]
        self.optimizer = kind(groups, lr=0.5, weight_decay=0.1, **options)
        self.is_whole = setup.groups != "a late group"

    def group(self, rate: float) -> dict[str, Any]:
        parameter = torch.nn.Parameter(torch.ones(1))
        self.model.append(parameter)
        lr = torch.tensor(rate, dtype=torch.float64).float() if self.setup.tensors else rate
        return {"params": [parameter], "lr": lr} | self.case.options(rate)

    def grow(self) -> None:
        """Add the late group where there is one."""
        if not self.is_whole:
            self.optimizer.add_param_group(self.group(LATE_RATE) | {"initial_lr": LATE_RATE})
            self.is_whole = True

    def step(self) -> None:
        for parameter in self.model:
            parameter.grad = torch.ones_like(parameter)
        self.optimizer.step()
        if self.scheduler is not None:
            self.scheduler.step(*self.case.metric)

    def save(self, step: int) -> Saved:
        scheduler = None if self.scheduler is None else self.scheduler.state_dict()
        return Saved(step, *copy.deepcopy((self.optimizer.state_dict(), scheduler)))

    def shown(self) -> list[list[float]]:
        """All the values of each group that can be driven."""
        return [list(held(group)) for group in self.optimizer.param_groups]

    # The words of a way: each does one thing.

    def resume(self, way: str, saved: Saved) -> Run:
        for word in way.split(", "):
            getattr(self, f"do_{word}")(saved)
        return self

    def do_build(self, saved: Saved | None = None) -> None:
        if self.case.make is not None:
            self.scheduler = self.case.make(self.optimizer)

    def do_optimizer(self, saved: Saved) -> None:
        self.grow()
        self.optimizer.load_state_dict(copy.deepcopy(saved.optimizer))

    def do_scheduler(self, saved: Saved) -> None:
        self.grow()
        self.scheduler.load_state_dict(copy.deepcopy(saved.scheduler))

    def do_clock(self, saved: Saved) -> None:
        self.grow()
        self.scheduler.last_epoch = saved.step - 1
        self.scheduler.step()

    def do_jump(self, saved: Saved) -> None:
        self.grow()
        self.scheduler.step(saved.step)

    def do_calls(self, saved: Saved) -> None:
        self.grow()
        for _ in range(saved.step):
            self.scheduler.step()

    def do_initial_lr(self, saved: Saved) -> None:
        self.grow()
        for group in self.optimizer.param_groups:
            group["initial_lr"] = float(group["lr"])

    def do_argument(self, saved: Saved) -> None:
        assert self.case.make is not None
        self.scheduler = self.case.make(self.optimizer, last_epoch=saved.step - 1)

    def ignites_step(self) -> None:
        """Ignite's: it asks for the rates of the step, writes them itself, and moves the clock."""
        self.scheduler._get_lr_called_within_step = True
        rates = self.scheduler.get_lr()
        self.scheduler._get_lr_called_within_step = False
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self.scheduler.last_epoch += 1


def held(group: Mapping[str, Any]) -> Iterator[float]:
    yield float(group["lr"])
    yield float(group["weight_decay"])
    yield float(group["momentum"] if "momentum" in group else group["betas"][0])


@cache
def uninterrupted(name: str, setup: Setup) -> tuple[list[list[list[float]]], list[Saved]]:
    """The groups' values at every step, and the states saved there."""
    run = Run(CASES[name], setup)
    run.do_build()
    shown, saved = [], []
    for t in range(STEPS):
        if t == LATE:
            run.grow()
        shown.append(run.shown())
        saved.append(run.save(t))
        run.step()
    return shown, saved


def near(shown: list[list[float]], setup: Setup) -> list[Any]:
    relative = 1e-6 if setup.tensors else 1e-12
    return [pytest.approx(group, rel=relative, abs=1e-15) for group in shown]


def follow(run: Run, name: str, step: int) -> None:
    """Compare a resumed run with the one that was not interrupted."""
    shown, _ = uninterrupted(name, run.setup)
    for t in range(step, step + AFTER + 1):
        assert run.shown() == near(shown[t], run.setup), f"step {t}, resumed at {step}"
        run.step()


def stops(setup: Setup) -> tuple[int, ...]:
    return LATE_STOPS if setup.groups == "a late group" else STOPS


LATE_FIRST = "a late group, optimizer"


def lacks(case: Case, words: str) -> bool:
    return any(missing in words for missing in case.lacks)


def has(case: Case, way: str, setup: Setup) -> bool:
    """True if a way makes sense; one that loads the optimizer alone tells no step."""
    if way == "build, optimizer" and case.make is not None:
        return False
    return not lacks(case, f"{setup.groups}, {way}")


RESUMES = [
    pytest.param(name, way, setup, id=f"{name}: {way}: {setup}")
    for name, case in CASES.items()
    for way in WAYS
    for setup in setups(case)
    if has(case, way, setup)
]
EACH = [
    pytest.param(name, setup, id=f"{name}: {setup}")
    for name, case in CASES.items()
    for setup in setups(case)
]


@pytest.mark.parametrize(("name", "setup"), EACH)
def test_the_run_that_is_not_interrupted_is_the_formula(name: str, setup: Setup) -> None:
    shown, _ = uninterrupted(name, setup)
    for t, groups in enumerate(shown):
        expected = [CASES[name].rate(t, base) for base in RATES[setup.groups]]
        if setup.groups == "a late group" and t > LATE and not lacks(CASES[name], LATE_FIRST):
            expected.append(CASES[name].rate(t, LATE_RATE))
        rates = [group[0] for group in groups][: len(expected)]
        relative = 1e-6 if setup.tensors else 1e-12
        assert rates == pytest.approx(expected, rel=relative, abs=1e-15), f"step {t}"


@pytest.mark.parametrize(("name", "way", "setup"), RESUMES)
def test_every_way_ends_at_the_same_rates(name: str, way: str, setup: Setup) -> None:
    _, saved = uninterrupted(name, setup)
    for stop in stops(setup):
        run = Run(CASES[name], setup).resume(way, saved[stop])
        run.grow()
        follow(run, name, stop)


# Ignite and the distributed checkpoint ----------------------------------------------------------

STATES = WAYS[:3]
NUMBERS = [
    Setup("torch's SGD", False, "one group"),
    Setup("AdamW", False, "three groups"),
]


def pairs(setups: list[Setup], words: str = "") -> list[Any]:
    """Every case under every setup that it can have, without those that lack the words."""
    return [
        pytest.param(name, setup, id=f"{name}: {setup}")
        for name, case in CASES.items()
        for setup in setups
        if setup.optimizer in case.only and not (words and words in case.lacks)
    ]


@pytest.mark.parametrize("way", STATES)
@pytest.mark.parametrize(("name", "setup"), pairs(NUMBERS, "ignite"))
def test_ignites_manner_of_stepping(name: str, setup: Setup, way: str) -> None:
    case = CASES[name]
    shown, _ = uninterrupted(name, setup)
    for stop in STOPS:
        run = Run(case, setup)
        run.do_build()
        for t in range(stop):
            run.ignites_step()
            assert run.shown() == near(shown[t], setup), f"step {t}"
        run = Run(case, setup).resume(way, run.save(stop))
        for t in range(stop, stop + AFTER):
            run.ignites_step()
            assert run.shown() == near(shown[t], setup), f"step {t}, resumed at {stop}"


class SavedOptimizer:
    """An optimizer as programs that use torch's distributed checkpoint wrap it."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def state_dict(self) -> dict[str, Any]:
        return get_optimizer_state_dict(self.run.model, self.run.optimizer)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        set_optimizer_state_dict(self.run.model, self.run.optimizer, state)


def parts(run: Run) -> dict[str, Any]:
    """The saved states, loaded in the order of the names, the scheduler first."""
    whole: dict[str, Any] = {"optimizer": SavedOptimizer(run)}
    return whole if run.scheduler is None else whole | {"lr_scheduler": run.scheduler}


SPREAD = [
    Setup("torch's AdamW", False, "three groups"),
    Setup("AdamW", False, "three groups"),
    Setup("SGD", False, "one group"),
]


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled:UserWarning")
@pytest.mark.parametrize(("name", "setup"), pairs(SPREAD))
def test_torchs_distributed_checkpoint(name: str, setup: Setup, tmp_path: Path) -> None:
    case, stop = CASES[name], 4
    run = Run(case, setup)
    run.do_build()
    for _ in range(stop):
        run.step()
    dcp.save(parts(run), checkpoint_id=tmp_path, no_dist=True)
    weights = copy.deepcopy(run.model.state_dict())
    follow(run, name, stop)  # the saved run continues as it was

    run = Run(case, setup)
    run.do_build()
    run.model.load_state_dict(weights)
    dcp.load(parts(run), checkpoint_id=tmp_path, no_dist=True)
    assert list(run.model.state_dict().values()) == list(weights.values())
    follow(run, name, stop)


# Torch's own on top -----------------------------------------------------------------------------

ON_TOP: dict[str, tuple[Callable[[Any], Any], Formula]] = {
    "torch's lambda": (  # which writes its own base times its factor
        lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda t: 0.95**t),
        lambda t, base: 0.95**t,
    ),
    "torch's exponential": (
        lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.95),
        lambda t, base: 0.95**t * base,
    ),
}
ABSOLUTE = "Scheduler of an absolute rate"
NO_FORMULA = {
    "cyclic": "it writes a base of its own into the groups, as torch's does",
    "cyclic from 0": "the same",
    "one cycle": "the same",
    "noam": "its rates have no base",
    "swa": "it anneals what others made of the rate: not a product",
}
TOP_SETUPS = [
    Setup("torch's SGD", False, "one group"),
    Setup("torch's AdamW", True, "three groups"),
    Setup("AdamW", False, "three groups"),
]
TOPPED = [
    pytest.param(name, top, setup, id=f"{name}: {top}: {setup}")
    for name, case in CASES.items()
    for top in ON_TOP
    for setup in TOP_SETUPS
    if case.make is not None and setup.optimizer in case.only
]


class Topped(Run):
    """A run with one of torch's schedulers built after ours."""

    top: Any = None
    on_top: Callable[[Any], Any]

    def step(self) -> None:
        super().step()
        self.top.step()

    def do_build(self, saved: Saved | None = None) -> None:
        super().do_build(saved)
        self.top = self.on_top(self.optimizer)


def topped(name: str, top: str, setup: Setup) -> Topped:
    run = Topped(CASES[name], setup)
    run.on_top = ON_TOP[top][0]
    return run


@pytest.mark.parametrize(("name", "top", "setup"), TOPPED)
def test_one_of_torchs_on_top_of_ours(name: str, top: str, setup: Setup) -> None:
    run = topped(name, top, setup)
    run.do_build()
    shown, saved, tops = [], [], []
    for t in range(STEPS):
        shown.append(run.shown())
        saved.append(run.save(t))
        tops.append(copy.deepcopy(run.top.state_dict()))
        run.step()

    if name not in NO_FORMULA:
        for t in range(STEPS):
            rates = RATES[setup.groups]
            under = [CASES[name].rate(t, base) for base in rates]
            due = [ON_TOP[top][1](t, rate) for rate in under]
            if top == "torch's lambda":
                due = [factor * base for factor, base in zip(due, rates, strict=True)]
            relative = 1e-6 if setup.tensors else 1e-12
            assert [group[0] for group in shown[t]] == pytest.approx(due, rel=relative, abs=1e-15)

    # torch's does not write the rate that it loads, nor do ours where another key is theirs.
    silent = "Scheduler of" in name and name not in ("Scheduler of betas", ABSOLUTE)
    for way in STATES[: 2 if silent and top == "torch's lambda" else 3]:
        for stop in STOPS:
            run = topped(name, top, setup)
            run.resume(way, saved[stop])
            run.top.load_state_dict(copy.deepcopy(tops[stop]))
            for t in range(stop, stop + AFTER):
                assert run.shown() == near(shown[t], setup), f"{way}: step {t}, resumed at {stop}"
                run.step()
