"""One key in every group: what is written stands there, and other writers are noticed."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glideslope.errors import InvalidType, InvalidValue
from glideslope.groups import KeyValues, key_values

from .driven import KINDS, Kind, kinds, near

finite = st.floats(allow_nan=False, allow_infinity=False)
HELD = [0.5, 0.25, 0.5]


def taken(kind: Kind, groups: list[Any]) -> KeyValues:
    """The values of a key, noted as they are."""
    values = key_values(kind.key)
    values.take(groups)
    return values


# Writing ----------------------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize("due", [[0.75, 0.125, 0.3], [0.3, 0.3, 0.3], [0.0, -1.0, 1e-30]])
def test_what_is_written_is_what_the_groups_hold(kind: Kind, due: list[float]) -> None:
    optimizer = kind.optimizer(*HELD)
    values = taken(kind, optimizer.param_groups)
    values.write(optimizer.param_groups, due)
    assert kind.read(optimizer) == near(due, kind.relative)
    assert values.written == due
    assert values.numbers(optimizer.param_groups) == near(due, kind.relative)
    assert values.untouched(optimizer.param_groups)
    assert values.take(optimizer.param_groups) == [None, None, None]
    assert values.written == due  # the number itself, not as a tensor rounds it


@kinds
@pytest.mark.parametrize("where", range(3))
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused_and_nothing_is_written(
    kind: Kind, where: int, bad: float
) -> None:
    optimizer = kind.optimizer(*HELD)
    before = copy.deepcopy(optimizer.param_groups)
    values = taken(kind, optimizer.param_groups)
    due = [bad if group == where else 0.125 for group in range(3)]
    with pytest.raises(InvalidValue, match="must be a finite number") as refused:
        values.write(optimizer.param_groups, due)
    assert f"`{kind.key}` of parameter group {where} " in str(refused.value)
    assert optimizer.param_groups == before
    assert values.written == HELD
    assert values.untouched(optimizer.param_groups)


@pytest.mark.parametrize("kind", [KINDS["a float"], KINDS["an element"]], ids=["float", "element"])
def test_large_values_whose_sum_overflows_are_finite(kind: Kind) -> None:
    optimizer = kind.optimizer(1.0, 2.0)
    taken(kind, optimizer.param_groups).write(optimizer.param_groups, [1e308, 1.5e308])
    assert kind.read(optimizer) == [1e308, 1.5e308]


def test_a_tensor_stays_the_same_tensor_of_the_same_dtype() -> None:
    held = torch.tensor(0.5, dtype=torch.float32)
    groups = [{"lr": held}]
    taken(KINDS["a tensor"], groups).write(groups, [0.1])
    assert groups[0]["lr"] is held
    assert held.dtype == torch.float32
    assert held.item() == near(0.1, 1e-7)


@pytest.mark.parametrize("due", [[0.25, 0.25], [0.25, 0.125]])
def test_a_tensor_of_several_groups_is_split_only_where_they_differ(due: list[float]) -> None:
    held = torch.tensor(0.5)
    groups = [{"lr": held}, {"lr": held}]
    taken(KINDS["a tensor"], groups).write(groups, due)
    assert groups[0]["lr"] is held
    assert (groups[1]["lr"] is held) is (due[0] == due[1])
    assert [float(group["lr"]) for group in groups] == due


def test_only_the_element_of_a_tuple_is_replaced() -> None:
    other = torch.tensor(0.99)
    groups = [{"betas": (0.9, other, 0.5)}]
    values = key_values("betas[2]")
    values.take(groups)
    values.write(groups, [0.75])
    assert groups[0]["betas"][0] == 0.9
    assert groups[0]["betas"][1] is other
    assert groups[0]["betas"][2] == 0.75


@given(
    held=st.lists(finite, min_size=1, max_size=4),
    due=st.lists(st.floats(), min_size=4, max_size=4),
    edited=st.integers(0, 4),
)
def test_a_swap_is_all_or_nothing(held: list[float], due: list[float], edited: int) -> None:
    """The quick way writes every group or none, and none that other code touched."""
    groups = [{"lr": value} for value in held]
    values = taken(KINDS["a float"], groups)
    due = due[: len(groups)]
    if edited < len(groups):
        groups[edited]["lr"] = held[edited] + 1.0
    before = [group["lr"] for group in groups]
    swapped = values.swap(groups, due)
    assert [group["lr"] for group in groups] == (due if swapped else before)
    if edited < len(groups):
        assert not swapped
    if swapped:
        assert len(set(due)) == 1
        assert math.isfinite(due[0])


# Noticing ---------------------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize("group", range(3))
def test_an_edit_is_noticed_in_its_group_alone(kind: Kind, group: int) -> None:
    optimizer = kind.optimizer(*HELD)
    values = taken(kind, optimizer.param_groups)
    values.write(optimizer.param_groups, [0.75, 0.75, 0.75])
    kind.edit(optimizer, group, 0.125)
    assert not values.untouched(optimizer.param_groups)
    found = values.take(optimizer.param_groups)
    assert found == [0.125 if each == group else None for each in range(3)]
    assert values.written == [0.125 if each == group else 0.75 for each in range(3)]
    assert values.untouched(optimizer.param_groups)


@kinds
def test_the_number_that_is_there_already_is_no_edit(kind: Kind) -> None:
    optimizer = kind.optimizer(*HELD)
    values = taken(kind, optimizer.param_groups)
    kind.edit(optimizer, 1, 0.25)
    assert values.take(optimizer.param_groups) == [None, None, None]


@kinds
def test_more_and_fewer_groups_are_touched_groups(kind: Kind) -> None:
    optimizer = kind.optimizer(*HELD)
    values = taken(kind, optimizer.param_groups)
    assert not values.untouched([*optimizer.param_groups, kind.group(1.0)])
    assert not values.untouched(optimizer.param_groups[:2])


@kinds
@pytest.mark.parametrize(
    ("edits", "expected"),
    [([], False), ([0], False), ([0, 1, 2], True)],
    ids=["none", "one group", "every group"],
)
def test_set_by_hand_means_every_group(kind: Kind, edits: list[int], expected: bool) -> None:
    optimizer = kind.optimizer(*HELD)
    values = taken(kind, optimizer.param_groups)
    for group in edits:
        optimizer.param_groups[group][kind.place] = kind.hold(0.0)
    assert values.set_by_hand(optimizer.param_groups, 0.0) is expected


def test_a_zero_that_was_written_here_was_not_set_by_hand() -> None:
    groups = [{"lr": 0.5}]
    values = taken(KINDS["a float"], groups)
    values.write(groups, [0.0])
    assert not values.set_by_hand(groups, 0.0)


# What holds the key, and what is no number ------------------------------------------------------

HOLDERS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "the key": ("lr", {"lr": 0.1}, True),
    "another key": ("lr", {"momentum": 0.1}, False),
    "the tuple": ("betas[1]", {"betas": (0.9, 0.99)}, True),
    "a shorter tuple": ("betas[2]", {"betas": (0.9, 0.99)}, False),
    "a number for the tuple": ("betas[0]", {"betas": 0.9}, False),
    "no tuple": ("betas[0]", {"lr": 0.9}, False),
}


@pytest.mark.parametrize(("key", "group", "expected"), HOLDERS.values(), ids=HOLDERS)
def test_which_groups_hold_a_key(key: str, group: dict[str, Any], expected: bool) -> None:
    assert key_values(key).held_by(group) is expected


@pytest.mark.parametrize("bad", [None, "fast", [], 1j])
def test_what_is_no_number_is_refused_with_its_group(bad: Any) -> None:
    groups = [{"lr": 0.1}, {"lr": bad}]
    with pytest.raises(InvalidType, match="`lr` of parameter group 1 must be a number"):
        key_values("lr").take(groups)
