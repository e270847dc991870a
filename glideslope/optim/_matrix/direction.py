"""Matrix methods: a direction on a matrix, which an ordinary rule then takes for the gradient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, ClassVar

import torch
from torch import Tensor

from glideslope.distributed import is_sharded, reduction_of, shard
from glideslope.engines import generator_of, stored
from glideslope.errors import StateMismatch
from glideslope.rules import Rule, agreeing

from .._base.capturable import check_capture
from .._base.counters import new_count, number
from .._base.gradients import dense, sum_of_squares
from .._base.param_state import NARROW, fault_of, usual_dtype
from .._base.plan import (
    Assignment,
    Gradients,
    Plan,
    States,
    check_members,
    flattened,
    parameter_names,
    seed_of,
)
from .._base.plan_cache import PlanCache
from .._base.step_config import Group, StepConfig
from .matrices import Task, placed_beside, sharded_directions, zeros_beside
from .stacking import stacked, stacks, unstacked

Tensors = Mapping[str, Tensor]


class Direction(ABC):
    """The direction that a matrix method computes from a gradient, and its state.

    The negative gradient must give the negative direction: ``maximize`` relies on it.
    """

    state: ClassVar[tuple[str, ...]]
    """The names of all entries of its state."""
    switches: ClassVar[Mapping[str, str]] = {}
    """The hyperparameter that switches an entry on, by the entry's name, where there is one."""
    widened: ClassVar[frozenset[str]] = frozenset()
    """The names of the entries that are float32 or wider, whatever the parameter is."""
    takes_stacks: ClassVar[bool] = False
    """True if it also takes stacks of gradients and of state, and then gives stacks."""

    @abstractmethod
    def shapes(self, p: Tensor, group: Group) -> Mapping[str, Sequence[int]]:
        """The shapes of its state for a parameter."""

    def start(self, name: str, p: Tensor) -> float:
        """The number that is everywhere in a new entry of the state of a parameter."""
        return 0.0

    def check(self, name: str, p: Tensor, group: Group, state: Mapping[str, Any]) -> None:
        """Refuse a parameter that has no direction, by its name; here, any has one."""
        return

    @abstractmethod
    def __call__(
        self, p: Tensor, g: Tensor, state: Tensors, group: Group, step: int
    ) -> tuple[Tensor, Tensors]:
        """The direction, and the new state.

        Args:
            p: the parameter; one of them, where gradients are stacked.
            g: its gradient, in float32 or wider, as the state is.
            state: its state.
            group: the hyperparameters.
            step: the number of this update, from 1, where the rule counts them.
        """


class RulePart:
    """The parameters that one rule updates, along a direction or along the gradient itself.

    Args:
        rule: what updates them.
        direction: what the rule takes for the gradient; None leaves that as it is.
        chosen: which parameters of which group they are.
    """

    def __init__(
        self, rule: Rule, direction: Direction | None, chosen: Callable[[Tensor, Group], bool]
    ) -> None:
        self.rule, self.direction, self._chosen = rule, direction, chosen
        self.cache = PlanCache()

    def pick(self, groups: Sequence[Group]) -> Gradients:
        """The gradient of each parameter of the groups that is one of these."""
        return [
            parameter.grad if self._chosen(parameter, group) else None
            for group in groups
            for parameter in group["params"]
        ]

    def plan(
        self, config: StepConfig, groups: Sequence[Group], gradients: Gradients, states: States
    ) -> Plan:
        """The plan, aimed at these gradients; a new one if the old does not fit."""
        parameters = flattened(groups)
        mine = {p: states[p] for p, g in zip(parameters, gradients, strict=True) if g is not None}
        plan = self.cache.aimed(config, groups, gradients, mine)
        states.update(mine)
        return plan

    def release(self) -> None:
        """Drop the references to the gradients."""
        self.cache.release()


class DirectedStep:
    """One step of a matrix method: the directions of each part, then the plan of its rule.

    It is a `PreparedStep`, as a `Plan` is.
    """

    def __init__(
        self, parts: Sequence[RulePart], config: StepConfig, groups: Sequence[Group], states: States
    ) -> None:
        self._parts, self._config, self._groups, self._states = parts, config, groups, states
        self._picked = [part.pick(groups) for part in parts]
        for part, picked in zip(parts, self._picked, strict=True):
            self._check(part, picked)

    @property
    def device(self) -> None:
        """None: directions are made with numbers of the host."""

    @property
    def assignments(self) -> list[Assignment]:
        """Which engine runs the rule of each parameter, and why no faster one."""
        pairs = zip(self._parts, self._picked, strict=True)
        found = (row for part, picked in pairs for row in self._plan(part, picked).assignments)
        return sorted(found, key=attrgetter("position"))

    def check_capture(self, is_ready: bool) -> None:
        """Refuse a step that is captured: directions are made with numbers of the host."""
        check_capture({p.device for p in flattened(self._groups) if p.is_cuda}, is_ready=False)

    def sum_of_squares(self) -> float:
        """The sum of the squares of all gradients."""
        gradients = [g for picked in self._picked for g in picked if g is not None]
        return sum_of_squares(gradients, reduction_of(gradients, self._config.process_group))

    def run(
        self, groups: Sequence[Group], factor: float | Tensor, skip: Tensor | None = None
    ) -> None:
        """Update everything, as if each gradient had been multiplied by the factor."""
        factor = float(factor)
        for part, picked in zip(self._parts, self._picked, strict=True):
            if part.direction is None:
                self._plan(part, picked).run(groups, factor)
            else:
                directions = self._directions(part.direction, picked, factor)
                self._plan(part, directions).run(groups, 1.0)
        if self._config.zeroing:
            self._zero()

    def release(self) -> None:
        """Drop the references to the gradients."""
        for part in self._parts:
            part.release()

    def _zero(self) -> None:
        for picked in self._picked:
            for gradient in picked:
                if gradient is not None:
                    gradient.zero_()

    def _plan(self, part: RulePart, gradients: Gradients) -> Plan:
        config = self._config_of(part)
        return part.plan(config, self._groups, gradients, self._states)

    def _config_of(self, part: RulePart) -> StepConfig:
        whole = self._config
        own = StepConfig.of(part.rule, whole.settings, False, self._groups, whole.scaled)
        return own._replace(process_group=whole.process_group)

    def _directions(
        self, direction: Direction, gradients: Gradients, factor: float
    ) -> list[Tensor | None]:
        homes = [(p, group) for group in self._groups for p in group["params"]]
        tasks = [
            Task(place, p, g, group, self._kept(direction, p, group), self._step_of(p))
            for place, ((p, group), g) in enumerate(zip(homes, gradients, strict=True))
            if g is not None
        ]
        found: list[Tensor | None] = [None] * len(homes)
        compute = partial(self._direct, direction, factor)
        for each in (compute, partial(sharded_directions, compute=compute)):
            own = [t for t in tasks if is_sharded(t.parameter) == (each is not compute)]
            for task, direct in zip(own, each(own), strict=True):
                found[task.place] = direct
        return found

    def _kept(self, direction: Direction, p: Tensor, group: Group) -> dict[str, Tensor]:
        """The state of a direction; missing entries are created."""
        state = self._states[p]
        _complete(direction, p, group, state, self._config.settings.float_dtype)
        return {name: state[name] for name in direction.shapes(p, group)}

    def _step_of(self, p: Tensor) -> int:
        """The number of this update, from 1, where it is counted."""
        return int(number(self._states[p].get("step", 0.0))) + 1

    def _generator(self, p: Tensor, kept: Mapping[str, Tensor]) -> torch.Generator | None:
        """The noise of this step for state of 16 bits; the step is counted where there is some."""
        if not any(tensor.dtype in NARROW for tensor in kept.values()):
            return None
        counts = self._states[p]
        counts.setdefault("step", new_count(0.0))
        return generator_of(p.device, seed_of({"step": self._step_of(p)}))

    def _check(self, part: RulePart, gradients: Gradients) -> None:
        """Refuse gradients and state that are not the parameters', before anything is changed."""
        config = self._config_of(part)
        homes = [(i, p) for i, group in enumerate(self._groups) for p in group["params"]]
        check_members(config, self._groups, gradients, self._states)
        for name, (i, p), g in zip(parameter_names(self._groups), homes, gradients, strict=True):
            if g is not None and part.direction is not None:
                _check_kept(part.direction, name, p, self._groups[i], self._states[p])
                part.direction.check(name, p, self._groups[i], self._states[p])

    def _direct(self, direction: Direction, factor: float, tasks: Sequence[Task]) -> list[Tensor]:
        """The directions of parameters; their states are updated."""
        found: dict[int, Tensor] = {}
        for batch in stacks(tasks) if direction.takes_stacks else ([task] for task in tasks):
            for task, own in zip(batch, self._direct_alike(direction, factor, batch), strict=True):
                found[task.place] = own
        return [found[task.place] for task in tasks]

    def _direct_alike(
        self, direction: Direction, factor: float, batch: Sequence[Task]
    ) -> list[Tensor]:
        """The directions of parameters of one group and one shape."""
        first, size = batch[0], len(batch)
        p, group = first.parameter, first.group
        gradients = [dense(task.gradient) for task in batch]
        if not p.numel():  # means of no elements are not numbers
            return gradients
        real = torch.promote_types(p.dtype, torch.float32)
        wide = {
            name: stacked([task.state[name].to(real) for task in batch]) for name in first.state
        }
        g = stacked([gradient.to(real) for gradient in gradients])
        found, kept = direction(p, g if factor == 1.0 else g * factor, wide, group, first.step)
        for name, values in kept.items():
            for task, value in zip(batch, unstacked(values, size), strict=True):
                own = task.state[name]
                own.copy_(stored(value, own.dtype, self._generator(task.parameter, task.state)))
        is_cautious = group.get("cautious", self._config.settings.cautious)
        each = zip(unstacked(found, size), unstacked(g, size), strict=True)
        return [agreeing(own, gradient) if is_cautious else own for own, gradient in each]


def _complete(
    direction: Direction, p: Tensor, group: Group, state: dict[str, Any], chosen: torch.dtype | None
) -> None:
    """Create missing entries, and cast the others to the chosen dtype, if there is one."""
    usual = chosen or usual_dtype(p)
    wide = torch.promote_types(usual, torch.float32)
    for name, shape in direction.shapes(p, group).items():
        kept, dtype = state.get(name), wide if name in direction.widened else usual
        if not isinstance(kept, Tensor):
            state[name] = zeros_beside(p, shape, dtype)
            shard(state[name]).fill_(direction.start(name, p))
        else:
            wanted = kept.dtype if chosen is None else dtype
            state[name] = placed_beside(p, kept.to(wanted))


def _check_kept(direction: Direction, name: str, p: Tensor, group: Group, state: Tensors) -> None:
    """Refuse state of a direction that does not belong to this parameter.

    Raises:
        StateMismatch: it has another shape or device.
    """
    for entry, shape in direction.shapes(p, group).items():
        kept = state.get(entry)
        if isinstance(kept, Tensor) and (fault := fault_of(kept, torch.Size(shape), p)):
            raise StateMismatch(f"state `{entry}` of {name} {fault}")
