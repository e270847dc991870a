"""Merge the groups of a saved state into those of an optimizer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from glideslope.errors import StateMismatch, shortened
from glideslope.groups import NOTE, SharedKey

from .._base.hyperparameters import SCHEDULERS_KEYS
from .matching import Group, Match, names_of, sources_of

Hyperparameters = Literal["saved", "own"]

OWN_KEYS = ("params", "param_names", "foreach", "fused", "capturable", "differentiable")
"""The keys of this optimizer and this machine, whatever was saved."""

LOOKAHEAD_STEP = "lookahead_step"
"""The number of updates that `Lookahead` has counted, the same in all groups."""
PROGRESS_KEYS = {LOOKAHEAD_STEP, "d", "d_max", "d_numerator", "train_mode", "updates"}
"""The keys of a run's progress: always the saved ones, and the same in all groups."""

SCHEDULED_KEYS = {"lr"}
"""The keys that change during a run, so that a difference says nothing."""


class Counterpart(NamedTuple):
    """The hyperparameters that the saved groups give to one group.

    Attributes:
        values: that on which they agree.
        disputed: the keys on which they differ, with the values.
        sources: how many saved groups there are.
    """

    values: Group
    disputed: dict[str, list[Any]]
    sources: int


class Merge(NamedTuple):
    """Merges saved groups into those of an optimizer, with the hyperparameters of one side."""

    optimizer: Any
    hyperparameters: Hyperparameters
    saved: list[Group]
    matches: list[Match]
    has_begun: bool
    """True if the saved run has taken a step."""

    def counterparts(self) -> list[Counterpart]:
        """For each group what the saved groups of its parameters agree on.

        Raises:
            StateMismatch: the saved groups differ in the progress of the run, or do not tell it.
        """
        groups = self.optimizer.param_groups
        sources = sources_of(groups, self.saved, self.matches)
        return [self._counterpart([self.saved[i] for i in numbers]) for numbers in sources]

    def groups(self, counterparts: Sequence[Counterpart]) -> tuple[list[Group], list[str]]:
        """The groups as they will be, and warnings of where the sides differ."""
        pairs = zip(self.optimizer.param_groups, counterparts, strict=True)
        warnings: list[str] = []
        merged = [self._merged(i, *pair, warnings) for i, pair in enumerate(pairs)]
        return merged, warnings

    def is_driven(self, key: str, *groups: Group) -> bool:
        """True if a schedule drives the key, here or in the saved run: then it is progress."""
        names = {name for group in groups for name in group}
        cycled = key in ("momentum", "betas") and "max_momentum" in names
        noted = any(name.startswith(NOTE + key) for name in names)
        is_mark = key.startswith(NOTE) or key in SCHEDULERS_KEYS
        return cycled or noted or is_mark or SharedKey.is_driven(self.optimizer, key)

    def _counterpart(self, groups: list[Group]) -> Counterpart:
        values, disputed = _agreed(groups)
        if self._is_regrouped():
            values = {key: value for key, value in values.items() if self._is_known(key)}
        for key in sorted(self._progress()):
            if key not in values:
                self._take_progress(key, values)
            disputed.pop(key, None)
        _check_clock(values.get("updates", 0))
        return Counterpart(values, disputed, len(groups))

    def _is_regrouped(self) -> bool:
        """True if the groups are others, so that a user's own keys, such as names, are no match."""
        return len(self.saved) != len(self.optimizer.param_groups)

    def _is_known(self, key: str) -> bool:
        known = {*self.optimizer.defaults, *PROGRESS_KEYS, *SCHEDULERS_KEYS}
        return key in known or key.startswith(NOTE)

    def _take_progress(self, key: str, values: Group) -> None:
        """Progress is that of the whole run: any saved group tells it."""
        told = [group[key] for group in self.saved if key in group]
        if told and not all(_equal(told[0], other) for other in told):
            raise StateMismatch(f"the saved groups differ in `{key}`: {shortened(told)}")
        if told:
            values[key] = deepcopy(told[0])
        elif key in self.optimizer.defaults and self.has_begun:
            raise StateMismatch(f"the saved groups have no `{key}`")

    def _progress(self) -> set[str]:
        """The keys that are progress here: the ``d`` of Adafactor is a hyperparameter."""
        defaults = self.optimizer.defaults
        return PROGRESS_KEYS - ({"d"} if "d" in defaults and "d_max" not in defaults else set())

    def _merged(
        self, index: int, group: Group, counterpart: Counterpart, warnings: list[str]
    ) -> Group:
        saved, progress = counterpart.values, self._progress()
        kept = {*OWN_KEYS} & set(group)
        if self.hyperparameters == "own":
            kept |= set(group) - progress
        warnings += self._differences(index, group, saved, group.keys() - kept)
        warnings += self._disputes(index, group, counterpart.disputed, kept)
        taken = {k: deepcopy(v) for k, v in saved.items() if k not in {*kept, *OWN_KEYS}}
        if "param_names" in saved and "param_names" not in group:
            taken["param_names"] = list(saved["param_names"])
        # What the saved group does not have is dropped, as in torch, but a hyperparameter stays.
        left = {k: v for k, v in group.items() if k in self._left(group, kept, counterpart)}
        merged = {**left, **taken}
        order = [key for key in group if key in merged]  # so that a resumed run saves the same
        return {key: merged[key] for key in dict.fromkeys([*order, *merged])}

    def _left(self, group: Group, kept: set[str], counterpart: Counterpart) -> set[str]:
        """The keys of a group that stay if nothing takes their place."""
        left = {*kept, *self.optimizer.defaults, *OWN_KEYS}
        is_whole = counterpart.sources == 1 and not self._is_regrouped()
        return left if is_whole else {*left, *group}

    def _differences(
        self, index: int, group: Group, saved: Group, keys: Iterable[str]
    ) -> list[str]:
        changed = [
            f"{key} from {group[key]!r} to {saved[key]!r}"
            for key in set(keys) - SCHEDULED_KEYS - self._progress()
            if key in saved
            and not _equal(group[key], saved[key])
            and not self.is_driven(key, group, saved)
        ]
        return changed and [
            f"the saved state changes group {index}: {', '.join(sorted(changed))}; "
            'load_state_dict(..., hyperparameters="own") keeps the values of the code'
        ]

    def _disputes(
        self, index: int, group: Group, disputed: Mapping[str, list[Any]], kept: set[str]
    ) -> list[str]:
        names = sorted((disputed.keys() & self.optimizer.defaults.keys()) - kept)
        stays = [f"{key} stays {group[key]!r}, not {_listed(disputed[key])}" for key in names]
        return stays and [
            f"the parameters of group {index} were saved in groups that differ: "
            f"{', '.join(stays)}; set it after loading if that is wrong"
        ]


def _check_clock(updates: Any) -> None:
    try:
        is_whole = int(updates) == updates and updates >= 0
    except (TypeError, ValueError, OverflowError):
        is_whole = False
    if not is_whole:
        raise StateMismatch(
            f"`updates` of a saved group must be a whole number, got {shortened(updates)}"
        )


def _agreed(groups: list[Group]) -> tuple[Group, dict[str, list[Any]]]:
    """The values that several groups agree on, and those that they do not."""
    if len(groups) == 1:
        names = names_of(groups[0])
        named = {} if None in names or "param_names" not in groups[0] else {"param_names": names}
        plain = {k: v for k, v in groups[0].items() if k not in ("params", "param_names")}
        return {**plain, **named}, {}
    values: Group = {}
    disputed: dict[str, list[Any]] = {}
    for key in dict.fromkeys(key for group in groups for key in group if key not in OWN_KEYS):
        told = [group[key] for group in groups if key in group]
        if len(told) == len(groups) and all(_equal(told[0], other) for other in told):
            values[key] = told[0]
        else:
            disputed[key] = told
    return values, disputed


def _listed(values: list[Any]) -> str:
    return " or ".join(dict.fromkeys(map(shortened, values)))


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(map(_equal, a, b))
    try:
        if isinstance(a, Tensor) or isinstance(b, Tensor):
            return torch.equal(
                *(torch.as_tensor(each).to(torch.complex128).cpu() for each in (a, b))
            )
        return bool(a == b)
    except (TypeError, ValueError, RuntimeError):  # of kinds that do not compare
        return False
