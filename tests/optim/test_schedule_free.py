"""The two points of a schedule-free optimizer, and the way between them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import glideslope as gs
from glideslope.errors import InvalidValue
from glideslope.optim import AdamWScheduleFree, ScheduleFree, SGDScheduleFree

from .cases import every_engine

BOTH = pytest.mark.parametrize("kind", [SGDScheduleFree, AdamWScheduleFree])


def trained(kind: type[ScheduleFree], dtype: torch.dtype = torch.float64, **arguments: Any) -> Any:
    torch.manual_seed(0)
    p = torch.randn(40).to(dtype).requires_grad_()
    optimizer = kind([p], lr=0.05, **arguments)
    path = []
    for _ in range(5):
        p.grad = 2 * p.detach() + 0.1
        optimizer.step()
        path.append(optimizer.state[p]["z"].clone())
    return p, optimizer, path


@every_engine
@BOTH
def test_evaluation_is_at_the_mean_of_the_path(kind: Any, engine: Any) -> None:
    p, optimizer, path = trained(kind, engine=engine)
    optimizer.eval()
    torch.testing.assert_close(p.detach(), torch.stack(path).mean(0), rtol=1e-7, atol=1e-7)


@BOTH
def test_there_and_back_again(kind: Any) -> None:
    p, optimizer, _ = trained(kind)
    y = p.detach().clone()
    optimizer.train()
    assert torch.equal(p, y)
    optimizer.eval()
    x = p.detach().clone()
    optimizer.eval()
    assert torch.equal(p, x)
    assert not torch.equal(x, y)
    optimizer.train()
    torch.testing.assert_close(p.detach(), y, rtol=1e-15, atol=1e-15)


@BOTH
def test_a_step_away_from_where_gradients_belong_is_refused(kind: Any) -> None:
    _, optimizer, _ = trained(kind)
    optimizer.eval()
    with pytest.raises(InvalidValue, match=r"call `train\(\)` before `step\(\)`"):
        optimizer.step()
    optimizer.train()
    optimizer.step()


@pytest.mark.parametrize("hyperparameters", ["saved", "own"])
@BOTH
def test_a_state_saved_at_the_average_knows_it(kind: Any, hyperparameters: Any) -> None:
    p, optimizer, _ = trained(kind)
    optimizer.eval()
    q = p.detach().clone().requires_grad_()
    resumed = kind([q], lr=0.05)
    resumed.load_state_dict(optimizer.state_dict(), hyperparameters=hyperparameters)
    for each, weight in ((optimizer, p), (resumed, q)):
        each.train()
        weight.grad = torch.ones_like(weight)
        each.step()
    assert torch.equal(p, q)


@BOTH
def test_narrow_parameters_may_keep_a_wide_state(kind: Any) -> None:
    p, optimizer, path = trained(kind, torch.bfloat16, state_dtype=torch.float32)
    optimizer.eval()
    assert p.dtype == torch.bfloat16
    torch.testing.assert_close(p.detach().float(), torch.stack(path).mean(0), rtol=0.02, atol=0.02)


def test_moving_before_the_first_step_changes_nothing() -> None:
    p = torch.ones(3, requires_grad=True)
    optimizer = SGDScheduleFree([p])
    optimizer.eval()
    optimizer.train()
    assert p.tolist() == [1.0, 1.0, 1.0]


def test_the_path_starts_at_the_parameter_whatever_was_asked_before() -> None:
    """A report makes the state; a gradient of another layout needs a new plan."""
    p = torch.ones(2, 2, requires_grad=True)
    optimizer = SGDScheduleFree([p], lr=0.5)
    p.grad = torch.ones(2, 2)
    optimizer.engine_report()
    p.grad = torch.ones(2, 2).t()
    optimizer.step()
    assert optimizer.state[p]["z"].unique().tolist() == [0.5]


@pytest.mark.parametrize(
    ("kind", "arguments", "sentence"),
    [
        (SGDScheduleFree, {"momentum": 0.0}, "`momentum` must be more than 0"),
        (SGDScheduleFree, {"momentum": 1.0}, "`momentum` must be at least 0 and less than 1"),
        (SGDScheduleFree, {"momentum": gs.linear(5) * 0.5}, "`momentum` must be fixed"),
        (AdamWScheduleFree, {"betas": (0.0, 0.9)}, "`betas` must be more than 0"),
        (AdamWScheduleFree, {"warmup_steps": -1}, "`warmup_steps` must be at least 0, got -1"),
    ],
)
def test_bad_values_are_refused(kind: Any, arguments: Any, sentence: str) -> None:
    with pytest.raises(InvalidValue, match=sentence):
        kind([torch.ones(1, requires_grad=True)], **arguments)


def mean_loss_after(optimizer: ScheduleFree, p: Tensor, steps: int) -> float:
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        noise = torch.randn(p.shape, generator=generator, dtype=p.dtype)
        p.grad = p.detach() + noise
        optimizer.step()
    optimizer.eval()
    return float(p.detach().square().mean())


def test_noise_averages_out_without_a_schedule() -> None:
    """On x²/2 with unit noise nothing beats 1/n, and descent at a constant rate stays at 1."""
    p = torch.full((4000,), 3.0, dtype=torch.float64, requires_grad=True)
    loss = mean_loss_after(SGDScheduleFree([p], lr=1.0), p, 200)
    assert 1 / 200 < loss < 6 / 200
