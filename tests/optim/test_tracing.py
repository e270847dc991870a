"""Optimizers inside autograd and inside `torch.compile`, where counts are tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from .cases import CASES, Case

GRADIENTS = torch.linspace(-1.0, 2.0, 7 * 5, dtype=torch.float64).sin().view(7, 5)


def run(case: Case, wrapped: Callable[[Any], Any], **arguments: Any) -> tuple[Any, Tensor]:
    """Seven steps from ones; gives the optimizer and the parameter."""
    p = torch.ones(5, dtype=torch.float64, requires_grad=True)
    p = p.clone() if arguments else p
    optimizer = case.ours([p], **{**case.arguments, **arguments})
    step = wrapped(optimizer.step)
    for gradient in GRADIENTS:
        p.grad = gradient.clone()
        step()
    return optimizer, p


@pytest.mark.parametrize("name", ["nadam", "radam", "asgd-averaged", "rprop"])
def test_what_a_rule_derives_from_its_counts_can_be_compiled(name: str) -> None:
    torch.compiler.reset()
    compiled, p = run(CASES[name], lambda step: torch.compile(step, backend="eager"))
    plain, q = run(CASES[name], lambda step: step)
    torch.testing.assert_close(p, q, rtol=1e-12, atol=0)
    torch.testing.assert_close(dict(compiled.state[p]), dict(plain.state[q]), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["adagrad", "adadelta", "adamax", "nadam", "radam"])
def test_gradients_flow_through_the_rate(name: str) -> None:
    """Without decay, and under given gradients, the distance is the rate times its slope."""
    rate = torch.tensor(0.01, dtype=torch.float64, requires_grad=True)
    _, p = run(CASES[name], lambda step: step, lr=rate, differentiable=True)
    (slope,) = torch.autograd.grad(p.sum(), rate)
    assert (0.01 * slope).item() == pytest.approx(p.sum().item() - 5, rel=1e-9)


@pytest.mark.parametrize("name", ["asgd", "rprop"])
def test_gradients_flow_through_a_step_whose_rate_is_kept_in_the_state(name: str) -> None:
    """Nothing flows to the rate, as in torch, and no warning is given."""
    rate = torch.tensor(2.0**-7, dtype=torch.float64, requires_grad=True)
    _, p = run(CASES[name], lambda step: step, lr=rate, differentiable=True)
    assert p.requires_grad
    (slope,) = torch.autograd.grad(p.sum(), rate, allow_unused=True)
    assert slope is None
