"""Closed forms of the schedules under test, and what the updates of a run used."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
import torch

near = pytest.approx


def cosine(t: float, steps: int) -> float:
    return math.cos(math.pi * min(t, steps) / (2 * steps)) ** 2


def warmup(t: float, steps: int) -> float:
    return min(1.0, t / steps)


def linear(t: float, steps: int, end: float = 0.0) -> float:
    return 1 + (end - 1) * min(t, steps) / steps


def warmup_cosine(t: float, first: int, second: int) -> float:
    return t / first if t < first else cosine(t - first, second)


class Updates:
    """The hyperparameters of every update, and how far it moved the first parameter.

    Under a gradient of 1 without weight decay SGD moves by the rate, and so does Adam, whose two
    averages are then 1, but for its eps.
    """

    def __init__(self, optimizer: Any) -> None:
        self.rates: list[float] = []
        self.moves: list[float] = []
        self.groups: list[list[dict[str, Any]]] = []
        optimizer.register_step_pre_hook(self._before)
        optimizer.register_step_post_hook(self._after)

    def _before(self, optimizer: Any, *_: object) -> None:
        self._held = _first_number(optimizer)
        self.groups.append(
            [
                {key: value for key, value in group.items() if key != "params"}
                for group in optimizer.param_groups
            ]
        )
        self.rates.append(float(optimizer.param_groups[0]["lr"]))

    def _after(self, optimizer: Any, *_: object) -> None:
        self.moves.append(self._held - _first_number(optimizer))

    def of(self, key: str, index: int | None = None, group: int = 0) -> list[float]:
        """One hyperparameter at every update that had the group."""
        held = [groups[group][key] for groups in self.groups if group < len(groups)]
        return [float(value if index is None else value[index]) for value in held]


def _first_number(optimizer: Any) -> float:
    parameter = optimizer.param_groups[0]["params"][0]
    return float(parameter.detach().reshape(-1)[0])


class Driven(NamedTuple):
    """A scheduler, and the factor of update t."""

    make: Callable[[Any], Any]
    factor: Callable[[int], float]


def by_torch(
    make: Callable[[Any], Any], steps: int, lr: float = 0.01, metrics: Sequence[float] = ()
) -> list[float]:
    """The rates of the updates under one of torch's own schedulers, in the plainest loop."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([parameter], lr=lr)
    scheduler, rates = make(optimizer), []
    for t in range(steps):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step(*metrics[t : t + 1])
    return rates


def weights(model: torch.nn.Module) -> torch.Tensor:
    """All parameters in one vector."""
    return torch.cat([p.detach().reshape(-1).clone() for p in model.parameters()])
