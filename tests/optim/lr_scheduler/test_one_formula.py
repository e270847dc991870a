"""A class of torch's name and the schedule of the same curve give the same numbers, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import glideslope as gs
from glideslope.optim import lr_scheduler as lrs

# the class, the schedule, the steps; bases are chosen so that a product rounds
CASES: dict[str, tuple[Callable[[Any], Any], gs.Schedule, int]] = {
    "cosine": (lambda o: lrs.CosineAnnealingLR(o, 97), gs.cosine(97), 97),
    "linear": (
        lambda o: lrs.LinearLR(o, 1 / 3, 1.0, total_iters=97),
        gs.linear(97, start=1 / 3, end=1.0),
        99,
    ),
    "polynomial": (lambda o: lrs.PolynomialLR(o, 97, 2.0), gs.polynomial(97, power=2.0), 99),
    "exponential": (lambda o: lrs.ExponentialLR(o, 0.97), gs.exponential(0.97), 500),
    "step": (lambda o: lrs.StepLR(o, 7, 0.3), gs.step(7, gamma=0.3), 60),
    "multistep": (lambda o: lrs.MultiStepLR(o, [3, 9], 0.3), gs.multistep([3, 9], gamma=0.3), 20),
    "one_cycle": (lambda o: lrs.OneCycleLR(o, 0.7, 100), gs.one_cycle(100) * 0.7, 100),
    "one_cycle, momentum left alone": (
        lambda o: lrs.OneCycleLR(o, 0.7, 100, cycle_momentum=False),
        gs.one_cycle(100) * 0.7,
        100,
    ),
    "noam, from step 1": (
        lambda o: lrs.NoamScheduler(o, 512, 4000),
        gs.noam_clamped(512, 4000),
        100,
    ),
}
ABSOLUTE = ("one_cycle", "noam")


@pytest.mark.parametrize("name", CASES)
def test_the_rates_are_the_values_of_the_schedule(name: str) -> None:
    make, schedule, steps = CASES[name]
    base = 1.0 if name.startswith(ABSOLUTE) else 0.7
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=base, momentum=0.9)
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates == [base * schedule(t) for t in range(steps)]
