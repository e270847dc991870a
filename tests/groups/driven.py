"""Optimizers of every kind of value, and sources whose values are known in closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch

from glideslope.groups import Binding, NewGroup, write_all

Factor = Callable[[float], float]


def near(value: Any, relative: float = 1e-12) -> Any:
    return pytest.approx(value, rel=relative, abs=1e-300)


class Owner:
    """The owner of an entry."""


class Driven:
    """Parameter groups and nothing else."""

    def __init__(self, *values: Any, key: str = "lr") -> None:
        self.param_groups: list[dict[str, Any]] = [{key: value} for value in values]


class Kind(NamedTuple):
    """How a group holds a number, and how near it comes to it."""

    key: str
    place: str
    hold: Callable[[float], Any]
    relative: float = 1e-12

    def group(self, value: float) -> dict[str, Any]:
        return {self.place: self.hold(value)}

    def optimizer(self, *values: float) -> Driven:
        optimizer = Driven()
        optimizer.param_groups = [self.group(value) for value in values]
        return optimizer

    def read(self, optimizer: Any) -> list[float]:
        held = [group[self.place] for group in optimizer.param_groups]
        return [float(each[0] if isinstance(each, tuple) else each) for each in held]

    def edit(self, optimizer: Any, group: int, value: float) -> None:
        """Set a value as a user would: a tensor in place, a number by another one."""
        each = optimizer.param_groups[group]
        held = each[self.place]
        if isinstance(held, torch.Tensor):
            held.fill_(value)
        else:
            each[self.place] = self.hold(value)


def whole_or_not(value: float) -> float | int:
    return int(value) if value == int(value) else value


KINDS = {
    "a float": Kind("lr", "lr", float),
    "an int": Kind("lr", "lr", whole_or_not),
    "a tensor": Kind("lr", "lr", lambda v: torch.tensor(v, dtype=torch.float64)),
    "a float32 tensor": Kind("lr", "lr", lambda v: torch.tensor(v, dtype=torch.float32), 1e-6),
    "weight decay": Kind("weight_decay", "weight_decay", float),
    "an element": Kind("betas[0]", "betas", lambda v: (v, 0.999)),
}
kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


class Curve:
    """``base · factor(t)`` for every group, or ``factor(t)`` itself where it is absolute."""

    outright = keeps_late_values = resets = False

    def __init__(self, factor: Factor, absolute: bool = False, **traits: bool) -> None:
        self.factor, self.absolute = factor, absolute
        for name, value in traits.items():
            setattr(self, name, value)

    def values(self, t: float, bases: list[float]) -> list[float]:
        return [self.factor(t) * (1.0 if self.absolute else base) for base in bases]

    def is_absolute(self, group: int) -> bool:
        return self.absolute

    def join(self, new: NewGroup) -> float:
        return new.base


def halving(t: float) -> float:
    return 0.5**t


def falling(t: float) -> float:
    return 1 - t / 16


def rising(t: float) -> float:
    return min(t / 4, 1.0)


def bound(optimizer: Any, factor: Factor, key: str = "lr", t: float = 0, **traits: Any) -> Binding:
    """A binding that has written its values of step ``t``."""
    notes = traits.pop("notes", True)
    binding = Binding(key, Curve(factor, **traits), notes)
    binding.attach(optimizer, t)
    go(optimizer, t, binding)
    return binding


def go(optimizer: Any, t: float, *bindings: Binding) -> None:
    """Take the step to ``t``."""
    before = max(t - 1, 0)
    write_all([(binding, binding.due(optimizer, t, before)) for binding in bindings])
