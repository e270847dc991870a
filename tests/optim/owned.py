"""Schedules that an optimizer is given, their values, and updates that tell a rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

import glideslope as gs

Factor = Callable[[int], float]


def weight() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.ones(2, dtype=torch.float64))


def near(value: Any) -> Any:
    return pytest.approx(value, rel=1e-12, abs=1e-15)


def values_of(optimizer: Any, key: str = "lr") -> list[float]:
    return [float(group[key]) for group in optimizer.param_groups]


def update(optimizer: Any, steps: int = 1) -> Any:
    for _ in range(steps):
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = 2 * parameter.detach()
        optimizer.step()
    return optimizer


def cosine(share: float) -> float:
    return (1 + math.cos(math.pi * min(share, 1))) / 2


CURVES: dict[str, tuple[Any, Factor, float]] = {  # a schedule, its values, and its peak
    "linear": (0.1 * gs.linear(8), lambda t: 0.1 * (1 - min(t, 8) / 8), 0.1),
    "cosine": (0.2 * gs.cosine(10), lambda t: 0.2 * cosine(t / 10), 0.2),
    "from 0": (0.1 * gs.warmup(4), lambda t: 0.1 * min(t / 4, 1), 0.1),
    "rising": (gs.linear(8, start=0.1, end=0.3), lambda t: 0.1 + min(t, 8) / 40, 0.3),
    "a peak inside": (
        0.1 * (gs.warmup(4) >> gs.linear(6)),
        lambda t: 0.1 * (t / 4 if t < 4 else 1 - min(t - 4, 6) / 6),
        0.1,
    ),
}
curves = pytest.mark.parametrize(("schedule", "value", "peak"), CURVES.values(), ids=CURVES)
