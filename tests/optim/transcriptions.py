"""Optimizers that torch lacks, as plain loops transcribed from their papers, in the paper's terms.

They share nothing with the package, so an agreement cannot hide a common mistake.
"""

from __future__ import annotations

from typing import Any

import torch


class Lion(torch.optim.Optimizer):
    """Algorithm 2 of Chen et al., 2023 (arXiv:2302.06675)."""

    def __init__(self, params: Any, lr: float, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for theta in group["params"]:
                if theta.grad is None:
                    continue
                g, eta, lam = theta.grad, group["lr"], group["weight_decay"]
                m = self.state[theta].setdefault("exp_avg", torch.zeros_like(theta))
                c = 0.9 * m + (1 - 0.9) * g
                theta -= eta * (torch.sign(c) + lam * theta)
                m.copy_(0.99 * m + (1 - 0.99) * g)
