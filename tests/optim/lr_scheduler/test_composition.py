"""Any schedulers, nested to any depth, in any order, give the product of their factors.

The expected factors are written independently, as functions of the step.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glideslope.optim import lr_scheduler as gs

from .driving import rates_of, sgd

pytestmark = pytest.mark.filterwarnings(
    "ignore:Detected call of `lr_scheduler.step:UserWarning",
    "ignore:.*takes the settings of the loaded state:UserWarning",
)
STEPS = 14


def restarts(t: int) -> float:
    """The cosine of 3, 6, 12 … steps."""
    start, length = 0, 3
    while t >= start + length:
        start, length = start + length, 2 * length
    return (1 + math.cos(math.pi * (t - start) / length)) / 2


Build = Callable[[Any], Any]
LEAVES: list[tuple[Build, Callable[[int], float]]] = [
    (lambda o: gs.LambdaLR(o, lambda t: 1 / (1 + t)), lambda t: 1 / (1 + t)),
    (lambda o: gs.MultiplicativeLR(o, lambda t: 1 - 0.5 / t), lambda t: halves(t)),
    (lambda o: gs.StepLR(o, 3, gamma=0.5), lambda t: 0.5 ** (t // 3)),
    (lambda o: gs.MultiStepLR(o, [7, 2, 7], gamma=0.3), lambda t: 0.3 ** ((t >= 2) + 2 * (t >= 7))),
    (lambda o: gs.ConstantLR(o, 0.2, total_iters=4), lambda t: 0.2 if t < 4 else 1.0),
    (lambda o: gs.LinearLR(o, 0.25, 0.75, total_iters=5), lambda t: 0.25 + 0.1 * min(t, 5)),
    (lambda o: gs.ExponentialLR(o, 1.1), lambda t: 1.1**t),
    (lambda o: gs.PolynomialLR(o, 40, power=2.0), lambda t: (1 - t / 40) ** 2),
    (lambda o: gs.CosineAnnealingLR(o, 41), lambda t: (1 + math.cos(math.pi * t / 41)) / 2),
    (lambda o: gs.CosineAnnealingWarmRestarts(o, 3, 2), restarts),
]


def halves(t: int) -> float:
    return math.prod(1 - 0.5 / k for k in range(1, t + 1))


@dataclass(frozen=True)
class Tree:
    """A scheduler to be built: a leaf by its number, or members one after another or at once."""

    leaf: int = 0
    members: tuple[Tree, ...] = ()
    milestones: tuple[int, ...] | None = None

    def build(self, optimizer: Any) -> Any:
        if not self.members:
            return LEAVES[self.leaf][0](optimizer)
        members = [member.build(optimizer) for member in self.members]
        if self.milestones is None:
            return gs.ChainedScheduler(members)
        return gs.SequentialLR(optimizer, members, list(self.milestones))

    def factor(self, t: int) -> float:
        if not self.members:
            return LEAVES[self.leaf][1](t)
        if self.milestones is None:
            return math.prod(member.factor(t) for member in self.members)
        index = sum(milestone <= t for milestone in self.milestones)
        start = self.milestones[index - 1] if index else 0
        return self.members[index].factor(t - start)


@st.composite
def sequences(draw: st.DrawFn, trees: st.SearchStrategy[Tree]) -> Tree:
    members = draw(st.lists(trees, min_size=1, max_size=3))
    count = len(members) - 1
    steps = st.lists(st.integers(0, STEPS), min_size=count, max_size=count)
    return Tree(members=tuple(members), milestones=tuple(sorted(draw(steps))))


def chains(trees: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    return st.lists(trees, min_size=1, max_size=3).map(lambda members: Tree(members=tuple(members)))


leaves = st.integers(0, len(LEAVES) - 1).map(Tree)
trees = st.recursive(leaves, lambda inner: chains(inner) | sequences(inner), max_leaves=6)
several = st.lists(trees, min_size=1, max_size=3)


def product(forest: list[Tree], t: int) -> float:
    return math.prod(tree.factor(t) for tree in forest)


def near(base: float, factor: float) -> Any:
    return pytest.approx(base * factor, rel=1e-12, abs=1e-15)


@given(forest=several, order=st.randoms(use_true_random=False))
def test_the_rates_are_the_product(forest: list[Tree], order: Any) -> None:
    optimizer = sgd(0.1, 3.0)
    schedulers = [tree.build(optimizer) for tree in forest]
    for t in range(STEPS):
        assert rates_of(optimizer) == [near(0.1, product(forest, t)), near(3.0, product(forest, t))]
        for scheduler in order.sample(schedulers, len(schedulers)):
            scheduler.step()


@given(forest=several, at=st.integers(0, STEPS - 1), rate=st.floats(0.01, 10))
def test_a_hand_edit_is_scheduled_from_there(forest: list[Tree], at: int, rate: float) -> None:
    optimizer = sgd(0.1, 3.0)
    schedulers = [tree.build(optimizer) for tree in forest]
    for t in range(STEPS):
        if t == at:
            optimizer.param_groups[1]["lr"] = rate
        base = rate / product(forest, at) if t >= at else 3.0
        assert rates_of(optimizer) == [
            near(0.1, product(forest, t)),
            near(base, product(forest, t)),
        ]
        for scheduler in schedulers:
            scheduler.step()


@given(forest=several, at=st.integers(0, STEPS - 1))
def test_a_late_group_joins_at_the_step_the_others_are_at(forest: list[Tree], at: int) -> None:
    optimizer = sgd(0.1)
    schedulers = [tree.build(optimizer) for tree in forest]
    for t in range(STEPS):
        if t == at:
            late = {"params": [torch.nn.Parameter(torch.ones(1))], "lr": 1.0, "initial_lr": 0.5}
            optimizer.add_param_group(late)
        for scheduler in schedulers:
            scheduler.step()
        bases = [0.1, 0.5] if t >= at else [0.1]
        assert rates_of(optimizer) == [near(base, product(forest, t + 1)) for base in bases]


@given(forest=several, stop=st.integers(0, STEPS - 1), order=st.randoms(use_true_random=False))
def test_states_resume_in_any_order_with_or_without_the_optimizers(
    forest: list[Tree], stop: int, order: Any
) -> None:
    optimizer = sgd(0.1, 3.0)
    schedulers = [tree.build(optimizer) for tree in forest]
    for _ in range(stop):
        for scheduler in schedulers:
            scheduler.step()
    optimizer.param_groups[0]["lr"] *= 2  # a hand edit is in the states too
    saved = [scheduler.state_dict() for scheduler in schedulers]
    held = copy.deepcopy(optimizer.state_dict())

    optimizer = sgd(0.7, 0.7)
    loads: list[Callable[[], Any]] = []
    early = order.random() < 0.3
    if early:
        optimizer.load_state_dict(held)
    schedulers = [tree.build(optimizer) for tree in forest]
    for scheduler, state in zip(schedulers, saved, strict=True):
        loads.append(lambda scheduler=scheduler, state=state: scheduler.load_state_dict(state))
    if not early and order.random() < 0.5:
        loads.append(lambda: optimizer.load_state_dict(held))
    for load in order.sample(loads, len(loads)):
        load()
    for t in range(stop, STEPS):
        assert rates_of(optimizer) == [near(0.2, product(forest, t)), near(3.0, product(forest, t))]
        for scheduler in schedulers:
            scheduler.step()


@given(first=trees, second=trees, at=st.integers(0, STEPS - 1))
def test_one_that_is_gone_leaves_its_factor_to_the_other(
    first: Tree, second: Tree, at: int
) -> None:
    optimizer = sgd(0.1)
    schedulers = [second.build(optimizer), first.build(optimizer)]  # the later one goes
    for t in range(STEPS):
        if t == at:
            del schedulers[1:]
        assert rates_of(optimizer) == [near(0.1, second.factor(t) * first.factor(min(t, at)))]
        for scheduler in schedulers:
            scheduler.step()
