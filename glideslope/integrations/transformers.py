"""The schedule functions of the library transformers, and its `GreedyLR`.

Their code is in `glideslope.optim.lr_scheduler`, where the names can be imported from as well: they
are schedulers, and `glideslope.optim` imports nothing that lies above it.

    >>> import torch
    >>> from glideslope.integrations import transformers
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    >>> transformers.get_linear_schedule_with_warmup(optimizer, 100, 1000).schedule
    warmup(100) >> linear(900)
"""

from __future__ import annotations

from typing import Any

from glideslope.optim.lr_scheduler import (
    GreedyLR,
    get_constant_schedule,
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
    get_cosine_with_hard_restarts_schedule_with_warmup,
    get_cosine_with_min_lr_schedule_with_warmup,
    get_cosine_with_min_lr_schedule_with_warmup_lr_rate,
    get_greedy_schedule,
    get_inverse_sqrt_schedule,
    get_linear_schedule_with_warmup,
    get_polynomial_decay_schedule_with_warmup,
    get_reduce_on_plateau_schedule,
    get_scheduler,
    get_wsd_schedule,
)
from glideslope.schedules import Schedule

from ._torch_reading import from_torch

__all__ = [
    "GreedyLR",
    "from_transformers",
    "get_constant_schedule",
    "get_constant_schedule_with_warmup",
    "get_cosine_schedule_with_warmup",
    "get_cosine_with_hard_restarts_schedule_with_warmup",
    "get_cosine_with_min_lr_schedule_with_warmup",
    "get_cosine_with_min_lr_schedule_with_warmup_lr_rate",
    "get_greedy_schedule",
    "get_inverse_sqrt_schedule",
    "get_linear_schedule_with_warmup",
    "get_polynomial_decay_schedule_with_warmup",
    "get_reduce_on_plateau_schedule",
    "get_scheduler",
    "get_wsd_schedule",
]


def from_transformers(
    scheduler: Any, group: int = 0, *, sampled: bool = False, steps: int | None = None
) -> Schedule:
    """The learning rates of one parameter group under a scheduler of transformers, as a schedule.

    The schedulers of ``transformers.get_scheduler`` are torch's `LambdaLR` with a function whose
    name and arguments tell the formula, so `glideslope.integrations.torch.from_torch` reads them;
    this is that function. After the last training step the schedule holds its end, where some
    functions of transformers climb again.

    Args:
        scheduler: what ``transformers.get_cosine_schedule_with_warmup(…)`` and the like return.
        group: the index of the parameter group.
        sampled: where the formula is not known, record the values of a copy in a table.
        steps: the number of values to record.

    Raises:
        InvalidType: the formula is not known, or ``scheduler`` follows a metric.
        InvalidValue: there is no such group; ``sampled`` without ``steps``, or after the first
            step.

    Example:
        >>> import torch, glideslope as gs
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> from_transformers(torch.optim.lr_scheduler.LambdaLR(optimizer, gs.warmup(10)))
        warmup(10) * 0.1

    Source: ``transformers.optimization``.
    """
    return from_torch(scheduler, group, sampled=sampled, steps=steps)


def __dir__() -> list[str]:
    return __all__
