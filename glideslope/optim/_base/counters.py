"""Counts kept per parameter, such as ``step``: one vector for all, and a view of it in each state.

So a step counts all of them with one addition, while ``state[p]["step"]`` stays the tensor that
torch's state dicts hold, and may be read and written by anyone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

State = dict[str, Any]
Counts = tuple[Any, ...]
"""The counts of one parameter, in the order of their names."""


class Counters:
    """The named counts of some parameters.

    Args:
        names: the entries of a state that count.
        states: those of the parameters, whose entries become views.
    """

    def __init__(self, names: Sequence[str], states: Sequence[State]) -> None:
        self.names, self._size = tuple(names), len(states)
        self._vectors: dict[str, NDArray[np.floating[Any]]] = {}
        self._views: list[tuple[State, str, Tensor]] = []
        self._traced: dict[tuple[str, int], tuple[State, Tensor]] = {}
        for name in names:
            values = new_count([number(state[name]) for state in states])
            for index, (state, view) in enumerate(zip(states, values.unbind(), strict=True)):
                self._keep(name, index, state, view)
            self._vectors[name] = values.numpy()
        self._expected = {name: vector.copy() for name, vector in self._vectors.items()}

    def _keep(self, name: str, index: int, state: State, view: Tensor) -> None:
        """Make an entry a view of its vector, but for one that a gradient flows through."""
        if state[name].requires_grad and torch.is_grad_enabled():
            self._traced[name, index] = state, state[name]
        else:
            state[name] = view
            self._views.append((state, name, view))

    def keys(self) -> list[Counts]:
        """The counts of each parameter."""
        return [tuple(self.of(index).values()) for index in range(self._size)]

    def are_untouched(self) -> bool:
        """True if only `advance` has changed them."""
        return all(
            np.array_equal(vector, self._expected[name]) for name, vector in self._vectors.items()
        )

    def were_replaced(self) -> bool:
        """True if an entry of a state is no longer the view it became, or was resized."""
        traced = [(state, name, count) for (name, _), (state, count) in self._traced.items()]
        return any(
            dict.get(state, name) is not view or view.ndim for state, name, view in self._views
        ) or any(dict.get(state, name) is not count for state, name, count in traced)

    def of(self, index: int) -> dict[str, Any]:
        """The counts of one parameter: numbers, or tensors that a gradient flows through."""
        counts: dict[str, Any] = {name: float(each[index]) for name, each in self._vectors.items()}
        for (name, place), (_, count) in self._traced.items():
            if place == index:
                counts[name] = count
        return counts

    def advance(
        self, name: str, members: Any, value: float | Tensor, skip: Tensor | None = None
    ) -> None:
        """Set a count of some parameters; no step is skipped here."""
        self._vectors[name][members] = number(value)
        self._expected[name][members] = number(value)
        if self._traced and isinstance(value, Tensor):
            for index in members:
                if (name, index) in self._traced:
                    state, _ = self._traced[name, index]
                    state[name] = value
                    self._traced[name, index] = state, value


def number(value: float | Tensor) -> float:
    """A plain number; no gradient flows through it."""
    return float(value.detach() if isinstance(value, Tensor) else value)


def new_count(value: float | Sequence[float]) -> Tensor:
    """One count or several, in torch's dtype for them: its default, but float32 at least."""
    wide = torch.get_default_dtype() is torch.float64
    return torch.tensor(value, dtype=torch.float64 if wide else torch.float32, device="cpu")
