"""Bringing a saved state to the parameters of an optimizer.

Torch matches by position, casts every tensor to its parameter's dtype and replaces every key of the
groups. Here names decide where both sides have them, a state keeps the dtype it was saved in, and
what becomes of a hyperparameter that differs is said.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping
from copy import deepcopy
from itertools import chain
from typing import Any, Literal

from torch import Tensor

from glideslope.errors import StateMismatch

Group = dict[str, Any]
State = defaultdict[Any, Any]
Hyperparameters = Literal["saved", "own"]

OWN_KEYS = ("params", "param_names", "foreach", "fused", "capturable", "differentiable")
"""What belongs to this optimizer and this machine, whatever was saved."""

PROGRESS_KEYS = {"d", "d_max", "d_numerator", "train_mode", "updates"}
"""What says how far a run has come: always the saved one's."""

SCHEDULED_KEYS = {"lr", "initial_lr"}
"""What changes during a run, so that a difference says nothing."""

HOST_COUNTERS = {"step"}
"""Entries that stay on the CPU wherever their parameter is."""


def match_parameters(groups: list[Group], saved: list[Group], strict: bool) -> dict[Any, Tensor]:
    """The parameter that each saved identity belongs to.

    Raises:
        StateMismatch: the groups differ in number or size, or a parameter has no saved name.
    """
    parameters = list(chain.from_iterable(group["params"] for group in groups))
    identities = list(chain.from_iterable(group["params"] for group in saved))
    if all("param_names" in group for group in (*groups, *saved)):
        names = chain.from_iterable(group["param_names"] for group in groups)
        saved_names = chain.from_iterable(group["param_names"] for group in saved)
        identity_of = dict(zip(saved_names, identities, strict=True))
        wanted = dict(zip(names, parameters, strict=True))
        if strict and (missing := [name for name in wanted if name not in identity_of]):
            raise StateMismatch(f"the saved state has no parameter named {', '.join(missing)}")
        return {identity_of[name]: wanted[name] for name in wanted if name in identity_of}
    sizes, saved_sizes = ([len(group["params"]) for group in side] for side in (groups, saved))
    if sizes != saved_sizes:
        raise StateMismatch(
            f"the saved groups have {saved_sizes} parameters, the optimizer's {sizes}"
        )
    return dict(zip(identities, parameters, strict=True))


def placed_state(saved: Mapping[Any, Any], owners: Mapping[Any, Tensor]) -> State:
    """Copies of the saved state, each where its parameter is."""
    state: State = defaultdict(dict)
    for identity, entry in saved.items():
        if identity in owners:
            state[owners[identity]] = _placed(entry, owners[identity])
        elif not isinstance(identity, int):
            state[identity] = deepcopy(entry)  # of no parameter: an optimizer's own
    return state


def _placed(value: Any, parameter: Tensor, key: str = "") -> Any:
    """A copy of a saved value where its parameter is; no number is changed."""
    if isinstance(value, Tensor):
        device = value.device if key in HOST_COUNTERS else parameter.device
        return value.detach().to(device=device, copy=True)
    if isinstance(value, dict):
        return {name: _placed(inner, parameter, name) for name, inner in value.items()}
    return deepcopy(value)


def merged_groups(
    groups: list[Group], saved: list[Group], hyperparameters: Hyperparameters
) -> list[Group]:
    """The groups with the hyperparameters of one side, and a warning where the sides differ."""
    if len(groups) != len(saved):
        return groups
    return [
        _merged(i, group, other, hyperparameters)
        for i, (group, other) in enumerate(zip(groups, saved, strict=True))
    ]


def _merged(index: int, group: Group, saved: Group, hyperparameters: Hyperparameters) -> Group:
    kept = set(group) - PROGRESS_KEYS if hyperparameters == "own" else {*OWN_KEYS} & set(group)
    changed = [
        f"{key} from {group[key]!r} to {saved[key]!r}"
        for key in group.keys() - kept - SCHEDULED_KEYS - PROGRESS_KEYS
        if key in saved and not _equal(group[key], saved[key])
    ]
    if changed:
        warnings.warn(
            f"the saved state changes group {index}: {', '.join(sorted(changed))}; "
            'load_state_dict(..., hyperparameters="own") keeps the values of the code',
            stacklevel=4,
        )
    taken = {key: deepcopy(value) for key, value in saved.items() if key not in {*kept, *OWN_KEYS}}
    return {**group, **taken}


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return bool(abs(float(a) - float(b)) == 0)
    return bool(tuple(a) == tuple(b) if isinstance(a, tuple | list) else a == b)
