"""Hand edits under schedulers, and the factors of deleted schedulers."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from glideslope.optim import lr_scheduler as gs

from ..optim.lr_scheduler.driving import rates_of, sgd, stepped

pytestmark = pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")
near = pytest.approx


# Hand edits -------------------------------------------------------------------------------------


@pytest.mark.parametrize("edited", range(4))
def test_an_edit_of_one_group_among_equals_leaves_the_others(edited: int) -> None:
    optimizer = sgd(0.8, 0.8, 0.8, 0.8)
    scheduler = stepped(gs.ExponentialLR(optimizer, 0.5), 1)
    optimizer.param_groups[edited]["lr"] = 0.1
    scheduler.step()
    assert rates_of(optimizer) == near([0.05 if group == edited else 0.2 for group in range(4)])


def test_a_rate_of_zero_that_is_edited_is_kept() -> None:
    optimizer = sgd(0.0, 0.8)
    first, second = gs.ExponentialLR(optimizer, 0.5), gs.ConstantLR(optimizer, 0.5, 9)
    first.step()
    assert rates_of(optimizer) == near([0.0, 0.2])
    optimizer.param_groups[0]["lr"] = 0.3
    first.step()
    second.step()
    assert rates_of(optimizer) == near([0.3, 0.1])


def test_a_rounded_tensor_is_no_edit_whatever_happens_around_it() -> None:
    optimizer = sgd(0.5, torch.tensor(0.1))
    scheduler = gs.ExponentialLR(optimizer, 0.9)
    for _ in range(40):
        optimizer.load_state_dict(optimizer.state_dict())
        optimizer.param_groups[0]["lr"] = 0.5
        scheduler.step()
    exact = torch.tensor(0.1).item() * 0.9**40
    assert scheduler.get_last_lr() == [near(0.45), near(exact, rel=1e-14)]


def test_an_edit_is_a_rate_that_a_successor_starts_from() -> None:
    optimizer = sgd(1.0)
    scheduler: Any = stepped(gs.ExponentialLR(optimizer, 0.5), 3)
    optimizer.param_groups[0]["lr"] = 0.01
    scheduler = gs.LambdaLR(optimizer, lambda t: 0.5**t)  # takes the other's place
    assert rates_of(optimizer) == near([0.01])
    scheduler.step()
    assert rates_of(optimizer) == near([0.005])


def test_a_plateaus_reduction_stays_off_when_another_is_reset() -> None:
    optimizer = sgd(1.0)
    scheduler: Any = stepped(gs.StepLR(optimizer, 1), 2)
    del scheduler  # and leaves 0.01
    plateau = gs.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    plateau.step(1.0)
    plateau.step(1.0)
    assert rates_of(optimizer) == near([0.005])
    scheduler = gs.LambdaLR(optimizer, lambda t: 0.9**t)
    assert scheduler.get_last_lr() == near([0.5])


# Deleted schedulers ----------------------------------------------------------------------------


def test_one_that_is_gone_leaves_its_last_factor() -> None:
    optimizer = sgd(0.8)
    first, second = gs.StepLR(optimizer, 1, 0.5), gs.ExponentialLR(optimizer, 0.9)
    stepped(first, 2)
    del first
    second.step()
    assert rates_of(optimizer) == near([0.8 * 0.25 * 0.9])


def test_one_that_changes_its_optimizer_leaves_its_factor_to_the_rest() -> None:
    optimizer, other = sgd(0.8), sgd(0.8)
    first, second = gs.OneCycleLR(optimizer, 1.0, 20), gs.ConstantLR(optimizer, 0.5, 2)
    stepped(first, 4)
    held = optimizer.param_groups[0]["lr"]
    first.optimizer = other
    first.step()
    other.param_groups[0]["momentum"] = 0.5
    first.step()
    stepped(second, 2)
    assert rates_of(optimizer) == near([held * 2])
    assert other.param_groups[0]["momentum"] < 0.55


def test_an_optimizer_is_notified_when_a_factor_goes_with_its_scheduler() -> None:
    class Told:
        def __init__(self) -> None:
            self.param_groups = [{"lr": 0.8}]
            self.seen: list[float] = []

        def _sync_hyperparams(self) -> None:
            self.seen.append(self.param_groups[0]["lr"])

    optimizer = Told()
    scheduler: Any = stepped(gs.ExponentialLR(optimizer, 0.5), 1)
    scheduler = gs.LambdaLR(optimizer, lambda _: 1.0)
    assert scheduler.get_last_lr() == near([0.4])  # both were there
    assert optimizer.seen == near([0.8, 0.4, 0.4, 0.8])
