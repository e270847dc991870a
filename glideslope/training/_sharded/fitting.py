"""States of whole tensors for parts whose tensors are sharded."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

import torch
from torch import Tensor

from glideslope.distributed import is_sharded, part_of
from glideslope.optim import Optimizer


def sharded_like(part: Any, state: Any, own: Any) -> Any:
    """A state with the layout of a part: where the part has a sharded tensor, the state has one.

    Args:
        part: takes the state afterwards; our optimizers find the layout themselves.
        state: the saved state.
        own: the state that the part has.
    """
    if isinstance(part, Optimizer):
        return state
    if isinstance(part, torch.optim.Optimizer):
        return _like_parameters(part, state)
    return _like(state, own)


def _like(state: Any, own: Any) -> Any:
    if is_sharded(own):
        return _sharded(state, own)
    if isinstance(state, dict) and isinstance(own, Mapping):
        fitted = copy(state)  # with the attributes of an OrderedDict
        fitted.update({key: _like(value, own.get(key)) for key, value in state.items()})
        return fitted
    if type(state) in (list, tuple) and isinstance(own, list | tuple) and len(state) == len(own):
        return type(state)(map(_like, state, own))
    return state


def _like_parameters(optimizer: torch.optim.Optimizer, state: Any) -> Any:
    """The state of an optimizer, sharded as its parameters are, which come in the same order."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    names = [name for group in state["param_groups"] for name in group["params"]]
    by_name = dict(zip(names, parameters, strict=False))
    entries = {
        name: {key: _sharded(value, by_name[name]) for key, value in entry.items()}
        if name in by_name and isinstance(entry, dict)
        else entry
        for name, entry in state["state"].items()
    }
    return {**state, "state": entries}


def _sharded(value: Any, model: Tensor) -> Any:
    """A whole tensor sharded as a model, if it has its shape."""
    if not is_sharded(model) or is_sharded(value) or not isinstance(value, Tensor):
        return value
    return part_of(value, model) if value.shape == model.shape else value
