"""A scheduler of torch's own from a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from glideslope.errors import require_type
from glideslope.schedules import Schedule


def to_lambda_lr(
    optimizer: torch.optim.Optimizer,
    schedule: Schedule | Sequence[Schedule],
    last_epoch: int = -1,
) -> torch.optim.lr_scheduler.LambdaLR:
    """A `LambdaLR` of torch itself under a schedule: ``initial_lr · s(t)`` in each group.

    For code that knows torch's class and no other. Its state holds no schedule, only the step.

    Args:
        optimizer: an optimizer of torch.
        schedule: the factors, or a list with a schedule for each group.
        last_epoch: as in torch.

    Raises:
        InvalidType: ``schedule`` is no schedule.
        UnboundError: some length is still in epochs, tokens or percent.
        ValueError: a list of another length than there are groups.

    Example:
        >>> import torch, glideslope as gs
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = to_lambda_lr(optimizer, gs.linear(4))
        >>> optimizer.step(); scheduler.step()
        >>> round(scheduler.get_last_lr()[0], 6)
        0.075

    Source: ``torch.optim.lr_scheduler.LambdaLR``.
    """
    several = isinstance(schedule, list | tuple)
    curves: list[Any] = list(schedule) if several else [schedule]  # type: ignore[arg-type]
    for curve in curves:
        is_schedule = isinstance(curve, Schedule)
        require_type(is_schedule, "schedule", "be a schedule, or a list of them", curve)
    # Functions: a `LambdaLR` puts the attributes of any other callable object into its state.
    functions = [curve.evaluator() for curve in curves]
    given = functions if several else functions[0]
    return torch.optim.lr_scheduler.LambdaLR(optimizer, given, last_epoch)
