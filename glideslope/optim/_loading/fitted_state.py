"""Load a saved state into an optimizer.

Torch matches by position, casts every tensor to its parameter's dtype and replaces every key of the
groups. Here names decide where both sides have them, every entry is compared with what this
optimizer keeps, a state keeps the dtype it was saved in, and what becomes of a hyperparameter that
differs is reported. Nothing is changed before all of it has been checked.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, NamedTuple, get_args

from torch import Tensor

from glideslope.distributed import is_sharded, part_of
from glideslope.errors import StateMismatch, require, shortened

from .kept import Kept, tensor_of
from .matching import Group, Match, check_saved, match_parameters
from .merging import Hyperparameters, Merge
from .saved_values import check_saved_groups

OptimizerState = defaultdict[Any, Any]

STACKLEVEL = 5
"""From a warning here to the caller of `load_state_dict`."""

HOST_COUNTERS = {"step"}
"""Entries that stay on the CPU wherever their parameter is."""


class FittedState(NamedTuple):
    """A saved state that fits an optimizer, before it is loaded.

    Attributes:
        state: copies of the saved state, by parameter.
        groups: the groups as they will be.
        told: for each group what the saved groups of its parameters say; nothing if all are new.
    """

    state: OptimizerState
    groups: list[Group]
    told: list[Group]

    @classmethod
    def of(
        cls, optimizer: Any, saved: dict[str, Any], strict: bool, hyperparameters: Hyperparameters
    ) -> FittedState:
        """Check a saved state against an optimizer, without changing the optimizer.

        Raises:
            StateMismatch: it does not fit.
            InvalidValue: ``hyperparameters`` is neither side.
        """
        sides = get_args(Hyperparameters)
        require(hyperparameters in sides, "hyperparameters", f"be one of {sides}", hyperparameters)
        check_saved(saved)
        entries, saved_groups = saved["state"], saved["param_groups"]
        matches = match_parameters(optimizer.param_groups, saved_groups, strict)
        merge = Merge(optimizer, hyperparameters, saved_groups, matches, bool(entries))
        counterparts = merge.counterparts()
        groups, told = merge.groups(counterparts)
        check_saved_groups(optimizer, groups, merge.is_driven)
        fit = _Fit(optimizer, merge, groups)
        problems = [found for match in matches if (found := fit.problem(match, entries))]
        if problems:
            rest = f"; and {len(problems) - 1} more do not fit" if problems[1:] else ""
            raise StateMismatch(problems[0] + rest)
        state = fit.placed(matches, entries)
        state.update(_of_no_parameter(saved))
        for text in told:
            warnings.warn(text, stacklevel=STACKLEVEL)
        return cls(state, groups, [each.values if each.sources else {} for each in counterparts])


def _of_no_parameter(saved: Mapping[str, Any]) -> dict[Any, Any]:
    """Copies of the entries that belong to no parameter of any saved group.

    A number would be taken for that of a parameter.
    """
    listed = {identity for group in saved["param_groups"] for identity in group["params"]}
    others = ((k, v) for k, v in saved["state"].items() if k not in listed)
    return {k: deepcopy(v) for k, v in others if not isinstance(k, int)}


class _Fit(NamedTuple):
    """Checks saved entries against the state an optimizer keeps under its future groups."""

    optimizer: Any
    merge: Merge
    groups: list[Group]

    def problem(self, match: Match, entries: Mapping[Any, Any]) -> str | None:
        """Why the state of a parameter does not fit; None if it does, or if there is none."""
        entry, kept = entries.get(match.identity, {}), self._kept(match)
        if kept is None:
            return None
        if not isinstance(entry, Mapping):
            told: str | None = f"it must be a dict, got {shortened(entry)}"
        else:
            begun, keeper = _begun(entry), type(self.optimizer).__name__
            told = kept.problem(begun, match.parameter, keeper) if begun else None
        return told and f"the state of parameter {match.title} does not fit: {told}"

    def _kept(self, match: Match) -> Kept | None:
        """The entries that a parameter must have, and may; None if anything may be there."""
        own = self.optimizer.param_groups[match.group]
        saved = {**own, **self.merge.saved[match.source]}
        now, then, code = (
            self.optimizer._keeps(match.parameter, group)
            for group in (self.groups[match.group], saved, own)
        )
        if now is None:
            return None
        keys = now.switches.values()
        driven = frozenset(key for key in keys if self.merge.is_driven(key, own, saved))
        joined: Kept = now.joined(then, code, driven)
        return joined

    def placed(self, matches: list[Match], entries: Mapping[Any, Any]) -> OptimizerState:
        """Copies of the saved state, each where its parameter is."""
        state: OptimizerState = defaultdict(dict)
        for match in matches:
            if match.identity in entries:
                kept = self.optimizer._keeps(match.parameter, self.groups[match.group])
                entry, parameter = entries[match.identity], match.parameter
                if kept is None:
                    state[parameter] = _placed(entry, parameter)
                elif begun := _begun(entry):
                    state[parameter] = {
                        name: _converted(value, parameter, name in kept.counts)
                        for name, value in begun.items()
                    }
                    self.optimizer._hold(parameter, state[parameter])
        return state


def _begun(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of a state without None, which torch writes before the first step."""
    return {name: value for name, value in entry.items() if value is not None}


def _converted(value: Any, parameter: Tensor, is_count: bool) -> Tensor:
    """A copy of a saved value as a tensor; a count is on the CPU, as one number.

    A whole tensor of a sharded parameter is sharded as that is.
    """
    found = tensor_of(value)
    assert found is not None, "a value that is no tensor has been refused"
    if is_count:
        return found.detach().to(device="cpu", copy=True).reshape(())
    if is_sharded(parameter) and not is_sharded(found) and found.shape == parameter.shape:
        return part_of(found, parameter)
    return found.detach().to(device=parameter.device, copy=True)


def _placed(value: Any, parameter: Tensor, key: str = "") -> Any:
    """A copy of a saved value where its parameter is; no number is changed."""
    if isinstance(value, Tensor):
        device = value.device if key in HOST_COUNTERS else parameter.device
        return value.detach().to(device=device, copy=True)
    if isinstance(value, dict):
        return {name: _placed(inner, parameter, name) for name, inner in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_placed(inner, parameter) for inner in value)
    return deepcopy(value)
