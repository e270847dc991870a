"""One step of a reference, for the tests of options that mask an update or its decay."""

from __future__ import annotations

import torch
from torch import Tensor


def random_parameter(*shape: int) -> Tensor:
    torch.manual_seed(0)
    return torch.randn(shape, dtype=torch.float64).requires_grad_()


def subtracted(reference: torch.optim.Optimizer, q: Tensor, p: Tensor, g: Tensor) -> Tensor:
    """The difference that one step of a reference makes, from the parameter ``p``."""
    q.data.copy_(p)
    q.grad = g.clone()
    reference.step()
    return p.detach() - q.detach()
