"""The state of rules in 8 bits and in floating-point numbers, and the way from one to the other."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from glideslope.engines import CODES, generator_of, packed, scale_of, unpacked
from glideslope.rules import Rule

State = dict[str, Any]

_SEED = 0x6B43A9B5


def is_packed(state: State, name: str) -> bool:
    """True if an entry is codes, and its scales are there."""
    kept = state.get(name)
    return isinstance(kept, Tensor) and kept.dtype in CODES and scale_of(name) in state


def pack(state: State, name: str, rule: Rule) -> None:
    """Hold an entry in 8 bits; the same numbers give the same codes."""
    if not is_packed(state, name):
        dtype = torch.uint8 if name in rule.non_negative else torch.int8
        noise = generator_of(state[name].device, _SEED)
        state[name], state[scale_of(name)] = packed(state[name], dtype, noise)


def unpack(state: State, name: str, dtype: torch.dtype) -> None:
    """Hold an entry in floating-point numbers."""
    if is_packed(state, name):
        state[name] = unpacked(state[name], state.pop(scale_of(name))).to(dtype)
