"""The step in the backward pass: each parameter is updated as soon as its gradient is complete."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from functools import partial
from threading import RLock
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from glideslope.distributed import has_peers, is_sharded
from glideslope.errors import InvalidValue, require
from glideslope.rules import Rule

from .common import CommonSettings
from .plan import flattened, parameter_names
from .plan_cache import Preparation
from .step_config import Group, StepConfig


class Releasing(Protocol):
    """The parts of a `RuleOptimizer` that take the step of one parameter."""

    rule: ClassVar[Rule]
    state: Any
    param_groups: list[dict[str, Any]]
    _settings: CommonSettings
    _released: ReleasedGradients | None
    _lock: RLock

    def _preparation(self) -> Preparation: ...
    def _planned_groups(self, groups: Sequence[Group]) -> Sequence[Group]: ...
    def _check_ready(self) -> None: ...
    def _need_of_all(self) -> str | None: ...
    def _need_of_wholes(self, group: Group) -> str | None: ...


class ReleasedGradients:
    """Handle of `RuleOptimizer.release_gradients`, which ``remove`` ends.

    As a context manager it removes itself at the end of the ``with`` block.
    """

    def __init__(self, optimizer: Releasing, parameters: Sequence[Tensor]) -> None:
        self._optimizer = weakref.ref(optimizer)
        self._updated: set[Tensor] = set()
        self._hooks = [
            parameter.register_post_accumulate_grad_hook(
                partial(self._update, _OneParameter(optimizer, parameter))
            )
            for parameter in parameters
        ]

    def remove(self) -> None:
        """Leave gradients to `RuleOptimizer.step` again."""
        for hook in self._hooks:
            hook.remove()
        optimizer = self._optimizer()
        if optimizer is not None and optimizer._released is self:
            optimizer._released = None

    def __enter__(self) -> ReleasedGradients:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def end_step(self, optimizer: Releasing) -> None:
        """Let the next backward pass begin.

        Raises:
            InvalidValue: the gradients were scaled, or are to be checked.
        """
        self.forget()
        if getattr(optimizer, "found_inf", None) is not None:
            raise InvalidValue(
                "`release_gradients` has updated the parameters in the backward pass, with the "
                "gradients of a scaled loss: train without GradScaler"
            )

    def forget(self) -> None:
        """Drop the record of the parameters that this backward pass has updated."""
        self._updated.clear()

    def _update(self, one: _OneParameter, parameter: Tensor) -> None:
        """Hook of a parameter."""
        optimizer = self._optimizer()
        if optimizer is None or not one.is_in(optimizer.param_groups):
            return  # another optimizer's, perhaps
        with optimizer._lock, torch.no_grad():
            if parameter in self._updated:
                raise InvalidValue(
                    f"{one.name(optimizer)} has a second gradient since the last `step()`: released"
                    " gradients do not accumulate, so call `step()` after each backward pass"
                )
            one.update(optimizer)
            self._updated.add(parameter)
            parameter.grad = None


class _OneParameter:
    """The step of one parameter, with what was prepared for it."""

    def __init__(self, optimizer: Releasing, parameter: Tensor) -> None:
        self._prepare = optimizer._preparation()
        self._parameter = parameter
        self._place = (0, 0)

    def update(self, optimizer: Releasing) -> None:
        """Take the step."""
        optimizer._check_ready()
        groups = optimizer._planned_groups([self._group(optimizer)])
        states = {self._parameter: optimizer.state[self._parameter]}
        config = StepConfig.of(optimizer.rule, optimizer._settings, False, groups)
        config = config._replace(place=self._number(optimizer.param_groups))
        step = self._prepare(config, groups, states)
        try:
            step.run(groups, 1.0)
        finally:
            optimizer.state.update(states)
            step.release()

    def name(self, optimizer: Releasing) -> str:
        """The name of the parameter, or its number."""
        return parameter_names(optimizer.param_groups)[self._number(optimizer.param_groups)]

    def _number(self, groups: Sequence[Group]) -> int:
        index, place = self._place
        return place + sum(len(group["params"]) for group in groups[:index])

    def is_in(self, groups: Sequence[Group]) -> bool:
        """True if it is in one of the groups, where it most often was before."""
        index, place = self._place
        if index < len(groups) and self._is_at(groups[index]["params"], place):
            return True
        places = (
            (index, place)
            for index, group in enumerate(groups)
            for place in range(len(group["params"]))
            if self._is_at(group["params"], place)
        )
        self._place = next(places, (0, 0))
        return self._is_at(groups[self._place[0]]["params"], self._place[1])

    def _group(self, optimizer: Releasing) -> Group:
        """Its group, with this parameter alone."""
        index, place = self._place
        group = optimizer.param_groups[index]
        names = group.get("param_names", ())
        return {**group, "params": [self._parameter], "param_names": [*names[place : place + 1]]}

    def _is_at(self, parameters: Sequence[Tensor], place: int) -> bool:
        return place < len(parameters) and parameters[place] is self._parameter


def released(optimizer: Releasing, model: nn.Module) -> ReleasedGradients:
    """Update the parameters that an optimizer shares with a model in the backward pass.

    Raises:
        InvalidValue: see `RuleOptimizer.release_gradients`.
    """
    _check(optimizer, model)
    ours = {*flattened(optimizer.param_groups)}
    shared = [p for p in model.parameters() if p in ours and p.requires_grad]
    require(
        bool(shared), "model", "have parameters of this optimizer that require gradients", model
    )
    _check_local(optimizer, shared)
    optimizer._released = ReleasedGradients(optimizer, shared)
    return optimizer._released


def _check(optimizer: Releasing, model: nn.Module) -> None:
    """Refuse a step that needs more than one gradient at a time."""
    if optimizer._released is not None:
        raise InvalidValue("gradients of this optimizer are released already: `remove()` ends it")
    need = optimizer._need_of_all()
    if any(group.get("differentiable") for group in optimizer.param_groups):
        need = "`differentiable` keeps all of them"
    if isinstance(model, DistributedDataParallel):
        need = "DistributedDataParallel averages the gradients after the backward pass"
    _refuse(need)


def _check_local(optimizer: Releasing, parameters: Sequence[Tensor]) -> None:
    """Refuse, on several processes, gradients that are not complete where the parameter is."""
    if has_peers():
        if not all(map(is_sharded, parameters)):
            _refuse("the gradients of parameters that are not sharded are averaged afterwards")
        needs = map(optimizer._need_of_wholes, optimizer.param_groups)
        _refuse(next(filter(None, needs), None))


def _refuse(need: str | None) -> None:
    if need is not None:
        raise InvalidValue(f"`release_gradients` updates one parameter at a time, and {need}")
