"""A state that is loaded under a binding: progress of a run, not an edit of its values."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch

from glideslope.groups import SharedKey

from ..optim.lr_scheduler.driving import rates_of, sgd
from .driven import Factor, bound, falling, go, halving, near, rising

BASES = [0.5, 0.25]
CURVES: dict[str, Factor] = {"halving": halving, "falling": falling, "from 0": rising}
curves = pytest.mark.parametrize("factor", CURVES.values(), ids=CURVES)


@curves
@pytest.mark.parametrize("tensors", [False, True], ids=["floats", "tensors"])
def test_a_loaded_state_is_no_edit(factor: Factor, tensors: bool) -> None:
    rates = [torch.tensor(b, dtype=torch.float64) for b in BASES] if tensors else BASES
    optimizer = sgd(*rates)
    binding = bound(optimizer, factor)
    saved = {}
    for t in range(6):
        go(optimizer, t, binding)
        saved[t] = copy.deepcopy(optimizer.state_dict())
    optimizer.load_state_dict(saved[2])
    assert rates_of(optimizer) == near([base * factor(2) for base in BASES])
    go(optimizer, 6, binding)  # its own clock continues
    assert rates_of(optimizer) == near([base * factor(6) for base in BASES])


def test_an_edit_after_a_load_is_one() -> None:
    optimizer = sgd(*BASES)
    binding = bound(optimizer, halving)
    go(optimizer, 2, binding)
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    optimizer.param_groups[1]["lr"] = 0.5  # at a factor of 1/4: a base of 2
    go(optimizer, 3, binding)
    assert rates_of(optimizer) == near([0.5 / 8, 2 / 8])


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copied_pair_continues_by_itself(duplicate: Any) -> None:
    optimizer = sgd(*BASES)
    binding = bound(optimizer, halving)
    go(optimizer, 3, binding)
    again, other = duplicate((binding, optimizer))
    go(other, 4, again)
    assert rates_of(other) == near([base / 16 for base in BASES])
    assert rates_of(optimizer) == near([base / 8 for base in BASES])
    assert SharedKey.of(other) is not SharedKey.of(optimizer)


@pytest.mark.parametrize("edit", [0.5, 3.0])
def test_an_edit_of_a_loaded_value_is_a_share_of_it(edit: float) -> None:
    """The value is of the state's step, whatever step the binding has come to."""
    optimizer = sgd(*BASES)
    binding = bound(optimizer, halving)
    go(optimizer, 2, binding)
    state = copy.deepcopy(optimizer.state_dict())
    go(optimizer, 5, binding)
    optimizer.load_state_dict(state)
    optimizer.param_groups[1]["lr"] *= edit
    go(optimizer, 6, binding)
    assert rates_of(optimizer) == near([0.5 / 64, 0.25 * edit / 64])


@curves
def test_the_state_of_another_run_brings_its_bases(factor: Factor) -> None:
    other = sgd(0.1, 0.3)
    go(other, 3, bound(other, factor))
    optimizer = sgd(*BASES)
    binding = bound(optimizer, factor)
    go(optimizer, 3, binding)
    optimizer.load_state_dict(copy.deepcopy(other.state_dict()))
    go(optimizer, 4, binding)
    assert rates_of(optimizer) == near([0.1 * factor(4), 0.3 * factor(4)])


def test_absolute_values_stay_whatever_bases_a_state_brings() -> None:
    other = sgd(0.1, 0.3)
    go(other, 3, bound(other, halving))
    optimizer = sgd(*BASES)
    binding = bound(optimizer, falling, absolute=True)
    optimizer.load_state_dict(copy.deepcopy(other.state_dict()))
    go(optimizer, 4, binding)
    assert rates_of(optimizer) == near([falling(4)] * 2)


def test_an_edit_before_a_load_of_the_same_run_stays() -> None:
    optimizer = sgd(*BASES)
    binding = bound(optimizer, halving)
    go(optimizer, 2, binding)
    optimizer.param_groups[0]["lr"] *= 2
    go(optimizer, 3, binding)
    state = copy.deepcopy(optimizer.state_dict())
    go(optimizer, 4, binding)
    optimizer.load_state_dict(state)
    go(optimizer, 5, binding)
    assert rates_of(optimizer) == near([1.0 / 32, 0.25 / 32])
