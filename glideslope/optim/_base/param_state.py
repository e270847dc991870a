"""The state of one parameter, created when it is first needed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from numbers import Real
from typing import Any

import torch
from torch import Tensor, is_tensor

from glideslope.engines import (
    CODES,
    COMPENSATION,
    REMAINDER,
    REMAINDERS,
    Recipe,
    is_backed,
    overlaps_itself,
    scale_of,
    scale_shape,
)
from glideslope.errors import StateMismatch

from .counters import State, new_count, number
from .masters import compensation_of, remainder_of
from .packing import is_packed, pack, unpack

NARROW = (torch.bfloat16, torch.float16)
INTEGERS = (*REMAINDERS.values(),)


def check_state(name: str, recipe: Recipe, parameter: Tensor, state: State) -> None:
    """Refuse state that is not this parameter's.

    Raises:
        StateMismatch: an entry that has another shape, kind of number or device, or memory that was
            freed.
    """
    scales = {scale_of(name): scale_shape(parameter.shape) for name in recipe.rule.state}
    for entry in dict.fromkeys((*recipe.state, *scales)):
        kept = state.get(entry)
        if isinstance(kept, Tensor):
            dtypes = INTEGERS if entry == REMAINDER else CODES if is_packed(state, entry) else ()
            shape = scales.get(entry, parameter.shape)
            fault = fault_of(kept, torch.Size(shape), parameter, dtypes)
            if fault is not None:
                raise StateMismatch(f"state `{entry}` of {name} {fault}")
    for counter in {*recipe.rule.counters, "step"} & state.keys():
        kept = state[counter]
        if not _is_number(kept):
            found = f"{kept.dtype} of shape {tuple(kept.shape)}" if is_tensor(kept) else repr(kept)
            rule = f"must be one real number, got {found}"
            raise StateMismatch(f"state `{counter}` of {name} {rule}")


def _is_number(kept: Any) -> bool:
    """True if it is one real number that can be read."""
    if not isinstance(kept, Tensor):
        return isinstance(kept, Real)
    is_readable = kept.device.type != "meta" and is_backed(kept)
    return kept.numel() == 1 and not kept.is_complex() and is_readable


def fault_of(
    kept: Tensor, shape: torch.Size, parameter: Tensor, dtypes: Collection[torch.dtype] = ()
) -> str | None:
    """Why a tensor cannot be state of this parameter, or None.

    Args:
        kept: the tensor.
        shape: the shape that it must have.
        parameter: its parameter.
        dtypes: those that it may have; any of floating-point numbers if there are none.
    """
    if kept.shape != shape:
        return f"has the shape {tuple(kept.shape)}, not {tuple(shape)} as its parameter asks"
    if kept.is_complex() != parameter.is_complex():
        return f"is {kept.dtype}, the parameter {parameter.dtype}"
    if dtypes and kept.dtype not in dtypes:
        return f"must be one of {', '.join(map(str, dtypes))}, got {kept.dtype}"
    if not (dtypes or kept.is_floating_point() or kept.is_complex()):
        return f"must hold floating-point numbers, got {kept.dtype}"
    if kept.device != parameter.device:
        return f"is on {kept.device}, the parameter on {parameter.device}"
    if not is_backed(kept):
        return "has lost its memory: it was freed or is too small"
    if overlaps_itself(kept):
        return "has elements that share memory, such as an expanded tensor's"
    return None


def complete(
    recipe: Recipe,
    group: Mapping[str, Any],
    parameter: Tensor,
    state: State,
    dtype: torch.dtype | None,
) -> bool:
    """Create the state that a recipe lacks; returns True if its rule had none."""
    own = recipe.rule.kept_state(recipe.options)
    fresh = not all(isinstance(state.get(name), Tensor) for name in own)
    for name in own:
        if not recipe.packed:
            unpack(state, name, dtype or usual_dtype(parameter))
        if not isinstance(state.get(name), Tensor):
            state[name] = _begun(name, recipe, group, parameter, dtype)
        elif dtype is not None and not parameter.is_complex():
            state[name] = state[name].to(dtype)
        if recipe.packed:
            pack(state, name, recipe.rule)
    for name in recipe.rule.counters:
        if not isinstance(state.get(name), Tensor):
            saved = state.get(name, recipe.rule.initial(name, group))
            state[name] = new_count(number(saved))
    for name in recipe.companions:
        state[name] = _companion(name, recipe, parameter, state)
    return fresh


def usual_dtype(parameter: Tensor) -> torch.dtype:
    """The dtype of state unless one is chosen: the squares of gradients vanish in a float16."""
    return torch.float32 if parameter.dtype is torch.float16 else parameter.dtype


def _begun(
    name: str,
    recipe: Recipe,
    group: Mapping[str, Any],
    parameter: Tensor,
    dtype: torch.dtype | None,
) -> Tensor:
    dtype = dtype or usual_dtype(parameter)
    if recipe.rule.starts_at_parameter(name):
        kept = parameter.dtype if parameter.is_complex() else dtype
        return parameter.detach().to(kept, copy=True)
    return _filled(parameter, number(recipe.rule.initial(name, group)), dtype)


def _filled(parameter: Tensor, value: float, dtype: torch.dtype | None) -> Tensor:
    fill, wanted = (complex(value, value), None) if parameter.is_complex() else (value, dtype)
    layout = torch.preserve_format
    return torch.full_like(parameter, fill, dtype=wanted, memory_format=layout)


def _companion(name: str, recipe: Recipe, parameter: Tensor, state: State) -> Any:
    """State that belongs to no rule; an average starts at the parameter, a rest at 0."""
    if name == REMAINDER:
        return remainder_of(parameter, state, REMAINDERS[recipe.rounding])
    if name in state:
        return state[name]
    if name == COMPENSATION:
        return compensation_of(parameter, state)
    wide = torch.float32 if parameter.dtype in NARROW else parameter.dtype
    return parameter.detach().to(wide, copy=True)
