"""A scheduler that reduces the rate when a metric stops improving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch

from glideslope.distributed import Agree

from ._base import LRScheduler
from ._checks import at_least
from ._metered import PROGRESS, SETTINGS, Metered


class ReduceLROnPlateau(Metered, LRScheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):  # type: ignore[misc]
    """Multiply the rates by ``factor`` after more than ``patience`` steps without improvement.

    A metric is an improvement if it is beyond the best one by the threshold: ``best ± threshold ·
    |best|`` (``"rel"``) or ``best ± threshold`` (``"abs"``); so a metric may be negative. One that
    is not a number is neither better nor worse: the step counts for nothing but the cooldown, and a
    warning says so. The factor multiplies with those of other schedulers on the optimizer. In
    `SequentialLR` and `ChainedScheduler` it is a member like any other; their `step` takes the
    metric.

    Args:
        optimizer: see `LRScheduler`.
        mode: ``"min"`` if less is better, ``"max"`` if more is.
        factor: the factor, in [0, 1).
        patience: number of steps without improvement to tolerate.
        threshold: the least improvement that counts.
        threshold_mode: ``"rel"`` for a share of the best metric, ``"abs"`` for a difference.
        cooldown: number of steps after a reduction in which nothing is counted.
        min_lr: the rate not to go below, or a list with one for each group.
        eps: the least reduction that is made.
        verbose: see `LRScheduler`.
        agree: on several ranks, the metric that all of them use: ``"mean"`` of theirs, that of
            ``"rank0"``, or each its own (None). Every rank calls `step`.

    Raises:
        InvalidType: a metric that is not a number.
        InvalidValue: ``factor`` outside [0, 1), an unknown mode, a count below 0, a list whose
            length is not the number of groups.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        >>> scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
        >>> for loss in [0.5, -0.5, -0.5, -0.5, -0.5]:
        ...     scheduler.step(loss)
        ...     print(scheduler.last_lr, end=" ")
        [1.0] [1.0] [1.0] [0.5] [0.5]

    `torch.optim.lr_scheduler.ReduceLROnPlateau`
    """

    __slots__ = ("agree",)  # no attribute of torch's, nor part of its state
    _settings: ClassVar[tuple[str, ...]] = SETTINGS
    _progress: ClassVar[tuple[str, ...]] = PROGRESS

    def __init__(
        self,
        optimizer: Any,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
        verbose: bool = False,
        *,
        agree: Agree = "mean",
    ) -> None:
        at_least("factor", factor, 0)
        better = mode, threshold, threshold_mode
        self._set_up(optimizer, *better, factor, patience, cooldown, min_lr, eps, verbose, agree)

    def _judge(self, metric: float) -> bool:
        """Count good and bad steps; True if it is time for a reduction."""
        if self._is_better(metric, self.best):
            self.best = metric
            self.num_bad_epochs = 0
        elif metric == metric or not self._is_nan(metric):
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        is_due = self.num_bad_epochs > self.patience
        if is_due:
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        return is_due

    def _changed(self, rates: list[float]) -> list[float]:
        return self._reduced(rates)
