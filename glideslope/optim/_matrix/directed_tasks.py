"""The parameters that have a direction, with its state: checked once, and kept for later steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import is_
from typing import Any

import torch
from torch import Tensor

from glideslope.distributed import is_sharded, shard
from glideslope.engines import StateWatch, Watch, addresses_of
from glideslope.errors import StateMismatch

from .._base.counters import number
from .._base.param_state import fault_of, usual_dtype
from .._base.plan import Gradients, States, check_members, flattened, parameter_names
from .._base.step_config import Group, StepConfig
from .direction import Direction, Tensors
from .matrices import Task, placed_beside, zeros_beside

COUNT = "step"
"""The entry of a state that numbers the updates, where they are numbered."""


class DirectedTasks:
    """The tasks of the parameters that have gradients, made when all checks have passed.

    What they were made for is watched as a plan of a fused kernel watches its tensors: the objects,
    their kinds, shapes and strides, and the addresses of parameters and state. So the checks, which
    take as long as the directions of small matrices, are made only where one of these changes.
    """

    def __init__(
        self,
        direction: Direction,
        config: StepConfig,
        groups: Sequence[Group],
        gradients: Gradients,
        states: States,
    ) -> None:
        self._direction, self._config, self._groups = direction, config, list(groups)
        self._parameters = flattened(groups)
        self._idle = _idle(gradients)
        self._tasks = [
            Task(place, p, g, group, _kept(direction, p, group, states[p], config), 1)
            for place, ((p, group), g) in enumerate(zip(_homes(groups), gradients, strict=True))
            if g is not None
        ]
        self._own = [task.parameter for task in self._tasks]
        self._shapes = self._wanted_shapes()
        self._states = [states[p] for p in self._own]
        self._counts = [dict.get(state, COUNT) for state in self._states]
        self._is_watched = not any(map(is_sharded, self._own))
        if self._is_watched:
            self._watch_tensors()

    def _watch_tensors(self) -> None:
        pairs = zip(self._states, self._tasks, self._counts, strict=True)
        entries = [
            (state, name)
            for state, task, count in pairs
            for name in (*task.state, *[COUNT] * isinstance(count, Tensor))
        ]
        self._state_watch = StateWatch(entries)
        self._watch = Watch([*self._own, *(task.gradient for task in self._tasks)])
        self._addresses = addresses_of(self._own)
        self._empty = sum(not p.numel() for p in self._own)

    def fit(
        self, config: StepConfig, groups: Sequence[Group], gradients: Gradients, states: States
    ) -> bool:
        """True if nothing has changed but the numbers in the tensors and where gradients lie."""
        if not self._is_watched or self._config != config or self._idle != _idle(gradients):
            return False
        if not _are_same(groups, self._groups):
            return False
        if not _are_same(flattened(groups), self._parameters):
            return False
        present = [states.get(p) for p in self._own]
        return (
            _are_same(present, self._states)
            and _are_same([dict.get(state, COUNT) for state in self._states], self._counts)
            and self._wanted_shapes() == self._shapes
            and self._are_in_place([g for g in gradients if g is not None])
        )

    def _wanted_shapes(self) -> list[Mapping[str, Sequence[int]]]:
        """The shapes of the state that the options of each group ask for."""
        return [self._direction.shapes(task.parameter, task.group) for task in self._tasks]

    def _are_in_place(self, gradients: Sequence[Tensor]) -> bool:
        return (
            self._watch.all_unchanged([*self._own, *gradients])
            and addresses_of(self._own) == self._addresses
            and addresses_of(gradients).count(0) == self._empty
            and not self._state_watch.has_moved()
        )

    def of(self, gradients: Gradients) -> list[Task]:
        """The tasks of this step, with its gradients and the number of each update."""
        present = [g for g in gradients if g is not None]
        steps = [int(number(dict.get(state, COUNT, 0.0))) + 1 for state in self._states]
        each = zip(self._tasks, present, steps, strict=True)
        return [task._replace(gradient=g, step=step) for task, g, step in each]

    def release(self) -> None:
        """Drop the references to the gradients."""
        self._tasks = [task._replace(gradient=task.parameter) for task in self._tasks]


def check_directed(
    direction: Direction,
    config: StepConfig,
    groups: Sequence[Group],
    gradients: Gradients,
    states: States,
) -> None:
    """Refuse gradients and state that are not the parameters'; nothing is changed.

    Raises:
        InvalidValue: a gradient does not belong to its parameter, or that has no direction.
        StateMismatch: an entry has another shape or device.
    """
    check_members(config, groups, gradients, states)
    named = zip(parameter_names(groups), _homes(groups), gradients, strict=True)
    for name, (p, group), g in named:
        if g is not None:
            _check_kept(direction, name, p, group, states[p])
            direction.check(name, p, group, states[p])


def _check_kept(direction: Direction, name: str, p: Tensor, group: Group, state: Tensors) -> None:
    for entry, shape in direction.shapes(p, group).items():
        kept = state.get(entry)
        if isinstance(kept, Tensor) and (fault := fault_of(kept, torch.Size(shape), p)):
            raise StateMismatch(f"state `{entry}` of {name} {fault}")


def _homes(groups: Sequence[Group]) -> list[tuple[Tensor, Group]]:
    """Each parameter with its group."""
    return [(p, group) for group in groups for p in group["params"]]


def _kept(
    direction: Direction, p: Tensor, group: Group, state: dict[str, Any], config: StepConfig
) -> dict[str, Tensor]:
    """The state of a direction; missing entries are created."""
    chosen = config.settings.float_dtype
    usual = chosen or usual_dtype(p)
    wide = torch.promote_types(usual, torch.float32)
    shapes = direction.shapes(p, group)
    for name, shape in shapes.items():
        kept, dtype = state.get(name), wide if name in direction.widened else usual
        if not isinstance(kept, Tensor):
            state[name] = zeros_beside(p, shape, dtype)
            shard(state[name]).fill_(direction.start(name, p))
        else:
            wanted = kept.dtype if chosen is None else dtype
            state[name] = placed_beside(p, kept.to(wanted))
    return {name: state[name] for name in shapes}


def _idle(gradients: Gradients) -> list[bool]:
    return [gradient is None for gradient in gradients]


def _are_same(these: Sequence[Any], those: Sequence[Any]) -> bool:
    return len(these) == len(those) and all(map(is_, these, those))
