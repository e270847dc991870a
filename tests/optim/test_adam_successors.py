"""Properties of LaProp and Adan that their papers state, and where each is easily written wrong."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from glideslope.optim import Adam, Adan, LaProp

from .cases import every_engine
from .test_cautious import masked


def point(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def stepped(optimizer: Any, *gradients: float) -> list[float]:
    """The numbers of the only parameter after each gradient."""
    (p,) = optimizer.param_groups[0]["params"]
    path = []
    for gradient in gradients:
        p.grad = torch.full_like(p, gradient)
        optimizer.step()
        path.append(p.detach().clone())
    return torch.stack(path).squeeze(-1).tolist()


@every_engine
@pytest.mark.parametrize("kind", [LaProp, Adan])
@pytest.mark.parametrize("gradient", [3.0, -1e-4])
def test_a_constant_gradient_makes_steps_of_the_rate(
    kind: Any, gradient: float, engine: Any
) -> None:
    """Wrong bias corrections, a wrong first difference or an ε before them fail this."""
    path = stepped(kind([point(0.0)], lr=0.01, eps=0.0, engine=engine), *[gradient] * 30)
    expected = [-math.copysign(0.01, gradient) * t for t in range(1, 31)]
    assert path == pytest.approx(expected, rel=1e-12)


@every_engine
@pytest.mark.parametrize("kind", [LaProp, Adan])
def test_epsilon_is_added_to_the_corrected_root(kind: Any, engine: Any) -> None:
    (end,) = stepped(kind([point(0.0)], lr=1.0, eps=1e-8, engine=engine), 1e-8)
    assert end == pytest.approx(-0.5, rel=1e-12)


@every_engine
@pytest.mark.parametrize("kind", [LaProp, Adan])
def test_zero_gradients_move_nothing_but_by_decay(kind: Any, engine: Any) -> None:
    (end,) = stepped(kind([point(2.0)], lr=0.5, weight_decay=0.5, engine=engine), 0.0)
    assert end == (2.0 / 1.25 if kind is Adan else 1.5)


@every_engine
def test_laprop_is_bounded_where_adam_is_not(engine: Any) -> None:
    """The bound of the paper: no step is longer than η/√(1-ν), whatever μ."""
    gradients = [1e-3] * 20 + [1e3] + [1e-3] * 60
    arguments: Any = {"lr": 1.0, "betas": (0.99, 0.5), "eps": 0.0, "engine": engine}
    longest = {}
    for kind in (LaProp, Adam):
        path = [0.0, *stepped(kind([point(0.0)], **arguments), *gradients)]
        longest[kind] = max(abs(b - a) for a, b in pairwise(path))
    assert longest[LaProp] <= 1 / math.sqrt(1 - 0.5)
    assert longest[Adam] > 10


@every_engine
def test_laprop_without_memory_of_squares_averages_signs(engine: Any) -> None:
    """With ν = 0 it is the signed gradient method, with momentum."""
    optimizer = LaProp([point(0.0)], lr=1.0, betas=(0.5, 0.0), eps=0.0, engine=engine)
    path = stepped(optimizer, 5.0, -0.01, 7.0)
    averages = [0.5 / 0.5, (0.25 - 0.5) / 0.75, (0.125 - 0.25 + 0.5) / 0.875]
    assert path == pytest.approx([-sum(averages[:i]) for i in (1, 2, 3)], rel=1e-12)


@every_engine
def test_laprop_forgets_a_rate_that_is_over(engine: Any) -> None:
    """The rate is outside of the average: after a step at 0, one at 1 is that of no pause."""
    optimizer = LaProp([point(0.0)], lr=0.0, eps=0.0, engine=engine)
    assert stepped(optimizer, 2.0) == [0.0]
    optimizer.param_groups[0]["lr"] = 1.0
    assert stepped(optimizer, 2.0) == pytest.approx([-1.0], rel=1e-12)


@every_engine
def test_adan_looks_ahead_by_the_change_of_the_gradient(engine: Any) -> None:
    """Two gradients, 1 and 3, with all β = 1/2: with a pencil."""
    optimizer = Adan([point(0.0)], lr=1.0, betas=(0.5, 0.5, 0.5), eps=0.0, engine=engine)
    first, second = stepped(optimizer, 1.0, 3.0)
    average, change, square = (0.25 + 1.5) / 0.75, 0.5 * 2 / 0.75, (0.25 + 0.5 * 4**2) / 0.75
    assert first == -1.0
    assert second == pytest.approx(-1 - (average + 0.5 * change) / math.sqrt(square), rel=1e-12)


@every_engine
def test_a_tensor_that_joins_later_has_no_change_at_first(engine: Any) -> None:
    p, q = point(0.0), point(0.0)
    optimizer = Adan([p, q], lr=0.25, eps=0.0, engine=engine)
    p.grad = torch.ones_like(p)
    optimizer.step()
    p.grad, q.grad = torch.ones_like(p), torch.full_like(q, 8.0)
    optimizer.step()
    assert (p.item(), q.item()) == pytest.approx((-0.5, -0.25), rel=1e-12)


@every_engine
def test_the_decay_of_adan_divides_the_masked_step_too(engine: Any) -> None:
    torch.manual_seed(0)
    p = torch.randn(50, dtype=torch.float64, requires_grad=True)
    start, arguments = p.detach().clone(), {"lr": 0.1, "engine": engine}
    optimizer = Adan([p], weight_decay=0.5, cautious=True, **arguments)
    q = start.clone().requires_grad_()
    plain = Adan([q], **arguments)
    for _ in range(4):
        g = torch.randn(50, dtype=torch.float64)
        before = p.detach().clone()
        q.data.copy_(before)
        p.grad, q.grad = g.clone(), g.clone()
        optimizer.step()
        plain.step()
        expected = (before - masked(before - q.detach(), g)) / 1.05
        torch.testing.assert_close(p.detach(), expected, rtol=1e-12, atol=1e-12)
