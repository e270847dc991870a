"""All kinds of sources on one group: it gets its base times the factor of each.

That goes for `Scheduler`, the classes with torch's names, plateaus, torch's own schedulers, hand
edits, and schedules that are an optimizer's own; beside one another and inside one another.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict

import glideslope as gs
from glideslope.optim import SGD, AdamW, available, create
from glideslope.optim import lr_scheduler as lrs

from .driving import rates_of

pytestmark = pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")
Factor = Callable[[int], float]
Make = Callable[[Any], Any]
STEPS = 12


def weight() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.ones(1, dtype=torch.float64))


def sgd(*rates: float) -> torch.optim.SGD:
    return torch.optim.SGD([{"params": [weight()], "lr": rate} for rate in rates], lr=1.0)


def cosine(share: float) -> float:
    return (1 + math.cos(math.pi * share)) / 2


def near(value: Any, relative: float = 1e-12) -> Any:
    return pytest.approx(value, rel=relative, abs=1e-15)


# One inside the other ---------------------------------------------------------------------------


class Node(NamedTuple):
    """A scheduler to be built, and its factor at step t, written independently."""

    make: Make
    factor: Factor


def chain(*nodes: Node) -> Node:
    return Node(
        lambda o: lrs.ChainedScheduler([node.make(o) for node in nodes]),
        lambda t: math.prod(node.factor(t) for node in nodes),
    )


def sequence(milestones: list[int], *nodes: Node) -> Node:
    def factor(t: int) -> float:
        index = sum(milestone <= t for milestone in milestones)
        return nodes[index].factor(t - (milestones[index - 1] if index else 0))

    return Node(lambda o: lrs.SequentialLR(o, [node.make(o) for node in nodes], milestones), factor)


WARMUP = Node(lambda o: lrs.Scheduler(o, lr="warmup(4)"), lambda t: min(t / 4, 1))
HALF_WARM = Node(
    lambda o: lrs.Scheduler(o, lr="warmup(4, start=0.5)"), lambda t: 0.5 + min(t, 4) / 8
)
FALL = Node(lambda o: lrs.Scheduler(o, lr=gs.linear(20)), lambda t: 1 - t / 20)
STEP = Node(lambda o: lrs.StepLR(o, 3, 0.5), lambda t: 0.5 ** (t // 3))
QUARTER = Node(lambda o: lrs.ConstantLR(o, 0.25, 99), lambda t: 0.25)
RISE = Node(lambda o: lrs.LambdaLR(o, lambda t: min(t, 3) / 3), lambda t: min(t, 3) / 3)
DECAY = Node(lambda o: lrs.ExponentialLR(o, 0.9), lambda t: 0.9**t)
LEAVES = [WARMUP, HALF_WARM, FALL, STEP, QUARTER, RISE, DECAY]

NESTED: dict[str, Node] = {
    "a sequence that begins with it": sequence([4], HALF_WARM, QUARTER),
    "a sequence that begins with it at 0": sequence([4], WARMUP, FALL),
    "a sequence that ends with it": sequence([3], QUARTER, WARMUP),
    "a sequence of three": sequence([3, 7], WARMUP, FALL, HALF_WARM),
    "a chain": chain(FALL, STEP),
    "a chain, the other way round": chain(STEP, FALL),
    "a chain of two that begin at 0": chain(WARMUP, RISE),
    "a chain in a sequence": sequence([2], QUARTER, chain(WARMUP, DECAY)),
    "a sequence in a chain": chain(sequence([4], WARMUP, FALL), STEP),
    "three deep, a chain inside": sequence([2], DECAY, sequence([3], QUARTER, chain(FALL, STEP))),
    "three deep, a sequence inside": chain(STEP, chain(DECAY, sequence([4], WARMUP, FALL))),
    "three deep, both": sequence([2], chain(HALF_WARM, sequence([1], FALL, STEP)), WARMUP),
}


@pytest.mark.parametrize("node", NESTED.values(), ids=NESTED)
def test_scheduler_inside_composites(node: Node) -> None:
    optimizer = sgd(0.8, 0.05)
    scheduler = node.make(optimizer)
    for t in range(STEPS):
        assert rates_of(optimizer) == near([0.8 * node.factor(t), 0.05 * node.factor(t)])
        assert scheduler.get_last_lr() == rates_of(optimizer)
        optimizer.step()
        scheduler.step()


def chains(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.lists(nodes, min_size=1, max_size=3).map(lambda members: chain(*members))


@st.composite
def sequences(draw: st.DrawFn, nodes: st.SearchStrategy[Node]) -> Node:
    members = draw(st.lists(nodes, min_size=1, max_size=3))
    count = len(members) - 1
    milestones = draw(st.lists(st.integers(0, STEPS), min_size=count, max_size=count))
    return sequence(sorted(milestones), *members)


trees = st.recursive(
    st.sampled_from(LEAVES), lambda inner: chains(inner) | sequences(inner), max_leaves=6
)


@given(first=trees, second=trees, stop=st.integers(0, STEPS - 1))
def test_any_tree_beside_any_other_and_resumed(first: Node, second: Node, stop: int) -> None:
    optimizer = sgd(0.8, 0.05)
    schedulers = [first.make(optimizer), second.make(optimizer)]
    for t in range(STEPS):
        if t == stop:
            saved = [scheduler.state_dict() for scheduler in schedulers]
            optimizer = sgd(0.8, 0.05)
            schedulers = [first.make(optimizer), second.make(optimizer)]
            for scheduler, state in zip(schedulers, saved, strict=True):
                scheduler.load_state_dict(state)
        factor = first.factor(t) * second.factor(t)
        assert rates_of(optimizer) == near([0.8 * factor, 0.05 * factor])
        for scheduler in schedulers:
            scheduler.step()


# What begins at 0 -------------------------------------------------------------------------------


def triangle(t: int) -> float:
    return 1 - abs(t % 4 - 2) / 2


def one_cycle(t: int) -> float:
    if t <= 5:
        return 0.1 + (0.1 / 25 - 0.1) * cosine(t / 5)
    return 0.1 / 25e4 + (0.1 - 0.1 / 25e4) * cosine((t - 5) / 14)


BASE = 0.1
FROM_0: dict[str, Node] = {  # the factor of a base of 0.1, for those too that have rates
    "cyclic": Node(
        lambda o: lrs.CyclicLR(o, 0.0, BASE, 2, cycle_momentum=False), lambda t: triangle(t)
    ),
    "lambda": RISE,
    "warm-up": WARMUP,
    "constant 0": Node(lambda o: lrs.ConstantLR(o, 0.0, 3), lambda t: 0.0 if t < 3 else 1.0),
    "a lambda that is 0 now and then": Node(
        lambda o: lrs.LambdaLR(o, lambda t: float(t % 3 > 0)), lambda t: float(t % 3 > 0)
    ),
    "cosine that comes down to 0 and up again": Node(
        lambda o: lrs.CosineAnnealingLR(o, 3), lambda t: cosine(t / 3)
    ),
    "one cycle": Node(
        lambda o: lrs.OneCycleLR(o, BASE, 20, cycle_momentum=False), lambda t: one_cycle(t) / BASE
    ),
}
PARTNERS = {"step": STEP, "exponential": DECAY, "constant": QUARTER, "Scheduler": FALL}
ARRANGED: dict[str, Callable[[Node, Node], list[Node]]] = {
    "side by side": lambda first, second: [first, second],
    "a chain": lambda first, second: [chain(first, second)],
    "a chain in a chain": lambda first, second: [chain(first, chain(second))],
    "a chain in a sequence": lambda first, second: [sequence([2], QUARTER, chain(first, second))],
}


@pytest.mark.parametrize("arrange", ARRANGED.values(), ids=ARRANGED)
@pytest.mark.parametrize("second", PARTNERS.values(), ids=PARTNERS)
@pytest.mark.parametrize("first", FROM_0.values(), ids=FROM_0)
@pytest.mark.parametrize("turned", [False, True])
def test_what_is_0_leaves_the_others_their_factor(
    first: Node, second: Node, turned: bool, arrange: Callable[[Node, Node], list[Node]]
) -> None:
    nodes = arrange(*((second, first) if turned else (first, second)))
    optimizer = sgd(BASE)
    schedulers = [node.make(optimizer) for node in nodes]
    for t in range(STEPS):
        assert rates_of(optimizer) == near([BASE * math.prod(node.factor(t) for node in nodes)])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()


# Plateaus ---------------------------------------------------------------------------------------

LOSSES = [5, 4, 3, 3, 2, 1, 0.5, 0.4, 0.4, 0.4, 0.4, 0.3]
Controller = Callable[[Any, float], Any]
CONTROLLERS: dict[str, Controller] = {  # of the optimizer and the base
    "plateau": lambda o, base: lrs.ReduceLROnPlateau(o, factor=0.1, patience=0),
    "plateau with a floor": lambda o, base: lrs.ReduceLROnPlateau(
        o, factor=0.5, patience=0, min_lr=0.3 * base
    ),
    "plateau with a cooldown": lambda o, base: lrs.ReduceLROnPlateau(
        o, factor=0.5, patience=0, cooldown=2
    ),
    "greedy": lambda o, base: lrs.GreedyLR(o, factor=0.5, patience=1, min_lr=1e-5, max_lr=10.0),
}
FADING: dict[str, tuple[str, Factor, float]] = {  # the text, the formula, the base
    "0 now and then": ("triangular(2).repeat()", triangle, 1.0),
    "0 at first": ("warmup(4)", lambda t: min(t / 4, 1), 1.0),
    "tiny": (
        "piecewise([(0, 1), (3, 1e-6), (5, 1)], 'linear')",
        lambda t: 1 + (1e-6 - 1) * (min(t, 3) / 3 if t < 4 else max(5 - t, 0) / 2),
        1e-3,
    ),
}


def metered(scheduler: Any, loss: float) -> None:
    scheduler.step(
        *([loss] if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau) else [])
    )


def alone(controller: Controller, base: float) -> list[float]:
    optimizer = sgd(base)
    plateau = controller(optimizer, base)
    rates = []
    for loss in LOSSES:
        rates += rates_of(optimizer)
        plateau.step(loss)
    return rates


@pytest.mark.parametrize("kind", ["Scheduler", "LambdaLR"])
@pytest.mark.parametrize("fading", FADING.values(), ids=FADING)
@pytest.mark.parametrize("controller", CONTROLLERS.values(), ids=CONTROLLERS)
@pytest.mark.parametrize("order", ["stepped before", "stepped after", "built first", "a chain"])
def test_a_reduction_counts_also_while_another_factor_is_0_or_tiny(
    controller: Controller, fading: tuple[str, Factor, float], kind: str, order: str
) -> None:
    text, factor, base = fading

    def schedule(optimizer: Any) -> Any:
        if kind == "Scheduler":
            return lrs.Scheduler(optimizer, lr=text)
        return lrs.LambdaLR(optimizer, factor)

    optimizer = sgd(base)
    makers: list[Make] = [schedule, lambda o: controller(o, base)]
    if order == "built first":
        makers.reverse()
    schedulers = [make(optimizer) for make in makers]
    if order == "stepped before":
        schedulers.reverse()
    if order == "a chain":
        together = lrs.ChainedScheduler(schedulers)
    # The floor of a plateau is that of the rate without other factors.
    for t, rate in enumerate(alone(controller, base)):
        assert rates_of(optimizer) == near([rate * factor(t)], 1e-11), f"step {t}"
        optimizer.step()
        if order == "a chain":
            together.step(LOSSES[t])
        else:
            for scheduler in schedulers:
                metered(scheduler, LOSSES[t])


# One tensor for several groups ------------------------------------------------------------------

SHARED: dict[str, tuple[Make, Callable[[int], list[float]]]] = {
    "Scheduler": (
        lambda o: lrs.Scheduler(o, lr=["linear(20)", "constant(1)"]),
        lambda t: [1 - t / 20, 1.0],
    ),
    "Scheduler of one group": (
        lambda o: lrs.Scheduler(o, lr=[None, "linear(20)"]),
        lambda t: [1.0, 1 - t / 20],
    ),
    "lambda": (
        lambda o: lrs.LambdaLR(o, [lambda t: 0.9**t, lambda t: 1.0]),
        lambda t: [0.9**t, 1.0],
    ),
    "multiplicative": (
        lambda o: lrs.MultiplicativeLR(o, [lambda t: 0.9, lambda t: 1.0]),
        lambda t: [0.9**t, 1.0],
    ),
    "cyclic": (
        lambda o: lrs.CyclicLR(o, [0.1, 0.2], [0.5, 1.0], 2, cycle_momentum=False),
        lambda t: [0.1 + 0.4 * triangle(t), 0.2 + 0.8 * triangle(t)],
    ),
    "swa": (
        lambda o: lrs.SWALR(o, [0.5, 1.0], 4, "linear"),
        lambda t: [1 - 0.5 * min(t / 4, 1), 1.0],
    ),
    "the same for all": (lambda o: lrs.StepLR(o, 2, 0.5), lambda t: [0.5 ** (t // 2)] * 2),
    "all but the last in a chain": (
        lambda o: lrs.ChainedScheduler(
            [lrs.Scheduler(o, lr=["linear(20)", None]), lrs.ExponentialLR(o, 0.9)]
        ),
        lambda t: [(1 - t / 20) * 0.9**t, 0.9**t],
    ),
}


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.SGD, AdamW, SGD])
@pytest.mark.parametrize(("make", "expected"), SHARED.values(), ids=SHARED)
def test_one_tensor_for_several_groups(
    make: Make, expected: Callable[[int], list[float]], kind: Any
) -> None:
    parameters = [weight(), weight()]
    optimizer = kind([{"params": [p]} for p in parameters], lr=torch.tensor(1.0))
    scheduler = make(optimizer)
    for t in range(STEPS):
        assert rates_of(optimizer) == near(expected(t), 1e-6), f"step {t}"
        assert scheduler.get_last_lr() == near(expected(t), 1e-6), f"step {t}"
        assert all(isinstance(group["lr"], torch.Tensor) for group in optimizer.param_groups)
        for parameter in parameters:
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
        scheduler.step()


def test_a_plateau_with_a_floor_for_each_group_on_one_tensor() -> None:
    optimizer = torch.optim.Adam([{"params": [weight()]} for _ in range(2)], lr=torch.tensor(1.0))
    plateau = lrs.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, min_lr=[0.5, 0.1])
    for _ in range(4):
        plateau.step(1.0)
    assert rates_of(optimizer) == near([0.5, 0.125], 1e-6)


# Schedules that are an optimizer's own ----------------------------------------------------------

OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "SGD": lambda groups, **more: SGD(groups, **more),
    "AdamW": lambda groups, **more: AdamW(groups, weight_decay=0.0, **more),
}
"""Under gradients of 1 both move a parameter by the learning rate."""
OWN: dict[str, tuple[gs.Schedule, Factor]] = {
    "constant": (gs.hold(100), lambda t: 1.0),
    "decaying": (gs.linear(20), lambda t: 1 - t / 20),
    "from 0": (gs.warmup(4), lambda t: min(t / 4, 1)),
}


def used(optimizer: Any, parameter: torch.nn.Parameter, step: Any = None) -> float:
    """The rate of an update, measured by what it moves."""
    parameter.grad = torch.ones_like(parameter)
    before = parameter.item()
    (step or optimizer.step)()
    return before - parameter.item()


def moves(rate: float) -> Any:
    return pytest.approx(rate, rel=1e-6, abs=1e-12)


class Writer(NamedTuple):
    """Another writer of the rate, and its factor; ``rates`` if it sets rates of its own."""

    make: Make
    factor: Factor
    rates: bool = False


def cut(t: int) -> float:
    return 0.5 ** max(t - 1, 0)


torchs = torch.optim.lr_scheduler
WRITERS: dict[str, Writer] = {
    "Scheduler of a number": Writer(lambda o: lrs.Scheduler(o, lr=0.5), lambda t: 0.5),
    "Scheduler": Writer(lambda o: lrs.Scheduler(o, lr="linear(16)"), lambda t: 1 - t / 16),
    "Scheduler from 0": Writer(*WARMUP),
    "lambda": Writer(lambda o: lrs.LambdaLR(o, lambda t: 0.9**t), lambda t: 0.9**t),
    "multiplicative": Writer(lambda o: lrs.MultiplicativeLR(o, lambda t: 0.9), lambda t: 0.9**t),
    "step": Writer(*STEP),
    "multistep": Writer(
        lambda o: lrs.MultiStepLR(o, [2, 5], 0.5), lambda t: 0.5 ** ((t >= 2) + (t >= 5))
    ),
    "constant": Writer(lambda o: lrs.ConstantLR(o, 0.5, 3), lambda t: 0.5 if t < 3 else 1.0),
    "linear": Writer(lambda o: lrs.LinearLR(o, 0.25, 0.75, 5), lambda t: 0.25 + 0.1 * min(t, 5)),
    "exponential": Writer(*DECAY),
    "polynomial": Writer(lambda o: lrs.PolynomialLR(o, 40, 2.0), lambda t: (1 - t / 40) ** 2),
    "cosine": Writer(lambda o: lrs.CosineAnnealingLR(o, 20), lambda t: cosine(t / 20)),
    "restarts": Writer(
        lambda o: lrs.CosineAnnealingWarmRestarts(o, 4), lambda t: cosine(t % 4 / 4)
    ),
    "sequence": Writer(*sequence([3], WARMUP, STEP)),
    "chain": Writer(*chain(FALL, STEP)),
    "plateau": Writer(lambda o: lrs.ReduceLROnPlateau(o, factor=0.5, patience=0), cut),
    "cyclic": Writer(
        lambda o: lrs.CyclicLR(o, 0.1, 0.5, 2, cycle_momentum=False),
        lambda t: 0.1 + 0.4 * triangle(t),
        rates=True,
    ),
    "one cycle": Writer(
        lambda o: lrs.OneCycleLR(o, 0.1, 20, cycle_momentum=False), one_cycle, rates=True
    ),
    "noam": Writer(
        lambda o: lrs.NoamScheduler(o, 4, 4),
        lambda t: 0.5 * min(max(t, 1) ** -0.5, max(t, 1) / 8),
        rates=True,
    ),
    "swa": Writer(
        lambda o: lrs.SWALR(o, 0.5, 4, "linear"), lambda t: 1 - min(t / 4, 1) / 2, rates=True
    ),
    "torch's exponential": Writer(lambda o: torchs.ExponentialLR(o, 0.9), lambda t: 0.9**t),
    "torch's step": Writer(lambda o: torchs.StepLR(o, 3, 0.5), STEP.factor),
    "torch's multiplicative": Writer(
        lambda o: torchs.MultiplicativeLR(o, lambda t: 0.9), lambda t: 0.9**t
    ),
    "torch's plateau": Writer(lambda o: torchs.ReduceLROnPlateau(o, factor=0.5, patience=0), cut),
    "torch's lambda": Writer(
        lambda o: torchs.LambdaLR(o, lambda t: 0.9**t), lambda t: 0.9**t, rates=True
    ),
    "torch's one cycle": Writer(
        lambda o: torchs.OneCycleLR(o, 0.1, 20, cycle_momentum=False), one_cycle, rates=True
    ),
    "torch's swa": Writer(
        lambda o: torch.optim.swa_utils.SWALR(o, 0.5, 4, "linear"),
        lambda t: 1 - min(t / 4, 1) / 2,
        rates=True,
    ),
}


@pytest.mark.parametrize("kind", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("own", OWN)
@pytest.mark.parametrize("name", WRITERS)
def test_an_optimizers_own_schedule_under_every_other_writer(
    name: str, own: str, kind: Callable[..., Any]
) -> None:
    writer, (schedule, factor) = WRITERS[name], OWN[own]
    parameter = weight()
    optimizer = kind([parameter], lr=schedule)
    scheduler = writer.make(optimizer)
    is_product = own == "constant" or not writer.rates
    for t in range(STEPS):
        shown = rates_of(optimizer)[0]
        if is_product:
            assert shown == near(factor(t) * writer.factor(t)), f"step {t}"
        assert used(optimizer, parameter) == moves(shown), f"step {t}"
        if "plateau" in name:
            scheduler.step(1.0)
        else:
            scheduler.step()
        assert scheduler.get_last_lr() == rates_of(optimizer)


EDITS: dict[str, tuple[Callable[[float], float], float]] = {  # at 1 - 4/20, and the new base
    "halved": (lambda rate: rate / 2, 0.5),
    "set": (lambda rate: 0.2, 0.25),
    "raised": (lambda rate: 8.0, 10.0),
    "by a millionth": (lambda rate: rate * (1 + 1e-6), 1 + 1e-6),
    "to 0": (lambda rate: 0.0, 0.0),
}


@pytest.mark.parametrize("kind", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize(("edit", "base"), EDITS.values(), ids=EDITS)
def test_a_hand_edit_of_a_rate_that_a_schedule_drives(
    edit: Callable[[float], float], base: float, kind: Callable[..., Any]
) -> None:
    parameter = weight()
    optimizer = kind([parameter], lr=gs.linear(20))
    for t in range(STEPS):
        if t == 4:
            group = optimizer.param_groups[0]
            group["lr"] = edit(group["lr"])
        shown = rates_of(optimizer)[0]
        assert shown == near((base if t >= 4 else 1.0) * (1 - t / 20)), f"step {t}"
        assert used(optimizer, parameter) == moves(shown)


@pytest.mark.parametrize("kind", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_range_test_runs_at_its_own_rates_and_puts_the_schedule_back(
    kind: Callable[..., Any],
) -> None:
    model = torch.nn.Linear(1, 1, bias=False, dtype=torch.float64)
    optimizer = kind(model.parameters(), lr=gs.linear(20))
    for _ in range(3):
        used(optimizer, model.weight)
    measured: list[float] = []

    def train_step(model: torch.nn.Module, batch: Any) -> float:
        measured.append(used(optimizer, model.weight))  # type: ignore[arg-type]
        return 1.0

    before = model.weight.item()
    rates, _ = gs.training.lr_range_test(
        model, optimizer, 1e-3, 1.0, 10, train_step=train_step, batches=[0]
    )
    # AdamW continues with the averages it had, of gradients that were 1 too.
    assert measured == [moves(rate) for rate in rates]
    assert [rates[0], rates[-1]] == near([1e-3, 1.0])
    assert model.weight.item() == before
    for t in range(3, 8):
        assert rates_of(optimizer) == near([1 - t / 20])
        assert used(optimizer, model.weight) == moves(1 - t / 20)


KEYS: dict[str, tuple[Callable[..., Any], dict[str, Any], Callable[[Any], float], Make, Factor]] = {
    "weight decay": (
        AdamW,
        {"lr": 0.1, "weight_decay": gs.linear(20)},
        lambda group: float(group["weight_decay"]),
        lambda o: lrs.Scheduler(o, weight_decay="linear(16)"),
        lambda t: (1 - t / 20) * (1 - t / 16),
    ),
    "momentum": (
        SGD,
        {"lr": 0.1, "momentum": gs.linear(20, start=0.5, end=0.9)},
        lambda group: float(group["momentum"]),
        lambda o: lrs.Scheduler(o, momentum="linear(16)"),
        lambda t: (0.5 + 0.02 * t) * (1 - t / 16),
    ),
    "betas": (
        AdamW,
        {"lr": 0.1, "betas": (gs.linear(20, start=0.5, end=0.9), 0.999)},
        lambda group: float(group["betas"][0]),
        lambda o: lrs.Scheduler(o, **{"betas[0]": "linear(16)"}),
        lambda t: (0.5 + 0.02 * t) * (1 - t / 16),
    ),
}


@pytest.mark.parametrize(("kind", "options", "read", "make", "expected"), KEYS.values(), ids=KEYS)
def test_other_keys_that_both_drive(
    kind: Any, options: dict[str, Any], read: Callable[[Any], float], make: Make, expected: Factor
) -> None:
    parameter = weight()
    optimizer = kind([parameter], **options)
    scheduler = make(optimizer)
    for t in range(STEPS):
        assert read(optimizer.param_groups[0]) == near(expected(t)), f"step {t}"
        parameter.grad = torch.zeros_like(parameter)
        before = parameter.item()
        optimizer.step()
        if "weight_decay" in options:  # the update runs at what is shown
            assert parameter.item() == near(before * (1 - 0.1 * expected(t)))
        scheduler.step()


# Groups added later -----------------------------------------------------------------------------

PEAKED: dict[str, tuple[gs.Schedule, Factor]] = {  # of peaks of 0.01
    "cosine": (0.01 * gs.cosine(24), lambda t: cosine(t / 24)),
    "warm-up and decay": (
        0.01 * (gs.warmup(4) >> gs.linear(20)),
        lambda t: t / 4 if t < 4 else 1 - (t - 4) / 20,
    ),
    "rising": (0.01 * gs.linear(20, start=0.5, end=1.0), lambda t: 0.5 + t / 40),
}


@pytest.mark.parametrize("at", [0, 1, 4, 6])
@pytest.mark.parametrize("kind", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize(("schedule", "shape"), PEAKED.values(), ids=PEAKED)
def test_the_number_of_a_late_group_is_its_rate_at_the_peak(
    schedule: gs.Schedule, shape: Factor, kind: Callable[..., Any], at: int
) -> None:
    first, late, without = weight(), weight(), weight()
    optimizer = kind([first], lr=schedule)
    for t in range(STEPS):
        if t == at:
            optimizer.add_param_group({"params": [late], "lr": 0.005})
            optimizer.add_param_group({"params": [without]})
        expected = [0.01 * shape(t), 0.005 * shape(t), 0.01 * shape(t)]
        parameters = [first, late, without] if t >= at else [first]
        expected = expected[: len(parameters)]
        assert rates_of(optimizer) == near(expected), f"step {t}"
        before = [parameter.item() for parameter in parameters]
        for parameter in parameters:
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
        moved = [old - new.item() for old, new in zip(before, parameters, strict=True)]
        assert moved == [moves(rate) for rate in expected], f"step {t}"


def test_late_groups_of_other_keys() -> None:
    options = {"weight_decay": 0.1 * gs.linear(20), "betas": (0.9 * gs.linear(20), 0.999)}
    optimizer = AdamW([weight()], lr=0.1, **options)  # type: ignore[arg-type]
    late = {"params": [weight()], "weight_decay": 0.05, "betas": (0.6, 0.99)}
    for t in range(STEPS):
        if t == 3:
            optimizer.add_param_group(late)
        if t >= 3:
            group = optimizer.param_groups[1]
            assert group["weight_decay"] == near(0.05 * (1 - t / 20)), f"step {t}"
            assert group["betas"] == near((0.6 * (1 - t / 20), 0.99)), f"step {t}"
        optimizer.step()


# A read by the distributed checkpoint, and compiled steps ---------------------------------------

NAMES = [row.name for row in available() if row.engines != ("torch",)]
"""All but torch's own two: one wants a closure, the other sparse gradients."""


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled:UserWarning")
@pytest.mark.parametrize("lr", [0.01, 0.01 * gs.linear(10)], ids=["a number", "a schedule"])
@pytest.mark.parametrize("name", NAMES)
def test_a_read_by_the_distributed_checkpoint_moves_nothing(name: str, lr: Any) -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(8, 4, bias=False)
    optimizer = create(name, model.parameters(), lr=lr)
    before = model.weight.clone()
    get_optimizer_state_dict(model, optimizer)
    assert torch.equal(model.weight, before)
    for t in range(3):
        expected = lr(t) if isinstance(lr, gs.Schedule) else lr
        assert rates_of(optimizer) == near([expected])
        model.weight.grad = torch.ones_like(model.weight)
        optimizer.step()
        get_optimizer_state_dict(model, optimizer)


COMPILED: dict[str, tuple[Callable[..., Any], dict[str, Any], Make | None, Factor]] = {
    "SGD": (SGD, {"lr": gs.linear(8)}, None, lambda t: 1 - t / 8),
    "SGD from 0": (SGD, {"lr": gs.warmup(4)}, None, lambda t: min(t / 4, 1)),
    "AdamW": (AdamW, {"lr": gs.linear(8), "weight_decay": 0.0}, None, lambda t: 1 - t / 8),
    "SGD and Scheduler": (
        SGD,
        {"lr": gs.linear(8)},
        WARMUP.make,
        lambda t: min(t / 4, 1) * (1 - t / 8),
    ),
    "SGD and step": (SGD, {"lr": gs.linear(8)}, STEP.make, lambda t: STEP.factor(t) * (1 - t / 8)),
    "SGD of a number and Scheduler": (SGD, {"lr": 1.0}, WARMUP.make, WARMUP.factor),
}


@pytest.mark.parametrize(("kind", "options", "make", "factor"), COMPILED.values(), ids=COMPILED)
def test_under_torch_compile(
    kind: Callable[..., Any], options: dict[str, Any], make: Make | None, factor: Factor
) -> None:
    torch._dynamo.reset()
    parameter = weight()
    optimizer = kind([parameter], **options)
    scheduler = make(optimizer) if make else None
    step = torch.compile(lambda: optimizer.step(), backend="eager")
    for t in range(8):
        assert rates_of(optimizer) == near([factor(t)]), f"step {t}"
        assert used(optimizer, parameter, step) == moves(factor(t)), f"step {t}"
        if scheduler is not None:
            scheduler.step()


def test_other_keys_under_torch_compile() -> None:
    torch._dynamo.reset()
    parameter = weight()
    optimizer = SGD([parameter], lr=1.0, momentum=gs.linear(8, start=0.9, end=0.1))
    step = torch.compile(lambda: optimizer.step(), backend="eager")
    velocity = 0.0
    for t in range(6):
        momentum = 0.9 - 0.1 * t
        assert optimizer.param_groups[0]["momentum"] == near(momentum)
        velocity = momentum * velocity + 1.0
        assert used(optimizer, parameter, step) == moves(velocity)
