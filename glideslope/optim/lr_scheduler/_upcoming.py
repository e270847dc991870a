"""The values of the next steps, by stepping a copy of a scheduler on a copy of its groups."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from copy import copy, deepcopy
from typing import Any

from glideslope.errors import require


class Groups:
    """A substitute for an optimizer: its parameter groups without their parameters."""

    def __init__(self, optimizer: Any) -> None:
        self.param_groups = [
            {key: [] if key == "params" else deepcopy(value) for key, value in group.items()}
            for group in optimizer.param_groups
        ]

    def step(self) -> None:
        """Do nothing: torch's schedulers require the method."""


def upcoming(scheduler: Any, steps: int, metrics: Sequence[Any]) -> dict[str, list[list[float]]]:
    """The values that the next calls of ``scheduler.step(*metrics)`` would write, by key."""
    require(steps >= 1, "steps", "be at least 1", steps)
    ahead = detached_copy(scheduler)
    rows = [_stepped(ahead, metrics) for _ in range(steps)]
    return {key: [list(values) for values in zip(*(row[key] for row in rows), strict=True)]
            for key in rows[0]}  # fmt: skip


def detached_copy(scheduler: Any) -> Any:
    """A copy on a copy of the groups, whose bases contain the factors of other schedulers."""
    optimizer = scheduler.optimizer
    mine = scheduler.active_bindings()
    own = [binding.entry for binding, _ in mine if not binding.source.outright]
    bases = [binding.shared.bases_beside(own) for binding, _ in mine]
    stand_in = Groups(optimizer) if hasattr(optimizer, "param_groups") else copy(optimizer)
    ahead = deepcopy(scheduler, {id(optimizer): stand_in})
    ahead._verbose = False
    for (binding, t), beside in zip(ahead.active_bindings(), bases, strict=True):
        binding.attach(stand_in, t)
        if not binding.source.outright:
            binding.shared.rebase(beside)
    return ahead


def _stepped(scheduler: Any, metrics: Sequence[Any]) -> dict[str, list[float]]:
    """The values that one call writes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are raised when the step is taken
        scheduler.step(*metrics)
    bound = [binding for binding in scheduler.bindings() if binding.is_bound]
    return {binding.key: list(binding.shared.observe()) for binding in bound}
