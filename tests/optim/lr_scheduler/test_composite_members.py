"""Composites: what their members remember, where they start, and what torch reads of them."""

from __future__ import annotations

import pytest
import torch

from glideslope.optim import lr_scheduler as gs

from .driving import rates_of, sgd, stepped

pytestmark = pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")
near = pytest.approx


def test_a_chain_with_a_closed_form_in_it_restarts_too() -> None:
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
