"""The tensors that a kernel can reach by address."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ._engine import Recipe, Slot, scale_of
from ._layout import DTYPES, is_dense, is_plain, walk_alike

Elsewhere = Callable[[torch.device], str | None]
"""Why a kernel cannot run on a device, or None if it can."""


def unreachable(recipe: Recipe, slot: Slot, gradient: Tensor, elsewhere: Elsewhere) -> str | None:
    """Why no kernel can walk through a slot's memory, or None if one can."""
    if recipe.packed and not slot.parameter.is_contiguous():
        return "state of 8 bits is in the order of a contiguous parameter"
    if slot.shares_memory:
        return "a tensor shares memory with another one that the step writes"
    parameter, state = slot.parameter, [slot.state[name] for name in recipe.state]
    for tensor in (parameter, gradient, *state):
        if reason := _strangeness(tensor, elsewhere):
            return reason
    if not is_dense(parameter):
        return "the parameter has gaps or overlaps in memory"
    scales = {*map(scale_of, recipe.codes)}
    alike = [slot.state[name] for name in recipe.state if name not in scales]
    if not all(walk_alike(tensor, parameter) for tensor in alike):
        return "the state is not laid out as the parameter"
    return None


def _strangeness(tensor: Tensor, elsewhere: Elsewhere) -> str | None:
    """Why a tensor's elements cannot be read at its address, or None if they can."""
    if not is_plain(tensor):
        return f"{type(tensor).__name__} is not a plain tensor"
    if reason := elsewhere(tensor.device):
        return reason
    if tensor.layout is not torch.strided:
        return "a gradient is sparse"
    if tensor.dtype not in DTYPES:
        return f"{tensor.dtype} is not among the dtypes of the kernels"
    return None
