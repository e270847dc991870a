"""One key that several sources share: a base times the product of their factors."""

from __future__ import annotations

import copy
import gc
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glideslope.errors import InvalidType, InvalidValue
from glideslope.groups import SharedKey

from .driven import KINDS, Driven, Kind, Owner, kinds, near

BASES = [0.5, 0.25, 0.5]


def two_sources(optimizer: Any, key: str = "lr") -> tuple[SharedKey, list[Owner], list[Any]]:
    """A shared key, two owners, and their entries."""
    shared = SharedKey.of(optimizer, key)
    owners = [Owner(), Owner()]
    return shared, owners, [shared.join(owner) for owner in owners]


def post(shared: SharedKey, entry: Any, factor: float) -> list[float]:
    return shared.post(entry, [reference * factor for reference in entry.references])


# Products ---------------------------------------------------------------------------------------


@kinds
def test_the_groups_get_their_bases_times_both_factors(kind: Kind) -> None:
    optimizer = kind.optimizer(*BASES)
    shared, _owners, (first, second) = two_sources(optimizer, kind.key)
    assert kind.read(optimizer) == near(BASES, kind.relative)  # joining changes nothing
    for t in range(6):
        post(shared, first, 0.5**t)
        assert post(shared, second, 1 - t / 8) == shared.written
        expected = [base * 0.5**t * (1 - t / 8) for base in BASES]
        assert shared.written == near(expected)
        assert kind.read(optimizer) == near(expected, kind.relative)
    assert shared.bases == near(BASES, kind.relative)


@given(
    bases=st.lists(st.floats(1e-6, 10), min_size=1, max_size=4),
    asked=st.lists(st.tuples(st.integers(0, 2), st.floats(0, 4)), max_size=12),
)
def test_the_last_factor_of_each_counts_in_any_order(
    bases: list[float], asked: list[tuple[int, float]]
) -> None:
    optimizer = Driven(*bases)
    shared = SharedKey.of(optimizer)
    owners = [Owner() for _ in range(3)]
    entries = [shared.join(owner) for owner in owners]
    last = [1.0, 1.0, 1.0]
    for number, factor in asked:
        last[number] = factor
        post(shared, entries[number], factor)
    assert shared.written == near([base * math.prod(last) for base in bases])
    assert shared.bases == bases


def test_both_at_once_write_their_product_once() -> None:
    optimizer = Driven(*BASES)
    shared, _owners, entries = two_sources(optimizer)
    due = [(entry, [base * f for base in BASES]) for entry, f in zip(entries, (0.5, 0.1))]  # noqa: B905
    assert shared.due(due) == near([base * 0.05 for base in BASES])
    assert shared.written == BASES  # asking writes nothing
    assert shared.post_all(due) == near([base * 0.05 for base in BASES])


@pytest.mark.parametrize("key", ["lr", "betas[1]"])
def test_a_key_is_one_for_the_life_of_its_optimizer(key: str) -> None:
    group = {"lr": 0.5, "betas": (0.9, 0.99)}
    one, other = Driven(), Driven()
    one.param_groups, other.param_groups = [dict(group)], [dict(group)]
    shared = SharedKey.of(one, key)
    assert SharedKey.of(one, key) is shared
    assert SharedKey.of(other, key) is not shared
    assert not SharedKey.is_driven(one, key.partition("[")[0])
    owner = Owner()
    shared.join(owner)
    assert SharedKey.is_driven(one, key.partition("[")[0])
    assert not SharedKey.is_driven(other, key.partition("[")[0])


def test_two_elements_of_a_tuple_are_two_keys() -> None:
    optimizer = Driven((0.8, 0.5), key="betas")
    keys = [SharedKey.of(optimizer, f"betas[{index}]") for index in range(2)]
    owners = [Owner(), Owner()]
    entries = [key.join(owner) for key, owner in zip(keys, owners, strict=True)]
    for t in range(4):
        post(keys[0], entries[0], 1 - t / 8)
        post(keys[1], entries[1], 0.5**t)
        assert optimizer.param_groups[0]["betas"] == near((0.8 * (1 - t / 8), 0.5 * 0.5**t))


# Hand edits -------------------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize("edited", range(3))
def test_an_edit_moves_the_base_of_its_group_alone(kind: Kind, edited: int) -> None:
    optimizer = kind.optimizer(*BASES)
    shared, _owners, (first, second) = two_sources(optimizer, kind.key)
    untouched = kind.optimizer(*BASES)
    alone, _others, (third, fourth) = two_sources(untouched, kind.key)
    post(shared, first, 0.5), post(alone, third, 0.5)
    kind.edit(optimizer, edited, 0.125)  # the value at a factor of 0.5, so a base of 0.25
    post(shared, second, 0.1), post(alone, fourth, 0.1)
    post(shared, first, 0.75), post(alone, third, 0.75)
    held, expected = kind.read(optimizer), kind.read(untouched)
    assert held[edited] == near(0.25 * 0.075, kind.relative)
    expected[edited] = held[edited]
    assert held == expected  # bit for bit
    assert shared.bases == near([0.25 if i == edited else b for i, b in enumerate(BASES)])


@given(
    base=st.floats(1e-6, 10),
    factors=st.lists(st.floats(0.01, 4), min_size=2, max_size=2),
    edit=st.floats(1e-6, 10),
    later=st.floats(0.01, 4),
)
def test_an_edit_is_the_value_that_is_scheduled_on(
    base: float, factors: list[float], edit: float, later: float
) -> None:
    optimizer = Driven(base)
    shared, _owners, (first, second) = two_sources(optimizer)
    post(shared, first, factors[0])
    post(shared, second, factors[1])
    optimizer.param_groups[0]["lr"] = edit
    assert shared.observe() == [edit]
    post(shared, first, later)
    assert shared.written == near([edit * later / factors[0]], 1e-11)


@kinds
def test_an_outright_value_is_taken_in_as_an_edit_is(kind: Kind) -> None:
    optimizer = kind.optimizer(*BASES)
    shared, _owners, (first, second) = two_sources(optimizer, kind.key)
    post(shared, first, 0.5)
    shared.edit([0.25, 0.5, 1.0])
    post(shared, second, 0.1)
    assert kind.read(optimizer) == near([0.025, 0.05, 0.1], kind.relative)
    assert shared.bases == near([0.5, 1.0, 2.0], kind.relative)


@kinds
def test_what_is_written_unwatched_is_no_edit(kind: Kind) -> None:
    optimizer = kind.optimizer(*BASES)
    shared, _owners, (first, _) = two_sources(optimizer, kind.key)
    post(shared, first, 0.5)
    with shared.unwatched([0.75, 0.75, 0.75]):
        assert kind.read(optimizer) == [0.75, 0.75, 0.75]
        kind.edit(optimizer, 1, 0.125)
    assert kind.read(optimizer) == near([0.25, 0.125, 0.25], kind.relative)
    assert post(shared, first, 1.0) == near(BASES, kind.relative)


# Tensors and what is not finite -----------------------------------------------------------------


def test_a_tensor_of_two_groups_is_driven_once_for_both() -> None:
    held = torch.tensor(0.5, dtype=torch.float64)
    optimizer = Driven(held, held)
    shared, _owners, (first, second) = two_sources(optimizer)
    for t in range(1, 5):
        post(shared, first, 0.5**t)
        post(shared, second, 1 - t / 8)
        assert [group["lr"] is held for group in optimizer.param_groups] == [True, True]
        assert held.item() == near(0.5 * 0.5**t * (1 - t / 8))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@kinds
def test_a_product_that_is_not_finite_is_refused_whole(kind: Kind, bad: float) -> None:
    optimizer = kind.optimizer(*BASES)
    shared, _owners, (first, second) = two_sources(optimizer, kind.key)
    post(shared, second, 0.5)
    before = copy.deepcopy(optimizer.param_groups)
    with pytest.raises(InvalidValue, match="of parameter group 1 must be a finite number"):
        shared.post(first, [0.5, bad, 0.5])
    assert optimizer.param_groups == before
    post(shared, first, 0.5)  # and continues
    assert kind.read(optimizer) == near([base * 0.25 for base in BASES], kind.relative)


def test_a_group_without_a_rate_is_refused_with_what_it_holds() -> None:
    optimizer = Driven(0.1, 0.2)
    optimizer.param_groups[1] = {"momentum": 0.9}
    with pytest.raises(InvalidType, match="`lr` must be in every parameter group; group 1 holds"):
        SharedKey.of(optimizer)


# Deleted owners ----------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize("resets", [False, True])
def test_a_deleted_owner_leaves_its_factor_unless_the_next_resets(kind: Kind, resets: bool) -> None:
    optimizer = kind.optimizer(*BASES)
    shared, owners, (first, second) = two_sources(optimizer, kind.key)
    post(shared, first, 0.5)
    post(shared, second, 0.1)
    del owners[0], first
    gc.collect()
    assert post(shared, second, 1.0) == near([base * 0.5 for base in BASES], kind.relative)
    bases = shared.free_bases(resets)
    factor = 1.0 if resets else 0.5
    assert bases == near([base * factor for base in BASES], kind.relative)
    third = Owner()
    post(shared, shared.join(third, resets=resets), 0.5)
    assert shared.written == near([base * factor * 0.5 for base in BASES], kind.relative)


def test_a_later_one_that_resets_drops_the_factor_when_the_earlier_goes() -> None:
    optimizer = KINDS["a float"].optimizer(*BASES)
    shared, owners, (first, _) = two_sources(optimizer)
    post(shared, first, 0.5)
    later = Owner()
    shared.join(later, resets=True)
    del owners[0], first
    gc.collect()
    assert [group["lr"] for group in optimizer.param_groups] == near(BASES)
