"""Matrix methods: a direction on a matrix, which an ordinary rule then takes for the gradient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor

from .._base.step_config import Group

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
