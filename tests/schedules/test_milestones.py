"""`multistep` and `step` on everything that torch's take."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

import glideslope as gs


def stepped(make: Any, *args: Any, **options: Any) -> list[float]:
    """The rates of the first updates under a scheduler of torch, from a rate of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    scheduler = make(optimizer, *args, **options)
    rates = []
    for _ in range(12):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


MILESTONES = [[], [0], [0, 3], [3, 3], [0, 0, 3, 3, 3], [8, 3], [8, 3, 8], [5]]


@pytest.mark.parametrize("gamma", [0.5, 0.0, 1.5])
@pytest.mark.parametrize("milestones", MILESTONES, ids=str)
def test_multistep_is_torchs(milestones: list[int], gamma: float) -> None:
    expected = stepped(lr_scheduler.MultiStepLR, milestones, gamma=gamma)
    schedule = gs.multistep(milestones, gamma)
    assert schedule.values(12).tolist() == expected
    assert [schedule(t) for t in range(12)] == expected


@pytest.mark.parametrize("gamma", [0.5, 0.0, 1.5])
def test_step_and_exponential_are_torchs(gamma: float) -> None:
    assert gs.step(5, gamma).values(12).tolist() == stepped(lr_scheduler.StepLR, 5, gamma=gamma)
    expected = stepped(lr_scheduler.ExponentialLR, gamma=gamma)
    assert gs.exponential(gamma).values(12).tolist() == expected


def test_milestones_with_a_unit() -> None:
    in_order = gs.multistep(["30ep", "60ep", "60ep"])
    assert gs.multistep(["60ep", "30ep", "60ep"]) == in_order
    assert in_order.bind(steps_per_epoch=2) == gs.multistep([60, 120, 120])
    assert gs.multistep([3, "1ep"]).bind(steps_per_epoch=5) == gs.multistep([3, 5])
    with pytest.raises(gs.errors.InvalidValue, match="`points` must have ascending steps"):
        gs.multistep(["1ep", 3]).bind(steps_per_epoch=5)
