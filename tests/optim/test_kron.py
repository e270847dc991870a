"""PSGD Kron: factors that whiten momentum."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor

import glideslope as gs
from glideslope.errors import InvalidValue
from glideslope.optim._matrix import kron
from glideslope.optim._matrix.kron import Kron

from .matrix_cases import assert_close, give_gradients, parameters, train


def random(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def test_factors_whiten_gradients_of_any_covariance() -> None:
    """Their squares come near the inverse root of the covariance, which is a Kronecker product."""
    left, right = random(4, 4, seed=1), random(6, 6, seed=2)
    (p,) = parameters([(4, 6)])
    optimizer = Kron([p], lr=0.0, momentum=0.0)
    for step in range(400):
        p.grad = left @ random(4, 6, seed=100 + step) @ right
        optimizer.step()
    row, col = optimizer.state[p]["row_factor"], optimizer.state[p]["col_factor"]
    whitened = torch.kron(row.T @ row @ left, (right @ col.T @ col).T.contiguous())
    covariance = whitened @ whitened.T
    assert covariance.diagonal().mean() == pytest.approx(1.0, rel=0.2)
    apart = covariance - covariance.diagonal().diag()
    assert apart.abs().max() < 0.35
    assert torch.linalg.cond(left) * torch.linalg.cond(right) > 50


def test_factors_are_triangular_where_the_side_is_short_enough() -> None:
    ours = parameters([(4, 6), (6, 1), (3, 2, 4), (7,), ()])
    optimizer = Kron(ours, max_size_triangular=5)
    train(optimizer, 3)
    kept = [{k: tuple(v.shape) for k, v in optimizer.state[p].items()} for p in ours]
    factors = [{k: v for k, v in each.items() if "factor" in k} for each in kept]
    assert factors == [
        {"row_factor": (4, 4), "col_factor": (6,)},
        {"row_factor": (6,), "col_factor": (1,)},
        {"row_factor": (3, 3), "col_factor": (8,)},
        {"row_factor": (7,)},
        {"row_factor": (1,)},
    ]
    row = optimizer.state[ours[0]]["row_factor"]
    assert torch.equal(row, row.triu())
    assert not torch.equal(row, row.diagonal().diag())


def test_a_balance_makes_factors_alike_and_leaves_their_product() -> None:
    factors = [random(3, 3) * 1e6, random(4, seed=1)]
    found = kron._balanced(factors)
    assert found[0].abs().max() == pytest.approx(found[1].abs().max().item())
    product, before = (torch.kron(one, two.diag()) for one, two in (found, factors))
    torch.testing.assert_close(product, before)


def test_one_fit_of_a_hundred_balances(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the updates whose generator says so, of which the first is the 309th."""
    balanced, drawn = [], []
    monkeypatch.setattr(kron, "_balanced", lambda factors: balanced.append(1) or factors)
    optimizer = Kron(parameters([(2, 2)]), preconditioner_update_probability=1.0)
    (p,) = train(optimizer, 1)
    optimizer.state[p]["step"].fill_(299.0)
    for step in range(300, 350):
        train(optimizer, 1, step)
        chance = Random(step)
        chance.random()
        drawn.append(chance.random() < 0.01)
    assert len(balanced) == sum(drawn) == 2


@pytest.mark.parametrize(
    ("step", "probability"),
    [(1, 1.0), (501, 1.0), (1501, 0.36787944117144233), (4001, 0.0301973834), (9999, 0.03)],
)
def test_factors_are_fitted_ever_less_often(step: int, probability: float) -> None:
    assert kron._probability(None, step) == pytest.approx(probability, rel=1e-8)
    assert kron._probability(0.25, step) == 0.25


def test_factors_stay_in_updates_that_do_not_fit_them() -> None:
    ours = parameters([(4, 6)])
    optimizer = Kron(ours, preconditioner_update_probability=0.0)
    train(optimizer, 3)
    assert torch.equal(optimizer.state[ours[0]]["row_factor"], torch.eye(4).double())
    scheduled = Kron(ours, preconditioner_update_probability=gs.linear(4))
    train(scheduled, 9)
    last = scheduled.state[ours[0]]["row_factor"].clone()
    train(scheduled, 3, 9)
    assert torch.equal(scheduled.state[ours[0]]["row_factor"], last)


def test_steps_are_of_bounded_length() -> None:
    """Gradients a million times as long as the factors were fitted to."""
    (p,), g = parameters([(4, 6)]), random(4, 6)
    optimizer = Kron([p], lr=1.0, momentum=0.0)
    for factor in (1e-3, 1e3):
        before, p.grad = p.detach().clone(), g * factor
        optimizer.step()
    assert (before - p.detach()).square().mean().sqrt() == pytest.approx(1.1, rel=1e-6)


@pytest.mark.parametrize("gradient", [0.0, 1e-30, 1e18])
def test_gradients_of_any_size_leave_finite_numbers(gradient: float) -> None:
    (p,) = parameters([(4, 6)], torch.float32)
    optimizer = Kron([p])
    for step in range(5):
        p.grad = gradient * random(4, 6, seed=step).float()
        optimizer.step()
    numbers = [p.detach(), *optimizer.state[p].values()]
    assert all(torch.isfinite(each).all() for each in numbers)


def test_factors_are_wide_and_the_callers_random_numbers_are_left_alone() -> None:
    before = torch.random.get_rng_state()
    optimizer = Kron(parameters([(3, 3)], torch.bfloat16))
    (p,) = train(optimizer, 2)
    assert {optimizer.state[p][f"{side}_factor"].dtype for side in ("row", "col")} == {
        torch.float32
    }
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_run_is_resumed_with_the_same_noise() -> None:
    ours = parameters([(4, 6), (5,)])
    optimizer = Kron(ours, preconditioner_update_probability=0.5)
    train(optimizer, 5)
    theirs = [p.detach().clone().requires_grad_() for p in ours]
    other = Kron(theirs, preconditioner_update_probability=0.5)
    other.load_state_dict(optimizer.state_dict())
    assert_close(train(other, 5, 5), train(optimizer, 5, 5), 0.0)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "momentum": ({"momentum": 1.0}, "`momentum` must be at least 0 and less than 1, got 1.0"),
    "rate": ({"precond_lr": -0.1}, "`precond_lr` must be from 0 to 1, got -0.1"),
    "side": ({"max_size_triangular": -1}, "`max_size_triangular` must be at least 0, got -1"),
    "probability": (
        {"preconditioner_update_probability": 2.0},
        "`preconditioner_update_probability` must be from 0 to 1, got 2.0",
    ),
}


@pytest.mark.parametrize(("options", "words"), BAD.values(), ids=BAD)
def test_bad_arguments_are_refused(options: Any, words: str) -> None:
    give_gradients(params := parameters([(2, 2)]), 0)
    with pytest.raises(InvalidValue, match=words):
        Kron(params, **options)
