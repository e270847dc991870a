"""The parts that the frameworks' guides leave to the reader: a model, data, an epoch."""

from __future__ import annotations

from typing import Any

import torch


def rate(optimizer: Any) -> float:
    (group,) = optimizer.param_groups
    return group["lr"]


def update(model: torch.nn.Module, optimizer: Any) -> torch.Tensor:
    """One update on the mean square of the outputs for ones."""
    optimizer.zero_grad()
    loss = model(torch.ones(4, 10)).square().mean()
    loss.backward()
    optimizer.step()
    return loss
