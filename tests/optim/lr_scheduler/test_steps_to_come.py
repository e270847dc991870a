"""The values of the steps to come, and their picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import pytest
import torch

import glideslope as gs
from glideslope.errors import InvalidType, InvalidValue
from glideslope.optim import lr_scheduler as ours

mpl.use("Agg")


def sgd(count: int = 2, **options: Any) -> torch.optim.SGD:
    groups = [
        {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.8 / 2**i} for i in range(count)
    ]
    return torch.optim.SGD(groups, momentum=0.9, **options)


def warm_then_step(optimizer: Any) -> Any:
    members = [ours.LinearLR(optimizer, 0.25, total_iters=2), ours.StepLR(optimizer, 3, gamma=0.5)]
    return ours.SequentialLR(optimizer, members, milestones=[2])


def halved_and_decayed(optimizer: Any) -> Any:
    members = [
        ours.ConstantLR(optimizer, 0.5, total_iters=3),
        ours.ExponentialLR(optimizer, 0.9),
    ]
    return ours.ChainedScheduler(members)


class Recursion(ours.LRScheduler):
    """torch's older style: the next rate from the one in the group."""

    def get_lr(self) -> list[float]:
        shrink = 0.5 if self.last_epoch else 1.0
        return [group["lr"] * shrink for group in self.optimizer.param_groups]


KINDS: dict[str, Callable[[Any], Any]] = {
    "lambda": lambda o: ours.LambdaLR(o, lambda t: 1 / (1 + t)),
    "product": lambda o: ours.MultiplicativeLR(o, lambda t: 0.9),
    "step": lambda o: ours.StepLR(o, 2),
    "cosine": lambda o: ours.CosineAnnealingLR(o, 6, eta_min=0.01),
    "restarts": lambda o: ours.CosineAnnealingWarmRestarts(o, 3, T_mult=2),
    "cyclic": lambda o: ours.CyclicLR(o, 0.1, 1.0, step_size_up=2),
    "one cycle": lambda o: ours.OneCycleLR(o, 1.0, total_steps=20),
    "swa": lambda o: ours.SWALR(o, swa_lr=0.05, anneal_epochs=4),
    "sequential": warm_then_step,
    "chained": halved_and_decayed,
    "recursion": Recursion,
    "torch's in ours": lambda o: ours.ChainedScheduler([torch.optim.lr_scheduler.StepLR(o, 2)]),
    "from zero": lambda o: ours.Scheduler(o, lr=gs.warmup(4) >> gs.cosine(9)),
    "two keys": lambda o: ours.Scheduler(o, lr="linear(12)", momentum="linear(20, end=0.5)"),
    "per group": lambda o: ours.Scheduler(o, lr=["cosine(9)", ours.Absolute("linear(9)")]),
}


@pytest.mark.parametrize("before", [0, 1, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_they_are_the_values_that_the_steps_then_write(kind: str, before: int) -> None:
    optimizer = sgd()
    scheduler = KINDS[kind](optimizer)
    beside = ours.ExponentialLR(optimizer, 0.5)
    for _ in range(before):
        optimizer.step()
        scheduler.step()
    optimizer.step()
    beside.step()
    optimizer.param_groups[1]["lr"] *= 0.75
    held = [dict(group) for group in optimizer.param_groups]
    state = scheduler.state_dict()
    told = scheduler.upcoming(5)
    assert [dict(group) for group in optimizer.param_groups] == held
    assert scheduler.state_dict() == state
    for step in range(5):
        optimizer.step()
        scheduler.step()
        for key, rows in told.items():
            written = [group[key] for group in optimizer.param_groups]
            assert written == pytest.approx([row[step] for row in rows], rel=1e-12, abs=1e-15)


def test_a_plain_attribute_is_left_as_it_is() -> None:
    class Plain:
        lr = 0.8

    optimizer = Plain()
    assert ours.StepLR(optimizer, 1, gamma=0.5).upcoming(2) == {"lr": [[0.4, 0.2]]}
    assert optimizer.lr == 0.8


def test_a_tensor_is_left_as_it_is() -> None:
    rate = torch.tensor(0.5)
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    told = ours.StepLR(optimizer, 1, gamma=0.5).upcoming(2)
    assert told == {"lr": [[0.25, 0.125]]}
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == 0.5


def test_a_metric_is_taken_for_every_step() -> None:
    scheduler = ours.ReduceLROnPlateau(sgd(1), factor=0.5, patience=1)
    scheduler.step(1.0)
    assert scheduler.upcoming(4, 1.0) == {"lr": [[0.8, 0.4, 0.4, 0.2]]}
    assert scheduler.num_bad_epochs == 0


def test_no_step_is_refused() -> None:
    with pytest.raises(InvalidValue, match="`steps` must be at least 1, got 0"):
        ours.StepLR(sgd(), 2).upcoming(0)


PLANNED = [kind for kind in KINDS if kind not in ("recursion", "swa", "torch's in ours")]


@pytest.mark.parametrize("kind", PLANNED)
def test_planned_values_are_those_of_stepping(kind: str) -> None:
    optimizer = sgd()
    scheduler = KINDS[kind](optimizer)
    for step in range(8):
        for key, values in scheduler.planned(step).items():
            written = [group[key] for group in optimizer.param_groups]
            assert written == pytest.approx(values, rel=1e-12, abs=1e-15)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("kind", ["sequential", "chained"])
def test_the_schedule_of_a_composite_is_that_of_its_members(kind: str) -> None:
    scheduler = KINDS[kind](sgd())
    text = str(scheduler.schedule)
    for step in range(12):
        assert 0.8 * gs.parse(text)(step) == pytest.approx(scheduler.planned(step)["lr"][0])


def test_an_absolute_member_makes_the_schedule_absolute() -> None:
    optimizer = sgd(1)
    members = [ours.LinearLR(optimizer, 0.25, total_iters=3), ours.OneCycleLR(optimizer, 2.0, 9)]
    scheduler = ours.SequentialLR(optimizer, members, milestones=[3])
    for step in range(12):
        planned = scheduler.planned(step)["lr"][0]
        assert scheduler.schedule(step) == pytest.approx(planned), step


NONE = {
    "plateau": ours.ReduceLROnPlateau,
    "greedy": ours.GreedyLR,
    "recursion": Recursion,
    "torch's in ours": KINDS["torch's in ours"],
}


@pytest.mark.parametrize("kind", NONE)
def test_a_scheduler_that_follows_none_says_so(kind: str) -> None:
    scheduler = NONE[kind](sgd())
    assert not hasattr(scheduler, "schedule")
    with pytest.raises(InvalidType, match=r"upcoming"):
        scheduler.planned(3)
    with pytest.raises(InvalidType, match=r"upcoming"):
        scheduler.plot()


@pytest.mark.parametrize("kind", PLANNED)
def test_the_picture_shows_the_planned_values_and_the_present_step(kind: str) -> None:
    optimizer = sgd()
    scheduler = KINDS[kind](optimizer)
    optimizer.step()
    scheduler.step()
    axes = scheduler.plot(steps=8)
    *curves, now = axes.get_lines()
    at, drawn = curves[0].get_data()
    assert list(now.get_xdata()) == [1, 1]
    assert drawn.tolist() == [scheduler.planned(int(t))["lr"][0] for t in at]
    mpl.pyplot.close("all")


def test_the_picture_of_another_key() -> None:
    scheduler = KINDS["two keys"](sgd())
    axes = scheduler.plot("momentum")
    assert axes.get_ylabel() == "momentum"
    assert axes.get_lines()[0].get_xdata()[-1] == 20
    with pytest.raises(InvalidValue, match="`key` must be one of lr, momentum, got 'eps'"):
        scheduler.plot("eps")
    mpl.pyplot.close("all")
