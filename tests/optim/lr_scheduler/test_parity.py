"""Every class with torch's name against torch's own, step by step, states both ways, resumed."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from glideslope.optim import lr_scheduler as ours

from ...round_trip import through_a_file

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")

torchs = SimpleNamespace(**vars(torch.optim.lr_scheduler) | {"SWALR": torch.optim.swa_utils.SWALR})
Make = Callable[[Any, Any], Any]
STEPS = 25


def halving(t: int) -> float:
    return 0.5 ** (t // 4)


# name: how it is built, relative tolerance. torch's recursions drift by a few ulps a step.
CASES: dict[str, tuple[Make, float]] = {
    "lambda": (lambda lib, o: lib.LambdaLR(o, halving), 1e-15),
    "lambda, zero first": (lambda lib, o: lib.LambdaLR(o, lambda t: min(1.0, t / 5)), 1e-15),
    "multiplicative": (lambda lib, o: lib.MultiplicativeLR(o, lambda t: 1 - 1 / (t + 2)), 1e-13),
    "step": (lambda lib, o: lib.StepLR(o, 3), 1e-13),
    "step, gamma": (lambda lib, o: lib.StepLR(o, step_size=7, gamma=0.5), 1e-13),
    "multistep": (lambda lib, o: lib.MultiStepLR(o, [2, 5, 5, 9], gamma=0.3), 1e-13),
    "constant": (lambda lib, o: lib.ConstantLR(o), 1e-13),
    "constant, long": (lambda lib, o: lib.ConstantLR(o, factor=0.1, total_iters=40), 1e-15),
    "linear": (lambda lib, o: lib.LinearLR(o), 1e-13),
    "linear, down": (lambda lib, o: lib.LinearLR(o, 1.0, 0.1, total_iters=9), 1e-13),
    "exponential": (lambda lib, o: lib.ExponentialLR(o, 0.9), 1e-13),
    "polynomial": (lambda lib, o: lib.PolynomialLR(o), 1e-13),
    "polynomial, square": (lambda lib, o: lib.PolynomialLR(o, 12, power=2.0), 1e-12),
    "cosine": (lambda lib, o: lib.CosineAnnealingLR(o, 30), 1e-12),
    "cosine, floor": (lambda lib, o: lib.CosineAnnealingLR(o, T_max=30, eta_min=1e-3), 1e-12),
    "cosine, past its end": (lambda lib, o: lib.CosineAnnealingLR(o, 10, eta_min=1e-3), 1e-11),
    "restarts": (lambda lib, o: lib.CosineAnnealingWarmRestarts(o, 7), 1e-13),
    "restarts, growing": (
        lambda lib, o: lib.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2, eta_min=1e-4),
        1e-13,
    ),
    "cyclic": (lambda lib, o: lib.CyclicLR(o, 0.01, 0.1, step_size_up=4), 1e-12),
    "cyclic, triangular2": (
        lambda lib, o: lib.CyclicLR(o, 0.01, 0.1, 3, step_size_down=5, mode="triangular2"),
        1e-12,
    ),
    "cyclic, exp_range": (
        lambda lib, o: lib.CyclicLR(o, 0.01, 0.1, 4, mode="exp_range", gamma=0.97),
        1e-12,
    ),
    "one cycle": (lambda lib, o: lib.OneCycleLR(o, 0.5, total_steps=STEPS + 5), 1e-12),
    "one cycle, linear": (
        lambda lib, o: lib.OneCycleLR(
            o, 0.5, epochs=6, steps_per_epoch=5, pct_start=0.2, anneal_strategy="linear"
        ),
        1e-12,
    ),
    "one cycle, three phases": (
        lambda lib, o: lib.OneCycleLR(o, 0.5, total_steps=40, three_phase=True),
        1e-12,
    ),
    "swa": (lambda lib, o: lib.SWALR(o, swa_lr=0.02, anneal_epochs=6), 1e-12),
    "swa, linear": (
        lambda lib, o: lib.SWALR(o, swa_lr=0.02, anneal_epochs=6, anneal_strategy="linear"),
        1e-12,
    ),
    "sequence": (
        lambda lib, o: lib.SequentialLR(
            o, [lib.ConstantLR(o, 0.1, 3), lib.ExponentialLR(o, 0.9)], milestones=[3]
        ),
        1e-13,
    ),
    "sequence, warm-up and cosine": (
        lambda lib, o: lib.SequentialLR(
            o, [lib.LinearLR(o, 0.1, 1.0, 5), lib.CosineAnnealingLR(o, 20)], milestones=[5]
        ),
        1e-11,
    ),
    "chain": (
        lambda lib, o: lib.ChainedScheduler([lib.ConstantLR(o, 0.5, 4), lib.StepLR(o, 6)]),
        1e-13,
    ),
}
RATES = {"one group": (0.1,), "three groups": (0.1, 0.02, 0.5)}


def sgd(*rates: float) -> torch.optim.SGD:
    groups = [{"params": [torch.nn.Parameter(torch.ones(1))], "lr": rate} for rate in rates]
    return torch.optim.SGD(groups, lr=0.1, momentum=0.8)


def groups_of(optimizer: Any) -> list[dict[str, Any]]:
    keys = ("lr", "momentum", "initial_lr", "max_lr", "min_lr", "swa_lr")
    return [{key: group[key] for key in keys if key in group} for group in optimizer.param_groups]


def advance(optimizer: Any, scheduler: Any) -> None:
    optimizer.step()
    scheduler.step()


def near(groups: list[dict[str, Any]], tolerance: float) -> list[Any]:
    return [pytest.approx(group, rel=tolerance, abs=1e-16) for group in groups]


@pytest.mark.parametrize("rates", RATES.values(), ids=RATES)
@pytest.mark.parametrize(("make", "tolerance"), CASES.values(), ids=CASES)
def test_the_values_are_torchs(make: Make, tolerance: float, rates: tuple[float, ...]) -> None:
    mine, theirs = sgd(*rates), sgd(*rates)
    scheduler, reference = make(ours, mine), make(torchs, theirs)
    for _ in range(STEPS):
        assert groups_of(mine) == near(groups_of(theirs), tolerance)
        assert scheduler.get_last_lr() == pytest.approx(reference.get_last_lr(), rel=tolerance)
        advance(mine, scheduler)
        advance(theirs, reference)


@pytest.mark.parametrize(("make", "tolerance"), CASES.values(), ids=CASES)
def test_tensor_rates_are_kept_and_filled(make: Make, tolerance: float) -> None:
    optimizer, reference = sgd(0.1), sgd(0.1)
    held = torch.tensor(0.1, dtype=torch.float64)
    optimizer.param_groups[0]["lr"] = held
    scheduler, theirs = make(ours, optimizer), make(torchs, reference)
    for _ in range(STEPS):
        assert optimizer.param_groups[0]["lr"] is held
        assert held.item() == pytest.approx(reference.param_groups[0]["lr"], rel=tolerance)
        assert all(type(rate) is float for rate in scheduler.get_last_lr())
        advance(optimizer, scheduler)
        advance(reference, theirs)


@pytest.mark.parametrize(("make", "tolerance"), CASES.values(), ids=CASES)
def test_states_have_torchs_form_and_load_both_ways(make: Make, tolerance: float) -> None:
    mine, theirs = sgd(0.1, 0.02), sgd(0.1, 0.02)
    scheduler, reference = make(ours, mine), make(torchs, theirs)
    for _ in range(8):
        advance(mine, scheduler)
        advance(theirs, reference)
    assert scheduler.state_dict().keys() == reference.state_dict().keys()
    here, there = sgd(0.1, 0.02), sgd(0.1, 0.02)
    follower, their_follower = make(ours, here), make(torchs, there)
    here.load_state_dict(theirs.state_dict())
    follower.load_state_dict(reference.state_dict())
    there.load_state_dict(mine.state_dict())
    their_follower.load_state_dict(through_a_file(scheduler.state_dict()))
    for _ in range(8):
        assert groups_of(here) == near(groups_of(theirs), tolerance)
        assert groups_of(there) == near(groups_of(theirs), tolerance)
        for pair in ((theirs, reference), (here, follower), (there, their_follower)):
            advance(*pair)


ORDERS = ["build scheduler", "build optimizer scheduler", "build scheduler optimizer"]
ORDERS += ["optimizer build scheduler"]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("make", "tolerance"), CASES.values(), ids=CASES)
def test_resume_at_every_step_in_every_order(make: Make, tolerance: float, order: str) -> None:
    optimizer = sgd(0.1, 0.02)
    scheduler = make(ours, optimizer)
    whole = []
    saved = []
    for _ in range(STEPS):
        whole.append([group["lr"] for group in optimizer.param_groups])
        saved.append(copy.deepcopy((optimizer.state_dict(), scheduler.state_dict())))
        advance(optimizer, scheduler)
    for stop in range(0, STEPS - 3, 2):
        optimizer, scheduler = resumed(make, order, *saved[stop])
        for rates in whole[stop : stop + 3]:
            now = [group["lr"] for group in optimizer.param_groups]
            assert now == pytest.approx(rates, rel=tolerance, abs=1e-16)
            advance(optimizer, scheduler)


def resumed(make: Make, order: str, optimizer_state: Any, scheduler_state: Any) -> tuple[Any, Any]:
    optimizer, scheduler = sgd(0.1, 0.02), None
    for what in order.split():
        if what == "build":
            scheduler = make(ours, optimizer)
        elif what == "optimizer":
            optimizer.load_state_dict(optimizer_state)
        elif scheduler is not None:
            scheduler.load_state_dict(scheduler_state)
    return optimizer, scheduler


@pytest.mark.parametrize(("make", "tolerance"), CASES.values(), ids=CASES)
def test_a_copied_pair_continues_by_itself_and_takes_late_groups(
    make: Make, tolerance: float
) -> None:
    optimizer = sgd(0.1)
    scheduler = make(ours, optimizer)
    for _ in range(3):
        advance(optimizer, scheduler)
    optimizer2, scheduler2 = copy.deepcopy((optimizer, scheduler))
    optimizer2.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], "lr": 0.3})
    for _ in range(5):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            advance(optimizer, scheduler)
            advance(optimizer2, scheduler2)
        first = optimizer2.param_groups[0]["lr"]
        assert first == pytest.approx(optimizer.param_groups[0]["lr"], rel=tolerance)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_the_plateau_is_torchs_on_positive_metrics(mode: str, threshold_mode: str) -> None:
    options: dict[str, Any] = {"mode": mode, "threshold_mode": threshold_mode, "patience": 2}
    options |= {"factor": 0.5, "cooldown": 1, "min_lr": [1e-3, 1e-2], "threshold": 1e-2}
    mine, theirs = sgd(0.1, 0.02), sgd(0.1, 0.02)
    scheduler = ours.ReduceLROnPlateau(mine, **options)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options)
    assert isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
    for k in range(60):
        metric = 1.0 + 0.3 * ((k * 7) % 5) - 0.01 * k
        scheduler.step(metric)
        reference.step(torch.tensor(metric, dtype=torch.float64))
        assert groups_of(mine) == near(groups_of(theirs), 1e-12)
        assert scheduler.num_bad_epochs == reference.num_bad_epochs
        assert scheduler.best == reference.best


@pytest.mark.parametrize(("make", "_"), CASES.values(), ids=CASES)
def test_every_class_is_torchs_kind_of_scheduler(make: Make, _: float) -> None:
    scheduler = make(ours, sgd(0.1))
    assert isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler)
    assert f"{scheduler.get_last_lr():.6f}" == f"{scheduler.get_last_lr()[0]:.6f}"
    assert scheduler.last_lr == scheduler.get_last_lr()


def test_verbose_is_taken_everywhere_and_prints_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    optimizer = sgd(0.1)
    advance(optimizer, ours.StepLR(optimizer, 1, verbose=True))
    assert capsys.readouterr().out == (
        "Epoch 0: setting learning rate to 0.1.\nEpoch 1: setting learning rate to 0.01.\n"
    )


def test_a_loss_with_its_graph_is_a_metric() -> None:
    scheduler = ours.ReduceLROnPlateau(sgd(0.1))
    scheduler.step(torch.ones(1, requires_grad=True).sum())
    assert scheduler.best == 1.0


def test_a_plateau_loaded_while_the_rate_is_zero_does_not_keep_it_there() -> None:
    optimizer = sgd(0.1)
    warmup = ours.LambdaLR(optimizer, lambda t: t / 4)
    plateau = ours.ReduceLROnPlateau(optimizer)
    plateau.step(1.0)
    plateau.load_state_dict(plateau.state_dict())
    advance(optimizer, warmup)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.025)
