"""An optimizer under a scheduler, and its learning rates."""

from __future__ import annotations

from typing import Any

import torch


def sgd(*rates: Any, **options: Any) -> torch.optim.SGD:
    """SGD with momentum and a parameter group for each rate."""
    groups = [{"params": [torch.nn.Parameter(torch.ones(1))], "lr": rate} for rate in rates]
    return torch.optim.SGD(groups, **{"lr": 1.0, "momentum": 0.9, **options})


def rates_of(optimizer: Any) -> list[float]:
    """The learning rate of each group."""
    return [float(group["lr"]) for group in optimizer.param_groups]


def stepped(scheduler: Any, steps: int) -> Any:
    """The scheduler after so many steps."""
    for _ in range(steps):
        scheduler.step()
    return scheduler
