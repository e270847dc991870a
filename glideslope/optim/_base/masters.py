"""Masters: the numbers that parameters of 16 bits stand for, with what is in their state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from glideslope.engines import COMPENSATION, REMAINDER, joined, parted
from glideslope.errors import StateMismatch

State = dict[str, Any]


def master_of(parameter: Tensor, state: State) -> Tensor:
    """A copy of the number that a parameter stands for; float32 if the state holds a part of it."""
    own = parameter.detach()
    if REMAINDER in state and own.dtype is torch.bfloat16:
        return joined(own, state[REMAINDER])
    if COMPENSATION in state:
        whole: Tensor = own.float() + state[COMPENSATION].float()
        return whole
    return own.clone()


@torch.no_grad()
def set_master(parameter: Tensor, state: State, value: Tensor) -> None:
    """Make a parameter, with its state, stand for a number as nearly as they can."""
    if REMAINDER in state and parameter.dtype is torch.bfloat16:
        upper, remainder = parted(value, state[REMAINDER].dtype)
        parameter.copy_(upper)
        state[REMAINDER].copy_(remainder)
        return
    parameter.copy_(value)
    if COMPENSATION in state:
        state[COMPENSATION].copy_(value.float() - parameter.float())


def check_weights(named: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    """Refuse weights that are not those of these parameters.

    Raises:
        StateMismatch: a name is missing, or a tensor has another shape.
    """
    for name, p in named.items():
        found = tuple(weights[name].shape) if name in weights else None
        if found != tuple(p.shape):
            raise StateMismatch(
                f"the weight `{name}` must have the shape {tuple(p.shape)}, got {found}"
            )


def remainder_of(parameter: Tensor, state: State, dtype: torch.dtype) -> Tensor:
    """The remainder, converted from that of another width or from a compensation; 0 at first."""
    kept: Tensor | None = state.get(REMAINDER)
    if kept is not None and kept.dtype == dtype:
        return kept
    converted = torch.zeros_like(parameter, dtype=dtype, memory_format=torch.preserve_format)
    if kept is not None or COMPENSATION in state:
        upper, remainder = parted(master_of(parameter, state), dtype)
        # Where rounding again leads to another bfloat16, the parameter stays, within half a unit.
        limits = torch.iinfo(dtype)
        moved = upper.view(torch.int16).int() - parameter.detach().view(torch.int16).int()
        exact = remainder.int() + moved * 2**limits.bits
        converted.copy_(exact.clamp(limits.min, limits.max))
        state.pop(COMPENSATION, None)
    return converted


def compensation_of(parameter: Tensor, state: State) -> Tensor:
    """The compensation, converted from a remainder; 0 at first."""
    rest = torch.zeros_like(parameter, memory_format=torch.preserve_format)
    if REMAINDER in state and parameter.dtype is torch.bfloat16:
        rest.copy_(master_of(parameter, state) - parameter.detach().float())
        del state[REMAINDER]
    return rest
