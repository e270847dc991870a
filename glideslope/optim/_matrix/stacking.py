"""Stacks of matrices: one operation on all of one shape costs less than one on each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from .matrices import Task

LARGEST = 2**21
"""The most elements of a stack: above, operations are so long that stacking gains nothing."""


def stacks(tasks: Sequence[Task]) -> Iterator[list[Task]]:
    """The tasks of one group, one shape and one dtype together, as many as a stack may have."""
    alike: dict[Any, list[Task]] = defaultdict(list)
    for task in tasks:
        p = task.parameter
        dtypes = task.gradient.dtype, *(kept.dtype for kept in task.state.values())
        alike[id(task.group), p.shape, p.dtype, p.device, dtypes].append(task)
    for same in alike.values():
        count = max(1, LARGEST // max(1, same[0].parameter.numel()))
        yield from (same[start : start + count] for start in range(0, len(same), count))


def stacked(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors of one shape as one tensor; one alone as it is."""
    return tensors[0] if len(tensors) == 1 else torch.stack(tensors)  # type: ignore[arg-type]


def unstacked(tensor: Tensor, count: int) -> Sequence[Tensor]:
    """The tensors of a stack of so many."""
    return (tensor,) if count == 1 else tensor.unbind()
