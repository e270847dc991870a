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


class Counters:
    """The named counts of some parameters.

    Args:
        names: the entries of a state that count.
        states: those of the parameters, whose entries become views.
    """

    def __init__(self, names: Sequence[str], states: Sequence[State]) -> None:
        self._vectors: dict[str, NDArray[np.floating[Any]]] = {}
        self._views: list[tuple[State, str, Tensor]] = []
        for name in names:
            values = new_count([float(state[name]) for state in states])
            for state, view in zip(states, values.unbind(), strict=True):
                state[name] = view
                self._views.append((state, name, view))
            self._vectors[name] = values.numpy()
        self._expected = {name: vector.copy() for name, vector in self._vectors.items()}

    def are_untouched(self) -> bool:
        """Whether only `advance` has changed them."""
        return all(
            np.array_equal(vector, self._expected[name]) for name, vector in self._vectors.items()
        )

    def were_replaced(self) -> bool:
        """Whether an entry of a state is no longer the view it became."""
        return any(dict.get(state, name) is not view for state, name, view in self._views)

    def of(self, index: int) -> dict[str, float]:
        """The counts of one parameter."""
        return {name: float(vector[index]) for name, vector in self._vectors.items()}

    def advance(self, name: str, members: Any, value: float | Tensor) -> None:
        """Set a count of some parameters."""
        self._vectors[name][members] = number(value)
        self._expected[name][members] = number(value)


def number(value: float | Tensor) -> float:
    """A plain number; no gradient flows through it."""
    return float(value.detach() if isinstance(value, Tensor) else value)


def new_count(value: float | Sequence[float]) -> Tensor:
    """One count or several, in torch's dtype for them: its default, but float32 at least."""
    wide = torch.get_default_dtype() is torch.float64
    return torch.tensor(value, dtype=torch.float64 if wide else torch.float32)
