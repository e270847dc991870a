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
from typing import Any, Literal, NamedTuple

from torch import Tensor

from glideslope.errors import StateMismatch
from glideslope.groups import NOTE, SharedKey

Group = dict[str, Any]
State = defaultdict[Any, Any]
Hyperparameters = Literal["saved", "own"]

OWN_KEYS = ("params", "param_names", "foreach", "fused", "capturable", "differentiable")
"""What belongs to this optimizer and this machine, whatever was saved."""

PROGRESS_KEYS = {"d", "d_max", "d_numerator", "train_mode", "updates"}
"""What says how far a run has come: always the saved one's."""

SCHEDULED_KEYS = {"lr"}
"""What changes during a run, so that a difference says nothing."""

MARKS = {"base_momentum", "max_lr", "max_momentum", "min_lr", "schedules", "swa_lr"}
"""The keys that schedulers keep in a group for themselves."""

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


class Merge(NamedTuple):
    """Brings saved groups to those of an optimizer, with the hyperparameters of one side."""

    optimizer: Any
    hyperparameters: Hyperparameters

    def groups(self, saved: list[Group]) -> list[Group]:
        """The groups, with a warning where the sides differ."""
        groups = self.optimizer.param_groups
        if len(groups) != len(saved):
            return list(groups)
        pairs = enumerate(zip(groups, saved, strict=True))
        return [self._merged(i, group, other) for i, (group, other) in pairs]

    def _merged(self, index: int, group: Group, saved: Group) -> Group:
        is_own = self.hyperparameters == "own"
        kept = set(group) - PROGRESS_KEYS if is_own else {*OWN_KEYS} & set(group)
        self._warn(index, group, saved, group.keys() - kept)
        taken = {k: deepcopy(v) for k, v in saved.items() if k not in {*kept, *OWN_KEYS}}
        # What the saved group does not have is dropped, as in torch, but a hyperparameter stays.
        left = {k: v for k, v in group.items() if k in kept or k in self._known()}
        merged = {**left, **taken}
        order = [key for key in group if key in merged]  # so that a resumed run saves the same
        return {key: merged[key] for key in dict.fromkeys([*order, *merged])}

    def _known(self) -> set[str]:
        return {*self.optimizer.defaults, *OWN_KEYS}

    def _warn(self, index: int, group: Group, saved: Group, keys: set[str]) -> None:
        changed = [
            f"{key} from {group[key]!r} to {saved[key]!r}"
            for key in keys - SCHEDULED_KEYS - PROGRESS_KEYS
            if key in saved
            and not _equal(group[key], saved[key])
            and not self._is_driven(key, group, saved)
        ]
        if changed:
            warnings.warn(
                f"the saved state changes group {index}: {', '.join(sorted(changed))}; "
                'load_state_dict(..., hyperparameters="own") keeps the values of the code',
                stacklevel=6,
            )

    def _is_driven(self, key: str, group: Group, saved: Group) -> bool:
        """True if a schedule drives the key, here or in the saved run: then it is progress."""
        names = {*group, *saved}
        cycled = key in ("momentum", "betas") and "max_momentum" in names
        noted = any(name.startswith(NOTE + key) for name in names)
        is_mark = key.startswith(NOTE) or key in MARKS
        return cycled or noted or is_mark or SharedKey.is_driven(self.optimizer, key)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return bool(abs(float(a) - float(b)) == 0)
    return bool(tuple(a) == tuple(b) if isinstance(a, tuple | list) else a == b)
