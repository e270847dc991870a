"""Schedules of an optimizer after a second load, beside a scheduler, and after `adopt`."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

import glideslope as gs
from glideslope.optim import SGD
from glideslope.optim.lr_scheduler import MultiStepLR, Scheduler

from .owned import near, update, values_of, weight


@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("policy", ["error", "keep", "adopt"])
def test_a_state_may_be_loaded_again(times: int, policy: str) -> None:
    """A rollback after a resume: the second load ends where the first did."""
    optimizer = update(SGD([weight()], lr=gs.linear(10)), 3)
    state = copy.deepcopy(optimizer.state_dict())
    for _ in range(times):
        update(optimizer, 2)
        optimizer.load_state_dict(copy.deepcopy(state), on_mismatch=policy)
        assert values_of(optimizer) == near([0.7])
    assert values_of(update(optimizer)) == near([0.6])


@pytest.mark.parametrize(("kept", "policy"), [(10, "error"), (20, "keep"), (20, "adopt")])
@pytest.mark.parametrize("order", ["optimizer, scheduler", "scheduler, optimizer"])
def test_a_scheduler_beside_it_loads_before_or_after(order: str, kept: int, policy: str) -> None:
    def run(steps: int) -> tuple[Any, Any]:
        optimizer = SGD([weight()], lr=gs.linear(steps))
        return optimizer, Scheduler(optimizer, lr="linear(40)")

    parts = run(kept)
    for _ in range(3):
        update(parts[0])
        parts[1].step()
    states = [copy.deepcopy(part.state_dict()) for part in parts]
    optimizer, scheduler = run(10)
    for word in order.split(", "):
        if word == "optimizer":
            optimizer.load_state_dict(states[0], on_mismatch=policy)
        else:
            scheduler.load_state_dict(states[1])
    length = 20 if policy == "adopt" else 10
    for t in range(3, 9):
        assert values_of(optimizer) == near([(1 - t / length) * (1 - t / 40)])
        update(optimizer)
        scheduler.step()


def test_own_hyperparameters_continue_at_the_states_update() -> None:
    state = copy.deepcopy(update(SGD([weight()], lr=gs.linear(10)), 5).state_dict())
    optimizer = SGD([weight()], lr=gs.linear(10))
    optimizer.load_state_dict(state, hyperparameters="own")
    assert values_of(optimizer) == near([0.5])
    assert values_of(update(optimizer)) == near([0.4])


@pytest.mark.parametrize("given", [{}, {"lr": 0.2}])
def test_a_late_group_leaves_an_adopted_number(given: dict[str, Any]) -> None:
    saved = SGD([weight()], lr=0.3, weight_decay=0.1 * gs.linear(10))
    optimizer = SGD([weight()], lr=gs.linear(10))
    state = copy.deepcopy(update(saved, 3).state_dict())
    optimizer.load_state_dict(state, on_mismatch="adopt")
    update(optimizer)
    optimizer.add_param_group({"params": [weight()], **given})
    assert values_of(optimizer)[0] == near(0.3)


def test_an_adopted_schedule_may_be_adopted_again() -> None:
    """Adopting notes the bases of the state, not those of the code."""
    state = SGD([weight()], lr=0.1 * gs.warmup(4)).state_dict()
    for peak in (0.4, 1.0):
        optimizer = SGD([weight()], lr=peak * gs.linear(10))
        optimizer.load_state_dict(copy.deepcopy(state), on_mismatch="adopt")
        assert optimizer.param_groups[0]["initial_lr"] == near(0.1)
        state = copy.deepcopy(optimizer.state_dict())
    assert values_of(update(optimizer, 4)) == near([0.1])


def test_a_scheduler_on_a_number_that_is_kept() -> None:
    state = copy.deepcopy(update(SGD([weight()], lr=0.1 * gs.linear(8)), 4).state_dict())
    optimizer = SGD([weight()], lr=0.3)
    scheduler = Scheduler(optimizer, lr="linear(8)")
    optimizer.load_state_dict(state, on_mismatch="keep")
    for t in range(8):
        assert values_of(optimizer) == near([0.3 * (1 - t / 8)])
        update(optimizer)
        scheduler.step()


def test_a_late_group_need_not_have_the_key() -> None:
    first = {"params": [weight()], "heat": 1.0, "name": "first"}
    optimizer = torch.optim.SGD([first], lr=0.1)
    scheduler = Scheduler(optimizer, heat={"first": "linear(10)"})
    optimizer.add_param_group({"params": [weight()], "name": "second"})
    scheduler.step(5)
    assert first["heat"] == near(0.5)


def test_no_milestones_through_json() -> None:
    optimizer = torch.optim.SGD([weight()], lr=0.1)
    scheduler = MultiStepLR(optimizer, [])
    state = scheduler.state_dict()
    scheduler.load_state_dict({**state, "milestones": dict(state["milestones"])})
