"""Pairs of an optimizer and a schedule, each with the values that its tuning may choose from.

All pairs have the same number of rates, a factor of 2 apart, and of decays. A rate that is chosen
at an end of its row is marked in the tables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

import glideslope as gs
from glideslope.optim import (
    SOAP,
    AdamW,
    AdamWScheduleFree,
    Adan,
    MuonWithAuxAdam,
    param_groups,
)

COSINE = "warmup(5%) >> cosine(95%)"
LINEAR = "warmup(5%) >> linear(95%)"
WSD = "warmup(5%) >> hold(70%) >> linear(25%)"
CONSTANT = "warmup(5%) >> hold(95%)"


@dataclass(frozen=True)
class Pair:
    """An optimizer with a schedule.

    Args:
        optimizer: makes the optimizer from groups of parameters and its rate.
        schedule: factor of the rate, its lengths in percent of the run.
        rates: learning rates to tune over.
        decays: weight decays to tune over; vectors are never decayed.
    """

    optimizer: Callable[..., torch.optim.Optimizer]
    schedule: str
    rates: tuple[float, ...]
    decays: tuple[float, ...] = (0.0, 0.1)

    def make(self, model: nn.Module, rate: float, decay: float) -> torch.optim.Optimizer:
        """The optimizer of a model."""
        apart = self.optimizer is MuonWithAuxAdam
        groups: Any = param_groups(model, weight_decay=decay, use_muon=apart)
        return self.optimizer(groups, lr=rate)

    def over(self, steps: int) -> gs.Schedule:
        """The schedule of a run of so many updates."""
        return gs.parse(self.schedule).bind(total_steps=steps)


def doubling(first: float, count: int = 7) -> tuple[float, ...]:
    """Rates from the first, each twice the one before."""
    return tuple(first * 2**i for i in range(count))


ADAM = doubling(2e-3)
MUON = doubling(4e-3)
TORCH_ADAMW = partial(torch.optim.AdamW, fused=True)
TORCH_SGD = partial(torch.optim.SGD, momentum=0.9, nesterov=True, fused=True)
KL_SOAP = partial(SOAP, kl=True)

BASELINE = "torch AdamW, cosine"
PAIRS = {
    BASELINE: Pair(TORCH_ADAMW, COSINE, ADAM),
    "MuonWithAuxAdam, linear": Pair(MuonWithAuxAdam, LINEAR, MUON),
    "SOAP, linear": Pair(SOAP, LINEAR, ADAM),
    "AdamW, linear": Pair(AdamW, LINEAR, ADAM),
    "MuonWithAuxAdam, WSD": Pair(MuonWithAuxAdam, WSD, MUON),
    "SOAP(kl=True), linear": Pair(KL_SOAP, LINEAR, ADAM),
    "AdamW, WSD": Pair(AdamW, WSD, ADAM),
    "torch SGD, cosine": Pair(TORCH_SGD, COSINE, doubling(0.02), (0.0, 1e-3)),
    "AdamWScheduleFree, constant": Pair(AdamWScheduleFree, CONSTANT, ADAM),
    "Adan, linear": Pair(Adan, LINEAR, MUON),
}
