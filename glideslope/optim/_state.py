"""The state of one parameter, made when it is first needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from glideslope.engines import Recipe

from ._counters import new_count, number

State = dict[str, Any]

NARROW = (torch.bfloat16, torch.float16)


def complete(
    recipe: Recipe,
    group: Mapping[str, Any],
    parameter: Tensor,
    state: State,
    dtype: torch.dtype | None,
) -> bool:
    """Make the state that a recipe lacks; says whether its rule had none."""
    own = [name for name in recipe.state if name not in recipe.companions]
    fresh = not all(isinstance(state.get(name), Tensor) for name in own)
    for name in own:
        if not isinstance(state.get(name), Tensor):
            state[name] = _begun(name, recipe, group, parameter, dtype)
        elif dtype is not None and not parameter.is_complex():
            state[name] = state[name].to(dtype)
    for name in recipe.rule.counters:
        if not isinstance(state.get(name), Tensor):
            saved = state.get(name, recipe.rule.initial(name, group))
            state[name] = new_count(number(saved))
    for name in recipe.companions:
        if name not in state:
            state[name] = _companion(name, parameter)
    return fresh


def _begun(
    name: str,
    recipe: Recipe,
    group: Mapping[str, Any],
    parameter: Tensor,
    dtype: torch.dtype | None,
) -> Tensor:
    if recipe.rule.starts_at_parameter(name):
        kept = parameter.dtype if dtype is None or parameter.is_complex() else dtype
        return parameter.detach().to(kept, copy=True)
    return _filled(parameter, number(recipe.rule.initial(name, group)), dtype)


def _filled(parameter: Tensor, value: float, dtype: torch.dtype | None) -> Tensor:
    fill, wanted = (complex(value, value), None) if parameter.is_complex() else (value, dtype)
    layout = torch.preserve_format
    return torch.full_like(parameter, fill, dtype=wanted, memory_format=layout)


def _companion(name: str, parameter: Tensor) -> Tensor:
    """An average starts at the parameter, and is wide enough to move; a rest starts at nothing."""
    if name == "ema":
        wide = torch.float32 if parameter.dtype in NARROW else parameter.dtype
        return parameter.detach().to(wide, copy=True)
    return torch.zeros_like(parameter, memory_format=torch.preserve_format)
