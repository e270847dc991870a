"""The base of optimizers that wrap another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor

from glideslope.errors import InvalidValue, require_type

Closure = Callable[[], Any]


class OptimizerWrapper(torch.optim.Optimizer):
    """An optimizer that changes when, or where, another one takes its steps.

    Groups, state, defaults and hooks are those of the ``optimizer`` inside, and so is every
    attribute that the wrapper does not have: there is one of each. Schedulers, state dicts and
    `GradScaler` take the wrapper wherever they take the optimizer.
    """

    optimizer: torch.optim.Optimizer
    """The optimizer inside."""

    _step_supports_amp_scaling: ClassVar[bool] = False
    """A `torch.amp.GradScaler` unscales the gradients before the step."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        is_optimizer = isinstance(optimizer, torch.optim.Optimizer)
        require_type(is_optimizer, "optimizer", "be an optimizer of parameters", optimizer)
        self.optimizer = optimizer

    def __getattr__(self, name: str) -> Any:
        if name == "optimizer":  # of a copy that has no attributes yet
            raise AttributeError(name)
        return getattr(self.optimizer, name)

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self._options().items())
        return f"{type(self).__name__}({options}) of {self.optimizer!r}"

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "step"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters to the optimizer inside."""
        self.optimizer.add_param_group(param_group)

    def state_dict(self, **options: Any) -> dict[str, Any]:
        """Give the state of both; arguments are those of the optimizer inside."""
        return self.optimizer.state_dict(**options)

    def load_state_dict(self, state_dict: dict[str, Any], **options: Any) -> None:
        """Take over a saved state of both; arguments are those of the optimizer inside."""
        self.optimizer.load_state_dict(state_dict, **options)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients, as the optimizer inside does."""
        self.optimizer.zero_grad(set_to_none)

    def release_gradients(self, model: Any) -> None:
        """Refuse: gradients are needed at the step.

        Raises:
            InvalidValue: always.
        """
        raise InvalidValue(
            f"{type(self).__name__} has no `release_gradients`: "
            "parameters that are updated in the backward pass are so before its step"
        )

    def _options(self) -> dict[str, Any]:
        """The arguments of the wrapper, as its text shows them."""
        raise NotImplementedError

    def _parameters(self) -> Iterator[Tensor]:
        return (p for group in self.param_groups for p in group["params"])
