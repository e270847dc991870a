"""All of `glideslope.optim`, and lucid's ``Optimizer`` to write one's own with.

It is `glideslope.optim.Optimizer`, but for a model without parameters, which it takes, too.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.optim import Optimizer as TorchOptimizer

from glideslope import optim


def __getattr__(name: str) -> Any:
    return getattr(optim, name)


def __dir__() -> list[str]:
    return dir(optim)


class _OptimizerType(type):
    """Counts torch's optimizers as lucid's: they are what `optim` holds."""

    def __instancecheck__(cls, instance: object) -> bool:
        if cls is Optimizer:
            return isinstance(instance, TorchOptimizer)
        return super().__instancecheck__(instance)


class Optimizer(optim.Optimizer, metaclass=_OptimizerType):
    """A `glideslope.optim.Optimizer` that a model without parameters can have, too.

    Its one group is then empty, and a scheduler drives that group's rate.

    Args:
        params: tensors, parameter groups, or named tensors; there may be none.
        defaults: hyperparameters by name, with the value of a group that does not say otherwise.

    Raises:
        InvalidValue: a hyperparameter is outside its bounds, or a group's key is misspelt.

    Example:
        >>> Optimizer([], {"lr": 0.01}).param_groups
        [{'params': [], 'lr': 0.01}]

    Source: ``lucid.optim.Optimizer``.
    """

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        given = params if isinstance(params, Tensor) else list(params)
        super().__init__([{"params": []}] if given == [] else given, defaults)
