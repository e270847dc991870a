"""APOLLO: gradients whose rows or columns have the lengths of Adam's."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from glideslope.errors import InvalidValue, StateMismatch
from glideslope.optim._adaptive import AdamW
from glideslope.optim._matrix.apollo import APOLLO

from .matrix_cases import assert_close, give_gradients, parameters, train


def moves(optimizer: APOLLO, p: Tensor, gradients: list[Tensor]) -> list[Tensor]:
    """The steps of a parameter, one for each gradient."""
    found = []
    for g in gradients:
        before, p.grad = p.detach().clone(), g
        optimizer.step()
        found.append(before - p.detach())
    return found


def random(shape: tuple[int, int], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).double()


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (5, 5)])
def test_a_step_is_the_gradient_with_a_factor_for_each_row_or_column(shape: Any) -> None:
    (p,), g = parameters([shape]), random(shape, 1)
    (moved,) = moves(APOLLO([p], rank=2), p, [g])
    longer = 1 if shape[0] < shape[1] else 0
    factors = moved / g
    first = factors.narrow(1 - longer, 0, 1)
    torch.testing.assert_close(factors, first.expand(shape))
    assert (factors > 0).all()
    assert first.unique().numel() == shape[longer]


def test_at_full_rank_rows_are_as_long_as_those_of_a_step_of_adam() -> None:
    """As many axes as the shorter side keep lengths on average: at the first step Adam's are 1."""
    (p,), g = parameters([(400, 64)]), random((400, 64), 1)
    (moved,) = moves(APOLLO([p], lr=1.0, rank=64), p, [g])
    assert moved.norm(dim=1).mean() == pytest.approx(8.0, rel=0.05)


def test_directions_are_at_most_a_hundredth_longer_than_the_last() -> None:
    (p,), g = parameters([(6, 8)]), random((6, 8), 1)
    optimizer = APOLLO([p], lr=1.0, betas=(0.0, 0.0), rank=4, scale=4.0)
    lengths = [m.norm() for m in moves(optimizer, p, [g * x for x in (1e-3, 1e-3, 1.0, 1e-5)])]
    assert lengths[2] <= 1.01 * lengths[1] * (1 + 1e-7)
    assert lengths[3] < lengths[2]
    assert optimizer.state[p]["scaled_grad_norm"] == pytest.approx(lengths[3].item() / 2)


def test_a_matrix_that_once_had_no_gradient_moves_on() -> None:
    """An expert to which no token went: a limit of 1.01 times 0 would hold it for ever."""
    (p,), g = parameters([(6, 8)]), random((6, 8), 1)
    optimizer = APOLLO([p], lr=1.0, rank=4)
    before, still, after = moves(optimizer, p, [g, torch.zeros_like(g), g])
    assert still.norm() == 0
    assert after.norm() > 0.3 * before.norm()


def test_a_first_gradient_of_zeros_is_no_trouble() -> None:
    (p,), g = parameters([(6, 8)]), random((6, 8), 1)
    still, after = moves(APOLLO([p], lr=1.0, rank=4), p, [torch.zeros_like(g), g])
    assert still.norm() == 0
    assert torch.isfinite(after).all()
    assert after.norm() > 0


def test_axes_are_drawn_again_after_so_many_updates() -> None:
    (p,), g = parameters([(6, 8)]), random((6, 8), 1)
    optimizer = APOLLO([p], betas=(0.0, 0.0), rank=2, update_proj_gap=2)
    kept = []
    for _ in range(4):
        moves(optimizer, p, [g])
        kept.append(optimizer.state[p]["exp_avg"].clone())
    assert torch.equal(kept[0], kept[1])
    assert torch.equal(kept[2], kept[3])
    assert not torch.allclose(kept[1], kept[2])


def test_the_callers_random_numbers_are_left_alone() -> None:
    before = torch.random.get_rng_state()
    train(APOLLO(parameters([(6, 8)]), rank=2), 2)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("options", "numbers"),
    [({"rank": 4}, 2 * 4 * 64 + 1), ({"rank": 1}, 2 * 64 + 1), ({}, 2 * 32 * 64 + 1)],
)
def test_the_state_is_that_of_a_projection(options: Any, numbers: int) -> None:
    optimizer = APOLLO(parameters([(32, 64)]), **options)
    (p,) = train(optimizer, 1)
    kept = {name: value for name, value in optimizer.state[p].items() if name != "step"}
    assert sum(value.numel() for value in kept.values()) == numbers


def test_groups_without_rank_and_what_is_no_matrix_are_adamws() -> None:
    ours, theirs = parameters([(4, 6), (7,)]), parameters([(4, 6), (7,)])
    groups = [{"params": ours[:1], "rank": None}, {"params": ours[1:]}]
    train(APOLLO(groups, lr=0.01, weight_decay=0.1), 4)
    train(AdamW(theirs, lr=0.01, weight_decay=0.1, eps=1e-6), 4)
    assert_close(ours, theirs, 1e-13)


def test_a_run_is_resumed_within_the_life_of_its_axes() -> None:
    ours = parameters([(6, 8), (8, 6)])
    optimizer = APOLLO(ours, rank=2, update_proj_gap=5, state_dtype=torch.bfloat16)
    train(optimizer, 3)
    theirs = [p.detach().clone().requires_grad_() for p in ours]
    other = APOLLO(theirs, rank=2, update_proj_gap=5, state_dtype=torch.bfloat16)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert_close(train(other, 4, 3), train(optimizer, 4, 3), 0.0)


def test_state_of_another_rank_is_refused() -> None:
    saved = APOLLO(parameters([(6, 8)]), rank=2)
    train(saved, 1)
    other = APOLLO(parameters([(6, 8)]), rank=3)
    with pytest.raises(StateMismatch, match=r"`exp_avg` has the shape \(2, 8\), .* keeps \(3, 8\)"):
        other.load_state_dict(saved.state_dict(), hyperparameters="own")


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "rank": ({"rank": 0}, "`rank` must be at least 1, or None, got 0"),
    "half a rank": ({"rank": 1.5}, "`rank` must be at least 1, or None, got 1.5"),
    "gap": ({"update_proj_gap": 0}, "`update_proj_gap` must be at least 1, got 0"),
    "scale": ({"scale": 0.0}, "`scale` must be more than 0, got 0.0"),
    "type": ({"scale_type": "row"}, "`scale_type` must be one of channel, tensor, got 'row'"),
}


@pytest.mark.parametrize(("options", "words"), BAD.values(), ids=BAD)
def test_bad_arguments_are_refused(options: Any, words: str) -> None:
    give_gradients(params := parameters([(2, 2)]), 0)
    with pytest.raises(InvalidValue, match=words):
        APOLLO(params, **options)
