"""Models and training steps that torch.compile has compiled to machine code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import glideslope as gs
from glideslope import optim
from glideslope.optim import lr_scheduler as lrs

MAKES: dict[str, Callable[[Any], Any]] = {
    "AdamW": lambda ps: optim.AdamW(ps, lr=0.01),
    "clipped": lambda ps: optim.AdamW(ps, lr=0.01, max_grad_norm=0.1),
    "of a schedule": lambda ps: optim.AdamW(ps, lr=0.01 * gs.cosine(12)),
    "SGD": lambda ps: optim.SGD(ps, lr=0.01, momentum=0.9),
}


def trained(make: Callable[[Any], Any], what: str) -> torch.Tensor:
    torch.compiler.reset()
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    optimizer = make(model.parameters())
    scheduler = lrs.Scheduler(optimizer, lr="linear(24)")
    forward = torch.compile(model) if what == "model" else model

    def train(x: torch.Tensor) -> None:
        optimizer.zero_grad()
        forward(x).square().mean().backward()
        optimizer.step()

    if what == "training step":
        train = torch.compile(train)
    generator = torch.Generator().manual_seed(1)
    for _ in range(8):
        train(torch.randn(5, 4, generator=generator))
        scheduler.step()
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])


@pytest.mark.long
@pytest.mark.parametrize("what", ["model", "training step"])
@pytest.mark.parametrize("name", MAKES)
def test_what_is_compiled_trains_as_what_is_not(name: str, what: str) -> None:
    found, right = trained(MAKES[name], what), trained(MAKES[name], "nothing")
    torch.testing.assert_close(found, right, rtol=0, atol=2e-6)
