"""The step of a matrix method: directions first, then the rules that take them for gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter

import torch
from torch import Tensor

from glideslope.distributed import is_sharded, reduction_of
from glideslope.engines import generator_of, stored
from glideslope.rules import Rule, agreeing

from .._base.capturable import check_capture
from .._base.counters import new_count
from .._base.gradients import dense, sum_of_squares
from .._base.param_state import NARROW
from .._base.plan import Assignment, Gradients, Plan, States, flattened, seed_of
from .._base.plan_cache import PlanCache
from .._base.step_config import Group, StepConfig
from .directed_tasks import DirectedTasks, check_directed
from .direction import Direction
from .matrices import Task, sharded_directions
from .stacking import stacked, stacks, unstacked


class RulePart:
    """The parameters that one rule updates, along a direction or along the gradient itself.

    It holds what a step has prepared for the next one: the plan of the rule, and the tasks of the
    direction.

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
        self._tasks: DirectedTasks | None = None

    def pick(self, groups: Sequence[Group]) -> Gradients:
        """The gradient of each parameter of the groups that is one of these."""
        return [
            parameter.grad if self._chosen(parameter, group) else None
            for group in groups
            for parameter in group["params"]
        ]

    def check(
        self, config: StepConfig, groups: Sequence[Group], gradients: Gradients, states: States
    ) -> None:
        """Refuse gradients and state that are not the parameters', before anything is changed."""
        if self.direction is None:
            self.plan(config, groups, gradients, states)
        elif self._tasks is None or not self._tasks.fit(config, groups, gradients, states):
            self._tasks = None
            check_directed(self.direction, config, groups, gradients, states)

    def tasks(
        self, config: StepConfig, groups: Sequence[Group], gradients: Gradients, states: States
    ) -> list[Task]:
        """Tasks of the directions, after `check`; state that is missing is created."""
        if self._tasks is None:
            assert self.direction is not None
            self._tasks = DirectedTasks(self.direction, config, groups, gradients, states)
        return self._tasks.of(gradients)

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
        if self._tasks is not None:
            self._tasks.release()


class DirectedStep:
    """One step of a matrix method: the directions of each part, then the plan of its rule.

    It is a `PreparedStep`, as a `Plan` is.
    """

    def __init__(
        self, parts: Sequence[RulePart], config: StepConfig, groups: Sequence[Group], states: States
    ) -> None:
        self._config, self._groups, self._states = config, groups, states
        self._parts = [
            (part, _config_of(part, config, groups), part.pick(groups)) for part in parts
        ]
        for part, own, gradients in self._parts:
            part.check(own, groups, gradients, states)

    @property
    def device(self) -> None:
        """None: directions are made with numbers of the host."""

    @property
    def assignments(self) -> list[Assignment]:
        """Which engine runs the rule of each parameter, and why no faster one."""
        found = (
            row
            for part, config, picked in self._parts
            for row in part.plan(config, self._groups, picked, self._states).assignments
        )
        return sorted(found, key=attrgetter("position"))

    def check_capture(self, is_ready: bool) -> None:
        """Refuse a step that is captured: directions are made with numbers of the host."""
        check_capture({p.device for p in flattened(self._groups) if p.is_cuda}, is_ready=False)

    def sum_of_squares(self) -> float:
        """The sum of the squares of all gradients."""
        gradients = [g for _, _, picked in self._parts for g in picked if g is not None]
        return sum_of_squares(gradients, reduction_of(gradients, self._config.process_group))

    def run(
        self, groups: Sequence[Group], factor: float | Tensor, skip: Tensor | None = None
    ) -> None:
        """Update everything, as if each gradient had been multiplied by the factor."""
        factor = float(factor)
        for part, config, picked in self._parts:
            if part.direction is None:
                part.plan(config, groups, picked, self._states).run(groups, factor)
            else:
                tasks = part.tasks(config, groups, picked, self._states)
                directions = self._directions(part.direction, tasks, len(picked), factor)
                part.plan(config, groups, directions, self._states).run(groups, 1.0)
        if self._config.zeroing:
            self._zero()

    def release(self) -> None:
        """Drop the references to the gradients."""
        for part, _, _ in self._parts:
            part.release()

    def _zero(self) -> None:
        for _, _, picked in self._parts:
            for gradient in picked:
                if gradient is not None:
                    gradient.zero_()

    def _directions(
        self, direction: Direction, tasks: Sequence[Task], count: int, factor: float
    ) -> list[Tensor | None]:
        found: list[Tensor | None] = [None] * count
        compute = partial(self._direct, direction, factor)
        for each in (compute, partial(sharded_directions, compute=compute)):
            own = [t for t in tasks if is_sharded(t.parameter) == (each is not compute)]
            for task, direct in zip(own, each(own), strict=True):
                found[task.place] = direct
        return found

    def _generator(self, task: Task, kept: Mapping[str, Tensor]) -> torch.Generator | None:
        """The noise of this step for state of 16 bits; the step is counted where there is some."""
        if not any(tensor.dtype in NARROW for tensor in kept.values()):
            return None
        counts = self._states[task.parameter]
        counts.setdefault("step", new_count(0.0))
        return generator_of(task.parameter.device, seed_of({"step": task.step}))

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
                own.copy_(stored(value, own.dtype, self._generator(task, task.state)))
        is_cautious = group.get("cautious", self._config.settings.cautious)
        each = zip(unstacked(found, size), unstacked(g, size), strict=True)
        return [agreeing(own, gradient) if is_cautious else own for own, gradient in each]


def _config_of(part: RulePart, whole: StepConfig, groups: Sequence[Group]) -> StepConfig:
    """The configuration of the step of one rule, whose gradients are zeroed by none."""
    own = StepConfig.of(part.rule, whole.settings, False, groups, whole.scaled)
    return own._replace(process_group=whole.process_group)
