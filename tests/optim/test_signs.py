"""Properties of Rprop alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import glideslope as gs
from glideslope.errors import InvalidValue
from glideslope.optim._signs import Rprop

from .cases import every_engine

GRADIENTS = [2.0, 0.1, 5.0, -1.0, -1.0, -1.0, 0.0, -1.0, 3.0]
LENGTHS = [1.0, 1.5, 2.0, 0.5, 0.5, 0.75, 0.75, 0.75, 0.5]
"""The size of each step for η of 0.25 and 1.5 and bounds of 0.5 and 2.

It grows, is cut off at 2, shrinks at the change of sign and is cut off at 0.5, stays after it,
grows, stays around a zero, and shrinks again.
"""
MOVES = [-1.0, -1.5, -2.0, 0.0, 0.5, 0.75, 0.0, 0.75, 0.0]
"""Nothing moves where the sign has changed or the gradient is zero."""


@every_engine
def test_steps_grow_and_shrink_within_their_bounds(engine: Any) -> None:
    p = torch.zeros(20, dtype=torch.float64, requires_grad=True)
    optimizer = Rprop([p], lr=1.0, etas=(0.25, 1.5), step_sizes=(0.5, 2.0), engine=engine)
    position = 0.0
    for gradient, length, move in zip(GRADIENTS, LENGTHS, MOVES, strict=True):
        p.grad = torch.full_like(p, gradient)
        optimizer.step()
        position += move
        assert set(p.tolist()) == {position}
        assert set(optimizer.state[p]["step_size"].tolist()) == {length}


@every_engine
def test_the_rate_matters_only_to_the_first_step(engine: Any) -> None:
    p = torch.zeros(1, requires_grad=True)
    optimizer = Rprop([p], lr=gs.linear(10, start=0.5, end=9.0), engine=engine)
    for expected in (-0.5, -0.5 - 0.6):
        p.grad = torch.ones(1)
        optimizer.step()
        assert p.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("etas", [(0.0, 1.2), (1.0, 1.2), (0.5, 1.0), (1.2, 0.5)])
def test_factors_are_refused_that_do_not_shrink_and_grow(etas: tuple[float, float]) -> None:
    with pytest.raises(InvalidValue, match=r"`etas` must be one less than 1, one more, got \("):
        Rprop([torch.zeros(1, requires_grad=True)], etas=etas)
