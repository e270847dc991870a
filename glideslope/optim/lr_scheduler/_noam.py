"""The learning rate of the original transformer."""

from __future__ import annotations

from typing import Any

from glideslope.groups import Source
from glideslope.schedules import Schedule, noam_clamped

from ._base import LRScheduler
from ._checks import above
from ._sources import Cycle, Evaluated


class NoamScheduler(LRScheduler):
    """The transformer's warm-up and decay: ``factor · d^-½ · min(t^-½, t · w^-1.5)``.

    With ``d = model_size``, ``w = warmup_steps`` and ``t = max(1, last_epoch)``, so no update runs
    at rate 0. The rate is absolute: the optimizer's own is not used. It rises to its peak
    ``factor / √(d w)`` at step ``w``.

    Args:
        optimizer: see `LRScheduler`.
        model_size: the width of the model.
        warmup_steps: the number of steps up.
        factor: a factor on the rate.
        last_epoch: see `LRScheduler`.
        verbose: see `LRScheduler`.

    Raises:
        InvalidValue: an argument that is not above 0.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
        >>> scheduler = NoamScheduler(optimizer, model_size=512, warmup_steps=4)
        >>> for _ in range(6):
        ...     print(f"{scheduler.last_lr:.4f}", end=" ")
        ...     optimizer.step(); scheduler.step()
        0.0055 0.0055 0.0110 0.0166 0.0221 0.0198

    Vaswani et al., "Attention is all you need", https://arxiv.org/abs/1706.03762, equation 3
    """

    __slots__ = ()
    _settings = ("factor", "model_size", "warmup_steps")
    _resets = True

    def __init__(
        self,
        optimizer: Any,
        model_size: int,
        warmup_steps: int,
        factor: float = 1.0,
        last_epoch: int = -1,
        verbose: bool = False,
    ) -> None:
        self.model_size = above("model_size", model_size, 0)
        self.warmup_steps = above("warmup_steps", warmup_steps, 0)
        self.factor = above("factor", factor, 0)
        self.optimizer = optimizer
        peak = self.factor * (self.model_size * self.warmup_steps) ** -0.5
        self.base_lrs = [peak for _ in self._shared_lr().groups()]
        super().__init__(optimizer, last_epoch, verbose)

    def _curve(self) -> Schedule:
        return noam_clamped(self.model_size, self.warmup_steps, self.factor)

    def _lr_source(self) -> Source:
        count = len(self.base_lrs)
        return Cycle(Evaluated(self._curve()), [1.0] * count, [0.0] * count)
