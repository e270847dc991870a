"""Settings changed between steps, refused steps, copies: beside torch, or a closed form."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from glideslope.errors import InvalidValue
from glideslope.optim import lr_scheduler as ours

theirs = torch.optim.lr_scheduler


def sgd() -> torch.optim.SGD:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.8, momentum=0.9)


def longer(lib: Any, optimizer: Any) -> Any:
    scheduler = lib.OneCycleLR(optimizer, max_lr=1.0, total_steps=6)
    scheduler.total_steps = 9
    scheduler._schedule_phases[-1]["end_step"] = 8
    return scheduler


def held_longer(lib: Any, optimizer: Any) -> Any:
    scheduler = lib.OneCycleLR(optimizer, max_lr=1.0, total_steps=8, three_phase=True)
    scheduler.total_steps = 10
    scheduler._schedule_phases[-1]["end_step"] = 9
    return scheduler


@pytest.mark.parametrize("make", [longer, held_longer])
def test_a_cycle_is_made_longer_while_running(make: Any) -> None:
    pair = [(lib, sgd()) for lib in (ours, theirs)]
    (mine, own), (other, their) = [(make(lib, opt), opt) for lib, opt in pair]
    for _ in range(mine.total_steps - 1):
        for optimizer, scheduler in ((own, mine), (their, other)):
            optimizer.step()
            scheduler.step()
        for key in ("lr", "momentum"):
            right = their.param_groups[0][key]
            assert own.param_groups[0][key] == pytest.approx(right, rel=1e-12, abs=1e-15)
    mine.step()
    with pytest.raises(InvalidValue, match=f"total steps is {mine.total_steps}"):
        mine.step()


def test_a_refused_fraction_of_a_step_leaves_the_place_in_the_cycle() -> None:
    optimizer = sgd()
    scheduler = ours.CosineAnnealingWarmRestarts(optimizer, 10)
    scheduler.step(2.5)
    optimizer.param_groups[0]["lr"] = 1.7e308  # beyond all floats at the full rate
    place = scheduler.T_cur
    with pytest.raises(InvalidValue):
        scheduler.step(0.25)
    assert (scheduler.last_epoch, scheduler.T_cur) == (2, place)


@pytest.mark.parametrize("make", [ours.ReduceLROnPlateau, ours.GreedyLR])
def test_a_copy_of_a_metered_scheduler_saves_the_rates_of_now(make: Any) -> None:
    optimizer = sgd()
    scheduler = copy.deepcopy(make(optimizer), {id(optimizer): optimizer})
    optimizer.param_groups[0]["lr"] = 0.3
    scheduler.step(1.0)
    assert scheduler.state_dict()["_last_lr"] == [0.3]
    assert scheduler.get_last_lr() == [0.3]
