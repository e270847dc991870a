"""A source bound to a key: joining, late and removed groups, taking turns."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glideslope.errors import InvalidValue
from glideslope.groups import NOTE, due_values

from ..optim.lr_scheduler.driving import rates_of
from .driven import (
    Curve,
    Driven,
    Factor,
    Kind,
    bound,
    falling,
    go,
    halving,
    kinds,
    near,
    rising,
)

BASES = [0.5, 0.25]
CURVES: dict[str, Factor] = {"halving": halving, "falling": falling, "from 0": rising}
curves = pytest.mark.parametrize("factor", CURVES.values(), ids=CURVES)


# Values and notes -------------------------------------------------------------------------------


@kinds
@curves
def test_a_group_holds_its_base_times_the_factor_and_notes_the_base(
    kind: Kind, factor: Factor
) -> None:
    optimizer = kind.optimizer(*BASES)
    binding = bound(optimizer, factor, kind.key)
    for t in range(6):
        go(optimizer, t, binding)
        assert kind.read(optimizer) == near([b * factor(t) for b in BASES], kind.relative)
    noted = [group[NOTE + kind.key] for group in optimizer.param_groups]
    assert [float(note) for note in noted] == near(BASES, kind.relative)
    # A note is of the kind that torch would have made: a tensor beside a tensor.
    assert [type(note) for note in noted] == [
        torch.Tensor if isinstance(group[kind.place], torch.Tensor) else float
        for group in optimizer.param_groups
    ]


def test_a_note_beside_a_tensor_is_another_tensor() -> None:
    held = torch.tensor(0.5)
    optimizer = Driven(held)
    bound(optimizer, halving)
    assert optimizer.param_groups[0]["initial_lr"] is not held


def test_what_notes_nothing_leaves_no_key_behind() -> None:
    optimizer = Driven(*BASES)
    go(optimizer, 3, bound(optimizer, halving, notes=False))
    assert [set(group) for group in optimizer.param_groups] == [{"lr"}, {"lr"}]


@kinds
def test_absolute_values_are_the_hyperparameter_itself(kind: Kind) -> None:
    optimizer = kind.optimizer(*BASES)
    binding = bound(optimizer, falling, kind.key, absolute=True)
    other = bound(optimizer, halving, kind.key)
    for t in range(5):
        go(optimizer, t, binding, other)
        assert kind.read(optimizer) == near([falling(t) * halving(t)] * 2, kind.relative)


@given(steps=st.lists(st.integers(0, 9), min_size=1, max_size=8), which=st.integers(0, 2))
def test_any_order_of_steps_ends_at_the_same_values(steps: list[int], which: int) -> None:
    """The values of a step do not depend on the steps before it."""
    optimizer = Driven(*BASES)
    bindings = [bound(optimizer, factor) for factor in (halving, falling, rising)]
    moved = bindings[which]
    for t in steps:
        go(optimizer, t, moved)
    expected = [f(steps[-1] if b is moved else 0) for b, f in zip(bindings, CURVES.values())]  # noqa: B905
    assert rates_of(optimizer) == near([base * math.prod(expected) for base in BASES])


def test_due_values_are_given_without_writing() -> None:
    optimizer = Driven(*BASES)
    first, second = bound(optimizer, halving), bound(optimizer, falling)
    due = [(each, each.due(optimizer, 3, 0)) for each in (first, second)]
    expected = [base * halving(3) * falling(3) for base in BASES]
    assert due_values(first.shared, due) == near(expected)
    assert rates_of(optimizer) == BASES


def test_a_product_that_is_not_finite_writes_nothing() -> None:
    optimizer = Driven(*BASES)
    binding = bound(optimizer, lambda t: math.inf if t == 3 else halving(t))
    go(optimizer, 2, binding)
    with pytest.raises(InvalidValue, match="`lr` of parameter group 0 must be a finite number"):
        go(optimizer, 3, binding)
    assert rates_of(optimizer) == near([base / 4 for base in BASES])
    go(optimizer, 4, binding)
    assert rates_of(optimizer) == near([base / 16 for base in BASES])


# Groups that come and go ------------------------------------------------------------------------


@kinds
@curves
@pytest.mark.parametrize("at", [1, 4])
def test_a_late_group_joins_with_its_own_base(kind: Kind, factor: Factor, at: int) -> None:
    optimizer = kind.optimizer(*BASES)
    binding, other = bound(optimizer, factor, kind.key), bound(optimizer, halving, kind.key)
    for t in range(8):
        if t == at:
            optimizer.param_groups.append(kind.group(0.75))
        go(optimizer, t, binding, other)
        bases = [*BASES, 0.75] if t >= at else BASES
        expected = [base * factor(t) * halving(t) for base in bases]
        assert kind.read(optimizer) == near(expected, kind.relative), f"step {t}"


def test_a_late_group_that_keeps_its_value_continues_from_it() -> None:
    optimizer = Driven(*BASES)
    binding = bound(optimizer, halving, keeps_late_values=True)
    go(optimizer, 2, binding)
    optimizer.param_groups.append({"lr": 0.75})
    binding.follow(optimizer, 2)
    for t in range(3, 6):
        go(optimizer, t, binding)
        expected = [0.5 * halving(t), 0.25 * halving(t), 0.75 * halving(t - 2)]
        assert rates_of(optimizer) == near(expected)


@curves
def test_a_removed_group_is_forgotten_and_another_may_come(factor: Factor) -> None:
    optimizer = Driven(*BASES)
    binding = bound(optimizer, factor)
    go(optimizer, 1, binding)
    optimizer.param_groups.pop()
    go(optimizer, 2, binding)
    assert rates_of(optimizer) == near([0.5 * factor(2)])
    assert binding.bases == [0.5]
    optimizer.param_groups.append({"lr": 0.75})
    go(optimizer, 3, binding)
    assert rates_of(optimizer) == near([0.5 * factor(3), 0.75 * factor(3)])


# Taking turns -----------------------------------------------------------------------------------


@kinds
def test_a_suspended_source_counts_as_1_until_it_takes_part_again(kind: Kind) -> None:
    optimizer = kind.optimizer(*BASES)
    first, second = bound(optimizer, halving, kind.key), bound(optimizer, falling, kind.key)
    go(optimizer, 2, first, second)
    first.suspend()
    go(optimizer, 3, second)
    assert kind.read(optimizer) == near([base * falling(3) for base in BASES], kind.relative)
    first.take_part()
    go(optimizer, 4, second)
    assert kind.read(optimizer) == near([base * falling(4) for base in BASES], kind.relative)
    go(optimizer, 4, first)
    expected = [base * falling(4) * halving(4) for base in BASES]
    assert kind.read(optimizer) == near(expected, kind.relative)


@curves
def test_resuming_writes_the_values_of_the_step_whatever_is_held(factor: Factor) -> None:
    optimizer = Driven(9.0, 9.0)
    binding = bound(optimizer, factor)
    binding.resume(3, BASES, [1.0, 0.5])
    assert rates_of(optimizer) == near([0.5 * factor(3), 0.125 * factor(3)])
    assert binding.scales() == near([1.0, 0.5])
    go(optimizer, 4, binding)
    assert rates_of(optimizer) == near([0.5 * factor(4), 0.125 * factor(4)])


def test_another_source_takes_over_from_the_same_bases() -> None:
    optimizer = Driven(*BASES)
    binding = bound(optimizer, halving)
    go(optimizer, 4, binding)
    binding.source = Curve(falling)
    go(optimizer, 5, binding)
    assert rates_of(optimizer) == near([base * falling(5) for base in BASES])
