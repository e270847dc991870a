"""Who multiplies what: bases, hand edits, and what those that are gone leave behind."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from glideslope.optim import lr_scheduler as gs

pytestmark = pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")
near = pytest.approx


def sgd(*rates: Any) -> torch.optim.SGD:
    groups = [{"params": [torch.nn.Parameter(torch.ones(1))], "lr": rate} for rate in rates]
    return torch.optim.SGD(groups, lr=1.0, momentum=0.9)


def rates_of(optimizer: Any) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def stepped(scheduler: Any, steps: int) -> Any:
    for _ in range(steps):
        scheduler.step()
    return scheduler


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


def test_what_a_plateau_took_off_stays_off_when_another_starts_anew() -> None:
    optimizer = sgd(1.0)
    scheduler: Any = stepped(gs.StepLR(optimizer, 1), 2)
    del scheduler  # and leaves 0.01
    plateau = gs.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    plateau.step(1.0)
    plateau.step(1.0)
    assert rates_of(optimizer) == near([0.005])
    scheduler = gs.LambdaLR(optimizer, lambda t: 0.9**t)
    assert scheduler.get_last_lr() == near([0.5])


# Those that are gone ----------------------------------------------------------------------------


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


def test_an_optimizer_is_told_when_a_factor_goes_with_its_scheduler() -> None:
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


def test_a_chain_with_a_closed_form_in_it_starts_anew_too() -> None:
    def chain() -> gs.ChainedScheduler:
        members = [gs.LambdaLR(optimizer, lambda t: 0.5**t), gs.ConstantLR(optimizer, 0.5, 1)]
        return gs.ChainedScheduler(members)

    optimizer = sgd(0.8)
    scheduler = stepped(chain(), 3)
    assert rates_of(optimizer) == near([0.1])
    scheduler = chain()
    assert rates_of(optimizer) == near([0.4])
    scheduler.step()
    assert rates_of(optimizer) == near([0.4])


# Composites -------------------------------------------------------------------------------------


def test_members_remember_the_rates_as_if_they_had_written_them() -> None:
    optimizer = sgd(0.8)
    members = [gs.ConstantLR(optimizer, 0.5, 9), gs.ExponentialLR(optimizer, 0.5)]
    sequence = gs.SequentialLR(optimizer, members, [1])
    for _ in range(3):
        sequence.step()
        assert members[1].get_last_lr() == sequence.get_last_lr() == rates_of(optimizer)
    optimizer = sgd(0.8)
    members = [gs.ConstantLR(optimizer, 0.5, 9), gs.ExponentialLR(optimizer, 0.5)]
    chain = gs.ChainedScheduler(members)
    for _ in range(3):
        chain.step()
        assert members[-1].get_last_lr() == chain.get_last_lr() == rates_of(optimizer)


def test_the_base_that_torch_reads_is_the_sequences() -> None:
    optimizer = sgd(0.8)
    members = [gs.LinearLR(optimizer, 0.5), gs.OneCycleLR(optimizer, 1.0, 20)]
    assert optimizer.param_groups[0]["initial_lr"] == near(0.04)
    gs.SequentialLR(optimizer, members, [5])
    assert optimizer.param_groups[0]["initial_lr"] == 0.8


def test_torchs_closed_form_in_a_chain() -> None:
    optimizer = sgd(0.8)
    theirs = torch.optim.lr_scheduler.LambdaLR
    chain = gs.ChainedScheduler(
        [gs.ConstantLR(optimizer, 0.5, 2), theirs(optimizer, lambda t: 1 / (1 + t))]
    )
    rates = []
    for _ in range(4):
        rates += rates_of(optimizer)
        chain.step()
    assert rates == near([0.4, 0.2, 0.8 / 3, 0.2])


def test_a_sequence_of_two_cycles_has_two_peaks() -> None:
    optimizer = sgd(0.8)
    cycles = [gs.OneCycleLR(optimizer, peak, 9, pct_start=0.5) for peak in (1.0, 0.1)]
    sequence = gs.SequentialLR(optimizer, cycles, [9])
    rates = []
    for _ in range(18):
        rates += rates_of(optimizer)
        sequence.step()
    alone = sgd(0.8)
    expected = []
    for peak in (1.0, 0.1):
        cycle = gs.OneCycleLR(alone, peak, 9, pct_start=0.5)
        for _ in range(9):
            expected += rates_of(alone)
            cycle.step()
    assert rates == near(expected)
