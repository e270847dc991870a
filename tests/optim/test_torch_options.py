"""The options of torch's optimizers in all combinations, followed step by step in float64.

The contract of `test_optimizers` holds a few combinations to much; here are many, some at the edge.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
import torch

from glideslope import optim

from .cases import every_engine

RARE = {
    "betas": [(0.9, 0.999), (0.0, 0.5), (0.5, 0.0)],
    "eps": [1e-8, 0.1],
    "weight_decay": [0, 0.1],
}
GRIDS: dict[str, dict[str, list[Any]]] = {
    "Adagrad": {
        "lr_decay": [0, 0.1],
        "weight_decay": [0, 0.1],
        "initial_accumulator_value": [0, 0.3],
        "eps": [1e-10, 0.1],
    },
    "Adadelta": {"rho": [0, 0.5, 0.99, 1.0], "eps": [1e-6, 0.1], "weight_decay": [0, 0.1]},
    "Adamax": RARE,
    "NAdam": {**RARE, "momentum_decay": [0, 0.1], "decoupled_weight_decay": [False, True]},
    "RAdam": {**RARE, "decoupled_weight_decay": [False, True]},
    "Rprop": {
        "etas": [(0.5, 1.2), (0.1, 5)],
        "step_sizes": [(1e-6, 50), (0.02, 0.03), (0.005, 0.02)],
    },
    "ASGD": {
        "lambd": [1e-4, 0.5],
        "alpha": [0.75, 1, 0],
        "t0": [1e6, 0, 3.5, -2],
        "weight_decay": [0, 0.1],
    },
}


pytestmark = pytest.mark.usefixtures("float64_counts")


def combinations(grid: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    for values in product(*grid.values(), [False, True]):
        yield dict(zip((*grid, "maximize"), values, strict=True))


@every_engine
@pytest.mark.parametrize("name", GRIDS)
def test_every_combination_follows_torch(name: str, engine: str) -> None:
    gradients = torch.randn(8, 9, generator=torch.Generator().manual_seed(0))
    gradients[5] = 0.0
    for arguments in combinations(GRIDS[name]):
        p, q = (torch.linspace(-1, 1, 9).requires_grad_() for _ in range(2))
        ours = getattr(optim, name)([p], lr=0.01, engine=engine, **arguments)
        theirs = getattr(torch.optim, name)([q], lr=0.01, **arguments)
        for gradient in gradients:
            p.grad, q.grad = gradient.clone(), gradient.clone()
            ours.step()
            theirs.step()
        torch.testing.assert_close(p, q, rtol=1e-13, atol=1e-13, msg=str(arguments))
        state = dict(ours.state[p])
        torch.testing.assert_close(state, dict(theirs.state[q]), rtol=1e-12, atol=1e-13)
