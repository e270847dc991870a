"""Schedules from torch's schedulers, and a scheduler of torch's from a schedule.

>>> import torch
>>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
>>> theirs = torch.optim.lr_scheduler
>>> warmup = theirs.LinearLR(optimizer, 0.25, total_iters=4)
>>> decay = theirs.CosineAnnealingWarmRestarts(optimizer, 10)
>>> from_torch(theirs.SequentialLR(optimizer, [warmup, decay], [4]))
(warmup(4, start=0.25) >> cosine(10).repeat()) * 0.1
"""

from __future__ import annotations

from glideslope import _torch as _torch  # first: it refuses a torch that is missing or too old

from ._torch_out import to_lambda_lr as to_lambda_lr
from ._torch_reading import from_torch as from_torch

__all__ = ["from_torch", "to_lambda_lr"]


def __dir__() -> list[str]:
    return __all__
