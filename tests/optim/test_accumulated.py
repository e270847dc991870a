"""Properties of Adagrad, Adadelta and MADGRAD alone."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from glideslope.optim._accumulated import MADGRAD, Adadelta, Adagrad

from .cases import every_engine


@every_engine
def test_adagrad_goes_as_the_sum_of_inverse_roots_under_a_constant_gradient(engine: Any) -> None:
    p = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = Adagrad([p], lr=0.1, eps=0.0, engine=engine)
    for _ in range(4):
        p.grad = torch.tensor([5.0, -1e-3], dtype=torch.float64)
        optimizer.step()
    distance = 0.1 * (1 + 2**-0.5 + 3**-0.5 + 4**-0.5)
    torch.testing.assert_close(p.tolist(), [-distance, distance], rtol=1e-14, atol=0)


@every_engine
def test_adadeltas_first_step_is_about_the_root_of_eps(engine: Any) -> None:
    """With no gradients before, it is g √ε / √((1 - ρ) g² + ε): the same for any large gradient."""
    p = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    p.grad = torch.tensor([1e3, -1e6], dtype=torch.float64)
    Adadelta([p], rho=0.75, eps=1e-6, engine=engine).step()
    assert p.tolist() == pytest.approx([-2e-3, 2e-3], rel=1e-11)


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")  # torch's word to all who use them
@pytest.mark.parametrize("lr_decay", [0.0, 0.5])
def test_adagrad_takes_sparse_gradients_as_torchs_does(lr_decay: float) -> None:
    ours, theirs = (
        torch.nn.Embedding(6, 3, sparse=True, _weight=torch.ones(6, 3, dtype=torch.float64))
        for _ in range(2)
    )
    optimizer = Adagrad(ours.parameters(), lr=0.1, lr_decay=lr_decay)
    reference = torch.optim.Adagrad(theirs.parameters(), lr=0.1, lr_decay=lr_decay)
    for rows in ([1, 1, 4], [4, 5]):
        for table, each in ((ours, optimizer), (theirs, reference)):
            each.zero_grad()
            table(torch.tensor(rows)).pow(3).sum().backward()
            each.step()
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-14, atol=0)


@every_engine
def test_sums_can_be_shared_before_the_first_step(engine: Any) -> None:
    p, q = (torch.ones(3, requires_grad=True) for _ in range(2))
    shared = Adagrad([p], initial_accumulator_value=0.5, engine=engine)
    plain = Adagrad([q], initial_accumulator_value=0.5, engine=engine)
    shared.share_memory()
    for _ in range(2):
        p.grad, q.grad = torch.full((3,), 0.1), torch.full((3,), 0.1)
        shared.step()
        plain.step()
    assert shared.state[p]["sum"].is_shared()
    assert torch.equal(p, q)


@every_engine
def test_a_group_has_its_own_first_sum(engine: Any) -> None:
    p = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    p.grad = torch.ones_like(p)
    group = {"params": [p], "initial_accumulator_value": 8.0}
    Adagrad([group], lr=0.3, initial_accumulator_value=1.0, eps=0.0, engine=engine).step()
    assert p.item() == pytest.approx(-0.1)


# MADGRAD -------------------------------------------------------------------------------------


@every_engine
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_madgrads_cube_root_is_one_for_all_sizes_of_gradients(dtype: Any, engine: Any) -> None:
    """The first step from 0 is η^(2/3) g^(1/3), whatever g: its square is far from its root."""
    g = torch.logspace(-15, 15, 601, dtype=torch.float64).to(dtype)
    p = torch.zeros(601, dtype=dtype, requires_grad=True)
    p.grad = g.clone()
    MADGRAD([p], lr=1e-3, momentum=0.0, eps=0.0, engine=engine).step()
    expected = -((1e-3) ** (2 / 3)) * g.double() ** (1 / 3)
    ulp = torch.finfo(dtype).eps
    torch.testing.assert_close(p.detach().double(), expected, rtol=6 * ulp, atol=0.0)


@every_engine
@pytest.mark.parametrize("gradient", [3.0, -1e-4])
def test_madgrad_under_a_constant_gradient(gradient: float, engine: Any) -> None:
    """Without momentum it is at the start less g^(1/3) (η Σ √t)^(2/3)."""
    p = torch.tensor([5.0], dtype=torch.float64, requires_grad=True)
    optimizer = MADGRAD([p], lr=0.01, momentum=0.0, eps=0.0, engine=engine)
    weights = 0.0
    for t in range(1, 20):
        p.grad = torch.full_like(p, gradient)
        optimizer.step()
        weights += 0.01 * math.sqrt(t)
        size = abs(gradient) ** (1 / 3) * weights ** (2 / 3)
        assert p.item() == pytest.approx(5.0 - math.copysign(size, gradient), rel=1e-13)


@every_engine
def test_madgrad_adds_epsilon_to_the_cube_root(engine: Any) -> None:
    p = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    p.grad = torch.full_like(p, 8.0)
    MADGRAD([p], lr=1.0, momentum=0.0, eps=4.0, engine=engine).step()
    assert p.item() == pytest.approx(-8 / (4 + 4), rel=1e-13)


@every_engine
def test_madgrad_is_where_it_began_where_there_is_no_gradient(engine: Any) -> None:
    """And returns to it from elsewhere: 1 - μ of the way in each step."""
    p = torch.ones(3, requires_grad=True)
    optimizer = MADGRAD([p], lr=0.5, momentum=0.75, eps=0.0, engine=engine)
    p.grad = torch.zeros(3)
    optimizer.step()
    assert p.tolist() == [1.0] * 3
    p.data.fill_(5.0)
    optimizer.step()
    assert p.tolist() == [4.0] * 3
