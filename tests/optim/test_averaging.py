"""Properties of ASGD alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from glideslope.optim._averaging import ASGD

from .cases import every_engine

STEPS = 9


@every_engine
@pytest.mark.parametrize("t0", [0, 3, 1e6])
def test_the_average_is_the_mean_of_the_parameters_since_it_began(engine: Any, t0: float) -> None:
    """It begins with the parameters of step t0 + 2; up to then it is those of the last step.

    The weights 1/2, 1/3, ... are kept in float32.
    """
    p = torch.linspace(-1.0, 1.0, 20, dtype=torch.float64).requires_grad_()
    optimizer = ASGD([p], lr=0.3, t0=t0, engine=engine)
    path = []
    for _ in range(STEPS):
        p.grad = p.detach() - 3.0
        optimizer.step()
        path.append(p.detach().clone())
        begun = path[int(min(t0 + 1, len(path) - 1)) :]
        average = optimizer.state[p]["ax"]
        torch.testing.assert_close(average, torch.stack(begun).mean(0), rtol=1e-7, atol=0)
        if len(path) <= t0 + 2:
            assert torch.equal(average, p)


@every_engine
def test_the_rate_falls_as_a_power(engine: Any) -> None:
    p = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = ASGD([p], lr=0.5, lambd=0.25, alpha=0.5, engine=engine)
    position = 0.0
    for step in range(4):
        rate = 0.5 / (1 + 0.25 * 0.5 * step) ** 0.5
        position = position * (1 - 0.25 * rate) - rate
        p.grad = torch.ones(1, dtype=torch.float64)
        optimizer.step()
        assert p.item() == pytest.approx(position, rel=1e-7)  # the rate is kept in float32


@every_engine
def test_nothing_of_the_past_is_left_in_an_average_that_has_not_begun(engine: Any) -> None:
    p = torch.full((20,), 1e20, requires_grad=True)
    optimizer = ASGD([p], lambd=0.0, engine=engine)
    for value in (1e20, 1.0):
        p.data.fill_(value)
        p.grad = torch.zeros(20)
        optimizer.step()
        assert optimizer.state[p]["ax"].tolist() == p.tolist()
